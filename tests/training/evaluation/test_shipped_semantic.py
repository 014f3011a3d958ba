# SPDX-License-Identifier: Apache-2.0
"""The shipped scorer on fresh scenes of the cell: finds what is there, refuses what is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.language.relevancy import scene_peak
from vidplan_core.language.semantic import SemanticScorer
from vidplan_sim.cell import Cell
from vidplan_sim.objects.everyday import KIND_NAMES
from vidplan_sim.scene import random_scene

SEEDS = range(910_000, 910_006)  # neither trained on nor used for evaluation
UNKNOWN = ('unicorn', 'xylophone', 'green elephant', 'carrot cake', 'wine glass', 'qwertz')
VIEWS = ('left', 'right', 'wrist')


@pytest.fixture(scope='module')
def scorer(repository: Path) -> SemanticScorer:
    return SemanticScorer.load(repository / 'models' / 'cell' / 'semantic')


@pytest.fixture(scope='module')
def scenes() -> list[tuple[torch.Tensor, Mapping[str, np.ndarray]]]:
    """Views (3, 3, 96, 160) in [0, 1], and what every pixel (3, 96, 160) of them shows."""
    cell, layout = Cell(), default_layout()
    taken = []
    for seed in SEEDS:
        cell.reset(random_scene(seed, 5))
        stitched = torch.from_numpy(layout.stitch(cell.render()))
        images = stitched.unflatten(0, (3, -1)).permute(0, 3, 1, 2) / 255.0
        segments = cell.segmentation()
        labels = np.stack([segments[view][::2, ::2] for view in VIEWS])
        shown = {name: labels == i for i, name in enumerate(cell.segment_names)}
        taken.append((images, shown))
    return taken


def test_it_is_small_enough_to_ship(repository: Path) -> None:
    folder = repository / 'models' / 'cell' / 'semantic'
    assert sum(file.stat().st_size for file in folder.iterdir()) < 12e6


def test_visible_objects_are_found_where_they_are(
    scorer: SemanticScorer, scenes: list[tuple[torch.Tensor, Mapping[str, np.ndarray]]]
) -> None:
    found, errors = [], []
    for images, shown in scenes:
        for name in (*KIND_NAMES, 'bowl'):
            area = shown[name].sum(axis=(1, 2))
            if area.max() < 20:
                continue
            with torch.no_grad():
                place = scorer.localise(scorer.relevancy(images, name))
            found.append(bool(scene_peak(place.peak) >= scorer.config.threshold))
            for view in np.flatnonzero(area >= 20):
                y, x = np.nonzero(shown[name][view])
                centre = np.array([x.mean() + 0.5, y.mean() + 0.5])
                at = place.centroid[view].numpy() * np.array([160, 96])
                errors.append(np.linalg.norm(at - centre))
    assert np.mean(found) >= 0.9
    assert np.median(errors) <= 3.0
    assert np.mean(np.array(errors) <= 8.0) >= 0.9


def test_words_that_name_nothing_here_are_refused(
    scorer: SemanticScorer, scenes: list[tuple[torch.Tensor, Mapping[str, np.ndarray]]]
) -> None:
    for images, _ in scenes:
        with torch.no_grad():
            maps = scorer.compare(scorer.dense(images), UNKNOWN)
        peaks = scene_peak(maps.amax(dim=(2, 3)).T)
        assert not (peaks >= scorer.config.threshold).any(), peaks


def test_absent_objects_are_refused(
    scorer: SemanticScorer, scenes: list[tuple[torch.Tensor, Mapping[str, np.ndarray]]]
) -> None:
    refused = []
    for images, shown in scenes:
        absent = [name for name in KIND_NAMES if not shown[name].any()]
        with torch.no_grad():
            maps = scorer.compare(scorer.dense(images), absent)
        peaks = scene_peak(maps.amax(dim=(2, 3)).T)
        refused += (peaks < scorer.config.threshold).tolist()
    assert np.mean(refused) >= 0.85


def test_the_gripper_is_found_in_the_scene_views(
    scorer: SemanticScorer, scenes: list[tuple[torch.Tensor, Mapping[str, np.ndarray]]]
) -> None:
    errors = []
    for images, shown in scenes:
        with torch.no_grad():
            place = scorer.localise(scorer.relevancy(images, 'robot gripper'))
        for view in (0, 1):
            if shown['gripper'][view].sum() < 100:
                continue
            y, x = np.nonzero(shown['gripper'][view])
            at = place.centroid[view].numpy() * np.array([160, 96])
            errors.append(np.linalg.norm(at - np.array([x.mean() + 0.5, y.mean() + 0.5])))
    assert np.median(errors) <= 5.0


def test_a_gradient_moves_the_picture_and_nothing_in_the_model(scorer: SemanticScorer) -> None:
    images = torch.rand(1, 3, 96, 160, requires_grad=True)
    scorer.localise(scorer.relevancy(images, 'mug')).centroid.sum().backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()
    assert all(parameter.grad is None for parameter in scorer.model.parameters())
