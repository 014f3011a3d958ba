# SPDX-License-Identifier: Apache-2.0
"""Replaying bags: observations rebuilt exactly, repeatable numbers, wrong bags named."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest
import torch

from tests.fakes.synthetic_bag import CAMERAS, angles, picture, write_bag
from tests.fakes.tiny_system import tiny_system
from vidplan.cli.main import main
from vidplan.cli.recordings import replay
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.robot_files import load_robot
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_eval.bags.moments import grid
from vidplan_eval.bags.observations import BagSource, read_observations
from vidplan_eval.bags.recording import GOAL, GRIPPER, JOINTS, OBSERVATION, RESULT
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.storage.stored import BagError
from vidplan_eval.replay.fidelity import FidelityMeter, fidelity_table, poses
from vidplan_eval.replay.hindsight import agreement, choices, recorded_task
from vidplan_eval.replay.windows import windows

LAYOUT = default_layout().resized(32, 64)
PERIOD_S = 0.2


@pytest.fixture(scope='module')
def system():
    return tiny_system()


@pytest.fixture(scope='module')
def bag_path(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp('bags') / 'bag')


@pytest.fixture(scope='module')
def observations(bag_path):
    with Bag(bag_path) as bag:
        return read_observations(bag, LAYOUT, PERIOD_S)


def test_observations_are_those_of_the_frame_times(observations):
    stamps = np.array([seen.stamp_s for seen in observations])
    assert np.allclose(np.diff(stamps), PERIOD_S, atol=1e-6)
    for seen in observations:
        assert seen.image.shape == LAYOUT.shape
        assert np.array_equal(seen.image[:32], picture(seen.stamp_s))
        assert seen.q == pytest.approx(angles(seen.stamp_s), abs=1e-9)
        position, _ = flange_pose(torch.from_numpy(angles(seen.stamp_s)))
        assert seen.position == pytest.approx(position.numpy(), abs=1e-9)
        assert seen.closedness == pytest.approx(0.25)


def test_a_bag_of_observations_only_serves_too(tmp_path, observations):
    path = write_bag(tmp_path / 'bag', without=(*CAMERAS, JOINTS, GRIPPER))
    with Bag(path) as bag:
        found = read_observations(bag, LAYOUT, PERIOD_S)
    assert [seen.stamp_s for seen in found] == pytest.approx(
        [seen.stamp_s for seen in observations], abs=1e-6
    )
    assert np.array_equal(found[2].image[:32], picture(found[2].stamp_s))
    assert found[2].position.tolist() == [0.5, 0.1, 0.4]


def test_observations_for_another_world_model_are_refused(tmp_path):
    path = write_bag(tmp_path / 'bag', without=CAMERAS)
    with Bag(path) as bag, pytest.raises(BagError, match='the world model sees'):
        read_observations(bag, default_layout().resized(96, 160), PERIOD_S)


@pytest.mark.parametrize(
    ('stamps', 'expected'),
    [
        (np.arange(0, 1.01, 1 / 15), [0, 3, 6, 9, 12, 15]),
        (np.array([0.0, 0.19, 0.41, 0.9]), [0, 1, 2]),
        (np.array([0.0, 0.11, 0.2, 0.21]), [0, 2]),
    ],
    ids=['15 Hz', 'gap', 'nearest'],
)
def test_the_grid_takes_the_nearest_stamps(stamps, expected):
    assert grid(stamps, PERIOD_S).tolist() == expected


def test_windows_do_not_cross_gaps(observations):
    whole = windows(observations, 2, 5, PERIOD_S)
    assert len(whole) == len(observations) - 5
    broken = observations[:5] + observations[6:10]
    # Three frames fit three times into five observations and twice into four.
    found = windows(broken, 1, 3, PERIOD_S)
    assert len(found) == 3 + 2
    for window in found:
        stamps = [seen.stamp_s for seen in window.future]
        assert np.allclose(np.diff(stamps), PERIOD_S, atol=1e-6)


def test_fidelity_compares_with_copying_and_the_ceiling(system, observations):
    found = windows(observations, 2, 5, PERIOD_S)
    meter = FidelityMeter(system.world_model, system.device, SamplingConfig(1), 0)
    fidelity = meter.compare(found)
    assert fidelity.imagined.shape == (len(found), 4, 3)
    assert np.isfinite(fidelity.copied).all()
    # The square moves on: the farther ahead, the worse the copy, until it has left its place.
    assert fidelity.copied[:, 0].mean() > fidelity.copied[:, 1].mean()
    table = fidelity_table(fidelity, ('left', 'right', 'wrist'), PERIOD_S)
    assert [entry['step'] for entry in table] == [1, 2, 3, 4]
    views = [table[0][view]['copied_db'] for view in ('left', 'right', 'wrist')]
    assert table[0]['all']['copied_db'] == pytest.approx(np.mean(views), abs=1e-3)


def test_executed_poses_are_the_actions(observations):
    chunk = poses([observations[:5]])
    assert chunk.frames == 5
    assert chunk.position[0, 3].tolist() == pytest.approx(observations[3].position, abs=1e-6)


def test_the_planner_is_asked_along_the_way(system, observations):
    found = windows(observations, 2, 5, PERIOD_S)
    made = choices(system, found, 'move to the carrot', '', every=2)
    assert [choice.window.index for choice in made] == [window.index for window in found[::2]]
    assert all(choice.result is not None for choice in made)
    for choice in made:
        cosine = agreement(choice, system.config.committed_frames)
        assert cosine is None or -1.0 <= cosine <= 1.0


def test_the_recorded_task_is_read(bag_path):
    with Bag(bag_path) as bag:
        recorded = recorded_task(bag)
    assert (recorded.instruction, recorded.success) == ('move to the carrot', True)


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    replay.add_parser(parser.add_subparsers())
    return parser.parse_args(['replay', *words])


@pytest.fixture
def tiny_models(monkeypatch, system):
    monkeypatch.setattr(replay, '_load', lambda args: system)


def test_two_runs_give_the_same_file(tmp_path, bag_path, tiny_models):
    results = []
    for name in ('first', 'second'):
        assert replay.run(arguments(str(bag_path), '--json', str(tmp_path / name))) == 0
        results.append(json.loads((tmp_path / name).read_text()))
        assert results[-1].pop('timings')
    assert results[0] == results[1]
    assert results[0]['planner']['plans'] > 1
    assert results[0]['windows'] == results[0]['observations'] - 5


def test_every_nth_moment_alone_is_compared(tmp_path, bag_path, tiny_models):
    results = {}
    for every in ('1', '3'):
        path = tmp_path / every
        assert replay.run(arguments(str(bag_path), '--every', every, '--json', str(path))) == 0
        results[every] = json.loads(path.read_text())
    assert results['3']['every'] == 3
    assert results['3']['observations'] == results['1']['observations']
    assert results['3']['windows'] == -(-results['1']['windows'] // 3)


def test_pictures_video_and_report_are_written(tmp_path, bag_path, tiny_models):
    out = tmp_path / 'out'
    assert replay.run(arguments(str(bag_path), '--out', str(out))) == 0
    written = {path.name for path in out.iterdir()}
    page = (out / 'replay.html').read_text()
    table = page[page.index('PSNR by view and step'):].split('</table>')[0]
    numbers = json.loads((out / 'replay.json').read_text())['replay']
    assert table.count('<tr>') == 1 + len(numbers['steps_in_motion'])
    cell = numbers['steps_in_motion'][0]['wrist']
    names = ('imagined_db', 'copied_db', 'reconstructed_db')
    assert ' / '.join(f'{cell[name]:.1f}' for name in names) in table
    assert written >= {'curves.png', 'replay.html', 'replay.mp4', 'rollout.png', 'worst_1.png'}


def test_without_a_goal_only_the_world_model_is_judged(tmp_path, tiny_models, capsys):
    path = write_bag(tmp_path / 'bag', without=(GOAL, RESULT))
    result = tmp_path / 'result.json'
    assert replay.run(arguments(str(path), '--json', str(result))) == 0
    assert json.loads(result.read_text())['planner']['plans'] == 0
    assert 'nothing was planned' in capsys.readouterr().out


def test_what_was_recorded_and_why_plans_failed_is_printed(bag_path, tiny_models, capsys):
    """The square is at another place of the table by every camera: which one is left?"""
    given = ('--instruction', 'move to the left carrot', '--every', '5')
    assert replay.run(arguments(str(bag_path), *given)) == 0
    printed = capsys.readouterr().out
    assert '1 failed: TARGET_NOT_FOUND: the views do not agree' in printed
    assert '  recorded: "move to the carrot": SUCCESS\n' in printed


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'without': (JOINTS, OBSERVATION)}, 'no messages on /joint_states'),
        (
            {'without': (*CAMERAS[:2], OBSERVATION)},
            'no messages on /left/image_raw, /right/image_raw',
        ),
        ({'encoding': 'nv24'}, "'nv24' is not one of"),
        ({'duration_s': 0.7}, 'never 6 in a row'),
    ],
    ids=['no joints', 'no cameras', 'wrong encoding', 'too short'],
)
def test_a_useless_bag_ends_with_a_message(tmp_path, tiny_models, changes, words):
    path = write_bag(tmp_path / 'bag', **changes)
    with pytest.raises(BagError) as caught:
        replay.run(arguments(str(path)))
    assert words in str(caught.value)


def test_a_missing_bag_is_named_before_models_are_loaded(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(replay, '_load', lambda args: pytest.fail('loaded models'))
    assert main(['replay', str(tmp_path / 'nothing')]) == 2
    assert 'nothing does not exist' in capsys.readouterr().err


def test_another_robots_joints_can_be_named(tmp_path, tiny_models):
    robot = load_robot('fer_hand', 'left')
    path = write_bag(tmp_path / 'bag', robot=robot)
    given = ('--robot', 'fer_hand', '--joint-prefix', 'left')
    assert replay.run(arguments(str(path), *given)) == 0


def test_a_camera_that_lags_too_much_is_no_observation(bag_path):
    with Bag(bag_path) as bag, pytest.raises(BagError, match='no moment has an image'):
        read_observations(bag, LAYOUT, PERIOD_S, BagSource(max_skew_s=0.001))
