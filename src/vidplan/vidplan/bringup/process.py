# SPDX-License-Identifier: Apache-2.0
"""Run the graph's processes without ROS launch: start, prefix their lines, end every one."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from vidplan.bringup.autogroup import hand_down
from vidplan.bringup.description import GRACE_S, Graph, GraphSettings, Process, resolve
from vidplan.bringup.overrides import check_start, write_overrides
from vidplan.bringup.respawn import OnEnd, on_end, starts_again

LineSink = Callable[[str, str], None]

_PR_SET_PDEATHSIG = 1
# Looked up here, because little may be done between fork and exec.
_PRCTL = getattr(ctypes.CDLL(None), 'prctl', None)

# Its lines are there at once, unless something that it started holds the pipe open.
_LAST_WORDS_S = 5.0

# Ends by these are what `stop` asks for, not failures.
_ASKED_FOR = (0, -signal.SIGINT, -signal.SIGTERM)


def command(process: Process, values: GraphSettings, parameters: Path) -> list[str]:
    """Return the argument vector that starts a process, ROS arguments included.

    Args:
        process: of the table.
        values: of the graph's arguments.
        parameters: file of what counts before the parameter files, see `write_overrides`.
    """
    words = [*_program(process), '--ros-args', '--log-level', str(values['log_level'])]
    if values['namespace']:
        words += ['-r', f'__ns:=/{str(values["namespace"]).strip("/")}']
    for path in (*(str(values[name]) for name in process.parameter_files), str(parameters)):
        words += ['--params-file', path]
    for source, entry in process.remappings:
        words += ['-r', f'{source}:={resolve(entry, values)}']
    return words


def _program(process: Process) -> list[str]:
    """Return the installed executable, or the module where the workspace is not built."""
    try:
        from ament_index_python.packages import get_package_prefix

        prefix = Path(get_package_prefix(process.package))
    except (ImportError, LookupError, OSError):
        return [sys.executable, '-m', process.module]
    installed = prefix / 'lib' / process.package / process.executable
    return [str(installed)] if installed.exists() else [sys.executable, '-m', process.module]


def environment(process: Process, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this environment, with the table's variables where they are not set already."""
    table = {name: value for name, value in process.environment if name not in os.environ}
    return {**os.environ, 'PYTHONUNBUFFERED': '1', **table, **(extra or {})}


class Child:
    """One running process whose output goes line by line to a sink."""

    def __init__(
        self, name: str, words: list[str], env: Mapping[str, str], on_line: LineSink
    ) -> None:
        self.name = name
        # Its own session: a Ctrl-C in the terminal reaches us alone, and we stop it in order.
        self._popen = subprocess.Popen(
            words, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors='replace', start_new_session=True,
            preexec_fn=_prepare,
        )  # fmt: skip
        hand_down(self.pid)
        self._reader = threading.Thread(target=self._read, args=(on_line,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id, also of its session."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, minus the signal's number if one ended it, None while it runs."""
        return self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        """Signal the process and what it started; nothing happens if it has ended."""
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def wait(self, timeout_s: float) -> bool:
        """Return whether it has ended within the time, all its output read."""
        try:
            self._popen.wait(max(timeout_s, 0.0))
        except subprocess.TimeoutExpired:
            return False
        self._reader.join(timeout=_LAST_WORDS_S)
        return True

    def _read(self, on_line: LineSink) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as lines:
            for line in lines:
                on_line(self.name, line.rstrip('\n'))


def _prepare() -> None:
    # A shell's background job ignores SIGINT and hands that down; ours must hear it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # If we are killed, nobody could stop the children: the kernel then asks them to end.
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGINT)


class ProcessGroup:
    """The processes of a graph; a context manager that leaves none behind.

    It starts none if a parameter file is wrong, see `check_start`.

    Attributes:
        children: In the order of the table, ended ones included; one that was started again
            takes the place of the one before.
    """

    def __init__(
        self,
        graph: Graph,
        values: GraphSettings,
        on_line: LineSink,
        extra_environment: Mapping[str, str] | None = None,
    ) -> None:
        self._on_line = on_line
        self._graph, self._values = graph, values
        self._chosen = graph.chosen(values)
        self._extra = dict(extra_environment or {})
        self._table = {one.executable: one for one in self._chosen}
        self._reported: list[Child] = []
        # How often each has ended, and when those that start again do [s, monotonic].
        self._ends: Counter[str] = Counter()
        self._due: dict[str, float] = {}
        self._folder = TemporaryDirectory(prefix='vidplan_parameters_')
        self.children: list[Child] = []

    def __enter__(self) -> ProcessGroup:
        try:
            check_start(self._graph, self._values)
            for process in self._chosen:
                self.children.append(self._start(process))
        except BaseException:
            self.stop()
            self._folder.cleanup()
            raise
        return self

    def _start(self, process: Process) -> Child:
        file = write_overrides(process, self._values, Path(self._folder.name))
        words = command(process, self._values, file)
        env = environment(process, self._extra)
        return Child(process.executable, words, env, self._on_line)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def newly_ended(self) -> list[Child]:
        """Return the children that have ended since the last call."""
        ended = [child for child in self.children if child.exit_code is not None]
        fresh = [child for child in ended if child not in self._reported]
        for child in fresh:
            child.wait(0.0)  # its last words explain the end
            self._ends[child.name] += 1
        self._reported += fresh
        return fresh

    def on_end(self, child: Child) -> OnEnd:
        """Return what follows this end of a child, which `newly_ended` has returned."""
        process, code = self._table[child.name], child.exit_code or 0
        if starts_again(process, self._values, code, self._ends[child.name]):
            return OnEnd.STARTS_AGAIN
        chosen = on_end(process, self._values)
        return OnEnd.ALL_END if chosen is OnEnd.STARTS_AGAIN else chosen

    def start_again(self, child: Child) -> float:
        """Have `start_due` start the process again, after the time that is returned [s]."""
        delay_s = float(self._values['respawn_delay_s'])
        self._due[child.name] = time.monotonic() + delay_s
        return delay_s

    def start_due(self) -> bool:
        """Start again what is due by now; return whether any process runs or will."""
        for place, child in enumerate(self.children):
            if self._due.get(child.name, math.inf) <= time.monotonic():
                del self._due[child.name]
                self.children[place] = self._start(self._table[child.name])
        return bool(self._due) or any(child.exit_code is None for child in self.children)

    def stop(self, grace_s: float = GRACE_S) -> bool:
        """End all: ask by SIGINT, insist by SIGTERM, end by SIGKILL; the arm's side comes last.

        Args:
            grace_s: Time for each of the first two steps [s].

        Returns:
            Whether every process ended when asked.
        """
        self._due.clear()
        last = [child for child in self.children if self._table[child.name].last]
        first = [child for child in self.children if child not in last]
        ended = [_end(children, grace_s) for children in (first, last)]
        return all(ended)


def _end(children: list[Child], grace_s: float) -> bool:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        for child in children:
            child.send(number)
        deadline_s = time.monotonic() + grace_s
        waits = [child.wait(deadline_s - time.monotonic()) for child in children]
        if all(waits):
            return all(child.exit_code in _ASKED_FOR for child in children)
    return False
