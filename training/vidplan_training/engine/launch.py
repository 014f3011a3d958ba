# SPDX-License-Identifier: Apache-2.0
"""Starts a training in several processes of this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def launch(count: int, arguments: Sequence[str]) -> NoReturn:
    """Become `vidplan-train` with these arguments in `count` processes.

    The same as `torchrun --nproc-per-node COUNT -m vidplan_training.cli ARGUMENTS`, which is
    also what `accelerate launch --multi_gpu` starts; several machines need one of these.
    """
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    command += ['--nproc-per-node', str(count), '-m', 'vidplan_training.cli', *arguments]
    sys.stdout.flush()
    # Replaced, not started: signals then reach the processes that save.
    os.execv(sys.executable, command)
