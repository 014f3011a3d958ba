# SPDX-License-Identifier: Apache-2.0
"""The expert that decides every 0.4 s, how long it says it needs, and what a set amounts to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.language.instruction import PICK, PLACE, REACH
from vidplan_sim.expert.decision import PickPlaceTask
from vidplan_sim.expert.remaining import MOST_FRAMES, frames_to_go
from vidplan_sim.expert.rule import View, decide, done
from vidplan_training.collect.collect import CollectSettings
from vidplan_training.collect.contact.attempts import LONGEST, Playing
from vidplan_training.collect.contact.branches import BRANCHES, Moment, candidates
from vidplan_training.collect.contact.episode import (
    CLOSING_FRAMES,
    ContactRecorder,
    Log,
    _resolved,
)
from vidplan_training.collect.contact.flaws import FARTHEST_M, FLAWS, draw_attempt
from vidplan_training.collect.contact.measure import closings
from vidplan_training.collect.contact.on_policy import LEADERS, OnPolicyRecorder
from vidplan_training.collect.contact.placing import PlacingRecorder
from vidplan_training.collect.contact.run import jobs, led_jobs
from vidplan_training.collect.leaders import FREE

CELL_CONTACT = Path(__file__).resolve().parents[3] / 'models' / 'cell_contact'
PLACE_TASK = PickPlaceTask(PLACE, 'lemon')


def view(**changes: object) -> View:
    """An open hand 15 cm above and 10 cm beside a lemon."""
    start = View(
        tool=np.array([0.5, 0.0, 0.15]),
        yaw=0.0,
        target=np.array([0.5, 0.1, 0.025]),
        grasp=np.array([0.5, 0.1, 0.025]),
        grasp_yaw=0.3,
        bowl=np.array([0.45, -0.15, 0.05]),
        goal=0.0,
        set_point=0.0,
        held=False,
        lying_m=0.025,
    )
    return replace(start, **changes)  # type: ignore[arg-type]


AT = np.array([0.5, 0.1, 0.025])


@pytest.mark.parametrize(
    ('moment', 'phase', 'closedness'),
    [
        (view(), 'approach', 0.0),
        (view(tool=AT + [0.0, 0.0, 0.06], yaw=0.3), 'descend', 0.0),
        (view(tool=AT, yaw=0.3), 'close', 1.0),
        (view(tool=AT, yaw=0.3, goal=1.0, set_point=0.6), 'close', 1.0),
        (view(tool=AT, goal=1.0, set_point=1.0), 'release', 0.0),
        (view(tool=AT, goal=1.0, set_point=1.0, held=True), 'lift', 1.0),
        (view(tool=AT + [0.0, 0.0, 0.18], goal=1.0, set_point=1.0, held=True), 'carry', 1.0),
        (
            view(tool=np.array([0.45, -0.15, 0.2]), target=np.array([0.45, -0.15, 0.2]),
                 goal=1.0, set_point=1.0, held=True), 'lower', 1.0,
        ),
        (
            view(tool=np.array([0.45, -0.15, 0.13]), target=np.array([0.45, -0.15, 0.13]),
                 goal=1.0, set_point=1.0, held=True), 'release', 0.0,
        ),
        (view(tool=np.array([0.45, -0.15, 0.13]), target=np.array([0.45, -0.15, 0.12]),
              set_point=0.6), 'release', 0.0),
        (view(target=np.array([0.45, -0.15, 0.04])), 'done', 0.0),
    ],
)  # fmt: skip
def test_the_expert_knows_what_comes_next(moment: View, phase: str, closedness: float) -> None:
    decision, found = decide(moment, PLACE_TASK)
    assert found == phase
    assert decision.closedness == closedness
    assert np.linalg.norm(decision.displacement) <= 0.1401


def test_what_is_nearer_to_done_needs_fewer_frames() -> None:
    held = view(tool=AT, goal=1.0, set_point=1.0, held=True)
    states = [view(), view(tool=AT, yaw=0.3), held, view(target=np.array([0.45, -0.15, 0.04]))]
    needed = [frames_to_go(state, 'lemon')[2] for state in states]
    assert needed == sorted(needed, reverse=True)
    assert needed[-1] == 0.0
    assert needed[0] < MOST_FRAMES / 2


def test_reaching_comes_before_picking_and_picking_before_placing() -> None:
    reach, pick, place = frames_to_go(view(), 'lemon')
    assert reach < pick < place


def test_a_closing_that_fails_costs_another_attempt() -> None:
    closing = view(tool=AT, yaw=0.3, goal=1.0, set_point=0.6)
    holds, fails = (frames_to_go(closing, 'lemon', known)[2] for known in (True, False))
    assert fails >= holds + 10


def test_each_verb_is_done_when_its_words_are_true() -> None:
    lifted = view(target=AT + [0.0, 0.0, 0.05], tool=AT + [0, 0, 0.05], held=True)
    assert done(lifted, PickPlaceTask(PICK, 'lemon'))
    assert done(lifted, PickPlaceTask(REACH, 'lemon'))
    assert not done(lifted, PLACE_TASK)


def test_every_flaw_is_drawn_and_bounded() -> None:
    rng = np.random.default_rng(0)
    found = [draw_attempt(rng, 'lemon', ['lemon', 'fish']) for _ in range(600)]
    assert {attempt.flaw for attempt in found} == set(FLAWS)
    assert max(np.linalg.norm(a.offset[:2]) for a in found if a.flaw == 'offset') <= FARTHEST_M
    assert all(a.aim == 'fish' for a in found if a.flaw == 'wrong')


def test_an_attempt_ends_though_nothing_ever_moves() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        playing = Playing(draw_attempt(rng, 'lemon', ['lemon']), 'lemon', PLACE)
        for _ in range(LONGEST):
            playing.decide(view(), rng)
        assert playing.over


def test_branches_include_the_experts_decision_and_a_toggled_gripper() -> None:
    moment = Moment(view(), 'approach', 'lemon', None, None, ({}, {}))  # type: ignore[arg-type]
    found = candidates(moment, [], np.random.default_rng(0))
    assert len(found) == BRANCHES
    best, _ = decide(view(), PLACE_TASK)
    np.testing.assert_array_equal(found[0].displacement, best.displacement)
    assert found[4].closedness == 1.0


def test_closings_are_counted_where_the_command_has_arrived() -> None:
    commanded = np.array([0.0, 0.3, 0.6, 1.0, 1.0, 0.5, 0.0, 0.5, 1.0])
    held = np.array([-1, -1, -1, -1, 3, -1, -1, -1, -1])
    episode = {'commanded': commanded, 'held': held, 'target': np.full(9, 3), 'flaw': np.zeros(9)}
    found = closings(episode)  # the last one is not seen to its end
    assert [(closing.frame, closing.held) for closing in found] == [(3, 3)]


def test_a_closing_under_way_is_known_once_it_is_over() -> None:
    log = Log([{'commanded': value} for value in (0.3, 0.6, 1.0)])
    assert _resolved(log, 0) == 2
    assert _resolved(Log(log.rows[:2]), 0) is None


def test_shards_of_branches_lie_beside_those_of_their_scenes(tmp_path: Path) -> None:
    found = jobs(tmp_path, 400, 20, 8, 48)
    names = ['shard_00050', 'shard_00050_b', 'shard_00050_c', 'shard_00050_p']
    assert [job.folder.name for job in found[:4]] == names
    assert sum(job.count for job in found if job.whole) == 20
    assert sum(job.count for job in found if job.placings) == 20
    assert sum(job.count for job in found if job.closings) == 20


@pytest.mark.parametrize(('policy', 'leader'), [(CELL_CONTACT, 'planning'), (None, FREE)])
def test_others_lead_episodes_and_nothing_else(
    tmp_path: Path, policy: Path | None, leader: str
) -> None:
    found = led_jobs(tmp_path, 400, 20, 8, 48, policy, leader)
    assert [job.folder.name for job in found] == ['shard_00050', 'shard_00051', 'shard_00052']
    assert all(job.policy == policy and not job.branches for job in found)
    assert all(job.leader == leader for job in found)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ({'mix': 'contact', 'leader': 'planning'}, 'leader is planning, policy None'),
        ({'mix': 'contact', 'policy': CELL_CONTACT}, 'leader is expert, policy'),
        ({'leader': FREE}, 'free leads contact episodes only: add --mix contact'),
    ],
)
def test_who_cannot_lead_is_refused(
    tmp_path: Path, words: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        CollectSettings(out=tmp_path, **words)


def test_free_motion_has_the_arrays_of_attempts_and_nothing_is_asked_for() -> None:
    recorder = ContactRecorder()
    free, attempt = recorder.record_free(7, 4), recorder.record(7, 4)
    assert {n: a.shape for n, a in free.items()} == {n: a.shape for n, a in attempt.items()}
    assert (free['flaw'] == -1).all()
    assert np.linalg.norm(np.diff(free['position'], axis=0), axis=1).max() > 1e-3


@pytest.mark.skipif(not CELL_CONTACT.is_dir(), reason='needs models/cell_contact')
@pytest.mark.parametrize('leader', LEADERS)
def test_the_expert_says_what_it_would_do_where_another_leads(leader: str) -> None:
    found = OnPolicyRecorder(CELL_CONTACT, leader).record(7, 6)
    assert all(len(values) == 6 for values in found.values())
    assert np.isfinite(found['expert']).all()
    assert (found['target'] == found['target'][0]).all()
    assert np.abs(np.diff(found['position'], axis=0)).max() > 1e-3


def test_the_expert_is_asked_before_a_decision_is_sent() -> None:
    # Where a flawed attempt closes beside its target, the expert would not have closed.
    recorder = ContactRecorder()
    aside = 0
    for number in range(6):
        found = recorder.record_closing(7, number)
        if found is None:
            continue
        target = found['objects'][1, int(found['target'][1])]
        tool = tcp_position(*(torch.from_numpy(a) for a in flange(found, 1))).numpy()
        if np.linalg.norm((target - tool)[:2]) > 0.03:
            aside += 1
            assert found['goal'][1] == 1.0
            assert found['expert'][1, 4] == 0.0
    assert aside > 0


def test_a_placing_goes_from_the_hand_to_the_bowl() -> None:
    found = next(f for seed in range(7, 12) if (f := PlacingRecorder().record_placing(seed, 16)))
    assert all(len(values) == 16 for values in found.values())
    target = int(found['target'][0])
    assert found['held'][0] == target
    assert np.isfinite(found['expert']).all()
    # Asked where it is let go, the expert lets go; afterwards it does not grasp what falls.
    after = np.flatnonzero(found['goal'] < 0.5)
    if len(after):
        assert (found['expert'][after[0] :, 4] == 0.0).all()


def flange(found: dict[str, np.ndarray], frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) and rotation (3, 3) of the flange in a frame."""
    turned = torch.from_numpy(found['quaternion'][frame])
    return found['position'][frame], quaternion_to_matrix(turned).numpy()


def test_a_closing_is_seen_from_the_open_hand_to_the_lift() -> None:
    recorder = ContactRecorder()
    found = next(c for n in range(4) if (c := recorder.record_closing(7, n)) is not None)
    assert all(len(values) == CLOSING_FRAMES for values in found.values())
    assert found['commanded'][:2].tolist() == [0.0, 0.0]
    assert found['commanded'][-1] == 1.0
    assert found['position'][-1, 2] > found['position'][1, 2] + 0.05
    assert np.isfinite(found['expert']).all()


def test_an_episode_is_recorded_alike_twice() -> None:
    recorder = ContactRecorder()
    first, second = (recorder.record(7, 5) for _ in range(2))
    assert set(first) >= {'images', 'commanded', 'closedness', 'held', 'contact', 'to_go'}
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
