# SPDX-License-Identifier: Apache-2.0
"""What goes wrong outside of a command is told in one line, and shown whole only when asked."""

from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import Any

import pytest

from vidplan.cli import main as console
from vidplan.cli.faults import fault_of
from vidplan_core.errors import ModelError

# What rclpy raises is looked at by name: the command line works without it.
RCLError = type('RCLError', (RuntimeError,), {})


@pytest.mark.parametrize(
    ('error', 'told', 'status'),
    [
        (ModelError('no\n weights'), 'INVALID_MODEL: no weights', 2),
        (PermissionError(errno.EACCES, 'Permission denied', '/x/y'), 'NO_PERMISSION: /x/y', 2),
        (FileNotFoundError(errno.ENOENT, 'No such file', 'a'), 'NOT_FOUND: a', 2),
        (OSError(errno.ENOSPC, 'No space left', '/x'), 'DISK_FULL: /x', 2),
        (OSError(errno.EADDRINUSE, 'Address already in use'), 'PORT_IN_USE', 2),
        (OSError(errno.EIO, 'Input/output error', '/dev/x'), 'MACHINE_ERROR: /dev/x', 1),
        (ImportError('No module named rclpy._rclpy_pybind11: built for 3.10'), 'env.sh', 2),
        (ModuleNotFoundError('No module named x', name='x'), 'pip install x', 2),
        (RCLError('failed to initialize logging'), 'ROS_LOG_DIR', 2),
        (RCLError('failed to create participant'), 'ROS_ERROR', 2),
        (MemoryError(), 'OUT_OF_MEMORY', 2),
        (ZeroDivisionError('by zero'), 'INTERNAL_ERROR: ZeroDivisionError: by zero', 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else '',
)
def test_every_error_is_one_line(
    error: Exception,
    told: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: object) -> int:
        raise error

    real = console._module
    broken = SimpleNamespace(add_parser=real('doctor').add_parser, run=fail)
    monkeypatch.setattr(console, '_module', lambda name: broken)
    assert console.main(['doctor']) == status
    line = capsys.readouterr().err
    assert line.count('\n') == 1
    assert told in line
    with pytest.raises(type(error)):
        console.main(['doctor', '--debug'])


def test_interrupts_have_a_status_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Any) -> int:
        raise KeyboardInterrupt

    real = console._module
    broken = SimpleNamespace(add_parser=real('doctor').add_parser, run=interrupt)
    monkeypatch.setattr(console, '_module', lambda name: broken)
    assert console.main(['doctor']) == console.EXIT_INTERRUPTED


def test_a_fault_says_what_to_do() -> None:
    assert 'name a place that you may write to' in str(fault_of(PermissionError(13, 'no', 'x')))
