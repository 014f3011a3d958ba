# SPDX-License-Identifier: Apache-2.0
"""`vidplan score`: where a phrase is in pictures, as numbers and as overlays."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidplan.cli.arguments import device, existing_file, models, output_file, output_folder
from vidplan.cli.evaluate.loading import models_folder


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'score',
        help='find a phrase in pictures and draw its relevancy over them',
        description='Scores pictures of one view each as the planner does and writes '
        'NAME_relevancy.png for every one.',
    )
    parser.add_argument('images', nargs='+', type=existing_file, metavar='IMAGE')
    parser.add_argument('--phrase', required=True, help="what to look for, such as 'carrot'")
    parser.add_argument(
        '--out', type=output_folder, metavar='DIR', help='default: beside the pictures'
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument('--models', type=models, metavar='DIR', help='default: the shipped ones')
    parser.add_argument('--device', type=device, default='cpu')
    return parser


def run(args: argparse.Namespace) -> int:
    """Score, draw and print every picture; 0 if any shows the phrase, else 1.

    Raises:
        ConfigError: there is no writing beside a picture, and no other place was named.
    """
    if args.out is None:
        _require_room_beside(args.images)
    from vidplan.planning_server.scoring import overlay_picture, score_pictures
    from vidplan_core.language.semantic import SemanticScorer
    from vidplan_eval.results import write_json
    from vidplan_eval.viz.pictures import save_png

    scorer = SemanticScorer.load(models_folder(args) / 'semantic', device=args.device)
    rows = []
    for found in score_pictures(scorer, args.images, args.phrase):
        folder = args.out or found.path.parent
        overlay = save_png(overlay_picture(found), folder / f'{found.path.stem}_relevancy.png')
        x, y = found.centroid
        verdict = f'found at {x:.2f}, {y:.2f} of the picture' if found.found else 'not found'
        print(f'{found.path}: {verdict}, peak {found.peak:.2f} -> {overlay}')
        rows.append(
            {
                'image': str(found.path),
                'found': found.found,
                'peak': found.peak,
                'centroid': found.centroid,
                'overlay': str(overlay),
            }
        )
    if args.json is not None:
        write_json(args.json, {'phrase': args.phrase, 'images': rows})
    return 0 if any(row['found'] for row in rows) else 1


def _require_room_beside(images: Sequence[Path]) -> None:
    """Find out before any work."""
    from vidplan_core.models.places import usual_folder

    for folder in {image.parent for image in images}:
        usual_folder(folder, '--out DIR')
