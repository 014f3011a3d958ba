# SPDX-License-Identifier: Apache-2.0
"""Look for what is wrong with recorded episodes: units, polarity, views, jumps, words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from vidplan_eval.datasets.episode import RecordedEpisode, Source
from vidplan_eval.datasets.errors import MISSING_COLUMN, EpisodeError

# A gripper that never gets beyond this closedness is perhaps its width in m.
WIDTH_M = 0.1
# Between two frames of a smooth motion the way changes by less than this factor of its usual.
JUMP_FACTOR, JUMP_M = 8.0, 0.05
# Views of different cameras are less alike than this; equal pictures are one camera twice.
SAME_VIEW = 0.995
# A view whose pictures change less than this while the arm moves does not see it, of 255.
DEAD_VIEW = 0.2
# Frames of an episode at which views are compared.
LOOKS = 4

EMPTY = 'empty instruction'
FROZEN = 'frozen gripper'
WIDTH = 'gripper looks like a width'
POLARITY = 'gripper begins closed'
JUMP = 'jump'
SWAPPED = 'views are swapped'
DOUBLED = 'two views show the same'
DEAD = 'a view does not change'


@dataclass(frozen=True)
class Finding:
    """One suspicion.

    Attributes:
        episode: its name.
        kind: a constant of this module, or the reason of an EpisodeError.
        detail: numbers, in words.
        frame: where to look, None for all of it.
        severity: how bad; comparable within a kind.
    """

    episode: str
    kind: str
    detail: str
    frame: int | None = None
    severity: float = 0.0


@dataclass
class CheckedData:
    """What was found in a data set.

    Attributes:
        episodes: that were read, or tried.
        findings: of single episodes.
        whole: of the set as a whole.
    """

    episodes: int = 0
    findings: list[Finding] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Episodes by kind of finding, most first."""
        kinds = Counter(kind for _, kind in {(f.episode, f.kind) for f in self.findings})
        return dict(kinds.most_common())

    def worst(self, count: int) -> list[Finding]:
        """Return the worst findings to be shown, of as many kinds as possible."""
        by_kind: dict[str, list[Finding]] = {}
        for finding in sorted(self.findings, key=lambda one: -one.severity):
            by_kind.setdefault(finding.kind, []).append(finding)
        rounds = zip_longest_lists(by_kind.values())
        return [finding for row in rounds for finding in row][:count]


def zip_longest_lists(lists: Iterable[list[Finding]]) -> Iterator[list[Finding]]:
    """Yield the firsts of all lists, then the seconds, and so on."""
    columns = list(lists)
    for index in range(max((len(column) for column in columns), default=0)):
        yield [column[index] for column in columns if index < len(column)]


@dataclass(frozen=True)
class _Means:
    """Numbers of one episode that only make sense beside the others'."""

    episode: str
    closed_max: float
    views: np.ndarray


def check_source(source: Source, ids: Iterable[str]) -> CheckedData:
    """Read episodes and look at each; one that cannot be read is a finding."""
    found = CheckedData()
    means: list[_Means] = []
    for name in ids:
        found.episodes += 1
        try:
            episode = source.read(name)
            found.findings += _numbers(episode)
            looks = _looks(episode)
            found.findings += _views(episode, looks, source.views)
            _read_joints(episode)
        except EpisodeError as error:
            found.findings.append(Finding(name, error.reason, str(error), severity=1.0))
            continue
        closed_max = float(episode.poses.closedness.max())
        views = looks.mean(axis=0) if len(looks) else np.zeros((0, 0, 0, 3))
        means.append(_Means(name, closed_max, views))
    found.findings += _swapped(means, source.views)
    found.whole += _whole(means)
    return found


