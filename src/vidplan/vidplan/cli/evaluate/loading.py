# SPDX-License-Identifier: Apache-2.0
"""What commands that measure load: models, planner, world."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidplan_core.planner.config import PlannerConfig
    from vidplan_core.planner.system import PlanningSystem
    from vidplan_eval.world import World


def load_system(args: argparse.Namespace, **changes: Any) -> PlanningSystem:
    """Load the models of a parsed command line with changes to the planner's configuration."""
    from vidplan_core.planner.system import PlanningSystem

    return PlanningSystem.load(models_folder(args), config_of(args, **changes), args.device)


def config_of(args: argparse.Namespace, **changes: Any) -> PlannerConfig:
    """How to plan: a parameter file if one is given, with changes; those of None count for none.

    Raises:
        ConfigError: as for a launch with the file, or a change that is not allowed.
    """
    from dataclasses import replace

    from vidplan_core.planner.config import PlannerConfig

    path = getattr(args, 'params', None)
    config = PlannerConfig() if path is None else planner_config(path)
    return replace(config, **{name: one for name, one in changes.items() if one is not None})


def planner_config(path: Path) -> PlannerConfig:
    """What a parameter file says of the planner; the rest by default.

    Raises:
        ConfigError: as for a launch with the file.
    """
    from vidplan.parameters.files import check_file
    from vidplan_core.knobs import entries, with_values
    from vidplan_core.planner.config import PlannerConfig

    given = {
        name: value
        for block in check_file(path)
        if block.means('/planner')
        for name, value in block.values.items()
    }
    values: dict[str, Any] = {}
    for entry in entries(PlannerConfig()):
        inner = {
            name.removeprefix(f'{entry.name}.'): value
            for name, value in given.items()
            if name.startswith(f'{entry.name}.')
        }
        if inner or entry.name in given:
            values[entry.name] = inner or given[entry.name]
    return with_values(PlannerConfig(), _as_declared(values))


def _as_declared(values: dict[str, Any]) -> dict[str, Any]:
    """Lists of a file as the tuples that knobs hold."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def models_folder(args: argparse.Namespace) -> Path:
    """Return the folder that was given, or the one that is shipped."""
    from vidplan.bringup.description import share_directory

    return args.models or share_directory() / 'models' / 'cell'


def make_world(system: PlanningSystem) -> World:
    """Return the simulated cell, seen as the system's world model sees."""
    from vidplan_eval.world import World
    from vidplan_sim.cell import Cell

    model = system.world_model.config
    return World(Cell(), model.layout, model.frame_period_s)


def settings(args: argparse.Namespace, system: PlanningSystem) -> dict[str, Any]:
    """Return what a result depends on."""
    from dataclasses import asdict

    import torch

    return {
        'models': str(models_folder(args)),
        'objects': args.objects,
        'time_limit_s': args.time_limit,
        'execute_frames': args.execute_frames,
        'planner': asdict(system.config),
        'threads': torch.get_num_threads(),
        'torch': torch.__version__,
    }
