# SPDX-License-Identifier: Apache-2.0
"""Goes through a source; broken episodes are reported, counted and skipped."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from vidplan_training.engine.progress_log import ProgressLog
from vidplan_eval.datasets.episode import RecordedEpisode, Source
from vidplan_eval.datasets.errors import EpisodeError

TOLD_PER_REASON = 3


class Walk:
    """Iterates over the sound episodes of a split and prints a summary at the end.

    An episode may turn out to be broken only while it is used (its video is decoded then):
    use it within `attempt`, which counts that too.

        walk = Walk(source, held_out=False, shortest=9)
        for episode in walk:
            with walk.attempt():
                use(episode)
    """

    def __init__(
        self,
        source: Source,
        held_out: bool,
        shortest: int = 1,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        """With `part` (index, count) every process takes every count-th episode."""
        self._source, self._held_out, self._shortest = source, held_out, shortest
        index, count = part
        self._ids = source.ids(held_out)[index::count]
        self.skipped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[RecordedEpisode]:
        part = 'held-out' if self._held_out else 'training'
        progress = ProgressLog(f'{self._source.name} ({part} episodes)', len(self._ids))
        for done, name in enumerate(self._ids, 1):
            episode = self._read(name)
            if episode is not None:
                yield episode
            progress.update(done)
        print(self.summary(), flush=True)

    def _read(self, name: str) -> RecordedEpisode | None:
        with self.attempt():
            episode = self._source.read(name)
            episode.check_length(self._shortest)
            return episode
        return None

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Count an EpisodeError raised inside instead of letting it out."""
        try:
            yield
        except EpisodeError as error:
            self.skipped[error.reason] += 1
            if self.skipped[error.reason] <= TOLD_PER_REASON:
                print(f'skipped {error}', file=sys.stderr, flush=True)

    def summary(self) -> str:
        """How many episodes were sound, and why the others were not."""
        lost = sum(self.skipped.values())
        part = 'held-out' if self._held_out else 'training'
        line = f'{self._source.name}: {len(self) - lost} of {len(self)} {part} episodes are sound'
        reasons = ', '.join(f'{count} {reason}' for reason, count in self.skipped.most_common())
        return f'{line}; skipped {lost}: {reasons}' if lost else line
