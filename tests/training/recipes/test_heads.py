# SPDX-License-Identifier: Apache-2.0
"""Heads are trained on the model's own rollouts; values are what the recorded truth says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.tiny import CHANNELS, save_models, tiny_world_model
from tests.fakes.tiny_scorer import TEXT, TinyScorer
from vidplan_core.heads.grounding import VERBS
from vidplan_core.heads.uncertainty import load_uncertainty
from vidplan_core.heads.value import load_value
from vidplan_core.world_model.sampling.sampler import MEAN, SamplingConfig
from vidplan_training.cli import main
from vidplan_training.collect.success import returns, successes
from vidplan_training.data.dataset import shards
from vidplan_training.data.latents import LATENTS, ClipDataset, Statistics
from vidplan_training.recipes.heads import value as heads_value
from vidplan_training.recipes.heads.planted import plant
from vidplan_training.recipes.heads.rollout_training import rollouts_of
from vidplan_training.recipes.heads.rollouts import (
    Pool,
    PoolConfig,
    Rollouts,
    frames_needed,
    imagine_ahead,
)
from vidplan_training.recipes.heads.value_episodes import (
    KNOWN_AFTER,
    PLAYED,
    REVERSED,
    STOPPED,
    ClipDraw,
    Segment,
    ValueEpisodes,
    played,
)

KINDS = ['carrot', 'mug', 'pea', 'bowl']  # the pea is in no scene
FRAMES = 20
DOWN = np.float32([1, 0, 0, 0])
FLANGE_OVER_TOOL_M = 0.1034
REACH, PICK, PLACE = range(3)


def episode() -> tuple[np.ndarray, np.ndarray]:
    """Tool (frames, 3) and objects (frames, kinds, 3): over the carrot, lift, into the bowl."""
    objects = np.full((FRAMES, 4, 3), np.nan)
    objects[:, [0, 1, 3]] = [[0.5, 0.0, 0.02], [0.4, 0.1, 0.04], [0.6, 0.1, 0.03]]
    tool = np.tile([0.5, -0.1, 0.2], (FRAMES, 1))
    tool[4:8] = [0.5, 0.0, 0.02]
    tool[8:11] = [0.5, 0.0, 0.12]
    objects[8:11, 0] = [0.5, 0.0, 0.12]
    tool[11:13] = [0.6, 0.1, 0.12]
    objects[11:13, 0] = [0.6, 0.1, 0.12]
    tool[13:], objects[13:, 0] = [0.6, 0.1, 0.2], [0.6, 0.1, 0.04]
    return tool, objects


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two shards of three episodes, with latents of the tiny model's size."""
    rng = np.random.default_rng(0)
    tool, objects = episode()
    for index in range(2):
        folder = tmp_path / 'data' / f'shard_{index:04d}'
        folder.mkdir(parents=True)
        # Slowly between the stations: an arm that jumps is left out.
        path = np.linspace([0.5, -0.1, 0.3], [0.6, 0.1, 0.3], FRAMES)
        arrays = {
            LATENTS: rng.normal(size=(3, FRAMES, CHANNELS, 12, 8)).astype(np.float16),
            'position': np.tile(path, (3, 1, 1)).astype(np.float32),
            'quaternion': np.tile(DOWN, (3, FRAMES, 1)),
            'closedness': np.zeros((3, FRAMES), np.float32),
            'objects': np.tile(objects, (3, 1, 1, 1)).astype(np.float32),
            'aim': np.tile(np.int16([-1] * 2 + [1] * 4 + [0] * (FRAMES - 6)), (3, 1)),
        }
        for name, array in arrays.items():
            np.save(folder / f'{name}.npy', array)
        meta = {'seeds': [3 * index, 3 * index + 1, 3 * index + 2], 'kinds': KINDS}
        (folder / 'meta.json').write_text(json.dumps(meta))
    return tmp_path / 'data'


@pytest.fixture
def models(tmp_path: Path) -> Path:
    model = tiny_world_model()
    save_models(tmp_path / 'models', model)
    return tmp_path / 'models'


def test_success_is_what_the_truth_says() -> None:
    tool, objects = episode()
    found = successes(tool[None], objects[None], KINDS)[0]
    frames = {
        (REACH, 0): range(4, 13), (PICK, 0): range(8, 13), (PLACE, 0): range(13, FRAMES),
        (REACH, 3): range(11, 13), (REACH, 1): (), (PICK, 1): (), (PLACE, 1): (),
    }  # fmt: skip
    for (verb, kind), wanted in frames.items():
        assert np.flatnonzero(found[:, verb, kind]).tolist() == list(wanted), VERBS[verb]
    assert not found[:, :, 2].any()  # what is not there cannot be reached
    assert not found[:, PLACE, 3].any()  # nor the bowl put into itself


