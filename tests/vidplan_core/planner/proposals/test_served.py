# SPDX-License-Identifier: Apache-2.0
"""Candidates from a policy server over a real socket, and what proposes where it fails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.fakes.policy_servers import ScriptedServer, answer, chunk, scripted
from tests.fakes.tiny_system import tiny_system
from tests.vidplan_core.planner.looks import Q, looks
from tests.vidplan_core.planner.motion_start import READY, start_at
from tests.vidplan_core.planner.test_handling_cycle import WORDS, system
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import flange_pose, tcp_position
from vidplan_core.geometry.se3 import so3_log
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.motion.turning import TurningMotions
from vidplan_core.planner.plans.result import PlanResult
from vidplan_core.planner.proposals.repelled import repelled
from vidplan_core.policy_server.config import PolicyServerConfig
from vidplan_core.policy_server.wire import pack

SERVED = {'base': 'server', 'method': 'no_refine'}


def config(server: ScriptedServer, **changes: object) -> PolicyServerConfig:
    found = {'url': server.url, 'timeout_s': 2.0, 'wrist': '', 'exterior': 'left', **changes}
    return PolicyServerConfig(**found)


def placed(server: ScriptedServer, count: int = 6, **changes: object) -> PlanResult:
    """One cycle of placing on top of a server."""
    planner = system(samples=count, policy_server=config(server, **changes), **SERVED)
    return planner.plan(planner.new_task(WORDS), looks())


def test_the_first_candidate_is_the_answer_and_the_others_lie_around_it() -> None:
    with scripted(lambda *_: answer(chunk(joint=0, speed=0.3, grip=0.9))) as server:
        found = placed(server, spread_m=0.02)
    candidates = found.candidates
    assert len(candidates) == 6
    assert found.notes == ()
    q = torch.from_numpy(Q).float()
    turned = q.clone()
    turned[0] += 0.3 * 0.78 * 0.7
    position, rotation = flange_pose(turned)
    torch.testing.assert_close(candidates.position[0, -1], position, atol=1e-3, rtol=0)
    torch.testing.assert_close(candidates.rotation[0, -1], rotation, atol=1e-3, rtol=0)
    around = candidates.position[1:4, -1] - candidates.position[0, -1]
    assert float(around.norm(dim=1).min()) > 0.002
    assert float(around.norm(dim=1).max()) < 0.021
    assert (candidates.closedness[:4] == 1.0).all()
    # The last two do otherwise with the gripper: once like the first, once standing still.
    assert (candidates.closedness[4:] == 0.0).all()
    torch.testing.assert_close(candidates.position[4], candidates.position[0])
    torch.testing.assert_close(candidates.position[5, -1], flange_pose(q)[0], atol=1e-4, rtol=0)


def test_the_server_sees_what_there_is_to_see() -> None:
    with scripted(lambda *_: answer(chunk())) as server:
        placed(server, image_height=64, image_width=64)
    (asked,) = server.asked
    assert set(asked) == {
        'observation/exterior_image_1_left', 'observation/joint_position',
        'observation/gripper_position', 'prompt',
    }  # fmt: skip
    assert asked['prompt'] == WORDS
    np.testing.assert_allclose(asked['observation/joint_position'], Q, atol=1e-6)
    picture = asked['observation/exterior_image_1_left']
    seen = looks()[-1].image[:32]  # the uppermost of three views
    assert picture.shape == (64, 64, 3)
    assert not picture[:12].any()
    assert abs(int(picture[32, 2, 0]) - int(seen[16, 1, 0])) <= 1


def test_a_server_that_samples_is_asked_for_more() -> None:
    with scripted(lambda number, _: answer(chunk(joint=number))) as server:
        found = placed(server, count=3, requests=3)
    assert len(server.asked) == 3
    ends = found.candidates.position[:, -1]
    assert float((ends[0] - ends[1]).norm()) > 0.01


@pytest.mark.parametrize('horizon', [1, 8, 10, 16])
def test_any_horizon_is_taken(horizon: int) -> None:
    with scripted(lambda *_: answer(chunk(horizon, speed=0.3))) as server:
        found = placed(server)
    way = float((found.candidates.position[0, -1] - found.candidates.position[0, 0]).norm())
    assert len(found.scores) == 6
    assert 0.0 < way < 0.12


def test_what_is_larger_than_it_may_be_is_cut_and_said() -> None:
    with scripted(lambda *_: answer(chunk(speed=40.0))) as server:
        found = placed(server)
    assert found.notes == ('15 velocities of the policy server count as 1',)


NOT_FINITE = pack({'actions': np.full((15, 8), np.nan)})


@pytest.mark.parametrize(
    ('script', 'why'),
    [(lambda *_: NOT_FINITE, 'MALFORMED'), (lambda *_: None, 'SILENT'),
     (lambda *_: 'no such prompt', 'REFUSED')],
)  # fmt: skip
def test_where_it_fails_the_policy_of_the_models_proposes(script: Callable, why: str) -> None:
    with scripted(script) as server:
        found = placed(server, timeout_s=0.2)
        planner = system(samples=6, method='no_refine')
        own = planner.plan(planner.new_task(WORDS), looks())
    (note,) = found.notes
    assert note.startswith(f'POLICY_SERVER_FAILED: {why}: ')
    torch.testing.assert_close(found.candidates.position, own.candidates.position)


def reached(server: ScriptedServer, *proposals: str) -> PlanResult:
    planner = tiny_system(
        threshold=0.5, proposals=proposals,
        policy_server=config(server, timeout_s=0.2), samples=4,
    )  # fmt: skip
    return planner.plan(planner.new_task('move to the red ball'), looks())


def test_it_is_a_source_beside_others() -> None:
    with scripted(lambda n, _: answer(chunk()) if n < 2 else None) as server:
        assert len(reached(server, 'policy_server').scores) == 4
        both = reached(server, 'spatial_basis', 'policy_server')
        assert (len(both.scores), both.notes) == (10, ())
        alone = reached(server, 'policy_server')
        assert len(alone.scores) == 6
        assert 'SILENT' in alone.notes[0]
        assert len(reached(server, 'policy_server', 'spatial_basis').scores) == 6


def test_a_view_that_is_not_there_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match='the policy server is to see top; there are'):
        tiny_system(proposals=('policy_server',), policy_server=PolicyServerConfig(wrist='top'))


def test_perturbations_keep_apart_and_are_repeatable() -> None:
    found = repelled(8, seed=3)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(8))
    apart = torch.cdist(found, found) + 9.0 * torch.eye(8)
    drawn = torch.nn.functional.normalize(
        torch.randn(8, 4, generator=torch.Generator().manual_seed(3)), dim=1
    )
    before = torch.cdist(drawn, drawn) + 9.0 * torch.eye(8)
    assert float(apart.min()) > 1.2 > float(before.min())  # at most 1.41
    assert torch.equal(found, repelled(8, seed=3))
    assert repelled(0, seed=1).shape == (0, 4)
    assert repelled(1, seed=1).norm() == pytest.approx(1.0)


MOVING = torch.tensor([0.3, 0.0, 0.0, 0.2, 0.0, 0.0, -0.3])


@pytest.mark.parametrize('dq', [None, MOVING], ids=['resting', 'moving'])
def test_paths_begin_where_the_arm_is_and_stay_in_the_box(dq: torch.Tensor | None) -> None:
    model = tiny_system(threshold=0.5)
    motions, start = TurningMotions.build(model.parts), start_at(dq)
    bent = READY + torch.linspace(0.0, 1.0, 5)[:, None] * torch.tensor(
        [0.1, 0.9, 0.0, 0.5, 0.1, 0.0, 0.2]
    )
    position, rotation = (values[None] for values in flange_pose(bent))
    found = motions.along(start, position, rotation, torch.zeros(1, 5))
    torch.testing.assert_close(found.position[:, 0], start.position[None])
    torch.testing.assert_close(found.rotation[:, 0], start.rotation[None])
    tool = tcp_position(found.position, found.rotation)
    assert float(tool[..., 2].min()) >= motions.box.lower[2] - 1e-3
    assert float(so3_log(found.rotation[0, -1] @ start.rotation.mT).norm()) > 0.02


def test_refinement_leaves_a_tilt_as_it_is() -> None:
    """What straight motions cannot say stays in the chunk that is refined."""
    with scripted(lambda *_: answer(chunk(joint=4, speed=0.4))) as server:
        settings = {'base': 'server', 'samples': 1, 'refine_iterations': 4}
        planner = system(policy_server=config(server), **settings)
        found = planner.plan(planner.new_task(WORDS), looks())
    assert found.refinement[-1] > found.refinement[0]
    before, after = found.candidates, found.chunk
    torch.testing.assert_close(after.position[:, 0], before.position[:, 0], atol=1e-5, rtol=0)
    tilt = [so3_log(one.rotation[0, -1] @ one.rotation[0, 0].mT)[:2] for one in (before, after)]
    assert float(tilt[0].norm()) > 0.1
    torch.testing.assert_close(tilt[1], tilt[0], atol=0.02, rtol=0)


def test_the_usual_configuration_asks_no_server() -> None:
    assert not PlannerConfig().asks_server
    assert tiny_system().parts.server is None
