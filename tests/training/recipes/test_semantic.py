# SPDX-License-Identifier: Apache-2.0
"""Training of the semantic scorer on a toy world of two objects, a robot and its hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.tiny import tiny_world_model
from vidplan_core.language.open_clip_model import open_clip_module
from vidplan_core.language.semantic import SemanticScorer
from vidplan_training.data.dataset import Shard
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.recipes.semantic import recipe as semantic
from vidplan_training.recipes.semantic.check import SceneScores, calibrate, summarise
from vidplan_training.recipes.semantic.data import (
    ViewBatch,
    augment,
    coverage,
    held_out_views,
    training_views,
)
from vidplan_training.recipes.semantic.decoded import decode_shard
from vidplan_training.recipes.semantic.loss import (
    balance,
    contrastive_loss,
    dense_loss,
    neutral_mask,
    patch_targets,
)
from vidplan_training.recipes.semantic.phrases import NEGATIVES, phrase_book
from vidplan_training.recipes.semantic.settings import SemanticRecipe

NAMES = ('background', 'robot', 'gripper', 'bowl', 'carrot')
COLOURS = np.array(
    [[150, 140, 130], [230, 230, 230], [60, 60, 60], [20, 60, 200], [240, 120, 20]], np.uint8
)
HEIGHT, WIDTH = 48, 80


def toy_shard(folder: Path, seed: int, episodes: int = 6) -> None:
    """Coloured boxes at random places, recorded as `vidplan-train collect` records episodes."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((episodes, 2, 3, HEIGHT, WIDTH), np.uint8)
    for image in labels.reshape(-1, HEIGHT, WIDTH):
        for segment in range(1, len(NAMES)):
            if segment == 4 and rng.random() < 0.4:
                continue
            y, x = rng.integers(0, HEIGHT - 12), rng.integers(0, WIDTH - 14)
            image[y : y + 12, x : x + 14] = segment
    images = np.zeros((episodes, 4, *labels.shape[2:], 3), np.uint8)
    images[:, [0, 3]] = COLOURS[labels]
    folder.mkdir(parents=True)
    np.save(folder / 'images.npy', images)
    np.save(folder / 'segmentation.npy', labels)
    meta = {'seeds': list(range(episodes)), 'segment_names': NAMES, 'segmentation_frames': [0, 3]}
    (folder / 'meta.json').write_text(json.dumps(meta))


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    for index in range(3):
        toy_shard(folder / f'shard_{index:04d}', index)
    return folder


def recipe(data: Path, out: Path, work: Path, iterations: int, **fields: int) -> SemanticRecipe:
    return SemanticRecipe(
        data=data, out=out, work=work, width=64, layers=2,
        trainer=TrainerConfig(iterations, 1.5e-3, save_every=200), **fields,
    )  # fmt: skip


def test_the_last_shards_are_never_trained_on(data: Path) -> None:
    train, held_out = training_views(data), held_out_views(data)
    assert len(train.frames()) == 2 * 6 * 2
    assert len(held_out.frames()) == 6 * 2
    assert held_out.scene((0, 0, 0)).images.shape == (3, 3, HEIGHT, WIDTH)


def test_a_sample_is_the_same_whenever_it_is_drawn(data: Path) -> None:
    views = training_views(data)
    first, again = (views.sample(np.random.default_rng(3), 5) for _ in range(2))
    assert torch.equal(first.images, again.images)
    colours = torch.from_numpy(COLOURS)[first.labels].permute(0, 3, 1, 2) / 255.0
    assert torch.allclose(first.images, colours, atol=1e-6)


def test_decoded_views_are_mixed_in(data: Path, tmp_path: Path) -> None:
    assert not training_views(data, tmp_path).has_alternatives()
    folder = tmp_path / 'shard_0000'
    folder.mkdir()
    np.save(folder / 'reconstructions.npy', np.full((6, 2, 3, HEIGHT, WIDTH, 3), 255, np.uint8))
    views = training_views(data, tmp_path)
    assert views.has_alternatives()
    assert views.scene((0, 1, 1), alternative=True).images.min() == 1.0
    assert views.scene((1, 1, 1), alternative=True).images.min() < 1.0  # has none: the original
    mixed = views.sample(np.random.default_rng(0), 40, mix=1.0)
    white = mixed.images.amin(dim=(1, 2, 3)) == 1.0
    assert 5 < white.sum() < 35


