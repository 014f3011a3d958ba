# SPDX-License-Identifier: Apache-2.0
"""`vidplan models`: turn checkpoints of others into model folders, and seal those."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import existing, existing_file, existing_folder, output_folder
from vidplan_core.errors import ModelError
from vidplan_core.models.mistaken import no_weights

if TYPE_CHECKING:
    from vidplan_core.world_model.released.import_checkpoint import Released

# What a models folder needs for planning beside the world model, and where that comes from.
COMPANIONS = {
    'cameras.json': 'where the cameras are (as models/cell/cameras.json)',
    'semantic': 'which open_clip model looks for targets (as models/cell/semantic)',
}


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'models',
        help='check and convert released Ctrl-World and flow-map checkpoints',
        description='Works on files and folders of models.',
    )
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    importing = actions.add_parser(
        'import',
        help='check a checkpoint, and with --out convert it',
        description='Compares a checkpoint with the size that it should have, tensor by tensor, '
        'and writes it as a models folder (safetensors and json, bfloat16).',
    )
    importing.add_argument(
        'path', type=existing, help='checkpoint-10000.pt, a flow map of it, or a models folder'
    )
    importing.add_argument(
        '--out', type=output_folder, metavar='DIR', help='models folder to write'
    )
    importing.add_argument(
        '--base',
        type=existing_folder,
        metavar='DIR',
        help='imported Ctrl-World that has the parts a flow map comes without',
    )
    importing.add_argument(
        '--spec', type=existing_file, metavar='FILE', help="json of another size than Ctrl-World's"
    )
    sealing = actions.add_parser(
        'seal',
        help='write down which files belong to a models folder',
        description='Writes manifest.json: the SHA-256 of every description and of all weights. '
        'From then on nothing plans with the folder where a file is missing, changed or new.',
    )
    sealing.add_argument('path', type=existing_folder, metavar='DIR', help='a models folder')
    return parser


def run(args: argparse.Namespace) -> int:
    """Check and convert.

    Raises:
        ModelError: the checkpoint cannot be read or does not fit.
    """
    if args.action == 'seal':
        return _seal(args.path)
    if args.path.is_dir():
        return _show_folder(args.path)
    if what := no_weights(args.path):  # before torch is loaded
        raise ModelError(f'{args.path} {what}')
    from vidplan_core.world_model.released.import_checkpoint import convert, read_released
    from vidplan_core.world_model.released.presets import read_spec

    found = read_released(args.path, read_spec(args.spec) if args.spec else None)
    _show(args.path, found)
    if args.out is not None:
        convert(args.path, found, args.out, args.base)
        _show_folder(args.out)
        _tell_what_is_missing(args.out)
    return 0


def _seal(folder: Path) -> int:
    from vidplan_core.models.manifest import seal

    path, files = seal(folder)
    print(f'{path}: {len(files)} files')
    return 0


def _show(path: Path, found: Released) -> None:
    print(f'{path.name}: {found.kind}, {path.stat().st_size / 1e9:.2f} GB')
    for part in found.parts:
        use = '' if part.used else '  not used'
        print(_row(part.name, part.tensors, part.parameters, part.dtypes) + use)
    for name in found.absent:
        print(f'  {name:16s}  not in the file: taken from --base')
    for note in found.notes:
        print(f'  note: {note}')


def _show_folder(folder: Path) -> int:
    """Load a models folder and print what is in it."""
    from vidplan_core.world_model.checkpoint import load_world_model

    model = load_world_model(folder)
    print(f'{folder}: loads; backbone {model.config.backbone.kind}')
    for name, child in model.named_children():
        values = list(child.parameters())
        kinds = sorted({str(value.dtype).removeprefix('torch.') for value in values})
        print(_row(name, len(values), sum(value.numel() for value in values), kinds))
    size = sum(file.stat().st_size for file in folder.glob('*/weights.safetensors'))
    print(f'  {size / 1e9:.2f} GB on disk')
    return 0


def _row(name: str, tensors: int, parameters: int, dtypes: Sequence[str]) -> str:
    return f'  {name:16s}{tensors:6d} tensors {parameters / 1e6:9.2f} M  {"/".join(dtypes)}'


def _tell_what_is_missing(folder: Path) -> None:
    for name, words in COMPANIONS.items():
        if not (folder / name).exists():
            print(f'  planning also needs {folder / name}: {words}')
