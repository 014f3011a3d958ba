# SPDX-License-Identifier: Apache-2.0
"""Writes mp4 files that browsers play."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from vidplan_core.errors import VidPlanError

# H.264 plays in every browser; the others are what PyAV may have been built with instead.
ENCODERS = ('libx264', 'libopenh264', 'mpeg4')


class VideoError(VidPlanError):
    """A video that cannot be written here."""

    code = 'VIDEO_FAILED'


class VideoWriter:
    """Encodes RGB frames into an mp4 that browsers play; a context manager.

    The file appears under its name only when it is whole.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        self.path = path
        self._partial = path.with_name(f'.{path.stem}.partial.mp4')
        self._rate = Fraction(rate_hz).limit_denominator(1000)
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> VideoWriter:
        return self

    def add(self, frame: np.ndarray) -> None:
        """Append one frame, uint8 (H, W, 3) RGB; odd sizes lose their last row or column."""
        import av

        height, width = (size - size % 2 for size in frame.shape[:2])
        if self._container is None:
            self._open(width, height)
        picture = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(frame[:height, :width]), format='rgb24'
        )
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        """Finish the file; raises VideoError if no frame was added."""
        if self._container is None:
            raise VideoError(f'{self.path}: no frame to write')
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._partial.replace(self.path)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        elif self._container is not None:
            self._container.close()
            self._partial.unlink(missing_ok=True)

    def _open(self, width: int, height: int) -> None:
        import av

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(
            str(self._partial), 'w', format='mp4', options={'movflags': 'faststart'}
        )
        self._stream = self._container.add_stream(_encoder(), rate=self._rate)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = 'yuv420p'
        self._stream.options = {'crf': '21', 'preset': 'veryfast'}


def _encoder() -> str:
    import av

    for name in ENCODERS:
        try:
            av.Codec(name, 'w')
        except av.codec.codec.UnknownCodecError:
            continue
        return name
    raise VideoError(f'this build of PyAV has none of the encoders {", ".join(ENCODERS)}')
