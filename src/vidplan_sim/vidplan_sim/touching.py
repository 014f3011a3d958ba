# SPDX-License-Identifier: Apache-2.0
"""Who touches whom, as the last physics step found it."""

from __future__ import annotations

from collections.abc import Collection

import mujoco

from vidplan_sim.arm.franka import GRIPPER_BODIES
from vidplan_sim.objects import cloth


def touched_kinds(
    model: mujoco.MjModel, data: mujoco.MjData, kinds: Collection[str]
) -> dict[str, frozenset[str]]:
    """Which of `kinds` each body of the gripper touches, by the body's name."""
    found: dict[str, set[str]] = {name: set() for name in GRIPPER_BODIES}
    for pair in data.contact.geom[:data.ncon]:
        names = [_owner(model, int(geom)) for geom in pair]
        for gripper, other in (names, names[::-1]):
            if gripper in found and other in kinds:
                found[gripper].add(other)
    return {name: frozenset(kinds) for name, kinds in found.items()}


def _owner(model: mujoco.MjModel, geom: int) -> str:
    """Name of a geom's body; the one thing that touches without a geom is the cloth."""
    return cloth.NAME if geom < 0 else str(model.body(int(model.geom_bodyid[geom])).name)
