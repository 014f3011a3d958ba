# SPDX-License-Identifier: Apache-2.0
"""Pictures rendered beside the physics, so that neither waits for the other."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing

import numpy as np

from vidplan_sim.cell import Cell, CellState
from vidplan_sim.render.cameras import VIEWS


class CameraThread:
    """Renders moments of a cell in a thread with a cell and a graphics context of its own.

    A context belongs to the thread that made it, so both are made there. While one moment is
    being rendered the next may wait; one that comes on top replaces the waiting one and is
    counted as dropped.

    Args:
        height, width: size of the pictures, pixels.
        deliver: called in the thread with a view, its stamp in s and its picture (uint8 rgb).

    Raises:
        RuntimeError: the graphics context cannot be made; the cause is attached.
    """

    def __init__(
        self,
        state: CellState,
        height: int,
        width: int,
        deliver: Callable[[str, float, np.ndarray], None],
    ) -> None:
        self._size = height, width
        self._deliver = deliver
        self._waiting: tuple[float, CellState] | None = None
        self._condition = threading.Condition()
        self._running = True
        self._ready = threading.Event()
        self._error: Exception | None = None
        self.rendered = 0
        self.dropped = 0
        self.durations_s: deque[float] = deque(maxlen=100)
        self._thread = threading.Thread(target=self._run, args=(state,), name='cameras')
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise RuntimeError(
                f'the cameras cannot render: {self._error}; without a screen, set MUJOCO_GL=egl '
                'and install libegl1, libopengl0 and libgl1-mesa-dri'
            ) from self._error

    def submit(self, stamp_s: float, state: CellState) -> None:
        """Ask for the pictures of a moment; returns at once.

        Raises:
            RuntimeError: the thread has died; the cause is attached.
        """
        if self._error is not None:
            raise RuntimeError(f'the cameras have stopped: {self._error}') from self._error
        with self._condition:
            if self._waiting is not None:
                self.dropped += 1
            self._waiting = stamp_s, state
            self._condition.notify()

    def close(self) -> None:
        """Finish the picture that is being rendered and free the context."""
        with self._condition:
            self._running = False
            self._condition.notify()
        self._thread.join()

    def _run(self, state: CellState) -> None:
        try:
            self._render_all(state)
        except Exception as error:  # raised in the thread that asks for pictures
            self._error = error
        finally:
            self._ready.set()

    def _render_all(self, state: CellState) -> None:
        with closing(Cell(*self._size)) as cell:
            cell.restore(state)
            cell.render()
            self._ready.set()
            while (moment := self._next()) is not None:
                started_s = time.monotonic()
                cell.restore(moment[1])
                for view in VIEWS:
                    # One by one: a reader can take each while the next is being rendered.
                    self._deliver(view, moment[0], cell.render((view,))[view])
                self.durations_s.append(time.monotonic() - started_s)
                self.rendered += 1

    def _next(self) -> tuple[float, CellState] | None:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting is not None or not self._running)
            moment, self._waiting = self._waiting, None
            return moment if self._running else None
