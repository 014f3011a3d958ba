# SPDX-License-Identifier: Apache-2.0
"""Only networks are rounded: what moves the robot keeps its precision."""

from __future__ import annotations

import pytest
import torch

from tests.fakes.tiny import straight_chunk, tiny_world_model
from vidplan_core.models import precision


@pytest.fixture
def rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is fast in bfloat16."""
    monkeypatch.setattr(precision, 'has_bfloat16', lambda: True)


@pytest.mark.usefixtures('rounding')
def test_fast_networks_return_full_precision_and_leave_poses_alone() -> None:
    model, exact = tiny_world_model(), tiny_world_model()
    model.fast = True
    images = torch.randint(0, 256, (1, 2, 96, 64, 3), dtype=torch.uint8)
    past = straight_chunk(torch.zeros(1, 3), frames=2)
    chunk = straight_chunk(torch.tensor([[0.0123456, 0.0, 0.0]]))
    context = model.context(images, past)
    latents = model.rollout(context, chunk)
    later = model.advance(context, latents, chunk, 2)
    assert {t.dtype for t in (context.latents, latents, model.decode(latents))} == {torch.float32}
    assert torch.equal(later.poses.position[:, -1], chunk.position[:, 2])
    wanted = exact.rollout(exact.context(images, past), chunk)
    torch.testing.assert_close(latents, wanted, atol=0.1, rtol=0.1)
    assert not torch.equal(latents, wanted)


@pytest.mark.usefixtures('rounding')
def test_narrow_weights_imagine_the_same() -> None:
    model, narrowed = tiny_world_model(), tiny_world_model()
    model.fast = narrowed.fast = True
    for part in (narrowed.backbone, narrowed.autoencoder):
        precision.narrow(part, torch.device('cpu'))
    kept = {p.dtype for p in narrowed.backbone.parameters()}
    assert kept == {torch.bfloat16, torch.float32}  # norms keep theirs
    images = torch.randint(0, 256, (1, 2, 96, 64, 3), dtype=torch.uint8)
    past, chunk = straight_chunk(torch.zeros(1, 3), frames=2), straight_chunk(torch.ones(2, 3))
    wanted, found = (m.rollout(m.context(images, past), chunk) for m in (model, narrowed))
    torch.testing.assert_close(found, wanted, atol=0.05, rtol=0.05)
    torch.testing.assert_close(narrowed.decode(found), model.decode(found), atol=0.02, rtol=0.02)


def test_slow_machines_keep_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, 'has_bfloat16', lambda: False)
    model = tiny_world_model()
    precision.narrow(model.backbone, torch.device('cpu'))
    assert {p.dtype for p in model.backbone.parameters()} == {torch.float32}
