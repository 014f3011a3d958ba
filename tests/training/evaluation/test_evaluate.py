# SPDX-License-Identifier: Apache-2.0
"""What the evaluation of the world model computes, on numbers that are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.fakes.tiny import save_models, straight_chunk, tiny_config, tiny_world_model
from vidplan_core.metrics.images import psnr
from vidplan_core.metrics.perceptual import FeatureDistance
from vidplan_core.world_model.checkpoint import (
    load_world_model,
)
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_training.cli import main
from vidplan_training.collect.cameras import layout
from vidplan_training.data.dataset import shards
from vidplan_training.evaluation import clips as evaluate_clips
from vidplan_training.evaluation import rollout as evaluate_rollout
from vidplan_training.evaluation import world_model as evaluate_world_model
from vidplan_training.evaluation.clips import graft
from vidplan_training.evaluation.figures.pictures import write_png
from vidplan_training.evaluation.figures.table import Table
from vidplan_training.evaluation.measures import MEASURES, PictureComparison
from vidplan_training.evaluation.sampling import Stopwatch, sampling_of

PIXELS = FeatureDistance('pixels', lambda images: [images + 0.1])


def pictures(error: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predicted, actual and present views (4, 3, 3, 32, 64); the prediction is off by `error`."""
    actual = torch.full((4, 3, 3, 32, 64), 0.5)
    return actual + error, actual, torch.zeros(3, 3, 32, 64)


def measured(error: float) -> np.ndarray:
    predicted, actual, present = pictures(error)
    return PictureComparison(actual, present, PIXELS).measure(predicted)


