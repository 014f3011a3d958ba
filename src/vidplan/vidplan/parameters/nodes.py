# SPDX-License-Identifier: Apache-2.0
"""Which node has which knobs: the one table that files, launchers and nodes look into."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from vidplan.parameters.adapter import AdapterParameters
from vidplan.parameters.bags import PlayerParameters, RecorderParameters
from vidplan.parameters.fci import FciParameters
from vidplan.parameters.planner import PlannerParameters
from vidplan.parameters.reward import RewardParameters
from vidplan.parameters.stitcher import StitcherParameters
from vidplan.parameters.world_model import WorldModelParameters
from vidplan_core.knobs import Entry, entries
from vidplan_sim.parameters import CellParameters

#: What every ROS node has, and what begins the names of the others of its kind.
ROS_PARAMETERS = ('use_sim_time', 'start_type_description_service')
ROS_PREFIXES = ('qos_overrides.',)


#: The dataclass of knobs of every node, by the node's name.
NODES: Mapping[str, type[Any]] = {
    'world_model': WorldModelParameters,
    'reward': RewardParameters,
    'planner': PlannerParameters,
    'stitcher': StitcherParameters,
    'adapter': AdapterParameters,
    'fci': FciParameters,
    'recorder': RecorderParameters,
    'player': PlayerParameters,
    'cell': CellParameters,
}


@cache
def node_entries(node: str) -> dict[str, Entry]:
    """Return the knobs of a node with their defaults, by full name."""
    return {entry.name: entry for entry in entries(NODES[node]())}


def is_known(name: str, node: str) -> bool:
    """Return whether the node has a parameter of this name, its own or one that ROS gives it."""
    if name in ROS_PARAMETERS or name.startswith(ROS_PREFIXES):
        return True
    return knob_entry(name, node) is not None


def knob_entry(name: str, node: str) -> Entry | None:
    """Return the node's knob of this name, or the mapping that the name belongs to."""
    found = node_entries(node)
    mappings = (one for one in found.values() if isinstance(one.value, Mapping))
    owners = (one for one in mappings if name.startswith(f'{one.name}.'))
    return found.get(name) or next(owners, None)


def parameter_names(node: str) -> list[str]:
    """Return every name of a node's parameters; of a mapping those of its default."""
    names = []
    for name, entry in node_entries(node).items():
        mapping = isinstance(entry.value, Mapping)
        names += [f'{name}.{key}' for key in entry.value] if mapping else [name]
    return [*names, *ROS_PARAMETERS]
