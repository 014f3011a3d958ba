# SPDX-License-Identifier: Apache-2.0
"""What a page shows of a robot, kept by one thread and read by others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from vidplan_core.errors import VidPlanError

# Without an observation or a status for so long the robot counts as lost, s.
LOST_S = 1.5
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 85]


class PageError(VidPlanError):
    """What the page cannot do now; the message is shown to the operator."""

    code = 'PAGE_FAILED'


class RobotLink(Protocol):
    """A robot as the page sees it; all methods may be called from any thread."""

    @property
    def watch(self) -> Watch:
        """What is known of it."""
        ...

    def send(self, instruction: str) -> None:
        """Send a goal; raises InstructionError or PageError."""
        ...

    def stop(self) -> str:
        """Bring the arm to rest; returns how it was confirmed, raises PageError if it was not."""
        ...


@dataclass(frozen=True)
class Picture:
    """A picture as JPEG; `number` counts those of its name."""

    jpeg: bytes
    number: int


class Watch:
    """The last pictures, the adapter's state and the goal, each with its age."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing; `clock` tells seconds that never go back."""
        self._clock = clock
        self._lock = threading.Lock()
        self._pictures: dict[str, Picture] = {}
        self._came: dict[str, float] = {}
        self._words: dict[str, dict[str, Any]] = {'adapter': {}, 'goal': {}}

    def see(self, name: str, rgb: np.ndarray) -> None:
        """Keep a picture, uint8 (height, width, 3)."""
        _, coded = cv2.imencode('.jpg', np.ascontiguousarray(rgb[..., ::-1]), _QUALITY)
        with self._lock:
            number = self._pictures[name].number + 1 if name in self._pictures else 1
            self._pictures[name] = Picture(coded.tobytes(), number)
            self._came[name] = self._clock()

    def alive(self, source: str) -> None:
        """Note that `source`, observation or adapter, was heard."""
        with self._lock:
            self._came[source] = self._clock()

    def tell(self, topic: str, **words: Any) -> None:
        """Change what is said of the adapter or of the goal."""
        with self._lock:
            self._words[topic] |= words

    def picture(self, name: str) -> Picture | None:
        """The last picture of a name."""
        with self._lock:
            return self._pictures.get(name)

    def state(self) -> dict[str, Any]:
        """Everything but the pictures, for JSON; `lost` says what is silent, '' for nothing."""
        with self._lock:
            now = self._clock()
            ages = {name: now - came for name, came in self._came.items()}
            pictures = {
                name: {'number': picture.number, 'age_s': round(ages[name], 2)}
                for name, picture in self._pictures.items()
            }
            words = {topic: dict(said) for topic, said in self._words.items()}
        return {'lost': _lost(ages), 'pictures': pictures, **words}


def _lost(ages: dict[str, float]) -> str:
    """Say which of camera pictures and adapter is silent."""
    silent = []
    for source, what in (('observation', 'cameras and arm'), ('adapter', 'action adapter')):
        age_s = ages.get(source)
        if age_s is None:
            silent.append(f'{what}: nothing came yet')
        elif age_s > LOST_S:
            silent.append(f'{what}: silent for {age_s:.0f} s')
    return '; '.join(silent)
