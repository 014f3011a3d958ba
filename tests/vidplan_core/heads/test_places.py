# SPDX-License-Identifier: Apache-2.0
"""Where the things of an instruction are, and where the tool is beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.tiny import CHANNELS, down, straight_chunk, tiny_world_model
from tests.fakes.tiny_scorer import TinyScorer
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.heads.grounding import ground
from vidplan_core.heads.places import FEATURES, USUAL_M, offsets, triangulate
from vidplan_core.language.instruction import Instruction

FILE = Path(__file__).resolve().parents[3] / 'models' / 'cell' / 'cameras.json'
CAMERAS = list(load_cameras(FILE, ('left', 'right', 'wrist')).values())


@given(
    x=st.floats(0.4, 0.6), y=st.floats(-0.2, 0.2), z=st.floats(0.0, 0.2),
    angle=st.floats(-0.5, 0.5),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_rays_of_all_views_meet_at_the_thing(x: float, y: float, z: float, angle: float) -> None:
    point = torch.tensor([[x, y, z]])
    c, s = torch.tensor(angle).cos(), torch.tensor(angle).sin()
    turn = torch.stack([torch.stack([c, -s, c * 0]), torch.stack([s, c, c * 0]), down()[2].abs()])
    position, rotation = torch.tensor([[0.45, 0.05, 0.55]]), (turn @ down())[None]
    seen = torch.stack([camera.project(point, position, rotation) for camera in CAMERAS], dim=1)
    certain = torch.ones(1, 3)
    found = triangulate(CAMERAS, seen, certain, position, rotation)
    # The weak belief in the usual place pulls by (trust / belief)^2 of the way, at most 5 %.
    torch.testing.assert_close(found, point, atol=0.02, rtol=0)
    one_eyed = triangulate(CAMERAS, seen, torch.tensor([[1.0, 0.0, 0.0]]), position, rotation)
    ray = CAMERAS[0].project(one_eyed, position, rotation)
    torch.testing.assert_close(ray, seen[:, 0], atol=0.05, rtol=0)


def test_without_any_view_it_is_where_things_usually_are() -> None:
    nothing = triangulate(
        CAMERAS, torch.rand(2, 3, 2), torch.zeros(2, 3), torch.zeros(2, 3), down().expand(2, 3, 3)
    )
    torch.testing.assert_close(nothing, torch.tensor(USUAL_M).expand(2, 3))


def test_offsets_are_told_for_every_new_frame() -> None:
    chunk = straight_chunk(torch.tensor([[0.1, 0.0, -0.1], [0.0, 0.1, 0.0]]))
    tool = tcp_position(chunk.position, chunk.rotation)
    target = torch.cat([tool[:, -1], torch.ones(2, 1)], dim=-1)  # reached in the end
    nowhere = torch.zeros(2, 4)
    found = offsets(torch.stack([target, nowhere], dim=1), chunk)
    assert found.shape == (2, 4, FEATURES)
    torch.testing.assert_close(found[:, -1, :3], torch.zeros(2, 3), atol=1e-4, rtol=0)
    assert (found[:, 0, :3].norm(dim=-1) > found[:, 2, :3].norm(dim=-1)).all()
    assert not found[:, :, 3:6].any()  # no destination, no way to it
    assert (found[..., -2] == 1.0).all()
    assert (found[..., -1] == 0.0).all()


def test_offsets_have_gradients_to_the_poses() -> None:
    chunk = straight_chunk(torch.tensor([[0.1, 0.0, -0.1]]))
    position = chunk.position.clone().requires_grad_(True)
    places = torch.tensor([[[0.5, 0.1, 0.02, 1.0], [0.4, 0.0, 0.05, 0.5]]])
    offsets(places, replace(chunk, position=position)).sum().backward()
    assert position.grad is not None
    assert torch.isfinite(position.grad).all()
    assert position.grad.norm() > 0


@pytest.mark.parametrize('knows', [True, False])
def test_a_grounding_has_places_where_the_cameras_are_known(knows: bool) -> None:
    model = tiny_world_model()
    if knows:
        model.config = replace(model.config, cameras=tuple(CAMERAS))
    present, chunk = torch.randn(2, CHANNELS, 12, 8), straight_chunk(torch.zeros(2, 3))
    words = [Instruction('reach', 'mug'), Instruction('place', 'pea', 'bowl')]
    found = ground(TinyScorer(), model, present, chunk, words).places  # type: ignore[arg-type]
    if not knows:
        assert found is None
        return
    assert found is not None
    assert found.shape == (2, 2, 4)
    assert torch.isfinite(found).all()
    assert found[0, 1, 3] == 0.0  # nothing to put it into
    assert (found[1, :, 3] > 0.0).all()
