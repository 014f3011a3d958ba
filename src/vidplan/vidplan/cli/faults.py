# SPDX-License-Identifier: Apache-2.0
"""What goes wrong outside of a command, as one line: files, memory, ROS, the machine."""

from __future__ import annotations

import errno

from vidplan_core.errors import VidPlanError

EXIT_FAILED = 1
EXIT_USAGE = 2

_ROS_PARTS = ('rclpy', 'vidplan_msgs', 'rosidl', 'ament', 'rpyutils', '_msgs', 'rcl_interfaces')
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class CommandFault:
    """One line about an error and the exit status that goes with it.

    Attributes:
        code: name of the error, in capitals.
        words: what was wrong and what would be right.
        status: 2 for what was asked wrongly or cannot be here, 1 for a failure of ours.
    """

    def __init__(self, code: str, words: str, status: int = EXIT_USAGE) -> None:
        self.code = code
        self.words = ' '.join(words.split())
        self.status = status

    def __str__(self) -> str:
        return f'{self.code}: {self.words}'


def fault_of(error: BaseException) -> CommandFault:
    """Return what to tell a user of any error that ended a command."""
    if isinstance(error, VidPlanError):
        return CommandFault(error.code, str(error))
    if isinstance(error, ImportError):
        return _import_fault(error)
    if isinstance(error, OSError):
        return _file_fault(error)
    if isinstance(error, MemoryError) or type(error).__name__ == 'OutOfMemoryError':
        return CommandFault(
            'OUT_OF_MEMORY', f'{error or "no memory is left"}: ask for less at a time'
        )
    if type(error).__name__ == 'RCLError':
        return _ros_fault(error)
    return CommandFault(
        'INTERNAL_ERROR',
        f'{type(error).__name__}: {error}; --debug shows where, for a report',
        EXIT_FAILED,
    )


def _import_fault(error: ImportError) -> CommandFault:
    name = error.name or str(error)
    if any(part in f'{name} {error}' for part in _ROS_PARTS):
        return CommandFault(
            'NO_ROS',
            f'{error}: ROS 2 Jazzy and the built workspace are needed here; `source env.sh` in a '
            'shell without another ROS (`vidplan doctor` says more)',
        )
    if name.startswith('vidplan'):
        return CommandFault(
            'NOT_INSTALLED', f'{error}: parts of two versions are installed; run `make setup`'
        )
    return CommandFault('NOT_INSTALLED', f'{error}: run `make setup`, or pip install {name}')


def _file_fault(error: OSError) -> CommandFault:
    place = str(error.filename or '')
    what = error.strerror or str(error)
    if error.errno in _NO_SPACE:
        return CommandFault(
            'DISK_FULL', f'{place or "the disk"}: {what}; make room, or name another place'
        )
    if isinstance(error, PermissionError):
        return CommandFault(
            'NO_PERMISSION', f'{place}: {what}; name a place that you may write to'
        )
    if isinstance(error, FileNotFoundError):
        return CommandFault('NOT_FOUND', f'{place}: {what}; look at the path')
    if isinstance(error, (IsADirectoryError, NotADirectoryError, FileExistsError)):
        return CommandFault('WRONG_PATH', f'{place}: {what}; name another path')
    if error.errno == errno.EADDRINUSE:
        return CommandFault('PORT_IN_USE', f'{what}; choose another one by --port')
    return CommandFault('MACHINE_ERROR', f'{place + ": " if place else ""}{what}', EXIT_FAILED)


def _ros_fault(error: BaseException) -> CommandFault:
    words = str(error)
    if 'logging' in words:
        return CommandFault(
            'NO_LOG_FOLDER',
            'ROS cannot write its log: set HOME, or ROS_LOG_DIR, to a folder that can be written',
        )
    return CommandFault(
        'ROS_ERROR', f'{words}; `vidplan doctor` looks at ROS_DOMAIN_ID and the rmw'
    )
