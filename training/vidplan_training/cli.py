# SPDX-License-Identifier: Apache-2.0
"""`vidplan-train`: one console script for data, training and offline evaluation."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from vidplan_core.errors import VidPlanError
from vidplan_training.engine.launch import launch

# Sub-commands and the modules that declare and run them.
COMMANDS = {
    'collect': 'collect.collect',
    'cameras': 'collect.cameras',
    'extract-latents': 'data.extract_latents',
    'autoencoder': 'recipes.autoencoder.recipe',
    'world-model': 'recipes.world_model.recipe',
    'flow-map': 'recipes.flow_map.recipe',
    'semantic': 'recipes.semantic.recipe',
    'conformal': 'evaluation.calibrate',
    'heads': 'recipes.heads.recipe',
    'novelty': 'recipes.novelty',
    'adapter': 'recipes.adapter.recipe',
    'evaluate': 'evaluation.main',
}


def build_parser() -> argparse.ArgumentParser:
    """Parser with one sub-command per module of `COMMANDS`."""
    parser = argparse.ArgumentParser(prog='vidplan-train', description=__doc__)
    parser.add_argument(
        '--processes',
        type=int,
        default=1,
        help='that train together on this machine, on a GPU each where it has some',
    )
    subparsers = parser.add_subparsers(dest='command', required=True)
    for name in COMMANDS.values():
        module = importlib.import_module(f'vidplan_training.{name}')
        module.add_parser(subparsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a command; errors on bad input end with a message, not a traceback."""
    os.environ.setdefault('MUJOCO_GL', 'egl')
    arguments = sys.argv[1:] if argv is None else argv
    args = build_parser().parse_args(arguments)
    if args.processes > 1 and 'LOCAL_RANK' not in os.environ:
        launch(args.processes, arguments)
    module = importlib.import_module(f'vidplan_training.{COMMANDS[args.command]}')
    try:
        return int(module.run(args))
    except (FileNotFoundError, ValueError, VidPlanError) as error:
        print(f'vidplan-train {args.command}: {error}', file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())
