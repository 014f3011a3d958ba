# SPDX-License-Identifier: Apache-2.0
"""Frames of mp4 files, by PyAV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from vidplan_core.models.mistaken import mistaken_for
from vidplan_eval.datasets.errors import (
    MISSING_FILE,
    TRUNCATED_VIDEO,
    UNREADABLE,
    EpisodeError,
)

CUT = '(cut off while it was written or copied?)'


@dataclass(frozen=True)
class VideoSpan:
    """The part of a video file that belongs to an episode.

    start_s: of its first frame in the file.
    rate_hz: of the frames.
    frames: how many there are.
    """

    file: Path
    rate_hz: float
    frames: int
    start_s: float = 0.0


def count_frames(episode: str, file: Path) -> int:
    """Number of frames that the file says it has; 0 when it does not say.

    Raises EpisodeError when the file is missing, or was cut before its index was written.
    """
    with _open(episode, file) as container:
        return int(container.streams.video[0].frames)


def decode(
    episode: str, clip: VideoSpan, wanted: Sequence[int], size: tuple[int, int] | None
) -> Iterator[np.ndarray]:
    """Frames of increasing numbers, uint8 (height, width, 3), rgb, one after the other.

    Args:
        episode: for messages.
        clip: where they are.
        wanted: their numbers, 0 the first of the clip.
        size: height and width to resize to; None keeps the video's.

    Raises EpisodeError when the video breaks off before the last of them.
    """
    left = list(reversed(wanted))
    try:
        with _open(episode, clip.file) as container:
            for number, frame in _numbered(container, clip):
                if not left:
                    break
                if number == left[-1]:
                    left.pop()
                    yield fit(frame.to_ndarray(format='rgb24'), size)
                elif number > left[-1]:
                    raise _truncated(episode, clip, left[-1], f'frame {left[-1]} is missing')
    except av.FFmpegError as error:
        raise _truncated(episode, clip, left[-1] if left else 0, str(error)) from error
    if left:
        raise _truncated(episode, clip, left[-1], 'it ends before')


def fit(picture: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Resize (height, width, 3): by area when smaller, by interpolation when larger.

    DROID's 180 x 320 pictures become 192 x 320 as in Ctrl-World: stretched, not padded.
    """
    if size is None or picture.shape[:2] == size:
        return picture
    smaller = size[0] < picture.shape[0] or size[1] < picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=how), np.uint8)


def _numbered(
    container: av.container.InputContainer, clip: VideoSpan
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames with their number in the clip, from its first on."""
    stream = container.streams.video[0]
    base = float(stream.time_base or 0)
    if clip.start_s > 0 and base:
        container.seek(int(clip.start_s / base), stream=stream)
    offset = clip.start_s + base * (stream.start_time or 0)
    for counted, frame in enumerate(container.decode(stream)):
        number = counted
        if frame.pts is not None and base:
            number = round((frame.pts * base - offset) * clip.rate_hz)
        if number >= 0:
            yield number, frame


def _open(episode: str, file: Path) -> av.container.InputContainer:
    if not file.exists():
        raise EpisodeError(episode, MISSING_FILE, file, 'no such video')
    try:
        container = av.open(str(file))
    except av.FFmpegError as error:
        what = mistaken_for(file)
        reason, detail = (UNREADABLE, what) if what else (TRUNCATED_VIDEO, _reason(error))
        raise EpisodeError(episode, reason, file, detail) from error
    if not container.streams.video:
        container.close()
        raise EpisodeError(episode, TRUNCATED_VIDEO, file, f'there is no video in it {CUT}')
    return container


def _truncated(episode: str, clip: VideoSpan, number: int, detail: str) -> EpisodeError:
    return EpisodeError(
        episode, TRUNCATED_VIDEO, clip.file, f'frame {number} of {clip.frames}: {detail}'
    )


def _reason(error: av.FFmpegError) -> str:
    return f'{error.strerror or error} {CUT}'
