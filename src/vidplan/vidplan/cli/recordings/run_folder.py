# SPDX-License-Identifier: Apache-2.0
"""Where a run goes, and the commands that lead on from it, as they can be typed."""

from __future__ import annotations

import shlex
import sys
import time
from itertools import count
from pathlib import Path

from vidplan_core.models.places import usual_folder


def new_run_folder() -> Path:
    """Make the folder of a run that was given none; runs of one second have one each.

    Raises:
        ConfigError: nothing can be written there.
    """
    begun = usual_folder(Path('outputs/runs') / time.strftime('%Y-%m-%d_%H-%M-%S'), '--out DIR')
    for number in count(1):
        folder = begun if number == 1 else begun.with_name(f'{begun.name}-{number}')
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError('numbers do not end')


def replay_command(folder: Path, models: Path | None) -> str:
    """Return how a run is replayed, by the models that it was made with."""
    return shlex.join(
        ['vidplan', 'replay', str(folder), *(['--models', str(models)] if models else [])]
    )


def this_command() -> str:
    """Return how this process was called."""
    return shlex.join(['vidplan', *sys.argv[1:]])
