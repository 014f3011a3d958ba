# SPDX-License-Identifier: Apache-2.0
"""Which of several things is meant, by pictures in which every name has a colour of its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from tests.fakes.tiny import down
from vidplan_core.errors import TargetNotFoundError
from vidplan_core.geometry.camera import Camera, load_cameras
from vidplan_core.language.instruction import parse_instruction
from vidplan_core.language.relevancy import Centring, Localisation, localise, strongest_region
from vidplan_core.planner.plans.result import Task
from vidplan_core.planner.target.choosing import Chooser
from vidplan_core.planner.target.locating import TargetLocator

MODELS = Path(__file__).resolve().parents[4] / 'models' / 'cell'
VIEWS = ('left', 'right')
CAMERAS = load_cameras(MODELS / 'cameras.json', VIEWS)
COLOURS = {'mug': 0, 'bowl': 1, 'plate': 2}
HEIGHT, WIDTH, PATCH = 96, 160, 4
TABLE_M = 0.03
FLANGE = torch.tensor([[0.45, 0.0, 0.4]]), down()[None]
# From the cameras, which look at the robot: left is -y, front is +x.
LEFT, MIDDLE, RIGHT = (0.5, -0.15), (0.5, 0.0), (0.5, 0.15)
FRONT, BACK = (0.58, 0.0), (0.4, 0.0)
MUGS = [LEFT, MIDDLE, RIGHT]


class ColourScorer:
    """A name is where its colour is."""

    config = SimpleNamespace(threshold=0.6)

    def relevancy(self, images: Tensor, phrase: str) -> Tensor:
        patches = torch.nn.functional.avg_pool2d(images, PATCH)
        colour = COLOURS.get(phrase)
        return 0.5 + 0.5 * (0.0 * patches[:, 0] if colour is None else patches[:, colour])

    def localise(self, relevancy: Tensor) -> Localisation:
        return localise(relevancy, self.config.threshold, Centring(connected=0.8))

    def region(self, relevancy: Tensor) -> Tensor:
        return strongest_region(relevancy, Centring(connected=0.8))


LOCATOR = TargetLocator(ColourScorer(), 0.6, CAMERAS, TABLE_M)


def pictures(hidden: str = '', **things: list[tuple[float, float]]) -> Tensor:
    """Views (1, 2, 3, height, width) of things at places on the table, one view without them."""
    images = torch.zeros(1, len(VIEWS), 3, HEIGHT, WIDTH)
    for number, (view, camera) in enumerate(CAMERAS.items()):
        for name, places in things.items():
            for place in places if view != hidden else []:
                x, y = at(camera, place)
                images[0, number, COLOURS[name], y - 4 : y + 4, x - 4 : x + 4] = 1.0
    return images


def at(camera: Camera, place: tuple[float, float]) -> tuple[int, int]:
    """Pixel x, y of a place on the table."""
    seen = camera.project(torch.tensor([[*place, TABLE_M]]), *FLANGE)[0]
    return round(float(seen[0]) * WIDTH), round(float(seen[1]) * HEIGHT)


def chosen(words: str, images: Tensor) -> tuple[float, ...]:
    wanted = parse_instruction(words)
    found = Chooser(LOCATOR, images, *FLANGE).things_of(wanted).target
    assert found is not None
    return tuple(found.place[:2].tolist())


@pytest.mark.parametrize(
    ('words', 'things', 'place'),
    [
        ('pick up the left mug', {'mug': MUGS}, LEFT),
        ('pick up the rightmost mug', {'mug': MUGS}, RIGHT),
        ('pick up the mug in the middle', {'mug': MUGS}, MIDDLE),
        ('pick up the second mug from the right', {'mug': MUGS}, MIDDLE),
        ('pick up the third mug from the right', {'mug': MUGS}, LEFT),
        ('pick up the left mug', {'mug': [RIGHT]}, RIGHT),  # the only one there is
        ('pick up the front mug', {'mug': [FRONT, BACK]}, FRONT),
        ('pick up the nearest mug', {'mug': [(0.58, 0.1), (0.46, 0.0)]}, (0.46, 0.0)),
        ('pick up the farthest mug', {'mug': [(0.58, 0.1), (0.46, 0.0)]}, (0.58, 0.1)),
        ('pick up the mug left of the bowl', {'mug': [LEFT, RIGHT], 'bowl': [MIDDLE]}, LEFT),
        ('pick up the mug behind the bowl', {'mug': [BACK, RIGHT], 'bowl': [MIDDLE]}, BACK),
        ('pick up the mug next to the bowl', {'mug': [LEFT, RIGHT], 'bowl': [(0.45, 0.12)]},
         RIGHT),
        ('pick up the mug farthest from the bowl', {'mug': [LEFT, RIGHT], 'bowl': [(0.45, 0.1)]},
         LEFT),
    ],
)  # fmt: skip
def test_words_choose_by_what_is_seen(
    words: str, things: dict[str, list[tuple[float, float]]], place: tuple[float, float]
) -> None:
    assert chosen(words, pictures(**things)) == pytest.approx(place, abs=0.02)


@pytest.mark.parametrize(
    ('words', 'things', 'said'),
    [
        ('pick up the second mug from the left', {'mug': [LEFT]}, 'the views show 1 of them'),
        ('pick up the middle mug', {'mug': [LEFT, RIGHT]}, 'the views show 2 of them'),
        ('pick up the left mug', {'bowl': [LEFT]}, "no view shows 'mug'; in view: bowl$"),
        ('pick up the mug behind the bowl', {'mug': [FRONT], 'bowl': [MIDDLE]}, '0 of the 1'),
        ('pick up the mug left of the bowl', {'mug': MUGS[:2], 'bowl': [RIGHT]}, '2 of the 2'),
        ('pick up the mug left of the bowl', {'mug': [LEFT]}, "no view shows 'bowl'"),
        ('pick up the mug beside the bowl', {'mug': [MIDDLE], 'bowl': [LEFT, RIGHT]}, "2 'bowl'"),
        ('pick up the mug beside the bowl', {'mug': [LEFT], 'bowl': [RIGHT]}, '0 of the 1'),
        ('pick up the mug beside the bowl', {'mug': MUGS[::2], 'bowl': [MIDDLE]}, '0 of the 2'),
        # one behind the other from the left camera, beside each other from the right one
        ('pick up the left mug', {'mug': [(0.42, -0.05), (0.55, 0.02)]}, '0 of the 2'),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused(
    words: str, things: dict[str, list[tuple[float, float]]], said: str
) -> None:
    with pytest.raises(TargetNotFoundError, match=said):
        chosen(words, pictures(**things))


def test_what_only_one_view_shows_is_refused() -> None:
    both = pictures(mug=[RIGHT]) + pictures(hidden='left', mug=[LEFT])
    with pytest.raises(TargetNotFoundError, match='do not agree how many'):
        chosen('pick up the left mug', both)


def test_the_others_are_not_looked_at_again() -> None:
    """The chosen one is followed, though another of its name is as plain to see."""
    images = pictures(mug=MUGS)
    task = Task(parse_instruction('move to the right mug'))
    things = task.things(Chooser(LOCATOR, images, *FLANGE))
    assert task.memory.place is not None
    sighting = LOCATOR.look(images, *FLANGE, 'mug', chosen=things.target)
    assert sighting.points[0, :, 1].tolist() == pytest.approx([RIGHT[1]] * 2, abs=0.02)
    later = pictures(mug=[LEFT, MIDDLE, (0.52, 0.17)])
    task.memory.update(LOCATOR.look(later, *FLANGE, 'mug', chosen=things.target), LOCATOR.trust_m)
    assert task.memory.place[1] > 0.14


def test_maps_of_target_and_destination_keep_what_is_meant() -> None:
    images = pictures(mug=[LEFT, RIGHT], bowl=[MIDDLE, (0.42, 0.0)])
    wanted = parse_instruction('put the left mug in the front bowl')
    things = Chooser(LOCATOR, images, *FLANGE).things_of(wanted)
    maps = torch.stack(
        [LOCATOR.scorer.relevancy(images[0], name) for name in ('mug', 'bowl')]
    )[None]
    kept = things.kept(LOCATOR, maps, *FLANGE)
    for k, place in enumerate((LEFT, MIDDLE)):
        centroid = LOCATOR.scorer.localise(kept[0, k]).centroid
        for number, camera in enumerate(CAMERAS.values()):
            point = camera.on_plane(centroid[number, None], *FLANGE, TABLE_M)[0]
            assert tuple(point[:2].tolist()) == pytest.approx(place, abs=0.02)


def test_a_name_alone_chooses_nothing() -> None:
    images = pictures(mug=MUGS)
    things = Chooser(LOCATOR, images, *FLANGE).things_of(parse_instruction('pick up the mug'))
    maps = torch.rand(1, 2, 2, 6, 10)
    assert things.target is None
    assert things.kept(LOCATOR, maps, *FLANGE) is not None
    torch.testing.assert_close(things.kept(LOCATOR, maps, *FLANGE), maps)
