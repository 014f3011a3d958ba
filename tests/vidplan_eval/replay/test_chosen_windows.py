# SPDX-License-Identifier: Apache-2.0
"""Windows at every nth moment are those of all moments; other pictures are not looked at."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.field_bag import compressed, rows, write_mcap
from tests.fakes.synthetic_bag import CAMERAS, write_bag
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.bags import observations
from vidplan_eval.bags.observations import ObservationStream
from vidplan_eval.bags.recording import GRIPPER, JOINTS
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.replay.windows import (
    ObservationWindow,
    chosen_windows,
    sliding_windows,
    window_places,
)

LAYOUT = default_layout().resized(32, 64)
Sizes = tuple[int, int, float, tuple[int, ...]]
SIZES: dict[str, Sizes] = {
    'history in a row': (2, 5, 0.2, ()),
    'history of ages': (3, 3, 0.2, (4, 2, 0)),
}


def every_third(bag: Bag, sizes: Sizes) -> list[ObservationWindow]:
    stream = ObservationStream(bag, LAYOUT, 0.2)
    chosen = list(islice(window_places(stream.stamps_s, *sizes), 0, None, 3))
    wanted = {number for places in chosen for number in places.numbers}
    return list(chosen_windows(chosen, stream.numbered(wanted)))


def same(one: ObservationWindow, other: ObservationWindow) -> bool:
    mine, others = ([*window.past, *window.future] for window in (one, other))
    return one.index == other.index and all(
        a.stamp_s == b.stamp_s and np.array_equal(a.image, b.image) and np.array_equal(a.q, b.q)
        for a, b in zip(mine, others, strict=True)
    )


@pytest.mark.parametrize('without', [(), (*CAMERAS, JOINTS, GRIPPER)], ids=['sensors', 'stitched'])
@pytest.mark.parametrize('sizes', SIZES.values(), ids=SIZES.keys())
def test_chosen_windows_are_those_of_the_whole_bag(
    tmp_path: Path, without: tuple[str, ...], sizes: Sizes
) -> None:
    with Bag(write_bag(tmp_path / 'bag', 3.0, without=without)) as bag:
        found = every_third(bag, sizes)
        every = list(sliding_windows(ObservationStream(bag, LAYOUT, 0.2), *sizes))
    assert len(found) == -(-len(every) // 3) > 1
    assert all(same(*pair) for pair in zip(found, every[::3], strict=True))


def test_pictures_of_no_chosen_window_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def picture(*message: object) -> np.ndarray:
        looked.append(message)
        return decode(*message)

    decode = observations.picture
    monkeypatch.setattr(observations, 'picture', picture)
    with Bag(write_bag(tmp_path / 'bag', 3.0)) as bag:
        stream = ObservationStream(bag, LAYOUT, 0.2)
        assert [number for number, _ in stream.numbered({9, 2})] == [2, 9]
    assert len(looked) == 2 * len(LAYOUT.views)


def test_windows_with_an_unreadable_picture_are_left_out(tmp_path: Path) -> None:
    found = compressed(rows(3.0))
    with Bag(write_mcap(tmp_path / 'good.mcap', found)) as bag:
        good = every_third(bag, SIZES['history in a row'])
        bad_s = good[1].future[2].stamp_s
    left = [row for row in found if row[1] == '/left/image_raw']
    min(left, key=lambda row: abs(row[0] - bad_s))[3].data = np.zeros(9, np.uint8)
    with Bag(write_mcap(tmp_path / 'bad.mcap', found)) as bag:
        kept = every_third(bag, SIZES['history in a row'])
        assert bag.skipped['/left/image_raw'].count == 1
    whole = [w for w in good if bad_s not in {seen.stamp_s for seen in (*w.past, *w.future)}]
    assert 0 < len(whole) < len(good)
    assert all(same(*pair) for pair in zip(kept, whole, strict=True))
