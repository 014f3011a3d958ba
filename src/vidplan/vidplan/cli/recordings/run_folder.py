# SPDX-License-Identifier: Apache-2.0
"""Where a run goes, and the commands that lead on from it, as they can be typed."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

from vidplan_core.models.places import usual_folder


def new_run_folder() -> Path:
    """Return the folder of a run that was given none.

    Raises:
        ConfigError: nothing can be written there.
    """
    name = time.strftime('%Y-%m-%d_%H-%M-%S')
    return usual_folder(Path('outputs/runs') / name, '--out DIR')


def replay_command(folder: Path, models: Path | None) -> str:
    """Return how a run is replayed, by the models that it was made with."""
    return shlex.join(
        ['vidplan', 'replay', str(folder), *(['--models', str(models)] if models else [])]
    )


def this_command() -> str:
    """Return how this process was called."""
    return shlex.join(['vidplan', *sys.argv[1:]])
