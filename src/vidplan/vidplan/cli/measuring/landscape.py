# SPDX-License-Identifier: Apache-2.0
"""`vidplan landscape`: predicted reward, value and uncertainty around a pose, and the truth."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import above_zero, device, models, output_file, positive, seed
from vidplan.cli.evaluate.loading import load_system, make_world, models_folder

if TYPE_CHECKING:
    from vidplan_eval.episode import SuiteEpisode

# A scene for tuning, not for evaluation.
SEED = 1


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'landscape',
        help='draw what the planner expects of motions around the present pose',
        description='Imagines and scores a grid of motions from the start of a scene of the cell '
        'and draws score, its terms and, where the models have the heads, value and uncertainty, '
        'beside what executing every motion in the simulator leads to.',
    )
    parser.add_argument('instruction', nargs='?', help="default: the seed's own")
    parser.add_argument(
        '--seed', type=seed, help='of the scene; default: the first from 1 with the object'
    )
    parser.add_argument('--png', type=output_file, default='landscape.png', metavar='FILE')
    parser.add_argument(
        '--json', type=output_file, metavar='FILE', help='the numbers of the picture'
    )
    parser.add_argument(
        '--span', type=above_zero, default=0.12, metavar='M', help='each way, x and y'
    )
    parser.add_argument('--points', type=positive, default=9, help='per axis')
    parser.add_argument(
        '--heights', type=float, nargs='+', default=[0.0, -0.06], metavar='M', help='along z'
    )
    parser.add_argument('--no-truth', action='store_true', help='execute nothing')
    parser.add_argument('--objects', type=positive, default=4, help='in the scene, bowl aside')
    parser.add_argument('--models', type=models, metavar='DIR', help='default: the shipped ones')
    parser.add_argument('--device', type=device, default='cpu')
    parser.add_argument('--threads', type=positive, help='default: as PyTorch chooses')
    return parser


def run(args: argparse.Namespace) -> int:
    """Survey, draw and print how well prediction and truth agree."""
    import torch

    from vidplan_eval.landscape import Grid, survey
    from vidplan_eval.landscape_picture import draw_landscape
    from vidplan_eval.results import write_json
    from vidplan_eval.viz.pictures import save_png

    if args.threads:
        torch.set_num_threads(args.threads)
    system = load_system(args)
    episode = _episode(args)
    grid = Grid.around(args.span, args.points, args.heights)
    landscape = survey(
        system, make_world(system), episode, grid,
        truth=not args.no_truth and bool(episode.kind),
    )  # fmt: skip
    print(save_png(draw_landscape(landscape), args.png))
    summary = landscape.summary()
    if summary:
        print(
            f'rank correlation with the truth {summary["spearman"]:.2f}, the predicted best is '
            f'{100 * summary["regret_m"]:.1f} cm worse than the true one'
        )
    if args.json is not None:
        write_json(
            args.json,
            {
                'instruction': landscape.instruction,
                'target': landscape.target,
                'seed': episode.seed,
                'models': str(models_folder(args)),
                'across_m': grid.across,
                'heights_m': grid.heights,
                'axes': ['height', 'x', 'y'],
                'predicted': landscape.predicted,
                'true_distance_m': landscape.true_distance_m,
                'estimated_target_m': landscape.estimated_target,
                **summary,
            },
        )
    return 0


def _episode(args: argparse.Namespace) -> SuiteEpisode:
    """The seed's own episode, or a scene in which the instruction makes sense."""
    from vidplan.bringup.scene_choice import choose_scene
    from vidplan_eval.episode import SuiteEpisode, make_episode
    from vidplan_sim.scene import random_scene

    if not args.instruction:
        return make_episode(SEED if args.seed is None else args.seed, args.objects)
    choice = choose_scene(args.instruction, seed=args.seed, first=SEED, objects=args.objects)
    scene = random_scene(choice.seed, count=args.objects)
    return SuiteEpisode(choice.seed, scene, choice.kind, args.instruction)
