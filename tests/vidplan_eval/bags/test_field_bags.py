# SPDX-License-Identifier: Apache-2.0
"""Recordings from the field are read: every storage, compression, age and way of ending."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mcap.writer import CompressionType

from tests.fakes.field_bag import (
    changed,
    compressed,
    cut,
    garble,
    pack_file,
    rows,
    write_mcap,
    write_metadata,
    write_sqlite,
)
from tests.fakes.synthetic_bag import START_S, picture
from vidplan_core.data.observation import Observation
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.bags.observations import BagSource, read_observations
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.storage.stored import BagError

LAYOUT = default_layout().resized(32, 64)
PERIOD_S = 0.2
ROWS = rows()
MOMENTS = 10  # two seconds at 5 Hz


def observations(path: Path, source: BagSource | None = None) -> list[Observation]:
    with Bag(path) as bag:
        return read_observations(bag, LAYOUT, PERIOD_S, source)


def _mcap(folder: Path) -> Path:
    return write_mcap(folder / 'bag' / 'bag_0.mcap', ROWS).parent


def _lone_mcap(folder: Path) -> Path:
    return write_mcap(folder / 'bag_0.mcap', ROWS)


def _unchunked(folder: Path) -> Path:
    return write_mcap(folder / 'bag_0.mcap', ROWS, chunked=False)


def _zstd_chunks(folder: Path) -> Path:
    return write_mcap(folder / 'bag_0.mcap', ROWS, compression=CompressionType.ZSTD)


def _lz4_chunks(folder: Path) -> Path:
    return write_mcap(folder / 'bag_0.mcap', ROWS, compression=CompressionType.LZ4)


def _without_definitions(folder: Path) -> Path:
    return write_mcap(folder / 'bag_0.mcap', ROWS, definitions=False)


def _humble(folder: Path) -> Path:
    path = write_sqlite(folder / 'bag' / 'bag_0.db3', ROWS).parent
    write_metadata(path, ['bag_0.db3'], 'sqlite3')
    return path


def _lone_db3(folder: Path) -> Path:
    return write_sqlite(folder / 'bag_0.db3', ROWS)


def _packed_messages(folder: Path) -> Path:
    return write_sqlite(folder / 'bag_0.db3', ROWS, packed=True)


def _packed_files(folder: Path) -> Path:
    half = len(ROWS) // 2
    path = folder / 'bag'
    names = [
        pack_file(write_sqlite(path / f'bag_{n}.db3', part)).name
        for n, part in enumerate((ROWS[:half], ROWS[half:]))
    ]
    write_metadata(path, names, 'sqlite3', compression_format='zstd', compression_mode='FILE')
    return path


def _twelve_splits(folder: Path) -> Path:
    for number, part in enumerate(np.array_split(np.arange(len(ROWS)), 12)):
        write_mcap(folder / 'bag' / f'bag_{number}.mcap', [ROWS[k] for k in part])
    return folder / 'bag'


def _foreign_channels(folder: Path) -> Path:
    foreign = (
        ('/odd', 'odd_msgs/msg/Odd', 'ros2msg', b'nonsense of a parser ]]'),
        ('/idl', 'odd_msgs/msg/Idl', 'ros2idl', b'module {'),
        ('/flat', 'Flat', 'flatbuffer', b'\0\1'),
        ('/none', 'odd_msgs/msg/None', '', b''),
    )
    return write_mcap(folder / 'bag_0.mcap', ROWS, foreign=foreign)


def _broken_metadata(folder: Path) -> Path:
    path = _mcap(folder)
    (path / 'metadata.yaml').write_text('{')
    return path


def _metadata_of_something_else(folder: Path) -> Path:
    path = _mcap(folder)
    (path / 'metadata.yaml').write_text('a: 1\n')
    return path


def _metadata_names_too_much(folder: Path) -> Path:
    path = _mcap(folder)
    write_metadata(path, ['bag_0.mcap', 'bag_1.mcap'], 'mcap')
    return path


@pytest.mark.parametrize(
    'make',
    [
        _mcap, _lone_mcap, _unchunked, _zstd_chunks, _lz4_chunks, _without_definitions, _humble,
        _lone_db3, _packed_messages, _packed_files, _twelve_splits, _foreign_channels,
        _broken_metadata, _metadata_of_something_else, _metadata_names_too_much,
    ],
)  # fmt: skip
def test_every_storage_gives_the_same_observations(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    found = observations(make(tmp_path))
    assert len(found) == MOMENTS
    for seen in found:
        assert np.array_equal(seen.image[:32], picture(seen.stamp_s))
        assert seen.closedness == pytest.approx(0.25)


@pytest.mark.parametrize('compression', list(CompressionType))
@pytest.mark.parametrize('chunk_size', [20_000, 10_000_000], ids=['chunks', 'one chunk'])
def test_a_cut_mcap_gives_what_was_written(
    tmp_path: Path, compression: CompressionType, chunk_size: int
) -> None:
    path = tmp_path / 'bag_0.mcap'
    cut(write_mcap(path, ROWS, compression=compression, chunk_size=chunk_size), 0.3)
    with Bag(path) as bag:
        found = read_observations(bag, LAYOUT, PERIOD_S)
        assert 'no index' in bag.notes[0]
    assert 2 <= len(found) < MOMENTS
    # At the cut, the last pictures of the cameras may be a frame apart.
    assert all(np.array_equal(seen.image[:32], picture(seen.stamp_s)) for seen in found[:-1])


def test_a_cut_sqlite_file_gives_what_is_whole(tmp_path: Path) -> None:
    path = cut(write_sqlite(tmp_path / 'bag_0.db3', ROWS), 0.6)
    with Bag(path) as bag:
        found = read_observations(bag, LAYOUT, PERIOD_S)
        assert 'damaged' in bag.notes[0]
    assert 3 <= len(found) < MOMENTS


def test_a_garbled_chunk_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / 'bag_0.mcap'
    garble(write_mcap(path, ROWS, compression=CompressionType.ZSTD, chunk_size=100_000), 0.5)
    with Bag(path) as bag:
        found = read_observations(bag, LAYOUT, PERIOD_S)
        assert any('damaged at byte' in note for note in bag.notes)
    assert MOMENTS - 4 <= len(found) < MOMENTS
    assert found[-1].stamp_s > START_S + 1.7


def test_a_lost_split_leaves_the_others(tmp_path: Path) -> None:
    path = _twelve_splits(tmp_path)
    for name in ('bag_5.mcap', 'bag_6.mcap'):
        (path / name).write_bytes(b'')
    with Bag(path) as bag:
        found = read_observations(bag, LAYOUT, PERIOD_S)
        assert any('bag_5.mcap is empty' in note for note in bag.notes)
    assert MOMENTS - 2 <= len(found) < MOMENTS


@pytest.mark.parametrize(('suffix', 'extension'), [('', '.png'), ('/compressed', '.png')])
def test_compressed_pictures_are_decoded(tmp_path: Path, suffix: str, extension: str) -> None:
    path = write_mcap(tmp_path / 'bag.mcap', compressed(ROWS, suffix, extension))
    found = observations(path)
    assert len(found) == MOMENTS
    assert np.array_equal(found[3].image[:32], picture(found[3].stamp_s))


def test_jpeg_comes_with_the_right_colours(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / 'bag.mcap', compressed(ROWS, extension='.jpg'))
    seen = observations(path)[3]
    assert np.abs(seen.image[:32].astype(int) - picture(seen.stamp_s)).mean() < 3.0


def _nan_at_start(found: list) -> tuple[str, str]:
    row = next(row for row in found if row[1] == '/joint_states')
    row[3].velocity[:] = np.nan
    return '/joint_states', 'velocity of fr3_joint1 is nan'


def _no_pixels(found: list) -> tuple[str, str]:
    row = [row for row in found if row[1] == '/wrist/image_raw'][3]
    row[3].height = row[3].width = 0
    row[3].data = np.zeros(0, np.uint8)
    return '/wrist/image_raw', 'image of 0 x 0'


def _cut_message(found: list) -> tuple[str, str]:
    place = next(k for k, row in enumerate(found) if row[1] == '/right/image_raw')
    found[place] = (*found[place][:3], b'\0\1\0\0\x64\0\0\0\0\0\0\0\0')
    return '/right/image_raw', 'not a readable sensor_msgs/msg/Image'


@pytest.mark.parametrize('spoil', [_nan_at_start, _no_pixels, _cut_message])
def test_one_bad_message_costs_one_moment_at_most(
    tmp_path: Path, spoil: Callable[[list], tuple[str, str]]
) -> None:
    spoiled = rows()
    topic, reason = spoil(spoiled)
    with Bag(write_mcap(tmp_path / 'bag.mcap', spoiled)) as bag:
        found = read_observations(bag, LAYOUT, PERIOD_S)
        assert bag.skipped[topic].count == 1
        assert reason in bag.skipped[topic].reason
    assert len(found) >= MOMENTS - 1


def test_a_type_that_nobody_defines_is_named_with_a_remedy(tmp_path: Path) -> None:
    odd = [(t, top, kind, m) for t, top, kind, m in ROWS if top != '/wrist/image_raw']
    path = write_mcap(
        tmp_path / 'bag.mcap', odd, foreign=[('/wrist/image_raw', 'odd_msgs/msg/Odd', '', b'')]
    )
    with pytest.raises(BagError, match='camera wrist.*--map'):
        observations(path)
    with Bag(path) as bag:
        assert not list(bag.messages(['wrist/image_raw']))
        assert 'ros2 bag record -s mcap' in bag.skipped['/wrist/image_raw'].reason


def _degrees(message: object) -> None:
    message.position = np.rad2deg(message.position)  # type: ignore[attr-defined]


def _millimetres(message: object) -> None:
    message.position = 1000.0 * message.position  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ('topic', 'change', 'words'),
    [
        ('/joint_states', _degrees, 'unit: deg'),
        ('/gripper/joint_states', _millimetres, 'far beyond its ends'),
    ],
)
def test_other_units_are_refused_by_name(
    tmp_path: Path, topic: str, change: Callable[[object], None], words: str
) -> None:
    path = write_mcap(tmp_path / 'bag.mcap', changed(rows(), topic, change))
    with pytest.raises(BagError, match=words):
        observations(path)


def test_velocities_that_nobody_published_come_from_the_positions(tmp_path: Path) -> None:
    def without(message: object) -> None:
        message.velocity = np.zeros(0)  # type: ignore[attr-defined]

    path = write_mcap(tmp_path / 'bag.mcap', changed(rows(), '/joint_states', without))
    seen = observations(path)[4]
    assert seen.dq == pytest.approx([0.2, 0, 0, 0, 0, 0, 0], abs=1e-6)


def test_a_bag_is_not_changed_by_reading(tmp_path: Path) -> None:
    path = write_sqlite(tmp_path / 'one' / 'bag_0.db3', ROWS)
    before = path.read_bytes()
    shutil.copytree(path.parent, tmp_path / 'two')
    observations(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ['bag_0.db3']