@pytest.fixture
def table() -> Table:
    """Four clips of two episodes: `good` is off by 0.01, `bad` by 0.1."""
    table = Table(tiny_config().views)
    for clip in range(4):
        table.add('good', measured(0.01), clip // 2)
        table.add('bad', measured(0.1), clip // 2)
    return table


def test_measures_and_margins(table: Table) -> None:
    summary = table.summary('good')
    for part in (summary, summary['moving'], *summary['per_frame'], *summary['per_view'].values()):
        assert part['psnr_db'] == pytest.approx(40.0, abs=1e-2)
        assert part['ssim'] == pytest.approx(1.0, abs=1e-2)
        assert part['deep_feature'] == pytest.approx(0.0, abs=1e-5)
    assert len(summary['per_frame']) == 4
    assert set(summary['per_view']) == {'left', 'right', 'wrist'}
    assert summary['interval_95']['psnr_db'] == pytest.approx([40.0, 40.0], abs=1e-2)
    for margin in (table.margin('good', 'bad'), table.pooled_margin('good', 'bad', view=2)):
        assert margin['db'] == pytest.approx(20.0, abs=1e-2)
        assert margin['interval_95'] == pytest.approx([20.0, 20.0], abs=1e-2)
    assert table.against('good', 'bad')['psnr_db']['difference'] == pytest.approx(20.0, abs=1e-2)


def test_pooling_lets_still_clips_weigh_less(table: Table) -> None:
    for _ in range(2):  # an episode that hardly moves: copying is nearly perfect
        table.add('good', measured(0.01), 2)
        table.add('bad', measured(0.0001), 2)
    assert table.margin('good', 'bad')['db'] == pytest.approx(0.0, abs=0.1)
    assert table.pooled_margin('good', 'bad')['db'] > 15


def test_moving_pixels_are_measured_apart() -> None:
    _, actual, _ = pictures(0.0)
    present = actual[0].clone()
    present[0, :, 10:20, 10:30] = 0.0  # something leaves the left view, nothing the others
    predicted = actual.clone()
    predicted[:, 0, :, 10:20, 10:30] += 0.1
    predicted[:, 1] += 0.1
    found = PictureComparison(actual, present, PIXELS).measure(predicted)
    psnr, ssim = found[MEASURES.index('psnr_db')], found[MEASURES.index('ssim')]
    assert psnr[1, :, 0] == pytest.approx([20.0] * 4, abs=1e-3)  # moving, left
    assert psnr[0, :, 0] == pytest.approx([20.0 + 10 * np.log10(2048 / 200)] * 4, abs=1e-3)
    assert psnr[0, :, 1] == pytest.approx([20.0] * 4, abs=1e-3)
    assert np.isnan(found[:, 1, :, 1:]).all()
    assert (ssim[1, :, 0] < ssim[0, :, 0]).all()


def test_a_curve_has_an_interval_at_every_frame(table: Table) -> None:
    curve = table.curve('bad')
    assert curve['psnr_db'] == pytest.approx([20.0] * 4, abs=1e-2)
    assert np.shape(curve['interval_95']['deep_feature']) == (4, 2)
    assert curve['per_view']['wrist']['psnr_db'] == pytest.approx([20.0] * 4, abs=1e-2)


# Whole evaluations, of a tiny model on tiny episodes

LENGTH = 9


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('models')
    model = tiny_world_model()
    save_models(folder, model)
    return folder


def write_episodes(folder: Path, first_seed: int, episodes: int = 2) -> Path:
    """A shard of episodes in which a light square moves to the right with the flange."""
    shard = folder / 'shard_0000'
    shard.mkdir(parents=True)
    images = np.full((episodes, LENGTH, 3, 32, 64, 3), 60, np.uint8)
    position = np.tile(np.float32([0.5, 0.0, 0.4]), (episodes, LENGTH, 1))
    for frame in range(LENGTH):
        images[:, frame, :, 8:20, 4 * frame : 4 * frame + 12] = 220
        position[:, frame, 1] = 0.01 * frame
    arrays = {
        'images': images,
        'position': position,
        'quaternion': np.tile(np.float32([1, 0, 0, 0]), (episodes, LENGTH, 1)),
        'closedness': np.zeros((episodes, LENGTH), np.float32),
    }
    for name, array in arrays.items():
        np.save(shard / f'{name}.npy', array)
    seeds = list(range(first_seed, first_seed + episodes))
    (shard / 'meta.json').write_text(json.dumps({'seeds': seeds}))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_episodes(tmp_path / 'data', 1_000_000)


def evaluate(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run the command with a distance that needs no network."""
    for module in (evaluate_world_model, evaluate_rollout):
        monkeypatch.setattr(module, 'load_feature_distance', lambda *_: PIXELS)
    return main(['evaluate', *map(str, words)])


def test_the_table_of_a_world_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, models: Path
) -> None:
    path = tmp_path / 'table.json'
    words = ('world-model', '--data', data, '--models', models, '--json', path)
    drawn = ('--pictures', tmp_path / 'pictures', '--picture-clips', 1)
    assert evaluate(monkeypatch, *words, '--clips', 4, '--steps', 1, 2, 50, *drawn) == 0
    result = json.loads(path.read_text())
    assert (result['clips'], result['episodes']) == (4, 2)
    for n in ('1', '2', '50'):
        row = result['steps'][n]
        assert {'psnr_db', 'ssim', 'deep_feature', 's_per_chunk'} <= set(row)
        assert row['s_per_chunk'] > 0
        assert set(row['per_view']) == {'left', 'right', 'wrist'}
        assert len(row['per_frame']) == 4
        means = [frame['psnr_db'] for frame in row['per_frame']]
        assert row['psnr_db'] == pytest.approx(np.mean(means), abs=1e-4)
        means = [view['moving']['ssim'] for view in row['per_view'].values()]
        assert row['moving']['ssim'] == pytest.approx(np.mean(means), abs=1e-4)
    for name in ('mean', 'copy_last', 'reconstruction', 'other_actions'):
        assert {'psnr_db', 'moving', 'interval_95'} <= set(result[name])
    assert set(result['speedup']) == {'1', '2'}
    assert result['speedup']['1'] > result['speedup']['2'] > 5
    assert set(result['against_50']) == {'1', '2'}
    assert 'over_copy_at_4_wrist_pooled' in result
    assert result['deep_feature_network']['name'] == 'pixels'
    (picture,) = (tmp_path / 'pictures').iterdir()
    assert Image.open(picture).size == (5 * (64 + 2), 16 + 3 * (32 + 2))  # 2 pictures, 3 steps


def test_copying_and_reconstruction_are_what_they_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, models: Path
) -> None:
    path = tmp_path / 'table.json'
    words = ('world-model', '--data', data, '--models', models, '--json', path, '--steps', 1)
    assert evaluate(monkeypatch, *words, '--clips', 4) == 0
    result = json.loads(path.read_text())
    # The square moves by 4 px a frame: 12 x 4 px are covered and as many bared.
    error = [2 * 12 * 4 * k * (160 / 255) ** 2 / (32 * 64) for k in (1, 2, 3)]
    expected = -10 * np.log10([*error, error[2]])  # from 3 frames on, the squares are apart
    found = [frame['psnr_db'] for frame in result['copy_last']['per_frame']]
    assert found == pytest.approx(expected, abs=1e-3)
    model = load_world_model(models)
    places = evaluate_clips.places(data, 4, model.config, 0)
    clips = [evaluate_clips.load_clip(place, model.config) for place in places]
    rebuilt = [
        psnr(model.decode(model.encode(clip.images[None, 2:]))[0], clip.views(3)[2:])
        for clip in clips
    ]
    mean = torch.stack(rebuilt).mean().item()
    assert result['reconstruction']['psnr_db'] == pytest.approx(mean, abs=1e-2)
    assert result['speedup'] == {}


def test_a_long_rollout_has_curves_a_plot_and_a_video(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, models: Path
) -> None:
    path, plot, video = (tmp_path / f'drift.{kind}' for kind in ('json', 'png', 'mp4'))
    words = ('rollout', '--data', data, '--models', models, '--json', path, '--chunks', 2)
    drawn = ('--plot', plot, '--video', video)
    assert evaluate(monkeypatch, *words, '--steps', 1, 2, *drawn) == 0
    result = json.loads(path.read_text())
    assert result['seconds'] == pytest.approx([0.2 * k for k in range(1, 9)])
    for row in (*result['steps'].values(), result['reconstruction'], result['copy_first']):
        assert len(row['psnr_db']) == len(row['per_view']['left']['deep_feature']) == 8
        assert np.shape(row['interval_95']['psnr_db']) == (8, 2)
    # Copies of the first picture are as far off as the square has come.
    copied = result['copy_first']['psnr_db']
    assert copied[0] == pytest.approx(-10 * np.log10(96 * (160 / 255) ** 2 / 2048), abs=1e-3)
    assert Image.open(plot).width > 500
    import av

    with av.open(str(video)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 2 * 8
    assert frames[0].width == 3 * (64 + 2)


def test_the_first_chunk_of_a_rollout_is_one_of_the_table(data: Path, models: Path) -> None:
    model = load_world_model(models)
    place = evaluate_rollout.long_places(data, 1, LENGTH, 0)[0]
    clip = evaluate_clips.load_clip(place, model.config, LENGTH)
    run = evaluate_rollout.LongRollout(
        model, PIXELS, {'a': SamplingConfig(2)}, 0, Table(()), Stopwatch(torch.device('cpu'))
    )
    first, second = run.modes(clip, 7)['a']
    context = model.context(clip.images[None, :2], clip.past)
    chunk = clip.future.part(slice(0, 5))
    latents = model.rollout(context, chunk, steps=2, seed=7)
    torch.testing.assert_close(first, model.decode(latents[:, 1:])[0].float())
    later = model.advance(context, latents, chunk, 4)
    chunk = clip.future.part(slice(4, 9))
    latents = model.rollout(later, chunk, steps=2, seed=8)
    torch.testing.assert_close(second, model.decode(latents[:, 1:])[0].float())


def test_clips_hold_the_past_frames_that_the_model_looks_at(data: Path) -> None:
    # The first frame of the episode, the one four before the present, and the present.
    config = replace(tiny_config(), history_frames=3, history_idx=(0, -5), frames=3)
    place = evaluate_clips.ClipPlace(shards(data)[0], 1, 6, 0)
    clip = evaluate_clips.load_clip(place, config)
    frames = (clip.poses.position[0, :, 1] / 0.01).round().tolist()
    assert frames == [0, 2, 6, 7, 8]
    torch.testing.assert_close(clip.past.position[0, -1], clip.future.position[0, 0])
    assert clip.images[0, 10, 0].tolist() == [220] * 3  # the square stands left at first
    assert clip.images[-1, 10, 0].tolist() == [60] * 3


@pytest.mark.parametrize(
    ('what', 'seed', 'extra', 'words'),
    [
        ('world-model', 0, (), 'holds training episodes only'),
        ('world-model', 1_000_000, ('--models', '{empty}'), 'config.json is missing'),
        ('rollout', 1_000_000, ('--chunks', 9), 'has 37 frames'),
        ('world-model', 1_000_000, ('--clips', 2), 'are of fewer than 2 held-out episodes'),
    ],
    ids=['training data', 'no model', 'short episodes', 'one episode'],
)
def test_what_cannot_be_evaluated_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    models: Path,
    what: str,
    seed: int,
    extra: tuple,
    words: str,
) -> None:
    data = write_episodes(tmp_path / 'data', seed)
    extra = tuple(str(word).format(empty=tmp_path) for word in extra)
    assert evaluate(monkeypatch, what, '--data', data, '--models', models, *extra) == 2
    assert words in capsys.readouterr().err


def test_few_steps_jump_and_many_are_guided() -> None:
    assert sampling_of(4, (1.0, 2.0)) == SamplingConfig(4)
    many = sampling_of(50, (1.0, 3.0))
    assert (many.kind, many.steps, many.guided, many.guidance_last) == ('edm', 50, True, 3.0)


def test_pictures_are_small_enough_for_a_model_card(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    path = tmp_path / 'noise.png'
    write_png(Image.fromarray(noise), path, largest=15_000)
    assert path.stat().st_size <= 15_000
    assert Image.open(path).width < 200


def test_another_clips_motion_begins_at_this_ones_present() -> None:
    chunk = straight_chunk(torch.tensor([[0.1, 0.0, 0.0]]))
    other = straight_chunk(torch.tensor([[0.0, 0.2, 0.0]]))
    moved = type(other)(other.position + 0.05, other.rotation, other.closedness)
    grafted = graft(chunk, moved)
    torch.testing.assert_close(grafted.position[:, 0], chunk.position[:, 0])
    torch.testing.assert_close(
        grafted.position.diff(dim=1), other.position.diff(dim=1), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(grafted.rotation, chunk.rotation)


def test_the_shipped_camera_layout_is_the_cells(repository: Path) -> None:
    shipped = json.loads((repository / 'models/cell/cameras.json').read_text())
    for view, camera in layout().items():
        assert shipped[view]['mount'] == camera['mount']
        for name in ('position', 'rotation', 'focal'):
            np.testing.assert_allclose(shipped[view][name], camera[name], atol=1e-6)