def test_coverage_is_the_fraction_of_each_patch() -> None:
    labels = torch.zeros(1, 8, 16, dtype=torch.int64)
    labels[0, :2, :8] = 2
    covered = coverage(labels, 3, 8)
    assert covered.tolist() == [[[0.75, 0.0, 0.25], [1.0, 0.0, 0.0]]]
    assert patch_targets(covered)[0, 0].tolist() == pytest.approx([1.0, 0.0, 0.5**0.5])


def test_augmentation_moves_labels_with_their_pixels(data: Path) -> None:
    rng = np.random.default_rng(0)
    plain = training_views(data).sample(rng, 16)
    moved = augment(plain, rng)
    assert not torch.equal(plain.labels, moved.labels)
    assert moved.images.min() >= 0.0
    assert moved.images.max() <= 1.0
    orange = moved.images[:, 0] - moved.images[:, 2] > 0.45
    carrot = moved.labels == 4
    assert (orange & carrot).sum() > 0.7 * carrot.sum()
    assert (orange & ~carrot).sum() < 0.3 * carrot.sum()


def test_unknown_words_name_nothing_known() -> None:
    book = phrase_book(NAMES, {'carrot': ('an orange carrot',)})
    assert book.phrases['carrot'][0] == 'orange carrot'
    assert not {'carrot', 'orange', 'robot', 'object', 'bowls'} & set(book.unknown_words)
    assert {'unicorn', 'hammer'} <= set(book.unknown_words)
    rng = np.random.default_rng(0)
    known = book.known(rng)
    assert [name.split()[-1] for name in NAMES[3:]] == ['bowl', 'carrot']
    assert len(known) == len(NAMES) - 1
    assert len(book.unknown(rng, 7)) == 7
    caption, named = book.caption(rng, ['carrot'])
    assert named == {'carrot'}
    assert 'carrot' in caption


def test_a_segment_without_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match='gizmo'):
        phrase_book(('background', 'gizmo'), {})


def test_written_out_blocks_are_open_clips() -> None:
    torch.manual_seed(0)
    block = open_clip_module().transformer.ResidualAttentionBlock(32, 4).eval()
    tokens = torch.randn(2, 9, 32)
    assert torch.allclose(semantic.run_block(block, tokens), block(tokens), atol=1e-5)


def test_dense_loss_vanishes_where_relevancy_is_right() -> None:
    axes = torch.eye(3)
    patches, phrases, negatives = axes[None, :2], axes[:1], axes[1:2]
    allowed = torch.ones(1, 1, dtype=torch.bool)
    targets = torch.tensor([[[1.0], [0.0]]])
    scale, weight = torch.tensor(50.0), torch.ones(1)
    right = dense_loss(patches, phrases, negatives, allowed, targets, weight, scale)
    wrong = dense_loss(patches, phrases, negatives, allowed, 1 - targets, weight, scale)
    assert right < 1e-6
    assert wrong > 10.0


def test_small_things_count_as_much_as_they_can() -> None:
    targets = torch.zeros(1, 10, 3)
    targets[0, :8, 0] = 1.0
    targets[0, 0, 1] = 0.5
    weights = balance(targets)
    assert weights[1] == pytest.approx((4.25 / 0.5) ** 0.5)
    assert weights[0] < weights[2] < weights[1]


def test_neutral_phrases_skip_their_own_word() -> None:
    mask = neutral_mask(['the robot gripper', 'mug'], NEGATIVES)
    assert mask[0].tolist() == [text != 'robot' for text in NEGATIVES]
    assert mask[1].all()


