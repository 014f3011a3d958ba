# SPDX-License-Identifier: Apache-2.0
"""Recorded episodes are read as they happened; broken ones are named, counted and skipped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.recordings import NAMES, RATE_HZ, level, record, write_ctrl_world, write_lerobot, write_table
from tests.training.recordings import write_video as film
from scipy.spatial.transform import Rotation

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import flange_pose
from vidplan_training.data.readers.cell import CellSource
from vidplan_eval.datasets.ctrl_world import SVD_SCALE, CtrlWorldSource
from vidplan_eval.datasets.episode import RecordedEpisode
from vidplan_eval.datasets.errors import EpisodeError
from vidplan_eval.datasets.lerobot import CAMERAS, LeRobotSource
from vidplan_training.data.readers.walk import Walk

VERSIONS = ['v2.1', 'v3.0']
LENGTHS = [22, 25, 31]


def check_pictures(episode: RecordedEpisode, stride: int) -> None:
    """Every frame of every view shows its own grey level."""
    assert episode.pictures is not None
    seen = np.stack(list(episode.pictures())).astype(int)
    assert len(seen) == episode.frames
    expected = [[level(view, stride * k) for view in range(3)] for k in range(episode.frames)]
    # The codec keeps a grey level within 2; neighbouring frames differ by 9.
    assert np.abs(seen - np.array(expected)[..., None, None, None]).max() <= 2


# LeRobot


@pytest.mark.parametrize('version', VERSIONS)
def test_a_lerobot_episode_is_what_was_recorded(tmp_path: Path, version: str) -> None:
    recordings = write_lerobot(tmp_path, version, LENGTHS)
    source = LeRobotSource(tmp_path)
    assert (source.ids(False), source.ids(True)) == (['0', '1'], ['2'])
    for r in recordings:
        episode = source.read(str(r.index))
        assert (episode.text, episode.success) == (r.text, r.success)
        np.testing.assert_allclose(episode.poses.position, r.pose[::3, :3], atol=1e-6)
        rotation = Rotation.from_euler('xyz', r.pose[::3, 3:]).as_matrix()
        np.testing.assert_allclose(episode.poses.rotation, rotation, atol=1e-6)
        np.testing.assert_allclose(episode.poses.closedness, r.gripper[::3], atol=1e-6)
        joints = episode.joints()
        np.testing.assert_allclose(joints.velocity, r.velocity)
        np.testing.assert_allclose(joints.position, r.joints)
        assert joints.period_s == pytest.approx(1 / RATE_HZ)
        check_pictures(episode, 3)


def test_states_are_the_angles_that_were_recorded(tmp_path: Path) -> None:
    (r, *_) = write_lerobot(tmp_path, 'v2.1', [22, 22])
    states = LeRobotSource(tmp_path).read('0').poses.states
    np.testing.assert_allclose(states[:, :6], r.pose[::3], atol=2e-6)


def test_every_frame_can_be_kept_and_pictures_resized(tmp_path: Path) -> None:
    write_lerobot(tmp_path, 'v2.1', [12, 12])
    source = LeRobotSource(tmp_path, frame_period_s=1 / RATE_HZ, size=(48, 80))
    episode = source.read('0')
    assert episode.frames == 12
    assert next(episode.pictures()).shape == (3, 48, 80, 3)
    check_pictures(episode, 1)


def test_every_hundredth_episode_is_held_out() -> None:
    source = LeRobotSource.__new__(LeRobotSource)
    source._layout = type('Layout', (), {'entries': dict.fromkeys(range(250))})()
    assert source.ids(True) == ['99', '199']
    assert len(source.ids(False)) == 248


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'codebase_version': 'v1.6'}, 'v2.0, v2.1 and v3.0 are known'),
        ({'features': {'observation.images.top': {'dtype': 'video'}}}, 'it has .*images.top'),
        ({'fps': 12}, 'choose a multiple of 0.0833'),
        ({'data_path': None}, 'are broken'),
    ],
    ids=['version', 'cameras', 'rate', 'template'],
)
def test_metadata_that_do_not_fit_are_named(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    write_lerobot(tmp_path, 'v2.1', [10])
    path = tmp_path / 'meta' / 'info.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConfigError, match=message):
        LeRobotSource(tmp_path)


def test_no_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no LeRobot data set'):
        LeRobotSource(tmp_path)
    with pytest.raises(FileNotFoundError, match='annotation'):
        CtrlWorldSource(tmp_path)


def video_2(root: Path, index: int = 1) -> Path:
    return root / 'videos' / 'chunk-000' / CAMERAS[1] / f'episode_{index:06d}.mp4'


def table_2(root: Path, index: int = 1) -> Path:
    return root / 'data' / 'chunk-000' / f'episode_{index:06d}.parquet'


def cut(file: Path, keep: float) -> None:
    file.write_bytes(file.read_bytes()[: int(keep * file.stat().st_size)])


def poses_with_nan(root: Path) -> None:
    r = record(1, 25)
    pose = r.pose.copy()
    pose[4, 2] = np.nan
    write_table(table_2(root), [r], **{NAMES.pose: pose.tolist()})


def faststart(root: Path) -> None:
    """Cut a video whose index comes first: only decoding finds out."""
    levels = [level(1, step) for step in range(25)]
    film(video_2(root), levels, movflags='+faststart')
    cut(video_2(root), 0.8)


FAULTS = {
    'truncated video': lambda root: cut(video_2(root), 0.7),
    'truncated video, index first': faststart,
    'missing column': lambda root: write_table(
        table_2(root), [record(1, 25)], **{NAMES.gripper: None}
    ),
    'values that are not finite': poses_with_nan,
    'too short': lambda root: None,
    'unequal lengths': lambda root: film(video_2(root), [50] * 20),
    'missing file': lambda root: video_2(root).unlink(),
    'unreadable file': lambda root: cut(table_2(root), 0.5),
    'wrong shape': lambda root: write_table(
        table_2(root), [record(1, 25)], **{NAMES.pose: record(1, 25).pose[:, :5].tolist()}
    ),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_a_broken_lerobot_episode_is_counted_and_skipped(
    tmp_path: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lerobot(tmp_path, 'v2.1', [25, 25, 40, 40])
    FAULTS[fault](tmp_path)
    reason = fault.partition(',')[0]
    # 25 steps are 9 model frames, 40 are 14.
    walk = Walk(
        LeRobotSource(tmp_path), held_out=False, shortest=10 if reason == 'too short' else 9
    )
    sound = []
    for episode in walk:
        with walk.attempt():
            list(episode.pictures())
            sound.append(episode.id)
    broken = {'0', '1'} if reason == 'too short' else {'1'}
    assert set(sound) == {'0', '1', '2'} - broken
    assert walk.skipped == {reason: len(broken)}
    told = capsys.readouterr()
    assert f'skipped {len(broken)}: {len(broken)} {reason}' in walk.summary()
    assert f'episode 1: {reason}: {tmp_path}' in told.err
    assert 'training episodes are sound' in told.out


@pytest.mark.parametrize('spoil', ['cut', 'short'])
def test_a_shared_video_that_breaks_off_costs_the_later_episodes_only(
    tmp_path: Path, spoil: str
) -> None:
    recordings = write_lerobot(tmp_path, 'v3.0', [30, 30, 30, 30])
    file = tmp_path / 'videos' / CAMERAS[0] / 'chunk-000' / 'file-000.mp4'
    levels = [level(0, step) for r in recordings for step in range(len(r))]
    if spoil == 'cut':
        film(file, levels, movflags='+faststart')
        cut(file, 0.6)
    else:
        film(file, levels[:70])
    walk = Walk(LeRobotSource(tmp_path), held_out=False)
    sound = []
    for episode in walk:
        with walk.attempt():
            check_pictures(episode, 3)
            sound.append(episode.id)
    assert sound
    assert sound == ['0', '1', '2'][: len(sound)]
    assert sum(walk.skipped.values()) == 3 - len(sound) > 0


# Ctrl-World


def test_a_ctrl_world_episode_is_what_was_recorded(tmp_path: Path) -> None:
    recordings = write_ctrl_world(tmp_path, [9, 10], [9], videos=True)
    source = CtrlWorldSource(tmp_path)
    assert source.ids(False) == ['train/0', 'train/1']
    assert source.ids(True) == ['val/2']
    episode, r = source.read('train/1'), recordings[1]
    np.testing.assert_allclose(episode.poses.states[:, :6], r.pose[::3], atol=2e-6)
    latents = episode.latents()
    assert latents.shape == (10, 4, 6, 4)
    # Views from the top; the file's are scaled as Stable Video Diffusion's.
    torch.testing.assert_close(latents[:, :, 2:4], latents[:, :, :2] + 1 / SVD_SCALE)
    np.testing.assert_allclose(episode.joints().velocity, r.velocity)
    check_pictures(episode, 1)


def test_annotations_at_the_rate_of_the_model_are_read_too(tmp_path: Path) -> None:
    (r,) = write_ctrl_world(tmp_path, [9], [])
    path = tmp_path / 'annotation' / 'train' / '0.json'
    note = json.loads(path.read_text())
    states = np.concatenate([r.pose[::3], r.gripper[::3, None]], axis=1)
    for name in (NAMES.pose, NAMES.gripper, NAMES.joints, NAMES.velocity):
        del note[name]
    path.write_text(json.dumps(note | {'states': states.tolist()}))
    episode = CtrlWorldSource(tmp_path).read('train/0')
    np.testing.assert_allclose(episode.poses.states, states, atol=2e-6)
    assert episode.joints is None


def edit(root: Path, change: Callable[[dict[str, list]], object]) -> None:
    path = root / 'annotation' / 'train' / '1.json'
    note = json.loads(path.read_text())
    change(note)
    path.write_text(json.dumps(note))


def latent(root: Path) -> Path:
    return root / 'latent_videos' / 'train' / '1' / '2.pt'


@pytest.mark.parametrize(
    ('reason', 'spoil'),
    [
        ('unreadable file', lambda root: cut(latent(root), 0.5)),
        ('missing file', lambda root: latent(root).unlink()),
        ('wrong shape', lambda root: torch.save(torch.zeros(9, 4, 2), latent(root))),
        ('unequal lengths', lambda root: torch.save(torch.zeros(8, 4, 2, 4), latent(root))),
        ('missing column', lambda root: edit(root, lambda note: note.pop(NAMES.pose))),
        (
            'values that are not finite',
            lambda root: edit(root, lambda note: note[NAMES.gripper].__setitem__(3, None)),
        ),
        ('unequal lengths', lambda root: edit(root, lambda note: note[NAMES.pose].pop())),
        (
            'unreadable file',
            lambda root: (root / 'annotation' / 'train' / '1.json').write_text('{'),
        ),
    ],
)
def test_a_broken_ctrl_world_episode_is_counted_and_skipped(
    tmp_path: Path, reason: str, spoil: Callable[[Path], object]
) -> None:
    write_ctrl_world(tmp_path, [9, 9, 9], [])
    spoil(tmp_path)
    walk = Walk(CtrlWorldSource(tmp_path), held_out=False, shortest=5)
    assert [episode.id for episode in walk] == ['train/0', 'train/2']
    assert walk.skipped == {reason: 1}


def droid() -> Path:
    """The real sample beside the repository."""
    folder = Path(os.environ.get('VIDPLAN_SHARED', Path(__file__).resolve().parents[4] / 'shared'))
    if not (folder / 'data' / 'droid').is_dir():
        pytest.skip('needs the DROID sample in ../shared/data/droid')
    return folder / 'data' / 'droid'


def test_real_episodes_agree_with_forward_kinematics() -> None:
    """Flange, base frame and Euler order are DROID's: within a tenth of a millimetre."""
    source = CtrlWorldSource(droid())
    episode = source.read('train/1')
    assert episode.latents().shape == (89, 4, 72, 40)
    position, rotation = flange_pose(torch.from_numpy(episode.joints().position[::3]))
    np.testing.assert_allclose(episode.poses.position, position, atol=1e-4)
    np.testing.assert_allclose(episode.poses.rotation, rotation, atol=1e-3)


