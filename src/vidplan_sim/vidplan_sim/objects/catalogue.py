# SPDX-License-Identifier: Apache-2.0
"""All kinds of objects by name."""

from __future__ import annotations

from vidplan_sim.objects.everyday import BOWL, KIND_NAMES, KINDS
from vidplan_sim.objects.kind import ObjectKind
from vidplan_sim.objects.unseen import UNSEEN_KINDS


def kind_named(name: str) -> ObjectKind:
    """The kind with a name, the bowl and the unseen ones included.

    Raises:
        ValueError: there is no such kind; the message lists the known ones.
    """
    for kind in (*KINDS, BOWL, *UNSEEN_KINDS):
        if kind.name == name:
            return kind
    raise ValueError(f"unknown object kind '{name}'; known: {', '.join((*KIND_NAMES, 'bowl'))}")
