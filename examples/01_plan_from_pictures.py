# SPDX-License-Identifier: Apache-2.0
"""Plan one motion from two looks of three cameras and the arm's state; nothing moves.

python examples/01_plan_from_pictures.py [--instruction 'move to the lemon']
"""

from __future__ import annotations

import argparse

from scene.load import MODELS, load_observations

from vidplan_core.planner.system import PlanningSystem


def main() -> None:
    """Print what was considered and what was chosen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--instruction', default='move to the lemon')
    args = parser.parse_args()
    system = PlanningSystem.load(MODELS)
    task = system.new_task(args.instruction)
    plan = system.plan(task, load_observations())
    for number, score in enumerate(plan.scores):
        end = plan.candidates.position[number, -1].tolist()
        mark = '<- best' if number == plan.best else ''
        print(f'candidate {number} ends at {[round(x, 3) for x in end]} m: {score:.2f} {mark}')
    end = [round(x, 3) for x in plan.chunk.position[0, -1].tolist()]
    print(f'refined by gradient: ends at {end} m: {plan.score:.2f}, in {plan.latency_s:.1f} s')


if __name__ == '__main__':
    main()
