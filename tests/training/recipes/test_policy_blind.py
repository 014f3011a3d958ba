# SPDX-License-Identifier: Apache-2.0
"""Moments without views: the expert does the same where the scene is turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vidplan_core.errors import ModelError
from vidplan_core.heads.places import SCALE_M
from vidplan_core.heads.policy.files import save_policy
from vidplan_core.heads.policy.inputs import BESIDE, BODY, PolicyInput
from vidplan_core.heads.policy.network import ChunkPolicy, PolicyConfig
from vidplan_core.models.io import save_weights, to_dict
from vidplan_sim.expert.decision import PickPlaceTask
from vidplan_sim.expert.rule import View, decide
from vidplan_training.recipes.policy.blind import turned, without_views
from vidplan_training.recipes.policy.recipe import go_on_from

TOOL, TARGET = np.array([0.5, 0.0, 0.2]), np.array([0.55, 0.04, 0.02])
BOWL = np.array([0.42, -0.08, 0.03])
SURE = 1.0


def choice(tool: np.ndarray, target: np.ndarray, bowl: np.ndarray, held: bool) -> np.ndarray:
    """What the expert does, (5,)."""
    goal = float(held)
    grasp = tool if held else target
    view = View(tool, 0.1, grasp, grasp, 0.1, bowl, goal, goal, held, 0.02)
    decision, _ = decide(view, PickPlaceTask('place', 'lemon'))
    return np.array([*decision.displacement, decision.turn_rad, decision.closedness])


def moment(held: bool) -> tuple[PolicyInput, Tensor]:
    """One moment, and what the expert does in it."""
    gaps = np.concatenate([(TOOL if held else TARGET) - TOOL, BOWL - TOOL])
    beside = torch.zeros(1, BESIDE)
    beside[0, :6] = torch.from_numpy(gaps / SCALE_M).asinh()
    beside[0, 6:8] = SURE
    inputs = PolicyInput(torch.ones(1, 4, 12, 8), torch.zeros(1, BODY), torch.zeros(1, 6),
                         torch.ones(1, 2, 12, 8), beside)  # fmt: skip
    return inputs, torch.from_numpy(choice(TOOL, TARGET, BOWL, held))[None].float()


@pytest.mark.parametrize('held', [False, True])
def test_the_expert_agrees_with_what_was_turned(held: bool) -> None:
    inputs, chunks = moment(held)
    rng = torch.Generator().manual_seed(4)
    found, moved = without_views(inputs, chunks, torch.tensor([True]), rng)
    assert found.beside is not None
    gaps = (SCALE_M * found.beside[0, :6].double().sinh()).numpy().reshape(2, 3)
    wanted = choice(TOOL, TOOL + gaps[0], TOOL + gaps[1], held)
    np.testing.assert_allclose(moved[0].numpy(), wanted, atol=1e-5)
    assert np.abs(moved[0, :2].numpy() - chunks[0, :2].numpy()).max() > 0.01


def test_others_stay_as_they_are() -> None:
    inputs, chunks = moment(True)
    found, moved = without_views(inputs, chunks, torch.tensor([False]), torch.Generator())
    torch.testing.assert_close(found.latents, inputs.latents)
    torch.testing.assert_close(found.beside, inputs.beside)
    torch.testing.assert_close(moved, chunks)


def test_blind_moments_show_nothing() -> None:
    inputs, chunks = moment(True)
    found, _ = without_views(inputs, chunks, torch.tensor([True]), torch.Generator())
    assert found.maps is not None
    assert float(found.latents.abs().max()) == float(found.maps.abs().max()) == 0.0


def test_a_quarter_turn() -> None:
    found = turned(torch.tensor([[1.0, 0.0]]), torch.tensor([torch.pi / 2]))
    torch.testing.assert_close(found, torch.tensor([[0.0, 1.0]]), atol=1e-6, rtol=0.0)


def test_a_policy_that_read_less_goes_on(tmp_path: Path) -> None:
    small = PolicyConfig(4, 12, 8, 3, text=6, width=8, embedding=16, pools=2)
    known = ChunkPolicy(small)
    first = known.known[0]
    assert isinstance(first, torch.nn.Linear)
    weights = known.state_dict()
    weights['known.0.weight'] = first.weight.detach()[:, :-4].clone()
    save_weights(tmp_path / 'less', to_dict(small), weights, None)
    found = ChunkPolicy(small)
    go_on_from(found, tmp_path / 'less')
    grown = found.state_dict()['known.0.weight']
    torch.testing.assert_close(grown[:, :-4], weights['known.0.weight'])
    assert float(grown[:, -4:].abs().max()) == 0.0


def test_a_policy_of_another_shape_is_refused(tmp_path: Path) -> None:
    save_policy(tmp_path, ChunkPolicy(PolicyConfig(4, 12, 8, 3, text=6, width=16, embedding=16)))
    other = ChunkPolicy(PolicyConfig(4, 12, 8, 3, text=6, width=8, embedding=16))
    with pytest.raises(ModelError, match='go on from'):
        go_on_from(other, tmp_path)
