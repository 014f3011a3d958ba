# SPDX-License-Identifier: Apache-2.0
"""The registry of backbones: every entry builds, round-trips through json and reads old files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.fakes.tiny import tiny_config, tiny_ctrl_world
from vidplan_core.data.action import RELATIVE_FEATURES
from vidplan_core.errors import ModelError
from vidplan_core.models.io import from_dict, to_dict
from vidplan_core.world_model.backbones import registry
from vidplan_core.world_model.backbones.interface import Backbone, BackboneConfig, Condition
from vidplan_core.world_model.backbones.registry import (
    BACKBONES,
    build_backbone,
    read_backbone_config,
)
from vidplan_core.world_model.backbones.svd import SvdConfig
from vidplan_core.world_model.backbones.unet2d import UNet2DConfig
from vidplan_core.world_model.checkpoint import world_model_config
from vidplan_core.world_model.config import WorldModelConfig

CHANNELS = 4
TINY: dict[str, BackboneConfig] = {
    'unet2d': tiny_config().backbone,
    'svd': replace(tiny_ctrl_world().world_model.backbone, text_dim=0),
}
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize('kind', BACKBONES)
def test_every_backbone_denoises_clips_of_the_asked_format(kind: str) -> None:
    config = replace(tiny_config(), backbone=TINY[kind])
    backbone = build_backbone(config.backbone, config.clip_format(CHANNELS, RELATIVE_FEATURES))
    history = torch.randn(2, config.history_frames, CHANNELS, 12, 8)
    actions = torch.randn(2, config.history_frames - 1 + config.frames, RELATIVE_FEATURES)
    noisy = torch.randn(2, config.frames, CHANNELS, 12, 8)
    time = torch.full((2,), 0.4)
    raw = backbone(noisy, Condition(history, actions), time, time)
    assert raw.shape == noisy.shape
    assert raw.isfinite().all()


@pytest.mark.parametrize('kind', BACKBONES)
def test_a_configuration_survives_json(kind: str) -> None:
    config = replace(WorldModelConfig(), backbone=TINY[kind])
    assert to_dict(config)['backbone']['kind'] == kind
    assert from_dict(WorldModelConfig, to_dict(config)) == config


@pytest.mark.parametrize('kind', BACKBONES)
def test_a_file_with_the_keys_of_all_backbones_still_loads(kind: str) -> None:
    everything = {**to_dict(UNet2DConfig()), **to_dict(SvdConfig()), 'kind': kind}
    config = read_backbone_config(everything)
    assert config == BACKBONES[kind][0]()


def test_the_shipped_model_is_read_as_it_was_written() -> None:
    backbone = world_model_config(ROOT / 'models/cell/world_model').backbone
    assert isinstance(backbone, UNet2DConfig)
    assert (backbone.widths, backbone.still_gate) == ((64, 128, 192), True)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'kind': 'dit'}, "unknown backbone 'dit'; known: unet2d, svd"),
        ({'kind': 'svd', 'token_dims': 8}, r"SvdConfig has no key \['token_dims'\]"),
    ],
)
def test_what_no_backbone_has_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_backbone_config(values)


def test_a_new_backbone_is_one_line_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    class Copy(Backbone):
        def __init__(self, config: BackboneConfig, clip: object) -> None:
            super().__init__()

        def forward(
            self, noisy: Tensor, condition: Condition, start: Tensor, target: Tensor
        ) -> Tensor:
            return noisy

        def restart_target(self, gap: float) -> None:
            pass

    @dataclass(frozen=True)
    class CopyConfig(BackboneConfig):
        kind: str = field(default='copy', init=False)

    monkeypatch.setitem(registry.BACKBONES, 'copy', (CopyConfig, Copy))
    config = read_backbone_config({'kind': 'copy', 'widths': [8]})
    assert config == CopyConfig((8,))
    clip = tiny_config().clip_format(CHANNELS, RELATIVE_FEATURES)
    assert isinstance(build_backbone(config, clip), Copy)
