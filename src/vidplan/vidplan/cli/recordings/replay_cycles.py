# SPDX-License-Identifier: Apache-2.0
"""`vidplan replay --again`: the plans that were made online, made once more and compared."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from vidplan.cli.terminal import StatusLine

if TYPE_CHECKING:
    from vidplan_eval.bags.rosbag import Bag
    from vidplan_eval.replay.cycles import CycleAgain

EXIT_DIFFERENT = 1
_SAY_EVERY = 10  # cycles


def run_again(args: argparse.Namespace, bag: Bag) -> int:
    """Plan every recorded cycle again; exit status 0 if all numbers are equal, else 1.

    Raises:
        VidPlanError: an unusable bag or model, or what planning raises.
    """
    from vidplan.cli.evaluate.loading import load_system
    from vidplan_eval.replay.cycles import online_cycles, plan_again
    from vidplan_eval.replay.hindsight import recorded_task
    from vidplan_eval.results import write_json

    with StatusLine() as status:
        recorded, total = recorded_task(bag), len(online_cycles(bag))  # before models are loaded
        system = load_system(args, seed=args.seed)
        cycles: list[CycleAgain] = []
        for cycle in plan_again(bag, system, recorded.instruction, recorded.target):
            cycles.append(cycle)
            if len(cycles) % _SAY_EVERY == 0:
                status.say(f'planned {len(cycles)} of {total} cycles again')
    result = again_result(args.bag.name, recorded.instruction, cycles)
    print_again(result)
    if args.json is not None:
        write_json(args.json, result)
    return 0 if result['equal'] == len(cycles) else EXIT_DIFFERENT


def again_result(name: str, instruction: str, cycles: list[CycleAgain]) -> dict[str, Any]:
    """Return what is written; the same bits in two replays of one bag."""
    import torch

    from vidplan_eval.replay.cycles import digest

    return {
        'bag': name,
        'instruction': instruction,
        'threads': torch.get_num_threads(),
        'torch': torch.__version__,
        'equal': sum(cycle.largest_difference == 0.0 for cycle in cycles),
        'largest_difference': max(cycle.largest_difference for cycle in cycles),
        'digest': digest(cycles),
        'cycles': [cycle.entry() for cycle in cycles],
    }


def print_again(result: dict[str, Any]) -> None:
    """Print which cycles came out equal, and the worst of the others."""
    cycles = result['cycles']
    print(
        f'{result["bag"]}: "{result["instruction"]}", {result["equal"]} of {len(cycles)} cycles '
        f'equal to the bit (score, its terms, all candidates), {result["threads"]} threads'
    )
    different = [entry for entry in cycles if entry['largest_difference'] > 0.0]
    for entry in different[:5]:
        online, again = entry['online'], entry['again']
        print(
            f'  cycle {entry["cycle"]}: candidate {online["best"]} / {again["best"]}, score '
            f'{online["score"]:.6f} online / {again["score"]:.6f} again, largest difference '
            f'{entry["largest_difference"]:.1e}'
        )
    print(f'numbers of this replay: sha256 {result["digest"][:16]}')
