# SPDX-License-Identifier: Apache-2.0
"""The backbones by name: a new one is a file in this folder and a line in this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vidplan_core.errors import ModelError
from vidplan_core.models.io import from_dict
from vidplan_core.world_model.backbones.interface import Backbone, BackboneConfig, ClipFormat
from vidplan_core.world_model.backbones.svd import SvdBackbone, SvdConfig
from vidplan_core.world_model.backbones.unet2d import UNet2D, UNet2DConfig

# The network is built of its own kind of configuration and of the clips that it is for.
Build = Callable[[Any, ClipFormat], Backbone]

BACKBONES: dict[str, tuple[type[BackboneConfig], Build]] = {
    UNet2DConfig.kind: (UNet2DConfig, UNet2D),
    SvdConfig.kind: (SvdConfig, SvdBackbone),
}


def build_backbone(config: BackboneConfig, clip: ClipFormat) -> Backbone:
    """Network of a configuration, with random weights; raises ModelError for impossible sizes."""
    _, build = BACKBONES[config.kind]
    return build(config, clip)


def read_backbone_config(values: Mapping[str, Any]) -> BackboneConfig:
    """Configuration of the backbone that json values name by `kind`.

    Raises ModelError for an unknown kind or key. Files of earlier versions hold the keys of all
    backbones; those of the others are passed over.
    """
    kind = values.get('kind', UNet2DConfig.kind)
    if kind not in BACKBONES:
        raise ModelError(f"unknown backbone '{kind}'; known: {', '.join(BACKBONES)}")
    config, _ = BACKBONES[kind]
    passed_over = config.retired | {'kind'}
    return from_dict(config, {k: v for k, v in values.items() if k not in passed_over})
