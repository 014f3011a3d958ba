# SPDX-License-Identifier: Apache-2.0
"""Episodes become bags and bags become episodes, and nothing is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as parquet
import pytest

from tests.fakes.episodes import STRIDE, VIEWS, episode, joints, pictures
from vidplan.cli.main import main
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.metrics.images import psnr
from vidplan_eval.bags.observations import ObservationStream, read_observations
from vidplan_eval.bags.recording import GOAL
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.storage.stored import BagError
from vidplan_eval.datasets.episode_bag import write_episode_bag
from vidplan_eval.datasets.errors import EpisodeError
from vidplan_eval.datasets.lerobot import CAMERAS, LeRobotSource
from vidplan_eval.datasets.lerobot_columns import Columns
from vidplan_eval.datasets.lerobot_writer import LeRobotWriter

LAYOUT = default_layout().resized(32, 64)
FRAMES = 12


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    return write_episode_bag(episode(frames=FRAMES), VIEWS, tmp_path / 'bag')


def test_an_imported_episode_reads_like_a_recording(bag: Path) -> None:
    with Bag(bag) as opened:
        stream = ObservationStream(opened, LAYOUT, 0.2)
        found = list(stream)
    assert stream.guessed is None
    assert len(found) == FRAMES
    recorded = joints(FRAMES)
    for frame, (seen, views) in enumerate(zip(found, pictures(FRAMES), strict=True)):
        assert np.array_equal(seen.image, views.reshape(96, 64, 3))
        assert seen.position == pytest.approx(recorded.pose[STRIDE * frame, :3], abs=1e-9)
        assert seen.q == pytest.approx(recorded.position[STRIDE * frame], abs=1e-9)
        assert seen.closedness == pytest.approx(recorded.closedness[STRIDE * frame], abs=1e-9)


@pytest.mark.parametrize('version', ['v2.1', 'v3.0'])
def test_there_and_back_again(bag: Path, tmp_path: Path, version: str) -> None:
    out, report = tmp_path / 'data', tmp_path / 'report.json'
    words = ['--version', version, '--size', '32x64', '--json', str(report)]
    assert main(['bag', 'export', str(bag), '--out', str(out), *words]) == 0
    source = LeRobotSource(out)
    (name,) = [*source.ids(held_out=False), *source.ids(held_out=True)]
    read, made = source.read(name), episode(frames=FRAMES)
    assert read.text == made.text
    assert read.success is True
    assert read.poses.position.numpy() == pytest.approx(made.poses.position.numpy(), abs=1e-6)
    assert read.poses.rotation.numpy() == pytest.approx(made.poses.rotation.numpy(), abs=1e-6)
    assert read.poses.closedness.numpy() == pytest.approx(made.poses.closedness.numpy(), abs=1e-6)
    assert read.pictures is not None
    assert len(list(read.pictures())) == FRAMES
    (entry,) = json.loads(report.read_text())['bags']
    assert entry['pose_error'] < 1e-6
    assert entry['psnr_db'] > 25


@pytest.mark.parametrize('version', ['v2.1', 'v3.0'])
def test_what_was_exported_is_imported(bag: Path, tmp_path: Path, version: str) -> None:
    data, bags = tmp_path / 'data', tmp_path / 'bags'
    words = ['--version', version, '--size', '32x64', '--out', str(data)]
    assert main(['bag', 'export', str(bag), *words]) == 0
    assert main(['bag', 'import', str(data), str(bags)]) == 0
    with Bag(bag) as first, Bag(bags / '0') as second:
        ways = [read_observations(opened, LAYOUT, 0.2) for opened in (first, second)]
        said = [
            next(message.instruction for _, _, message in opened.messages([GOAL]))
            for opened in (first, second)
        ]
    assert len(ways[0]) == len(ways[1]) == FRAMES
    assert said[0] == said[1]
    for before, after in zip(*ways, strict=True):
        assert after.stamp_s == pytest.approx(before.stamp_s, abs=1e-6)
        for name in ('position', 'quaternion', 'q', 'closedness'):
            wanted = pytest.approx(getattr(before, name), abs=1e-6)
            assert getattr(after, name) == wanted, name
        assert float(psnr(after.image, before.image)) > 25  # of h264 at its usual quality


@pytest.mark.parametrize('version', ['v2.1', 'v3.0'])
def test_what_is_written_is_what_the_format_promises(
    bag: Path, tmp_path: Path, version: str
) -> None:
    out = tmp_path / 'data'
    main(['bag', 'export', str(bag), str(bag), '--out', str(out), '--version', version])
    info = json.loads((out / 'meta' / 'info.json').read_text())
    assert (info['codebase_version'], info['total_episodes']) == (version, 2)
    assert info['total_frames'] == 2 * FRAMES
    tables = sorted(out.glob('data/*/*.parquet'))
    rows = [row for path in tables for row in parquet.read_table(path).to_pylist()]
    assert [row['index'] for row in rows] == list(range(2 * FRAMES))
    assert {row['task_index'] for row in rows} == {0}
    assert rows[0]['action'] == pytest.approx(rows[1]['observation.state'])
    columns = set(rows[0])
    videos = {name for name, entry in info['features'].items() if entry['dtype'] == 'video'}
    assert set(info['features']) - videos == columns
    for path in out.glob('videos/**/*.mp4'):
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == FRAMES


def test_a_gap_ends_an_episode(tmp_path: Path) -> None:
    path = write_episode_bag(episode(frames=14), VIEWS, tmp_path / 'bag')
    with Bag(path) as opened:
        seen = read_observations(opened, LAYOUT, 0.2)
    from vidplan_eval.datasets.export import stretches

    parts = list(stretches([*seen[:6], *seen[8:]], 0.2))
    assert [len(part) for part in parts] == [6, 6]


def test_nothing_is_overwritten_and_nothing_is_made_of_nothing(tmp_path: Path) -> None:
    writer = LeRobotWriter(tmp_path / 'data', LAYOUT, 5.0)
    with pytest.raises(BagError, match='no episode'):
        writer.close()
    with pytest.raises(BagError, match='exists already'):
        LeRobotWriter(tmp_path / 'data', LAYOUT, 5.0)
    with pytest.raises(ConfigError, match='v2.1, v3.0'):
        LeRobotWriter(tmp_path / 'other', LAYOUT, 5.0, 'v1.6')


def test_an_episode_without_joints_is_no_bag(tmp_path: Path) -> None:
    made = episode()
    object.__setattr__(made, 'joints', None)
    with pytest.raises(EpisodeError, match='joint positions'):
        write_episode_bag(made, VIEWS, tmp_path / 'bag')
    assert not (tmp_path / 'bag').exists()


def test_other_names_are_given_on_the_command_line(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / 'data'
    words = ['--version', 'v2.1', '--size', '32x64']
    assert main(['bag', 'export', str(bag), '--out', str(data), *words]) == 0
    (table,) = (data / 'data').rglob('*.parquet')
    named = parquet.read_table(table)
    grip = Columns().gripper
    parquet.write_table(
        named.rename_columns(['grip' if c == grip else c for c in named.column_names]), table
    )
    assert main(['data', 'check', str(data)]) == 1
    assert 'name yours by --columns gripper=COLUMN' in capsys.readouterr().out
    right = ['--columns', 'gripper=grip', '--cameras', ','.join(CAMERAS)]
    main(['data', 'check', str(data), *right])
    assert 'missing column' not in capsys.readouterr().out
    assert main(['bag', 'import', str(data), str(tmp_path / 'bags'), *right]) == 0
    assert main(['data', 'check', str(data), '--cameras', 'a,b,c']) == 2
    assert 'by `cameras`' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['bag', 'import', '.', 'out'], 'neither meta/info.json'),
        (['bag', 'export', 'nowhere', '--out', 'new'], 'nowhere does not exist'),
        (['bag', 'export', '.', '--out', 'new', '--size', '32'], 'not HxW'),
        (['data', 'check', '.'], 'neither meta/info.json'),
    ],
)
def test_wrong_calls_end_in_one_line(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert said in capsys.readouterr().err
