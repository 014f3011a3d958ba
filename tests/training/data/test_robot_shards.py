# SPDX-License-Identifier: Apache-2.0
"""Robots' episodes become shards: with or without latents and videos, or refused by name."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.tiny import save_models, tiny_world_model
from tests.training.recordings import NAMES, write_ctrl_world, write_lerobot, write_table
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.heads.uncertainty import load_uncertainty
from vidplan_eval.datasets.lerobot import CAMERAS, LeRobotSource
from vidplan_eval.datasets.lerobot_columns import Columns
from vidplan_training.cli import main
from vidplan_training.data.dataset import shards, split
from vidplan_training.data.latents import LATENTS, SUCCESS, TEXTS, Statistics
from vidplan_training.data.readers.source import AnyEpisodes
from vidplan_training.data.robot_shards import IMAGES, as_shards
from vidplan_training.evaluation.clips import held_out_shards, places
from vidplan_training.recipes.heads.labelled_episodes import LabelledEpisodes
from vidplan_training.recipes.heads.value_episodes import STOPPED

CONFIG = tiny_world_model().config
SHAPE = (4, 4, 8)  # of a view's latents of the tiny model


def settings(root: Path, source: str = 'ctrl-world', **values: object) -> AnyEpisodes:
    return AnyEpisodes(data=root, source=source, shards=root.parent / 'shards', **values)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    write_ctrl_world(tmp_path / 'data', [16, 20], [18], shape=SHAPE, videos=True)
    return tmp_path / 'data'


def test_latents_are_taken_and_held_out_episodes_keep_their_pictures(recorded: Path) -> None:
    folder = as_shards(settings(recorded), CONFIG)
    training, held_out = split(folder, False), split(folder, True)
    assert [len(shard.array('position')[0]) for shard in training] == [16, 20]
    assert training[0].array(LATENTS).shape == (1, 16, 4, 12, 8)
    assert not (training[0].folder / f'{IMAGES}.npy').exists()
    assert held_out[0].array(IMAGES).shape == (1, 18, 3, 32, 64, 3)
    assert training[0].meta[TEXTS] == ['do thing 0']
    assert [shard.meta[SUCCESS] for shard in training] == [[True], [False]]
    assert held_out_shards(folder) == held_out
    assert len(places(folder, 9, CONFIG, seed=0)) == 2


def test_what_is_complete_is_not_written_again(recorded: Path) -> None:
    folder = as_shards(settings(recorded), CONFIG)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob('*.npy')}
    as_shards(settings(recorded), CONFIG)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob('*.npy')} == before


def test_pictures_stand_in_for_latents_that_are_absent_or_of_another_size(recorded: Path) -> None:
    shutil.rmtree(recorded / 'latent_videos' / 'train' / '0')
    for view in range(3):
        other = torch.zeros(20, 4, 2, 2)
        torch.save(other, recorded / 'latent_videos' / 'train' / '1' / f'{view}.pt')
    for shard in split(as_shards(settings(recorded), CONFIG), False):
        assert not (shard.folder / f'{LATENTS}.npy').exists()
        assert shard.array(IMAGES).shape[2:] == (3, 32, 64, 3)


def test_episodes_of_which_nothing_can_be_seen_are_refused_by_name(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(recorded / 'videos')
    shutil.rmtree(recorded / 'latent_videos' / 'train' / '1')
    folder = as_shards(settings(recorded), CONFIG)
    assert [shard.meta['episode'] for shard in shards(folder)] == ['train/0', 'val/2']
    assert 'train/1: no pictures' in capsys.readouterr().err
    with pytest.raises(ValueError, match='has pictures'):
        places(folder, 9, CONFIG, seed=0)
    shutil.rmtree(recorded / 'latent_videos')
    with pytest.raises(ConfigError, match='1 of|0 of'):
        as_shards(replace(settings(recorded), shards=recorded.parent / 'none'), CONFIG)


@pytest.mark.parametrize(
    ('values', 'says'),
    [({'shards': None}, 'shards=FOLDER'), ({'frame_period': 0.4}, 'every 0.4 s')],
)
def test_what_cannot_be_gathered_is_named(
    tmp_path: Path, values: dict[str, object], says: str
) -> None:
    write_lerobot(tmp_path / 'data', 'v2.1', [61])
    asked = replace(settings(tmp_path / 'data', 'lerobot'), **values)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=says):
        as_shards(asked, CONFIG)


def test_a_robots_episodes_are_laid_out_for_the_cells_recipes(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, out = recorded.parent / 'mine', recorded.parent / 'shards'
    save_models(models, tiny_world_model())
    call = ['shards', '--data', str(recorded), '--models', str(models), '--shards', str(out)]
    assert main([*call, '--source', 'ctrl-world']) == 0
    assert '2 episodes to train with, 1 held out' in capsys.readouterr().out
    assert main(call) == 2
    assert 'laid out already' in capsys.readouterr().err


@pytest.mark.parametrize('source', ['ctrl-world', 'lerobot'])
def test_an_uncertainty_head_learns_from_a_robot(tmp_path: Path, source: str) -> None:
    if source == 'lerobot':
        write_lerobot(tmp_path / 'data', 'v3.0', [61, 61])
    else:
        write_ctrl_world(tmp_path / 'data', [16, 20], [18], shape=SHAPE, videos=True)
    models = save_models(tmp_path / 'models', tiny_world_model())
    command = ['uncertainty-head', '--preset', 'smoke', '--set', f'data={tmp_path}/data',
               f'source={source}', f'shards={tmp_path}/shards', f'models={models}', 'batch=2',
               'pool=2', 'checked=2', 'trainer.iterations=1', f'out={models}/uncertainty',
               f'work={tmp_path}/work.pt']  # fmt: skip
    assert main(command) == 0
    load_uncertainty(models).config.check_fits(CONFIG, 4)


def labelled(tmp_path: Path, texts: list[str], success: list[bool | None]) -> LabelledEpisodes:
    """Shards of ten frames with these words and labels."""
    for number, (text, done) in enumerate(zip(texts, success, strict=True)):
        folder = tmp_path / f'shard_train_{number:07d}'
        folder.mkdir(parents=True)
        arrays = {
            'position': np.full((1, 10, 3), 0.4), 'quaternion': np.tile([1.0, 0, 0, 0], (1, 10, 1)),
            'closedness': np.zeros((1, 10)), LATENTS: np.zeros((1, 10, 4, 12, 8), np.float16),
        }  # fmt: skip
        for name, array in arrays.items():
            np.save(folder / f'{name}.npy', array)
        notes = {'seeds': [number], 'held_out': False, TEXTS: [text], SUCCESS: [done]}
        (folder / 'meta.json').write_text(json.dumps(notes))
    return LabelledEpisodes(shards(tmp_path), Statistics.of(CONFIG), gamma=0.5)


def test_values_follow_the_labels_of_the_data_set(tmp_path: Path) -> None:
    """The second is a failure, the third has no label, the last no words."""
    put, move = 'put the cup in the bowl', 'move to the mug'
    found = labelled(tmp_path, [put, move, put, ''], [True, False, None, True])
    assert len(found) == 2
    assert [wanted.target for wanted in found.asked] == ['cup', 'mug']
    frames = np.arange(10)
    assert found.values(0, frames)[:, 2, 0].tolist() == [0.5 ** (9 - t) for t in range(10)]
    assert found.values(0, frames)[:, :, 1].max() == 0.0  # other words
    assert found.values(1, frames).max() == 0.0
    assert found.instruction(0, 0) == found.asked[0]
    assert [(s.verb, s.kind, s.start, s.success) for s in found.segments(0)] == [(2, 0, 0, 9)]
    assert found.segments(1) == []


def test_draws_hold_successes_and_failures_with_words_that_belong_together(tmp_path: Path) -> None:
    put, move = 'put the cup in the bowl', 'move to the mug'
    found = labelled(tmp_path, [put, move], [True, False])
    rng = np.random.default_rng(0)
    draws = [found.draw(rng, ahead=4) for _ in range(200)]
    values = found.values_of(draws, ahead=4, frames=4)
    assert 0.1 < (values[:, -1] > 0).float().mean() < 0.5
    for draw in draws:
        assert found.asked[draw.kind].verb == ('reach', 'pick', 'place')[draw.verb]
        assert draw.present + 4 < 10
    stopped = [k for k, draw in enumerate(draws) if draw.playback == STOPPED]
    assert values[stopped].max() < 1.0
    with pytest.raises(ConfigError, match='no label'):
        labelled(tmp_path / 'other', [put], [None])


def png(value: int) -> dict[str, bytes]:
    import cv2

    return {'bytes': cv2.imencode('.png', np.full((32, 48, 3), value, np.uint8))[1].tobytes()}


def test_pictures_and_joints_in_the_table_and_vectors_of_states_are_read(tmp_path: Path) -> None:
    """As other exporters write DROID: no videos, no poses, one vector of the state."""
    (recording,) = write_lerobot(tmp_path, 'v2.1', [31])
    info = json.loads((tmp_path / 'meta/info.json').read_text())
    info['features'] = {camera: {'dtype': 'image'} for camera in CAMERAS}
    info['video_path'] = None
    (tmp_path / 'meta/info.json').write_text(json.dumps(info))
    shutil.rmtree(tmp_path / 'videos')
    state = np.concatenate([recording.joints, recording.gripper[:, None]], 1).tolist()
    images = {camera: [png(20 + view)] * 31 for view, camera in enumerate(CAMERAS)}
    table = next((tmp_path / 'data').rglob('*.parquet'))
    absent = dict.fromkeys((NAMES.pose, NAMES.gripper, NAMES.joints, NAMES.success))
    rewards = [0.0] * 30 + [1.0]
    write_table(table, [recording], **absent, state=state, **images, **{'next.reward': rewards})
    columns = Columns.named(['joints=state[0:7]', 'gripper=state[7]'])
    episode = LeRobotSource(tmp_path, columns=columns).read('0')
    position, _ = flange_pose(torch.from_numpy(recording.joints[::3]))
    torch.testing.assert_close(episode.poses.position, position.float())
    torch.testing.assert_close(
        episode.poses.closedness, torch.from_numpy(recording.gripper[::3]).float()
    )
    assert episode.success is True
    assert episode.pictures is not None
    pictures = list(episode.pictures())
    assert len(pictures) == 11
    assert [int(view.mean()) for view in pictures[0]] == [20, 21, 22]


@pytest.mark.parametrize('pairs', [['depth=x'], ['pose'], ['pose=']])
def test_a_wrong_column_is_named(pairs: list[str]) -> None:
    with pytest.raises(ConfigError, match='name=column'):
        Columns.named(pairs)
