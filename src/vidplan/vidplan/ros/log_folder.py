# SPDX-License-Identifier: Apache-2.0
"""Where ROS writes its logs; without such a place it prints several lines and gives up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from vidplan_core.errors import VidPlanError
from vidplan_core.models.places import folder_problem


class LogFolderError(VidPlanError):
    """No folder for the logs of ROS; `problem` says what is wrong with the one that is meant."""

    code = 'NO_LOG_FOLDER'

    def __init__(self, problem: str) -> None:
        super().__init__(
            f'ROS cannot write its log: {problem}; set HOME, or ROS_LOG_DIR, to a folder that '
            'can be written'
        )
        self.problem = problem


def log_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where ROS will write its logs, by the rules of rcl_logging.

    Raises:
        LogFolderError: there is no such place, or it cannot be written.
    """
    home = environment.get('ROS_HOME') or _joined(environment.get('HOME'), '.ros')
    chosen = environment.get('ROS_LOG_DIR') or _joined(home, 'log')
    problem = folder_problem(Path(chosen).expanduser()) if chosen else 'HOME is not set'
    if problem:
        raise LogFolderError(problem)
    return Path(chosen).expanduser()


def _joined(folder: str | None, name: str) -> str:
    return str(Path(folder) / name) if folder else ''
