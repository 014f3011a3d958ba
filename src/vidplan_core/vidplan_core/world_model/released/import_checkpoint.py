# SPDX-License-Identifier: Apache-2.0
"""From a released Ctrl-World or flow-map checkpoint to a world model of ours."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidplan_core.errors import ModelError
from vidplan_core.models.io import save_weights, to_dict
from vidplan_core.models.tensors import fill, mismatches, not_finite, refuse, shapes
from vidplan_core.world_model.autoencoders.build import load_autoencoder
from vidplan_core.world_model.backbones.svd import SvdConfig
from vidplan_core.world_model.backbones.target_embedding import make_no_op
from vidplan_core.world_model.released.import_layout import UNUSED, ours, part, released
from vidplan_core.world_model.released.import_source import read_tensors
from vidplan_core.world_model.released.presets import ModelSpec, ctrl_world
from vidplan_core.world_model.text import load_text_encoder
from vidplan_core.world_model.world_model import OTHER_PARTS, WorldModel

CTRL_WORLD, FLOW_MAP = 'Ctrl-World', 'flow map of Ctrl-World'

# The published flow maps are trained with sigma no smaller than this, and feed the time left to
# the target unscaled.
FLOW_MAP_SIGMA_MIN = 0.02
FLOW_MAP_TARGET_SCALE = 1.0

_TARGET = 'backbone.target_embedding.'
# Poses and times are read in full precision; these few tensors cost nothing.
_EXACT = ('backbone.action_encoder.', _TARGET)


@dataclass(frozen=True)
class CheckpointPart:
    """One part of a checkpoint, as found in the file."""

    name: str
    tensors: int
    parameters: int
    dtypes: tuple[str, ...]
    used: bool


@dataclass(frozen=True)
class Released:
    """A checkpoint that fits its size; tensors by our names, still in the file.

    Attributes:
        kind: `CTRL_WORLD` or `FLOW_MAP`.
        spec: what to build.
        tensors: of the parts that the file holds.
        parts: what was found, unused parts included.
        absent: parts that are not in the file and must come from elsewhere.
        notes: what is unusual about it.
    """

    kind: str
    spec: ModelSpec
    tensors: dict[str, Tensor]
    parts: tuple[CheckpointPart, ...]
    absent: tuple[str, ...]
    notes: tuple[str, ...]


def read_released(path: Path, spec: ModelSpec | None = None) -> Released:
    """Open a checkpoint and compare it with the size that it should have.

    Args:
        path: a state dict of the released layout, by `torch.save` or as safetensors.
        spec: its size; Ctrl-World's when not given.

    Raises:
        ModelError: an unreadable file, or tensors that are missing, unknown, of the wrong shape
            or not finite, each by its released name.
    """
    stored = read_tensors(path)
    parts = _parts(stored)
    used = {name: value for name, value in stored.items() if not name.startswith(UNUSED)}
    if not any(name.startswith('unet.') for name in used):
        first = ', '.join(sorted(stored)[:3])
        raise ModelError(f'{path} is no Ctrl-World checkpoint: no tensor unet.*, but {first} ...')
    kind = FLOW_MAP if any(_is_target(name) for name in used) else CTRL_WORLD
    spec = _fitting(spec or ctrl_world(), kind)
    wanted = _released_shapes(spec, kind)
    held = {part(name) for name in used}
    absent = tuple(name for name in ('vae', 'text_encoder') if name not in held)
    wanted = {name: shape for name, shape in wanted.items() if part(name) not in absent}
    refuse(path, mismatches(wanted, shapes(used)) or not_finite(used))
    tensors = {str(ours(name)): value for name, value in used.items()}
    notes = []
    if kind == FLOW_MAP and _is_dead(tensors):
        spec = _with_sizes(spec, target_scale=SvdConfig.target_scale)
        notes.append(
            'its embedding of the target time never learned: kept as the constant that it is, '
            'ready to learn'
        )
    return Released(kind, spec, tensors, parts, absent, tuple(notes))


def stored_tensors(found: Released) -> dict[str, Tensor]:
    """What a model of ours keeps of a checkpoint: bfloat16, few tensors in float32.

    Where the network was not conditioned on the target time, or never learned to use it, the
    embedding is initialised anew: as a no-op, or as the constant that it was.
    """
    kept = {
        name: value.to(torch.float32 if name.startswith(_EXACT) else torch.bfloat16)
        for name, value in found.tensors.items()
    }
    if found.kind == FLOW_MAP and not _is_dead(found.tensors):
        return kept
    fresh = _fresh_target(found.spec)
    constant = f'{_TARGET}linear_2.bias'
    return {**kept, **fresh, constant: kept.get(constant, fresh[constant])}


def load_released(
    path: Path, spec: ModelSpec | None = None, base: Path | None = None
) -> WorldModel:
    """World model of a released checkpoint, with one copy of its weights in memory.

    Args:
        path: see `read_released`.
        spec: see `read_released`.
        base: models folder that has the parts which the checkpoint lacks.

    Raises:
        ModelError: see `read_released`; or parts are absent and there is no `base`.
    """
    found = read_released(path, spec)
    _demand_base(path, found, base)
    with torch.device('meta'):
        model = found.spec.build()
    fill(model, stored_tensors(found))
    if base is not None and 'vae' in found.absent:
        model.autoencoder = load_autoencoder(base / 'autoencoder')
    if base is not None and 'text_encoder' in found.absent:
        model.text_encoder = load_text_encoder(base / 'text_encoder')
    if model.text_encoder is not None:
        model.text_encoder.float()
    return model.eval().requires_grad_(False)


def convert(path: Path, found: Released, out: Path, base: Path | None = None) -> None:
    """Write a checkpoint as a models folder of ours.

    Raises:
        ModelError: parts are absent and there is no `base`.
    """
    _demand_base(path, found, base)
    kept, spec = stored_tensors(found), found.spec
    world_model = {k: v for k, v in kept.items() if not k.startswith(OTHER_PARTS)}
    save_weights(out / 'world_model', to_dict(spec.world_model), world_model, None)
    configs = {'autoencoder': spec.autoencoder, 'text_encoder': spec.text}
    for name, absent in (('autoencoder', 'vae'), ('text_encoder', 'text_encoder')):
        if absent in found.absent:
            if base is not None and base.resolve() != out.resolve():
                shutil.copytree(base / name, out / name, dirs_exist_ok=True)
            continue
        own = {k.removeprefix(f'{name}.'): v for k, v in kept.items() if k.startswith(f'{name}.')}
        save_weights(out / name, to_dict(configs[name]), own, None)


def _demand_base(path: Path, found: Released, base: Path | None) -> None:
    if found.absent and base is None:
        missing = ' and '.join(f'{name}.*' for name in found.absent)
        raise ModelError(
            f'{path} has no {missing}: name the folder of an imported Ctrl-World to take it from'
        )


def _released_shapes(spec: ModelSpec, kind: str) -> dict[str, tuple[int, ...]]:
    with torch.device('meta'):
        model = spec.build()
    named = {released(name): tuple(value.shape) for name, value in model.state_dict().items()}
    return {
        name: shape
        for name, shape in named.items()
        if name is not None and (kind == FLOW_MAP or not _is_target(name))
    }


def _fitting(spec: ModelSpec, kind: str) -> ModelSpec:
    """The size with what the two kinds of checkpoint differ in."""
    if kind == CTRL_WORLD:
        return _with_sizes(spec, target_time=True)
    model = replace(spec.world_model, sigma_min=FLOW_MAP_SIGMA_MIN)
    fitting = replace(spec, world_model=model)
    return _with_sizes(fitting, target_time=True, target_scale=FLOW_MAP_TARGET_SCALE)


def _with_sizes(spec: ModelSpec, **sizes: Any) -> ModelSpec:
    backbone = spec.world_model.backbone
    if not isinstance(backbone, SvdConfig):
        raise ModelError(f"released networks are of kind 'svd', not '{backbone.kind}'")
    changed = replace(backbone, **sizes)
    return replace(spec, world_model=replace(spec.world_model, backbone=changed))


def _is_target(name: str) -> bool:
    return (ours(name) or '').startswith(_TARGET)


def _is_dead(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the embedding of the target time was zero in both layers and so never learned."""
    weights = (f'{_TARGET}linear_1.weight', f'{_TARGET}linear_2.weight')
    return all(not bool(tensors[name].any()) for name in weights)


def _fresh_target(spec: ModelSpec) -> dict[str, Tensor]:
    """An embedding of the target time that is a no-op and can learn; always the same one."""
    from diffusers.models.embeddings import TimestepEmbedding

    width = spec.world_model.backbone.widths[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        embedding = TimestepEmbedding(width, 4 * width)
    make_no_op(embedding)
    return {f'{_TARGET}{name}': value.detach() for name, value in embedding.state_dict().items()}


def _parts(stored: Mapping[str, Tensor]) -> tuple[CheckpointPart, ...]:
    grouped: dict[str, list[Tensor]] = {}
    for name, value in stored.items():
        grouped.setdefault(part(name), []).append(value)
    return tuple(
        CheckpointPart(
            name,
            len(values),
            sum(value.numel() for value in values),
            tuple(sorted({str(value.dtype).removeprefix('torch.') for value in values})),
            used=not f'{name}.'.startswith(UNUSED),
        )
        for name, values in grouped.items()
    )
