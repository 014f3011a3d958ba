# SPDX-License-Identifier: Apache-2.0
"""A bag of a run that was really planned: what every plan was made from, and its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rosbags.typesys.store import Typestore

from tests.fakes.synthetic_bag import STORE, TYPES, messages
from vidplan_core.data.observation import Observation
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.planner.motion.committed import motion_of_status
from vidplan_core.planner.plans.result import PlanResult
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.bags.observations import stitched_observations
from vidplan_eval.bags.recording import FEEDBACK, PLAN, STATUS
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.writer import BagTopic, BagWriter

INSTRUCTION = 'move to the carrot'
CYCLES = 3
_EMPTY = {'string': '', 'bool': False, 'float32': 0.0, 'float64': 0.0}


def blank(kind: str, /, store: Typestore = STORE, **given: Any) -> Any:
    """A message whose fields are empty but for those given."""
    fields = {name: _value(store, *spec) for name, spec in store.fielddefs[kind][1]}
    return store.types[kind](**{**fields, **given})


def _value(store: Typestore, node: int, spec: Any) -> Any:
    base, named, array, _ = 1, 2, 3, 4
    if node == base:
        return _EMPTY.get(spec[0], 0)
    if node == named:
        return blank(spec, store)
    (_, (kind, *_)), count = spec
    if kind == 'string' or not isinstance(kind, str) or '/' in kind:
        return []
    return np.zeros(count if node == array else 0, kind)


def time(stamp_s: float) -> Any:
    sec, nanosec = divmod(round(stamp_s * 1e9), 10**9)
    return STORE.types['builtin_interfaces/msg/Time'](sec=sec, nanosec=nanosec)


def status(stamp_s: float, seen: Observation) -> Any:
    """An adapter that is on a straight way of 5 cm and half a second, from what was seen."""
    new, share = STORE.types, np.linspace(0.0, 1.0, 6)
    x, y, z, w = seen.quaternion.tolist()
    turned = new['geometry_msgs/msg/Quaternion'](x=x, y=y, z=z, w=w)
    points = (seen.position + share[:, None] * [0.05, 0.0, 0.0]).tolist()
    poses = [
        new['geometry_msgs/msg/Pose'](
            position=new['geometry_msgs/msg/Point'](x=x, y=y, z=z), orientation=turned
        )
        for x, y, z in points
    ]
    return blank(
        TYPES[STATUS],
        header=new['std_msgs/msg/Header'](stamp=time(stamp_s), frame_id='base'),
        committed_times_s=0.5 * share,
        committed_poses=poses,
        committed_closedness=np.full(6, 0.25),
        committed_joint_positions=np.tile(seen.q, 6),
        committed_joint_velocities=np.zeros(42),
        time_ratio=1.0,
    )


def feedback(cycle: int, result: PlanResult, past: list[Observation], committed_s: float) -> Any:
    """What the planner says of a cycle, from 1."""
    found = blank(
        'vidplan_msgs/action/PlanTask_Feedback',
        cycle=cycle,
        score=result.score,
        best_candidate=result.best,
        term_names=list(result.terms),
        term_values=np.array([float(value) for value in result.terms.values()]),
        past_stamps=[time(seen.stamp_s) for seen in past],
        committed_stamp=time(committed_s),
    )
    return blank(TYPES[FEEDBACK], feedback=found)


def record_run(folder: Path, system: PlanningSystem, without: tuple[str, ...] = ()) -> Path:
    """Plan a few cycles as the graph does, and write all of it but the messages of some roles."""
    rows = messages(2.0, robot=default_robot(), encoding='rgb8')
    layout = system.world_model.config.layout
    with Bag(_write(folder / 'seen', rows, ())) as bag:
        seen = list(stitched_observations(bag, layout, lambda _: True))
    task = system.new_task(INSTRUCTION)
    for cycle in range(1, CYCLES + 1):
        past = [seen[6 * cycle - 3], seen[6 * cycle]]
        now_s, committed = past[-1].stamp_s + 0.01, None
        if cycle > 1:  # the arm stands before the first plan
            reported = status(now_s, past[-1])
            rows.append((now_s, STATUS, reported))
            committed = motion_of_status(reported)
        result = system.plan(task, past, committed)
        made = feedback(cycle, result, past, 0.0 if committed is None else now_s)
        scores = np.array(result.scores, np.float32)
        if cycle != 2:  # which came too late to be sent
            plan = blank(TYPES[PLAN], cycle=cycle, candidate_scores=scores)
            rows.append((now_s + 0.1, PLAN, plan))
        rows += [(now_s + 0.1, FEEDBACK, made), (now_s + 0.2, FEEDBACK, made)]
    return _write(folder / 'bag', rows, without)


def _write(path: Path, rows: list[tuple[float, str, Any]], without: tuple[str, ...]) -> Path:
    topics = [BagTopic(role, f'/{role}', kind) for role, kind in TYPES.items()]
    with BagWriter(path, topics, store=STORE) as writer:
        for time_s, role, message in sorted(rows, key=lambda row: row[0]):
            if role not in without:
                data = bytes(STORE.serialize_cdr(message, TYPES[role]))
                writer.write(role, round(time_s * 1e9), data)
    return path
