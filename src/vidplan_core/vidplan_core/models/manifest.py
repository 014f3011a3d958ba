# SPDX-License-Identifier: Apache-2.0
"""Which files belong to a models folder, by their SHA-256: `manifest.json` beside them.

A planner relies on its heads: without its uncertainty it would believe whatever it imagines. So a
head that is missing, changed or of other models is an error, and not a planner that knows less.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from vidplan_core.errors import ModelError
from vidplan_core.models.mistaken import mistaken_for

MANIFEST = 'manifest.json'

# What is measured of models changes nothing of what they do.
_LEFT_OUT = frozenset({MANIFEST, 'metrics.json'})
_KINDS = frozenset({'.json', '.safetensors'})
# Folders of a policy lie two levels deep. What is shared with other models is linked.
_DEEP = ('*', '*/*', '*/*/*')
_LISTED = 5


def seal(models: Path) -> tuple[Path, dict[str, str]]:
    """Write down which files a models folder consists of; returns the manifest's place, and it.

    Raises:
        ModelError: nothing there could be a model.
    """
    files = _digests(models)
    if not files:
        raise ModelError(f'{models} holds no weights and no descriptions of any')
    path = models / MANIFEST
    path.write_text(json.dumps({'sha256': files}, indent=1) + '\n')
    return path, files


def check_manifest(models: Path, required: bool = False) -> None:
    """Compare a models folder with its manifest, if it has one.

    Args:
        models: the folder; a released checkpoint is a file, which has none.
        required: whether there must be one.

    Raises:
        ModelError: a file is missing, was changed, or does not belong to it.
    """
    path = models / MANIFEST
    if not path.is_file():
        if required:
            raise ModelError(
                f'{path} is missing, so nobody knows which heads belong to these models; look at '
                f'them, then run `vidplan models seal {models}`'
            )
        return
    known, found = _read(path), _digests(models)
    changed = {name for name in known.keys() & found.keys() if known[name] != found[name]}
    problems = [
        *(f'{name} is missing' for name in sorted(known.keys() - found.keys())),
        *(f'{name} was changed' for name in sorted(changed)),
        *(f'{name} does not belong to it' for name in sorted(found.keys() - known.keys())),
    ]
    for name in sorted(changed):
        if what := mistaken_for(models / name):
            raise ModelError(f'{models / name} {what}')
    if problems:
        more = f', and {len(problems) - _LISTED} more' if len(problems) > _LISTED else ''
        raise ModelError(
            f'{models} is not what its {MANIFEST} says: {", ".join(problems[:_LISTED])}{more}; if '
            f'that is meant, run `vidplan models seal {models}`'
        )


def sealed_files(models: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a models folder, as its manifest says; {} without one.

    Raises:
        ModelError: the manifest cannot be read.
    """
    path = models / MANIFEST
    return _read(path) if path.is_file() else {}


def _read(path: Path) -> dict[str, str]:
    try:
        files = json.loads(path.read_text())['sha256']
        return {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f'{path} is no manifest: {error!r}') from error


def _digests(models: Path) -> dict[str, str]:
    """SHA-256 of every file that makes models, by its place in the folder."""
    files = sorted(path for pattern in _DEEP for path in models.glob(pattern))
    return {
        path.relative_to(models).as_posix(): _sha256(path)
        for path in files
        if path.suffix in _KINDS and path.name not in _LEFT_OUT and path.is_file()
    }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
