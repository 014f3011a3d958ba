# SPDX-License-Identifier: Apache-2.0
"""Reference data that lies beside the repository, where there is any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[4] / 'shared'


def shared(path: str) -> Path:
    """A file of $VIDPLAN_SHARED or of ../shared; skips the test where it is missing."""
    found = Path(os.environ.get('VIDPLAN_SHARED', _BESIDE)) / path
    if not found.exists():
        pytest.skip(f'no reference data at {found}')
    return found
