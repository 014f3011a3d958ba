# SPDX-License-Identifier: Apache-2.0
"""What a kind of object is."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_sim.objects.shapes import Part


@dataclass(frozen=True)
class ObjectKind:
    """A kind of object that the cell knows.

    Attributes:
        name: key used in scenes, segments and ground truth.
        noun: the word of an instruction.
        phrases: texts that describe it.
        parts: geoms, z measured from the table that it stands on.
        height_m: of the standing object; its frame sits at half of it.
        mass_kg: total mass.
        grasp_height_m: where the fingertips close, above the table.
        rolls: whether its contacts need rolling friction.
        round: whether it is the same from all sides, so that no turn of the hand fits it best.
    """

    name: str
    noun: str
    phrases: tuple[str, ...]
    parts: tuple[Part, ...]
    height_m: float
    mass_kg: float = 0.08
    grasp_height_m: float = 0.02
    rolls: bool = False
    round: bool = False