# The cell


def write_shard(folder: Path, episodes: int = 2, frames: int = 8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    arrays = {
        'images': rng.integers(0, 255, (episodes, frames, 3, 8, 12, 3), np.uint8),
        'position': rng.normal(size=(episodes, frames, 3)).astype(np.float32) * 0.01,
        'quaternion': np.tile(np.float32([1, 0, 0, 0]), (episodes, frames, 1)),
        'closedness': np.zeros((episodes, frames), np.float32),
    }
    save(folder, arrays)
    (folder / 'meta.json').write_text(json.dumps({'seeds': list(range(episodes))}))
    return arrays


def save(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        np.save(folder / f'{name}.npy', array)


def test_a_cell_episode_is_what_was_recorded(tmp_path: Path) -> None:
    arrays = write_shard(tmp_path / 'shard_0000')
    write_shard(tmp_path / 'shard_0001')
    source = CellSource(tmp_path)
    assert source.ids(True) == ['shard_0001/0', 'shard_0001/1']
    episode = source.read('shard_0000/1')
    np.testing.assert_allclose(episode.poses.position, arrays['position'][1], atol=1e-7)
    np.testing.assert_array_equal(np.stack(list(episode.pictures())), arrays['images'][1])
    assert episode.latents is None


@pytest.mark.parametrize(
    ('reason', 'array', 'value'),
    [
        ('values that are not finite', 'closedness', np.nan),
        ('impossible motion', 'position', 3.0),
    ],
)
def test_a_broken_cell_episode_is_counted_and_skipped(
    tmp_path: Path, reason: str, array: str, value: float
) -> None:
    arrays = write_shard(tmp_path / 'shard_0000')
    arrays[array][1, 4] = value
    save(tmp_path / 'shard_0000', arrays)
    walk = Walk(CellSource(tmp_path), held_out=False)
    assert [episode.id for episode in walk] == ['shard_0000/0']
    assert walk.skipped == {reason: 1}


def test_an_error_names_episode_reason_and_file(tmp_path: Path) -> None:
    write_shard(tmp_path / 'shard_0000')
    (tmp_path / 'shard_0000' / 'closedness.npy').unlink()
    with pytest.raises(EpisodeError, match=r'shard_0000/0: missing file: .*closedness\.npy'):
        CellSource(tmp_path).read('shard_0000/0')
