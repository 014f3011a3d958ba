# SPDX-License-Identifier: Apache-2.0
"""Both heads: gradients to the action and never into the world model, learning, files, colours."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from tests.fakes.tiny import CHANNELS, straight_chunk, tiny_world_model
from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.heads.heat_map import COLOURS, blend, colour_latents, heat_map
from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.network import HeadConfig, save_head
from vidplan_core.heads.places import FEATURES
from vidplan_core.heads.uncertainty import LEAST_PROBABILITY, UncertaintyHead, load_uncertainty
from vidplan_core.heads.value import ValueHead, load_value, value_loss
from vidplan_core.metrics.calibration import ErrorCalibration
from vidplan_core.models.io import WEIGHTS
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import Context, Imagination, WorldModel

TEXT = 6
SIZES = HeadConfig(
    channels=CHANNELS, rows=12, columns=8, widths=(8, 16, 16), embedding=16, attention_heads=2
)
FOR_VALUE = dataclasses.replace(
    SIZES, text=TEXT, maps=2, offsets=FEATURES, bin_count=20, bin_high=1.0
)
PLACES = torch.tensor([[[0.5, 0.1, 0.05, 0.9], [0.4, 0.0, 0.05, 0.0]]])


def imagined(model: WorldModel, motion: torch.Tensor, steps: int = 1) -> Imagination:
    chunk = straight_chunk(torch.zeros(len(motion), 3)).to(motion.dtype)
    along = torch.linspace(0, 1, 5, dtype=motion.dtype)[None, :, None]
    chunk = PoseChunk(chunk.position + along * motion[:, None], chunk.rotation, chunk.closedness)
    past = PoseChunk(chunk.position[:1, :2], chunk.rotation[:1, :2], chunk.closedness[:1, :2])
    generator = torch.Generator().manual_seed(3)
    latents = torch.randn(1, 2, CHANNELS, 12, 8, generator=generator).to(motion)
    return model.imagine(Context(latents, past.detach()), chunk, SamplingConfig(steps))


def grounding_of(
    text: torch.Tensor, seen: float = 0.3, places: torch.Tensor | None = PLACES
) -> InstructionGrounding:
    return InstructionGrounding(text[None], torch.full((1, 2, 12, 8), seen), places)


def random_head(kind: type, config: HeadConfig) -> torch.nn.Module:
    """Every weight random: layers that start at zero would hide gradients."""
    torch.manual_seed(1)
    head = kind(config)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return head.eval()


def test_larger_errors_are_less_probable() -> None:
    model, motion = tiny_world_model(), torch.tensor([[0.1, 0.0, 0.0]])
    imagination, head = imagined(model, motion), random_head(UncertaintyHead, SIZES)
    assert isinstance(head, UncertaintyHead)
    frame = imagination.latents[:, 2]
    nats = [head.improbability(imagination, 2, frame + off) for off in (0.0, 2.0, -2.0, 100.0)]
    assert float(nats[0].detach().max()) < 1e-5
    assert bool((nats[1] > nats[0]).all())
    torch.testing.assert_close(nats[1], nats[2], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(nats[3], torch.full_like(nats[3], -math.log(LEAST_PROBABILITY)))


def score(head: torch.nn.Module, imagination: Imagination) -> torch.Tensor:
    if isinstance(head, UncertaintyHead):
        estimate = head.predict_error(imagination)
        return estimate.entropy.sum() + estimate.expected_error.sum()
    assert isinstance(head, ValueHead)
    # Random weights hardly move the value: scaled, so that tolerances mean something.
    grounding = grounding_of(torch.linspace(-1, 1, TEXT))
    return 1000.0 * head.predict_value(imagination, grounding).sum()


@pytest.mark.parametrize(('kind', 'config'), [(UncertaintyHead, SIZES), (ValueHead, FOR_VALUE)])
@pytest.mark.parametrize('steps', [1, 2])
def test_gradients_to_the_action_are_finite_differences(
    kind: type, config: HeadConfig, steps: int
) -> None:
    model, head = tiny_world_model().double(), random_head(kind, config).double()
    motion = torch.tensor([[0.05, -0.02, 0.03]], dtype=torch.float64, requires_grad=True)
    score(head, imagined(model, motion, steps)).backward()
    assert motion.grad is not None
    assert bool(torch.isfinite(motion.grad).all())
    assert motion.grad.norm() > 1e-3
    for axis in range(3):
        step = torch.zeros(1, 3, dtype=torch.float64)
        step[0, axis] = 1e-6
        with torch.no_grad():
            ends = [score(head, imagined(model, motion + s * step, steps)) for s in (1, -1)]
        numeric = (ends[0] - ends[1]).item() / 2e-6
        assert motion.grad[0, axis].item() == pytest.approx(numeric, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize('frames', [[4], [1, 3]])
def test_frames_that_are_asked_about_alone_are_those_of_all(frames: list[int]) -> None:
    found = imagined(tiny_world_model(), torch.tensor([[0.1, 0.0, 0.0], [0.0, 0.1, 0.0]]))
    config = dataclasses.replace(FOR_VALUE, relations=16)
    value, uncertainty = random_head(ValueHead, config), random_head(UncertaintyHead, SIZES)
    assert isinstance(value, ValueHead)
    assert isinstance(uncertainty, UncertaintyHead)
    words = grounding_of(torch.ones(TEXT))
    new = [frame - 1 for frame in frames]
    every, some = value.predict_value(found, words), value.predict_value(found, words, frames)
    torch.testing.assert_close(some, every[:, new])
    every, some = (uncertainty.predict_error(found, f).entropy for f in (None, frames))
    torch.testing.assert_close(some, every[:, new])


def test_training_leaves_the_world_model_alone() -> None:
    model, head = tiny_world_model().requires_grad_(True), random_head(UncertaintyHead, SIZES)
    inputs = HeadInput.of(imagined(model, torch.zeros(2, 3)))
    assert inputs.predicted.requires_grad
    assert isinstance(head, UncertaintyHead)
    head.loss(inputs.detach(), torch.rand(2, 4, CHANNELS, 12, 8)).backward()
    assert all(p.grad is None for p in model.parameters())
    assert all(p.grad is not None for p in head.parameters())


def test_the_head_reads_new_frames_their_actions_and_the_present() -> None:
    found = imagined(tiny_world_model(), torch.tensor([[0.1, 0.0, 0.0], [0.0, 0.1, 0.0]]))
    inputs = HeadInput.of(found, torch.ones(1, TEXT))
    torch.testing.assert_close(inputs.predicted, found.latents[:, 1:])
    torch.testing.assert_close(inputs.actions, found.condition.actions[:, 2:])
    torch.testing.assert_close(inputs.present, found.condition.history[:, -1])
    assert inputs.text is not None
    assert inputs.text.shape == (2, TEXT)
    both = HeadInput.cat([inputs, inputs.rows(torch.tensor([0]))])
    assert len(both) == 3


def test_logits_patches_and_loss_agree() -> None:
    head = random_head(UncertaintyHead, SIZES)
    assert isinstance(head, UncertaintyHead)
    inputs = HeadInput.of(imagined(tiny_world_model(), torch.zeros(2, 3)))
    errors = 3.0 * torch.rand(2, 4, CHANNELS, 12, 8)
    with torch.no_grad():
        logits = head(inputs)
        plain = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), head.bins.index(errors).flatten(0, 1)
        )
        torch.testing.assert_close(head.loss(inputs, errors), plain)
        estimate = head.estimate(inputs)
    probability = logits.softmax(2)
    expected = (probability * head.bins.means.float().reshape(-1, 1, 1, 1)).sum(2)
    torch.testing.assert_close(estimate.expected_error, expected, atol=1e-4, rtol=1e-4)


def toy(rng: torch.Generator, batch: int) -> tuple[HeadInput, torch.Tensor]:
    """Imaginations whose error is known: its scale is 0.2, or 1.5 where channel 0 is positive."""
    coarse = torch.randn(batch, 4, CHANNELS, 3, 2, generator=rng)
    predicted = coarse.repeat_interleave(4, dim=3).repeat_interleave(4, dim=4)
    scale = torch.where(predicted[:, :, :1] > 0, 1.5, 0.2)
    errors = (scale * torch.rand(predicted.shape, generator=rng)).abs()
    zeros = torch.zeros(batch)
    inputs = HeadInput(
        predicted, torch.zeros_like(predicted), torch.zeros(batch, CHANNELS, 12, 8),
        torch.zeros(batch, 4, 17), zeros, zeros + 1,
    )  # fmt: skip
    return inputs, errors


def test_a_head_learns_an_error_that_is_known() -> None:
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    head = UncertaintyHead(dataclasses.replace(SIZES, bins='power', widths=(32, 16, 16)))
    optimizer = torch.optim.AdamW(head.parameters(), 5e-3)
    for _ in range(120):
        optimizer.zero_grad()
        head.loss(*toy(rng, 4)).backward()
        optimizer.step()
    inputs, errors = toy(rng, 8)
    with torch.no_grad():
        estimate = head.estimate(inputs)
        logits = head(inputs).movedim(2, -1).flatten(0, -2)
    calibration = ErrorCalibration(head.bins)
    calibration.add(0, logits, errors.flatten())
    found = calibration.result()
    assert found['threshold_ece'].value < 0.03
    assert found['nll_gain'].value > 0.2
    wrong = (inputs.predicted[:, :, :1] > 0).expand_as(errors)
    large, small = (estimate.expected_error[where].mean().item() for where in (wrong, ~wrong))
    assert large == pytest.approx(0.75, rel=0.2)
    assert small < 0.5 * large
    assert estimate.entropy[wrong].mean() > estimate.entropy[~wrong].mean() + 0.1


def test_value_needs_its_instruction_and_lies_in_its_range() -> None:
    head = random_head(ValueHead, FOR_VALUE)
    assert isinstance(head, ValueHead)
    found = imagined(tiny_world_model(), torch.zeros(2, 3))
    value = head.predict_value(found, grounding_of(torch.zeros(TEXT)))
    assert value.shape == (2, 4)
    assert bool(((value > 0) & (value < 1)).all())
    assert bool((value != head.predict_value(found, grounding_of(torch.ones(TEXT)))).all())
    faint = grounding_of(torch.zeros(TEXT), seen=0.9)
    assert bool((value != head.predict_value(found, faint)).all())
    elsewhere = grounding_of(torch.zeros(TEXT), places=PLACES + 0.1)
    assert bool((value != head.predict_value(found, elsewhere)).all())
    with pytest.raises(ModelError, match='places'):
        head.predict_value(found, grounding_of(torch.zeros(TEXT), places=None))
    maps, beside = torch.zeros(1, 2, 12, 8), torch.zeros(2, 4, FEATURES)
    with pytest.raises(ModelError, match='instruction'):
        head.value(HeadInput.of(found, maps=maps, offsets=beside))
    with pytest.raises(ModelError, match='where things are'):
        head.value(HeadInput.of(found, torch.zeros(1, TEXT), offsets=beside))
    logits = torch.full((1, 1, 20), -30.0)
    logits[..., 19] = 30.0
    assert value_loss(logits, torch.ones(1, 1), head).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ('kind', 'config', 'load', 'folder'),
    [
        (UncertaintyHead, SIZES, load_uncertainty, 'uncertainty'),
        (ValueHead, FOR_VALUE, load_value, 'value'),
    ],
)
def test_heads_survive_their_files(tmp_path: Path, kind, config, load, folder) -> None:
    head = random_head(kind, config)
    save_head(tmp_path / folder, head)
    again = load(tmp_path)
    assert again.config == head.config
    for name, value in head.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    with pytest.raises(ModelError, match='no model'):
        load(tmp_path / 'elsewhere')
    weights = tmp_path / folder / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(ModelError, match='corrupt'):
        load(tmp_path)


def test_a_head_of_another_size_is_refused() -> None:
    model = tiny_world_model()
    SIZES.check_fits(model.config, CHANNELS)
    with pytest.raises(ModelError, match='does not fit'):
        dataclasses.replace(SIZES, rows=36).check_fits(model.config, CHANNELS)
    wrong = HeadInput.of(imagined(model, torch.zeros(1, 3)))
    with pytest.raises(ModelError, match='reads latents'):
        UncertaintyHead(dataclasses.replace(SIZES, rows=24))(wrong)
    for bad in ({'widths': (8, 12, 16)}, {'patch': 5}):
        with pytest.raises(ModelError):
            dataclasses.replace(SIZES, **bad)  # type: ignore[arg-type]


def test_heat_maps_go_from_blue_over_green_to_red() -> None:
    model = tiny_world_model()
    colours = colour_latents(model)
    for level, colour in ((0.0, 0), (0.5, 1), (1.0, 2)):
        mixed = blend(torch.full((1, 1, 1, 12, 8), level), colours)
        torch.testing.assert_close(mixed[0, 0], colours[colour])
    plain = torch.tensor(COLOURS[0], dtype=torch.uint8).expand(1, 1, 96, 64, 3)
    torch.testing.assert_close(model.encode(plain)[0, 0], colours[0])
    frames = torch.rand(2, 4, 3, 3, 32, 64)
    estimate = torch.rand(2, 4, CHANNELS, 12, 8)
    bare = heat_map(model, estimate)
    assert bare.shape == frames.shape
    over = heat_map(model, estimate, frames, opacity=0.25)
    torch.testing.assert_close(over, 0.75 * frames + 0.25 * bare)
    torch.testing.assert_close(heat_map(model, estimate, frames, opacity=0.0), frames)
