# SPDX-License-Identifier: Apache-2.0
"""Windows of contact episodes, what a value learns of branches, and how it is judged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.fakes.tiny import CHANNELS
from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.network import HeadConfig
from vidplan_core.heads.value import ValueHead
from vidplan_core.metrics.calibration import calibration_error, calibration_error_by_chance
from vidplan_core.metrics.intervals import scene_mean_interval
from vidplan_core.metrics.ranking import exact_area
from vidplan_training.evaluation.contact.evaluate import _area
from vidplan_training.recipes.contact.data import Episodes, Windows
from vidplan_training.recipes.contact.value import ValueBatch, frames_loss, ranking_loss, withheld
from vidplan_training.recipes.contact.value_check import choice_of

FRAMES = 16
COMMANDED = torch.tensor([0.0] * 6 + [0.32, 0.64, 0.96, 1.0] + [1.0] * 6)


@pytest.fixture
def episodes() -> Episodes:
    """One episode in which the gripper closes on something at frame 8."""
    zeros = torch.zeros(FRAMES)
    return Episodes(
        latents=torch.randn(FRAMES, CHANNELS, 12, 8).half(),
        position=torch.randn(FRAMES, 3),
        rotation=torch.eye(3).expand(FRAMES, 3, 3),
        measured=COMMANDED.clamp_max(0.5),
        commanded=COMMANDED,
        goal=(torch.arange(FRAMES) >= 6).float(),
        held=torch.where(torch.arange(FRAMES) >= 8, 3, -1),
        contact=torch.arange(FRAMES) >= 7,
        phase=zeros.long(),
        to_go=torch.full((FRAMES, 3, 5), float('nan')),
        first=torch.tensor([0]),
        lengths=torch.tensor([FRAMES]),
        group=torch.tensor([-1]),
        relevancy=torch.zeros(0, 5, 1, 12, 8),
        seen=torch.full((FRAMES,), -1),
        scene=zeros.long(),
        kinds=('a', 'b', 'c', 'd', 'bowl'),
    )


def test_the_past_holds_what_was_measured_and_new_frames_what_is_commanded(
    episodes: Episodes,
) -> None:
    windows = Windows(episodes, 2, 5)
    clips, targets = windows.clips(windows.where(torch.tensor([8])))
    torch.testing.assert_close(clips.poses.closedness[0, :2], episodes.measured[7:9])
    torch.testing.assert_close(clips.poses.closedness[0, 2:], episodes.commanded[9:13])
    torch.testing.assert_close(targets.closedness[0], episodes.measured[9:13])
    assert targets.held.all()


def test_ways_to_command_the_same_never_touch_the_past(episodes: Episodes) -> None:
    windows = Windows(episodes, 2, 5)
    where = windows.where(torch.arange(len(windows)))
    rng = torch.Generator().manual_seed(0)
    for _ in range(4):
        closedness = episodes.chunk(where, 1, rng).closedness
        torch.testing.assert_close(closedness[:, :2], episodes.measured[where[:, :2]])


def test_closings_are_drawn_more_often_and_listed(episodes: Episodes) -> None:
    windows = Windows(episodes, 2, 5)
    assert windows.closings().tolist() == [5]
    assert windows.weight[5] > windows.weight[0] == 1.0
    assert len(Windows(episodes, 2, 5, ahead=FRAMES)) == 0


def test_areas_of_both_kinds_agree() -> None:
    scores, positive = torch.tensor([0.1, 0.4, 0.4, 0.9]), torch.tensor([0, 1, 0, 1]).bool()
    assert exact_area(scores.numpy(), positive.numpy()) == pytest.approx(0.875)
    assert _area(np.stack([scores.numpy(), positive.numpy()], 1)) == pytest.approx(0.875)


def test_calibration_error_is_the_gap_of_what_is_said_and_what_comes() -> None:
    assert calibration_error(np.array([[0.75, 1], [0.75, 1], [0.75, 1], [0.75, 0]])) == 0.0
    assert calibration_error(np.array([[0.9, 0], [0.9, 0]])) == pytest.approx(0.9)


@pytest.mark.parametrize('cases', [50, 5000])
def test_a_calibration_error_by_chance_falls_with_the_cases(cases: int) -> None:
    mean, most = calibration_error_by_chance(np.linspace(0.02, 0.98, cases))
    # Ten bins of n / 10 cases: the mean of |N(0, p (1 - p) / (n / 10))| is about 1 / sqrt(n).
    assert mean == pytest.approx(1.03 / np.sqrt(cases), rel=0.15)
    assert mean < most < 2.0 * mean
    assert calibration_error_by_chance(np.ones(3)) == (0.0, 0.0)


def test_intervals_keep_the_values_of_a_scene_together() -> None:
    low, high = scene_mean_interval(np.array([0.0, 0.0, 1.0, 1.0]), np.array([1, 1, 2, 2]))
    assert (low, high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ('expected', 'within', 'regret'), [([1, 2, 3], 1.0, 0.0), ([3, 2, 1], 0.0, 5.0)]
)
def test_a_choice_is_judged_by_what_is_left_to_do(
    expected: list[float], within: float, regret: float
) -> None:
    true = np.array([10.0, 14.0, 20.0])
    found = choice_of(np.array(expected, float), true, np.array([0.5, 0.4, 0.3]))
    assert (found.best_within_one, found.regret) == (within, regret)
    assert found.rank_correlation == pytest.approx(1.0 if within else -1.0)


def head_and_inputs(rows: int) -> tuple[ValueHead, HeadInput]:
    torch.manual_seed(0)
    config = HeadConfig(
        CHANNELS, 4, 17, 12, 8, widths=(8, 8, 8), embedding=16, attention_heads=2, text=6, maps=2,
        offsets=5, bins='power', bin_count=24, bin_high=64.0, gamma=0.97, unit='frames', outcome=3,
        axes=4, relations=16,
    )  # fmt: skip
    latents = torch.randn(rows, 4, CHANNELS, 12, 8)
    inputs = HeadInput(
        latents, latents, latents[:, 0], torch.randn(rows, 4, 17), torch.zeros(rows),
        torch.zeros(rows), torch.randn(rows, 6), torch.rand(rows, 2, 12, 8),
        torch.randn(rows, 4, 5), torch.rand(rows, 4, 3), torch.randn(rows, 4, 4),
    )  # fmt: skip
    return ValueHead(config), inputs


def test_frames_become_values_that_fall_with_them() -> None:
    head, _ = head_and_inputs(1)
    sure = 50.0 * torch.eye(24)
    values, frames = head.value_of(sure), head.frames_to_go(sure)
    assert values[0] == pytest.approx(1.0)
    assert values[-1] == pytest.approx(0.0)
    assert (values.diff() < 0).all()
    assert (frames.diff() > 0).all()


def test_a_head_learns_the_order_of_branches() -> None:
    head, inputs = head_and_inputs(8)
    to_go = torch.full((8, 4), float('nan'))
    to_go[:, -1] = torch.arange(8) * 6.0
    samples = ValueBatch(inputs, to_go, torch.zeros(8, dtype=torch.long))
    before = float(frames_loss(head, samples))
    optimizer = torch.optim.AdamW(head.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        frames_loss(head, samples).backward()
        optimizer.step()
    expected = head.frames_to_go(head.logits(inputs))[:, -1]
    assert float(frames_loss(head, samples)) < before
    assert choice_of(expected.detach().numpy(), to_go[:, -1].numpy(), np.ones(8)).regret <= 1.0


def test_rows_that_are_no_branches_are_not_ordered() -> None:
    _, inputs = head_and_inputs(4)
    samples = ValueBatch(inputs, torch.rand(4, 4) * 50, torch.full((4,), -1))
    assert ranking_loss(torch.randn(4), samples) == 0.0


def test_places_and_poses_are_withheld_in_some_rows() -> None:
    _, inputs = head_and_inputs(64)
    found = withheld(inputs, torch.Generator().manual_seed(0))
    for name in ('offsets', 'actions', 'axes'):
        kept: Tensor = getattr(found, name).abs().sum((1, 2)) > 0
        assert 0 < int(kept.sum()) < 64
    assert found.predicted is inputs.predicted
