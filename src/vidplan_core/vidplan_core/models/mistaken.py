# SPDX-License-Identifier: Apache-2.0
"""What often lies where a large file should be: a pointer to it, an error page, nothing."""

from __future__ import annotations

from pathlib import Path

_LFS = b'version https://git-lfs'
_TEXT = frozenset(b'\t\n\r' + bytes(range(0x20, 0x7F)))
_PAGES = (b'<!doctype', b'<html', b'<?xml')


def mistaken_for(path: Path) -> str:
    """Say what a file is instead of data, and what to do; '' where it may be data.

    Raises:
        OSError: it cannot be read.
    """
    with path.open('rb') as file:
        start = file.read(200).lstrip().lower()
    if not start:
        return 'is empty: download it again'
    if start.startswith(_LFS):
        return 'is a pointer of git-lfs, not the file itself: run `git lfs pull`'
    if start.startswith(_PAGES):
        return 'is a web page, not the file itself: download it again, signed in'
    return ''


def no_weights(path: Path) -> str:
    """Say what a file is instead of weights, and what to do; '' where it may be weights.

    Raises:
        OSError: it cannot be read.
    """
    with path.open('rb') as file:
        start = file.read(200)
    # Weights begin with a zip, a pickle or a length of eight bytes: none of them is text.
    is_text = _TEXT.issuperset(start)
    text = 'is text, no weights: name a .safetensors or .pt file' if is_text else ''
    return mistaken_for(path) or text
