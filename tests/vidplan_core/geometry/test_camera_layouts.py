# SPDX-License-Identifier: Apache-2.0
"""Layouts of one to four views, from files, through stitching and synchronising."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidplan_core.data.observation import CameraSynchroniser
from vidplan_core.errors import ConfigError, ObservationError
from vidplan_core.geometry.camera_files import default_layout, load_layout
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.world_model.config import WorldModelConfig

FILES = Path(__file__).resolve().parents[3] / 'config' / 'cameras'
COUNTS = {'one': ('front',), 'four': ('left', 'right', 'wrist', 'top')}


def write(folder: Path, text: str) -> str:
    path = folder / 'mine.yaml'
    path.write_text(text)
    return str(path)


def test_the_cells_layout_is_the_default_and_that_of_a_world_model() -> None:
    assert default_layout() == CameraLayout(('left', 'right', 'wrist'), 96, 160)
    assert load_layout('full') == default_layout().resized(192, 320)
    assert WorldModelConfig().layout == default_layout()


def test_topics_may_be_named(tmp_path: Path) -> None:
    text = 'views: [front, wrist]\nheight: 6\nwidth: 10\ntopics: {front: /zed/rgb}\n'
    layout = load_layout(write(tmp_path, text))
    assert [layout.topic(view) for view in layout.views] == ['/zed/rgb', 'wrist/image_raw']
    assert hash(layout) == hash(load_layout(str(tmp_path / 'mine.yaml')))


@pytest.mark.parametrize('views', COUNTS.values(), ids=COUNTS)
def test_views_are_stitched_in_the_order_of_the_file(
    tmp_path: Path, views: tuple[str, ...]
) -> None:
    text = f'views: [{", ".join(views)}]\nheight: 6\nwidth: 10\n'
    layout = load_layout(write(tmp_path, text))
    assert layout.shape == (6 * len(views), 10, 3)
    images = {view: np.full((12, 20, 3), 50 + i, np.uint8) for i, view in enumerate(views)}
    stitched = layout.stitch(dict(reversed(images.items())))
    assert [int(row[0, 0]) for row in stitched[::6]] == [50 + i for i in range(len(views))]
    assert list(layout.split(stitched)) == list(views)


@pytest.mark.parametrize('views', COUNTS.values(), ids=COUNTS)
def test_an_observation_waits_for_every_view(views: tuple[str, ...]) -> None:
    cameras = CameraSynchroniser(views, max_skew_s=0.03, max_age_s=0.2)
    for view in views:
        cameras.push(view, 1.0, np.zeros((6, 10, 3), np.uint8))
    assert list(cameras.take(1.0).images) == list(views)


@pytest.mark.parametrize(('text', 'says'), [
    ('views: [a]\nheight: 6\nwidth: 10\nlenses: {b: camera_info}', r'lenses are given for ..b'),
    ('views: [a]\nheight: 6\nwidth: 10\nfocal: {a: [1.0, 2.0]}', r'focal is given for ..a'),
    ('views: [a]\nheight: 6\nwidth: 10\nlenses: {a: x}\nfocal: {a: [1.0]}', 'focal'),
    ('views: []\nheight: 6\nwidth: 10\n', r'views must be a list, got \[\]'),
    ('views: [a, b, c, d, e]\nheight: 6\nwidth: 10\n', 'at least one and at most 4'),
    ('views: [a, a]\nheight: 6\nwidth: 10\n', 'distinct names'),
    ('views: [a/b]\nheight: 6\nwidth: 10\n', 'letters, digits and underscores'),
    ('views: [a]\nheight: 6.0\nwidth: 10\n', 'height must be a whole number, got 6.0'),
    ('views: [a]\nheight: 0\nwidth: 10\n', 'a view cannot be 0 x 10 pixels'),
    ('views: [a]\nheight: 6\n', 'lacks width'),
    ('views: [a]\nhight: 6\nwidth: 10\n', "unknown key 'hight'; did you mean height"),
    ('views: [a]\nheight: 6\nwidth: 10\ntopics: {b: /b}\n', r"topics are given for \['b'\]"),
])  # fmt: skip
def test_wrong_files_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=f'mine.yaml.*{says}'):
        load_layout(write(tmp_path, text))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no file 'cel' in config/cameras: give .* cell, full"):
        load_layout('cel')


def test_what_only_the_stitcher_rectifies_is_not_taken_as_it_is(tmp_path: Path) -> None:
    text = 'views: [a]\nheight: 6\nwidth: 10\nlenses: {a: camera_info}\nfocal: {a: [1.0, 2.0]}'
    layout = load_layout(write(tmp_path, text))
    assert layout.lenses == {'a': 'camera_info'}
    assert layout.focal == {'a': (1.0, 2.0)}
    with pytest.raises(ObservationError, match="'a' is rectified by the stitcher"):
        layout.stitch({'a': np.zeros((12, 20, 3), np.uint8)})
    assert layout.stitch({'a': np.zeros((6, 10, 3), np.uint8)}).shape == (6, 10, 3)