def test_values_grow_towards_success_and_are_zero_after_the_last() -> None:
    success = np.zeros(6, bool)
    success[3] = True
    np.testing.assert_allclose(returns(success, 0.5), [0.125, 0.25, 0.5, 1.0, 0.0, 0.0])
    assert not returns(np.zeros((4, 2), bool), 0.9).any()
    twice = np.array([True, False, True])
    np.testing.assert_allclose(returns(twice, 0.5), [1.0, 0.5, 1.0])


def test_episodes_are_played_backwards_and_stopped() -> None:
    rng = np.random.default_rng(0)
    assert played(4, PLAYED, rng).tolist() == [0, 1, 2, 3]
    assert played(4, REVERSED, rng).tolist() == [3, 2, 1, 0]
    stopped = played(50, STOPPED, rng)
    assert (np.diff(stopped) >= 0).all()
    assert stopped[-1] == stopped[-2] < 49


def test_bad_behaviour_is_worth_nothing(data: Path) -> None:
    model = tiny_world_model()
    episodes = ValueEpisodes(shards(data), Statistics.of(model.config), gamma=0.9)
    tool, objects = episode()
    episodes.success = list(np.tile(successes(tool[None], objects[None], KINDS), (6, 1, 1, 1)))
    frames = np.arange(FRAMES)
    forward = ClipDraw(0, frames, 8, PLACE, 0, PLAYED)
    backward = ClipDraw(0, frames[::-1], 12, PLACE, 0, REVERSED)
    halfway = ClipDraw(0, np.minimum(frames, 9), 8, PLACE, 0, STOPPED)
    wrong = ClipDraw(0, frames, 8, PLACE, 1, PLAYED)
    values = episodes.values_of([forward, backward, halfway, wrong], ahead=4, frames=4)
    torch.testing.assert_close(values[0], torch.tensor([0.9**4, 0.9**3, 0.9**2, 0.9]))
    assert not values[1:].any()
    clips = episodes.clips([forward, backward], ages=(1, 0), ahead=4)
    assert clips.latents.shape == (2, 6, CHANNELS, 12, 8)
    raw = torch.from_numpy(np.load(data / 'shard_0000' / f'{LATENTS}.npy')).float()
    stored = (raw[0, [8, 7]] - 0.1) / 1.5
    torch.testing.assert_close(clips.latents[1, :2], stored)


def test_half_of_the_drawn_instructions_come_true_where_they_can(data: Path) -> None:
    episodes = ValueEpisodes(shards(data), Statistics.of(tiny_world_model().config), gamma=0.9)
    tool, objects = episode()
    episodes.success = list(np.tile(successes(tool[None], objects[None], KINDS), (6, 1, 1, 1)))
    rng = np.random.default_rng(0)
    draws = [episodes.draw(rng, 4) for _ in range(300)]
    worth = episodes.values_of(draws, 4, 1)[:, 0].numpy()
    assert 0.25 < (worth > 0).mean() < 0.55
    assert {d.playback for d in draws} == {PLAYED, REVERSED, STOPPED}
    assert {d.kind for d, value in zip(draws, worth) if value == 0.0} >= {1, 2}
    assert {d.verb for d in draws} == {REACH, PICK, PLACE}


def test_ways_lead_from_setting_out_to_success(data: Path) -> None:
    episodes = ValueEpisodes(shards(data), Statistics.of(tiny_world_model().config), gamma=0.9)
    tool, objects = episode()
    episodes.success = list(np.tile(successes(tool[None], objects[None], KINDS), (6, 1, 1, 1)))
    # Over the carrot by chance on the way to the mug, which is not reached; then for the carrot.
    assert episodes.segments(0) == [
        Segment(REACH, 0, 6, 6),
        Segment(PICK, 0, 6, 8),
        Segment(PLACE, 0, 6, 13),
    ]
    for shard in shards(data):
        (shard.folder / 'aim.npy').unlink()
    nobody = ValueEpisodes(shards(data), Statistics.of(tiny_world_model().config), gamma=0.9)
    with pytest.raises(ValueError, match=r'aim\.npy is missing'):
        nobody.segments(0)


