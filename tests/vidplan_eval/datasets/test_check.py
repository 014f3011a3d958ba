# SPDX-License-Identifier: Apache-2.0
"""What is wrong with data is found by name, and sound data are left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.episodes import MadeSource, episode
from vidplan_eval.datasets import check
from vidplan_eval.datasets.check import check_source
from vidplan_eval.datasets.check_page import write_check_page
from vidplan_eval.datasets.errors import JUMP, WRONG_UNIT

Change = Callable[[np.ndarray, np.ndarray], None]


def source_with(make: Callable[[], object], sound: int = 4) -> MadeSource:
    makers = {str(n): lambda n=n: episode(str(n)) for n in range(sound)}
    return MadeSource({**makers, 'bad': make})  # type: ignore[dict-item]


def found(make: Callable[[], object]) -> dict[str, set[str]]:
    source = source_with(make)
    result: dict[str, set[str]] = {}
    for finding in check_source(source, source.ids(held_out=False)).findings:
        result.setdefault(finding.episode, set()).add(finding.kind)
    return result


def test_sound_data_are_left_alone() -> None:
    assert found(lambda: episode('bad')) == {}


def _percent(pose: np.ndarray, closed: np.ndarray) -> None:
    closed *= 100


def _millimetres(pose: np.ndarray, closed: np.ndarray) -> None:
    pose[:, :3] *= 1000


def _teleport(pose: np.ndarray, closed: np.ndarray) -> None:
    pose[18:, 1] += 0.65


def _twitch(pose: np.ndarray, closed: np.ndarray) -> None:
    pose[18:, 1] += 0.2


def _frozen(pose: np.ndarray, closed: np.ndarray) -> None:
    closed[:] = 0.3


def _upside_down(pose: np.ndarray, closed: np.ndarray) -> None:
    closed[:] = 1 - closed


@pytest.mark.parametrize(
    ('change', 'kind'),
    [
        (_percent, WRONG_UNIT),
        (_millimetres, WRONG_UNIT),
        (_teleport, JUMP),
        (_twitch, check.JUMP),
        (_frozen, check.FROZEN),
        (_upside_down, check.POLARITY),
    ],
)
def test_numbers_that_mean_something_else_are_found(change: Change, kind: str) -> None:
    assert found(lambda: episode('bad', change=change)) == {'bad': {kind}}


def test_empty_words_and_swapped_and_doubled_views_are_found() -> None:
    assert found(lambda: episode('bad', text=' ')) == {'bad': {check.EMPTY}}
    assert found(lambda: episode('bad', order=(1, 0, 2))) == {'bad': {check.SWAPPED}}
    assert check.DOUBLED in found(lambda: episode('bad', order=(0, 1, 1)))['bad']


def test_a_width_is_suspected_over_the_whole_set() -> None:
    def width(pose: np.ndarray, closed: np.ndarray) -> None:
        closed[:] = 0.08 * (1 - closed)

    source = MadeSource({'0': lambda: episode('0', change=width)})
    (words,) = check_source(source, ['0']).whole
    assert 'width' in words
    assert '0.08' in words


def test_the_report_shows_the_worst_of_each_kind(tmp_path: Path) -> None:
    source = source_with(lambda: episode('bad', change=_twitch, text=''))
    result = check_source(source, source.ids(held_out=False))
    page = write_check_page(result, source, tmp_path / 'check.html').read_text()
    assert page.count('<img') == 2
    assert 'cm in one frame' in page
    assert result.counts == {check.JUMP: 1, check.EMPTY: 1}
