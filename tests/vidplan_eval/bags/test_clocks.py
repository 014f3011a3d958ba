# SPDX-License-Identifier: Apache-2.0
"""Stamps that lie cost one message, not the recording; time and memory stay bounded."""

from __future__ import annotations

import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.field_bag import Row, changed, rows, write_mcap
from tests.fakes.synthetic_bag import CAMERAS
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.bags.clocks import Timed, on_one_clock
from vidplan_eval.bags.moments import grid
from vidplan_eval.bags.observations import ObservationStream
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.tracks import Samples

LAYOUT = default_layout().resized(32, 64)


def shifted(found: list[Row], topic: str, by_s: int, only: int | None = None) -> list[Row]:
    rows_of = [row for row in found if row[1] == topic]
    for row in rows_of if only is None else [rows_of[only]]:
        row[3].header.stamp.sec += by_s
    return found


def stream(tmp_path: Path, found: list[Row]) -> tuple[int, list[str]]:
    path = write_mcap(tmp_path / 'bag.mcap', found)
    with Bag(path) as bag:
        read = ObservationStream(bag, LAYOUT, 0.2)
        return sum(1 for _ in read), read.notes


@pytest.mark.parametrize('topic', [f'/{CAMERAS[0]}', f'/{CAMERAS[2]}', '/joint_states'])
@pytest.mark.parametrize('by_s', [-100, 10**9])
@pytest.mark.parametrize('only', [0, 12])
def test_one_stamp_that_lies_is_not_believed(
    tmp_path: Path, topic: str, by_s: int, only: int
) -> None:
    found, _ = stream(tmp_path, shifted(rows(), topic, by_s, only))
    assert found >= 9


@pytest.mark.parametrize('topic', ['/gripper/joint_states', '/wrist/image_raw'])
def test_a_device_with_another_clock_counts_by_arrival(tmp_path: Path, topic: str) -> None:
    found, notes = stream(tmp_path, shifted(rows(), topic, 3600))
    assert found == 10
    assert any('3600.0 s ahead of the others' in note for note in notes)


def test_stamps_that_were_never_set_are_replaced(tmp_path: Path) -> None:
    def unset(message: object) -> None:
        message.header.stamp.sec = message.header.stamp.nanosec = 0  # type: ignore[attr-defined]

    found, notes = stream(tmp_path, changed(rows(), '/left/image_raw', unset))
    assert found == 10
    assert any('stand still' in note for note in notes)


def test_a_simulation_that_was_started_again_goes_by_recording_time() -> None:
    logged = np.arange(0, 20, 0.1)
    stamps = np.concatenate([logged[:100], logged[:100]])
    found = on_one_clock({'left': Timed(stamps, logged)})
    assert found.times_s['left'].tolist() == logged.tolist()
    assert 'go back' in found.notes[0]


def test_a_slow_simulation_is_no_other_clock() -> None:
    logged = np.arange(0, 100, 0.1)
    slow = Timed(0.25 * logged, logged)
    found = on_one_clock({'left': slow, 'right': slow})
    assert found.trusted['left'].all()
    assert found.times_s['right'].tolist() == slow.stamps_s.tolist()
    assert not found.notes


def test_the_grid_of_an_hour_takes_little_memory() -> None:
    stamps = np.arange(0, 3600, 1 / 30)
    stamps[5] = 4e9  # one stamp in the next century
    tracemalloc.start()
    found = grid(np.sort(stamps), 0.2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 18001 + 1
    assert peak < 30e6


def test_states_are_copied_once_at_most() -> None:
    count = 20_000
    states = Samples(14)
    for step in range(count):
        states.add(0.1 * step, 0.1 * step, np.full(14, step))
    times_s, trusted = states.timed().stamps_s, np.ones(count, bool)
    trusted[3] = False
    tracemalloc.start()
    track = states.track(times_s[::-1], trusted)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert track.values[:, 0].tolist() == [n for n in range(count - 1, -1, -1) if n != 3]
    assert peak < 2 * track.values.nbytes


def test_pictures_are_read_one_by_one(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / 'bag.mcap', rows(8.0), chunk_size=50_000)
    seen, most = [], 0
    with Bag(path) as bag:
        read = ObservationStream(bag, LAYOUT, 0.2)
        for observation in read:
            seen.append(weakref.ref(observation.image))
            most = max(most, sum(one() is not None for one in seen))
    assert len(seen) == len(read) == 40
    assert most <= 3  # this one, the one before, and one that is made