def _numbers(episode: RecordedEpisode) -> Iterator[Finding]:
    closed = episode.poses.closedness.numpy()
    if not episode.text.strip():
        yield Finding(episode.id, EMPTY, 'no words say what is done')
    if len(closed) > 1 and np.ptp(closed) < 1e-6:
        yield Finding(episode.id, FROZEN, f'{closed[0]:.3g} in all {len(closed)} frames')
    if len(closed) > 1 and closed[0] > 0.9 and closed.min() < 0.5:
        detail = f'{closed[0]:.2f} first, {closed.min():.2f} later: is 1 closed?'
        yield Finding(episode.id, POLARITY, detail, 0, float(closed[0]))
    steps = np.linalg.norm(np.diff(episode.poses.position.numpy(), axis=0), axis=1)
    if len(steps):
        usual = max(float(np.median(steps)), 1e-3)
        worst = int(steps.argmax())
        if steps[worst] > max(JUMP_M, JUMP_FACTOR * usual):
            detail = f'{100 * steps[worst]:.1f} cm in one frame, {100 * usual:.1f} cm usually'
            yield Finding(episode.id, JUMP, detail, worst, float(steps[worst] / usual))


def _read_joints(episode: RecordedEpisode) -> None:
    """Raise EpisodeError for joints that make no sense; an episode may have none."""
    try:
        if episode.joints is not None:
            episode.joints()
    except EpisodeError as error:
        if error.reason != MISSING_COLUMN:
            raise


def _looks(episode: RecordedEpisode) -> np.ndarray:
    """A few frames, small, float (looks, views, 24, 40, 3); none without pictures."""
    import cv2

    if episode.pictures is None:
        return np.zeros((0, 0, 24, 40, 3))
    wanted = set(np.linspace(0, episode.frames - 1, LOOKS).astype(int).tolist())
    kept = [
        [cv2.resize(view, (40, 24), interpolation=cv2.INTER_AREA) for view in views]
        for frame, views in enumerate(episode.pictures())
        if frame in wanted
    ]
    return np.array(kept, np.float64)


def _views(
    episode: RecordedEpisode, looks: np.ndarray, names: tuple[str, ...]
) -> Iterator[Finding]:
    if not len(looks):
        return
    for first in range(len(names)):
        for second in range(first):
            alike = _alike(looks[0, first], looks[0, second])
            if alike > SAME_VIEW:
                detail = f'{names[second]} and {names[first]} correlate by {alike:.3f}'
                yield Finding(episode.id, DOUBLED, detail, 0, alike)
    moved = float(np.ptp(episode.poses.position.numpy(), axis=0).max()) > 0.05
    if not moved or len(looks) < 2:
        return
    change = np.abs(np.diff(looks, axis=0)).mean(axis=(0, 2, 3, 4))
    for name, level in zip(names, change):
        if level < DEAD_VIEW:
            detail = f'{name} changes by {level:.2f} of 255 while the arm moves'
            yield Finding(episode.id, DEAD, detail, 0, 1.0 - float(level))


def _swapped(means: list[_Means], names: tuple[str, ...]) -> Iterator[Finding]:
    """Find episodes in which a view is more like another one of the rest than like its own."""
    seen = [entry for entry in means if entry.views.size]
    if len(seen) < 3:
        return
    usual = np.median([entry.views for entry in seen], axis=0)
    for entry in seen:
        table = np.array([[_alike(view, other) for other in usual] for view in entry.views])
        for first in range(len(names)):
            for second in range(first):
                kept = table[first, first] + table[second, second]
                changed = table[first, second] + table[second, first]
                if changed > kept + 0.2:
                    detail = f'{names[second]} and {names[first]} fit better the other way round'
                    yield Finding(entry.episode, SWAPPED, detail, 0, float(changed - kept))


def _whole(means: list[_Means]) -> Iterator[str]:
    highest = max((entry.closed_max for entry in means), default=1.0)
    if 0.0 < highest < WIDTH_M:
        yield (
            f'{WIDTH}: the largest closedness of all is {highest:.3g}; a width in m grows while '
            'the gripper opens, closedness (0 open .. 1 closed) the other way'
        )


def _alike(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of two pictures, -1 .. 1."""
    a, b = first - first.mean(), second - second.mean()
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))
