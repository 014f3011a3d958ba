# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidplan_core.data.history import EPISODE_START, History
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ConfigError, ObservationError

AGES = (EPISODE_START, EPISODE_START, 8, 2, 0)


def observation(stamp_s: float, closedness: float = 0.0) -> Observation:
    return Observation(
        stamp_s=stamp_s, image=np.zeros((6, 10, 3), np.uint8), q=np.zeros(7), dq=np.zeros(7),
        closedness=closedness, position=np.zeros(3), quaternion=np.array([0.0, 0, 0, 1]),
    )  # fmt: skip


def test_history_picks_the_nearest_to_each_model_frame() -> None:
    history = History(frames=3, period_s=0.2)
    for stamp_s in np.arange(0, 0.9, 1 / 15):
        history.push(observation(float(stamp_s)))
    stamps = [seen.stamp_s for seen in history.sample()]
    np.testing.assert_allclose(stamps, [stamps[-1] - 0.4, stamps[-1] - 0.2, 13 / 15], atol=1e-9)


@given(st.lists(st.floats(0.01, 0.15), min_size=20, max_size=40))
def test_history_stays_within_half_a_period(gaps: list[float]) -> None:
    history = History(frames=4, period_s=0.2)
    for stamp_s in np.cumsum(gaps):
        history.push(observation(float(stamp_s)))
    if not history.ready:
        assert np.sum(gaps) < 0.6 + 0.15
        return
    sampled = [seen.stamp_s for seen in history.sample()]
    wanted = sampled[-1] - 0.2 * np.arange(3, -1, -1)
    assert np.abs(np.array(sampled) - wanted).max() <= 0.1 + 1e-6
    assert sampled[-1] == pytest.approx(np.sum(gaps))


def test_history_needs_its_frames() -> None:
    history = History(frames=2, period_s=0.2)
    with pytest.raises(ObservationError, match='2 frames 0.2 s apart'):
        history.sample()
    history.push(observation(1.0))
    assert not history.ready
    history.push(observation(1.2))
    assert history.ready


def test_history_with_a_gap_is_not_ready() -> None:
    history = History(frames=3, period_s=0.2)
    for stamp_s in (0.0, 0.2, 0.4):
        history.push(observation(stamp_s))
    history.push(observation(0.75))
    assert not history.ready
    with pytest.raises(ObservationError, match=r'within 0.100 s of 0.550 s'):
        history.sample()


def test_history_starts_over_when_time_runs_backwards() -> None:
    history = History(frames=2, period_s=0.2)
    for stamp_s in (5.0, 5.2, 5.4, 1.0):
        history.push(observation(stamp_s))
    assert not history.ready
    assert history.newest is not None
    assert history.newest.stamp_s == 1.0


def test_history_replaces_a_repeated_stamp() -> None:
    history = History(frames=1, period_s=0.2)
    history.push(observation(1.0, closedness=0.0))
    history.push(observation(1.0, closedness=1.0))
    assert [seen.closedness for seen in history.sample()] == [1.0]


def test_history_must_be_fresh() -> None:
    history = History(frames=1, period_s=0.2)
    history.push(observation(1.0))
    assert history.sample(now_s=1.15)
    with pytest.raises(ObservationError, match='0.500 s old, allowed 0.200 s'):
        history.sample(now_s=1.5)
    assert history.sample(now_s=1.5, max_age_s=1.0)
    history.clear()
    assert history.newest is None


def test_history_forgets_what_is_too_old() -> None:
    history = History(frames=2, period_s=0.2)
    for stamp_s in np.arange(0, 100, 0.1):
        history.push(observation(float(stamp_s)))
    assert len(history._observations) < 10


def stamps(history: History) -> list[float]:
    return [round(seen.stamp_s, 6) for seen in history.sample()]


def test_a_sparse_history_begins_with_copies_of_its_first_frame() -> None:
    history = History(5, 0.2, AGES)
    for frame in range(21):
        history.push(observation(round(frame * 0.2, 6)))
        expected = [0, 0, max(frame - 8, 0), max(frame - 2, 0), frame]
        assert stamps(history) == [round(0.2 * place, 6) for place in expected]
    assert len(history._observations) <= 11  # the first one is kept apart


def test_an_episode_begins_with_what_is_seen_then() -> None:
    history = History(5, 0.2, AGES)
    for frame in range(21):
        history.push(observation(round(frame * 0.2, 6)))
    history.begin_episode()
    assert stamps(history) == [4.0] * 5
    history.push(observation(4.2))
    assert stamps(history) == [4.0, 4.0, 4.0, 4.0, 4.2]


def test_a_dense_history_keeps_its_past_when_an_episode_begins() -> None:
    history = History(2, 0.2)
    history.push(observation(1.0))
    history.push(observation(1.2))
    history.begin_episode()
    assert stamps(history) == [1.0, 1.2]


def test_a_gap_in_a_sparse_history_is_named() -> None:
    history = History(3, 0.2, (6, 3, 0))
    for stamp_s in (0.0, 0.2, 1.0, 1.2):
        history.push(observation(stamp_s))
    with pytest.raises(ObservationError, match='within 0.100 s of 0.600 s'):
        history.sample()


@pytest.mark.parametrize('ages', [(1, 0), (3, 2, 1), (2, -1, 0)])
def test_impossible_ages_are_named(ages: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match='ages of 3 frames'):
        History(3, 0.2, ages)