def test_clips_end_before_what_became_of_them_was_recorded(data: Path) -> None:
    episodes = ValueEpisodes(shards(data), Statistics.of(tiny_world_model().config), gamma=0.9)
    rng = np.random.default_rng(0)
    last = [episodes.draw(rng, 4).present + 4 for _ in range(200)]
    assert max(last) == FRAMES - 1 - KNOWN_AFTER
    with pytest.raises(ValueError, match='episodes of 20 frames .* record 21 at least'):
        episodes.draw(rng, FRAMES - KNOWN_AFTER)


def test_rollouts_lie_ahead_and_know_what_came_true(data: Path) -> None:
    model = tiny_world_model()
    needed = frames_needed(model)
    assert needed == 13
    dataset = ClipDataset(shards(data), (1, 0), needed, Statistics.of(model.config))
    clips = dataset.clips(np.array([0, 3]))
    near, truth = imagine_ahead(model, clips, (), MEAN, seed=0)
    torch.testing.assert_close(truth, clips.latents[:, 2:6])
    far, truth = imagine_ahead(model, clips, (4, 2), SamplingConfig(2), seed=0)
    torch.testing.assert_close(truth, clips.latents[:, 8:12])
    assert far.last.start.tolist() == [0.5, 0.5]
    assert not torch.equal(far.condition.history, near.condition.history)


def test_pools_are_the_same_after_a_resume(data: Path) -> None:
    model = tiny_world_model()
    dataset = ClipDataset(shards(data), (1, 0), frames_needed(model), Statistics.of(model.config))

    def pool() -> Pool:
        config = PoolConfig(size=4, group=2, iterations=2)
        return Pool(lambda rng, n: rollouts_of(model, dataset, rng, n), config, seed=5)

    running = pool()
    batches = [running.batch(iteration, 3) for iteration in range(3)]
    again = pool().batch(2, 3)
    torch.testing.assert_close(again.inputs.predicted, batches[2].inputs.predicted)
    assert not torch.equal(batches[0].truth, batches[2].truth)


def test_planted_patches_are_foreign_and_marked(data: Path) -> None:
    model = tiny_world_model()
    dataset = ClipDataset(shards(data), (1, 0), frames_needed(model), Statistics.of(model.config))
    rollouts = rollouts_of(model, dataset, np.random.default_rng(0), 4)
    edited, masks = plant(rollouts, 3, 1.0, np.random.default_rng(1))
    changed = (edited.inputs.predicted != rollouts.inputs.predicted).any(dim=1).any(dim=1)
    assert bool((masks | ~changed).all())
    assert bool(masks.flatten(1).any(1).all())
    view = masks.unflatten(1, (3, 4)).any(dim=(2, 3)).sum(1)
    assert view.tolist() == [1, 1, 1, 1]  # inside one view each
    assert edited.errors.mean() != rollouts.errors.mean()
    same, none = plant(rollouts, 3, 0.0, np.random.default_rng(1))
    assert not none.any()
    assert isinstance(same, Rollouts)
    torch.testing.assert_close(same.inputs.predicted, rollouts.inputs.predicted)


COMMON = ['batch=4', 'pool=4', 'checked=4', 'trainer.iterations=3']


def test_an_uncertainty_head_is_trained_written_and_continued(
    data: Path, models: Path, tmp_path: Path
) -> None:
    command = ['uncertainty-head', '--preset', 'smoke', '--set', f'data={data}', *COMMON]
    command += [f'models={models}', f'out={models}/uncertainty', f'work={tmp_path}/work.pt']
    assert main(command) == 0
    head = load_uncertainty(models)
    head.config.check_fits(tiny_world_model().config, CHANNELS)
    assert (head.config.bins, head.config.widths) == ('power', (8, 16, 16))
    assert main([*command, 'export_only=true', f'out={tmp_path}/again/uncertainty']) == 0
    again = load_uncertainty(tmp_path / 'again')
    torch.testing.assert_close(again.out.weight, head.out.weight)
    start = [f'start={models}/uncertainty', f'work={tmp_path}/other.pt']
    assert main([*command, *start]) == 0


def test_a_value_head_is_trained_and_knows_its_scorer(
    data: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads_value, 'SemanticScorer', TinyScorer)
    command = ['value-head', '--preset', 'smoke', '--set', f'data={data}', *COMMON, 'gamma=0.8']
    command += [f'models={models}', f'out={models}/value', f'work={tmp_path}/work.pt']
    assert main(command) == 2  # no semantic/ beside the world model
    (models / 'semantic').mkdir()
    assert main(command) == 0
    head = load_value(models)
    assert (head.config.text, head.config.gamma) == (3 + 2 * TEXT, 0.8)
    head.check_scorer(TinyScorer())  # type: ignore[arg-type]