def test_contrastive_loss_allows_several_right_answers() -> None:
    images = torch.eye(3)[[0, 0, 1]]
    matches = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    loss = contrastive_loss(images, images, matches, torch.tensor(30.0))
    assert loss == pytest.approx(2 / 3 * np.log(2), abs=1e-4)


def scores(peak: float, absent: float) -> SceneScores:
    """One scene of two views: the first phrases are there, the last is made up."""
    centre = np.array([[10.0, 10.0], [30.0, 10.0], [50.0, 10.0], [70.0, 10.0]])[:, None]
    centre = np.repeat(centre, 2, axis=1)
    return SceneScores(
        peak=np.array([[peak, 0.0]] * 3 + [[absent, 0.0]]),
        centroid=centre + np.array([1.0, 0.0]),
        area=np.array([[50, 50]] * 3 + [[0, 0]]),
        centre=centre,
    )


def test_the_threshold_lies_between_what_is_there_and_what_is_not() -> None:
    many = [scores(0.8 + 0.001 * i, 0.1 + 0.001 * i) for i in range(100)]
    threshold = calibrate(many, known=3)
    assert 0.4 < threshold < 0.6
    report = summarise(many, ['robot', 'gripper', 'carrot', 'unicorn'], 3, threshold)
    assert report['false_rejection'] == 0.0
    assert report['unknown_words_rejected'] == 1.0
    assert report['top1'] == 1.0
    assert report['centroid_error_px']['mean'] == pytest.approx(1.0)


def test_views_are_decoded_as_a_world_model_imagines_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / 'data' / 'shard_0000'
    folder.mkdir(parents=True)
    np.save(folder / 'images.npy', rng.integers(0, 255, (2, 7, 3, 32, 64, 3), np.uint8))
    np.save(folder / 'position.npy', np.full((2, 7, 3), 0.4, np.float32))
    np.save(folder / 'quaternion.npy', np.tile(np.float32([1, 0, 0, 0]), (2, 7, 1)))
    np.save(folder / 'closedness.npy', np.zeros((2, 7), np.float32))
    shard = Shard(folder, {'seeds': [4, 5], 'segmentation_frames': [0, 5]})
    model = tiny_world_model()
    views = decode_shard(model, shard)
    assert views.shape == (2, 2, 3, 32, 64, 3)
    first = shard.array('images')[:, :1]
    encoded = model.decode(model.encode(torch.from_numpy(first.reshape(2, 1, 96, 64, 3).copy())))
    expected = (encoded[:, 0] * 255).permute(0, 1, 3, 4, 2).numpy()
    assert np.abs(views[:, 0] - expected).max() <= 3.0  # half precision, rounded to bytes


def test_a_resumed_run_follows_the_unbroken_curve(data: Path, tmp_path: Path) -> None:
    def losses(name: str, stops: list[int]) -> list[float]:
        values: list[float] = []
        for stop in stops:
            loss, trainer = semantic.prepare(
                recipe(data, tmp_path / 'm', tmp_path / name, 6, batch=4)
            )
            while trainer.iteration < stop:
                values.append(trainer.step(loss))
            trainer.save()
        return values

    assert losses('whole.pt', [6]) == pytest.approx(losses('parts.pt', [3, 6]), rel=1e-4)


@pytest.mark.slow
def test_a_toy_world_is_learned(data: Path, tmp_path: Path) -> None:
    out = tmp_path / 'model'
    assert semantic.run(recipe(data, out, tmp_path / 'w.pt', 150, batch=8, scenes=12)) == 0
    report = json.loads((out / 'metrics.json').read_text())
    assert report['top1'] > 0.8
    assert report['centroid_error_px']['p50'] < 6.0
    assert 'carrot' in (out / 'README.md').read_text()
    scorer = SemanticScorer.load(out)
    assert scorer.config.threshold == report['threshold']
    batch = held_out_views(data).scene((0, 0, 0))
    assert isinstance(batch, ViewBatch)
    assert scorer.relevancy(batch.images, 'bowl').shape == (3, HEIGHT // 8, WIDTH // 8)
