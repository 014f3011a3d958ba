# SPDX-License-Identifier: Apache-2.0
"""Loads an open_clip model through open_clip's own path, with errors that name file and tensor."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.models.fields import check_kind, require_range
from vidplan_core.models.torchvision_shim import ensure_torchvision

CONFIG_FILE = 'open_clip_config.json'
WEIGHTS_FILE = 'open_clip_model.safetensors'
LOCAL_PREFIX = 'local-dir:'

# Larger than any model of open_clip's.
_LARGEST = {'layers': 256, 'width': 16384, 'context_length': 4096, 'vocab_size': 1_000_000}

Tokenizer = Callable[[Sequence[str]], Tensor]


def open_clip_module() -> Any:
    """Import open_clip, with torchvision made importable first."""
    ensure_torchvision()
    import open_clip

    return open_clip


def load_open_clip(model_name: str, pretrained: str | None = None) -> tuple[Any, Tokenizer]:
    """Return a frozen open_clip model in evaluation mode, and its tokenizer.

    Args:
        model_name: a name of open_clip's, 'hf-hub:<repository>' or 'local-dir:<folder>'.
        pretrained: open_clip's tag of weights or a file; only with a plain name.

    Raises:
        ModelError: the name, the description or the weights are missing or wrong; the message
            names the file and the tensor.
    """
    if model_name.startswith(LOCAL_PREFIX):
        _check_folder(Path(model_name.removeprefix(LOCAL_PREFIX)))
    elif pretrained is None and not model_name.startswith('hf-hub:'):
        raise ModelError(f"'{model_name}' needs `pretrained`: a tag of open_clip's or a file")
    open_clip = open_clip_module()
    try:
        model = open_clip.create_model(model_name, pretrained=pretrained, require_pretrained=True)
        tokenizer = open_clip.get_tokenizer(model_name)
    except Exception as error:  # open_clip raises whatever its loaders and downloads raise
        raise ModelError(
            f"open_clip could not load '{model_name}' ({pretrained}): {error}"
        ) from error
    _check_finite(model, model_name)
    return model.eval().requires_grad_(False), tokenizer


def build_open_clip(model_name: str, pretrained: str | None = None) -> tuple[Any, Tokenizer]:
    """As `load_open_clip`, with random weights, always the same: nothing is downloaded.

    Where the tokenizer would have to be downloaded, words become numbers by a checksum.
    """
    open_clip = open_clip_module()
    try:
        with torch.random.fork_rng(devices=[]), _quiet():
            torch.manual_seed(0)
            model = open_clip.create_model(model_name, load_weights=False, pretrained_text=False)
    except Exception as error:
        raise ModelError(f"open_clip could not build '{model_name}': {error}") from error
    return model.eval().requires_grad_(False), _any_tokenizer(model_name)


def _any_tokenizer(model_name: str) -> Tokenizer:
    open_clip = open_clip_module()
    text = (open_clip.get_model_config(model_name) or {}).get('text_cfg', {})
    if 'hf_tokenizer_name' not in text:
        tokenizer: Tokenizer = open_clip.get_tokenizer(model_name)
        return tokenizer
    length, words = int(text['context_length']), int(text['vocab_size'])

    def tokenize(texts: Sequence[str]) -> Tensor:
        tokens = torch.zeros(len(texts), length, dtype=torch.long)
        for row, sentence in enumerate(texts):
            numbers = [crc32(word.encode()) % words for word in sentence.split()][:length]
            tokens[row, : len(numbers)] = torch.tensor(numbers)
        return tokens

    return tokenize


def save_open_clip(model: nn.Module, config: dict[str, Any], folder: Path) -> None:
    """Write a model as a folder that 'local-dir:' loads; weights in half precision."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + '\n')
    weights = {
        name: value.detach().to(torch.float16).cpu().contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(weights, folder / WEIGHTS_FILE, metadata={'format': 'pt'})
    (folder / WEIGHTS_FILE).chmod(0o644)  # safetensors makes files that only their owner reads


def _check_folder(folder: Path) -> None:
    """Compare the weights file with the model that the description asks for."""
    description = _read_config(folder / CONFIG_FILE)
    _check_sizes(folder / CONFIG_FILE, description['model_cfg'])
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise ModelError(f'{weights} is missing: run `vidplan-train semantic --set out={folder}`')
    expected = {
        name: tuple(value.shape)
        for name, value in _empty_model(folder, description).state_dict().items()
    }
    found = _shapes(weights)
    for name, shape in expected.items():
        if name not in found:
            raise ModelError(f"{weights}: tensor '{name}' is missing")
        if found[name] != shape:
            raise ModelError(f"{weights}: tensor '{name}' is {found[name]}, expected {shape}")
    for name in found.keys() - expected.keys():
        raise ModelError(f"{weights}: tensor '{name}' is not part of {CONFIG_FILE}'s model")


def _check_sizes(path: Path, model: dict[str, Any]) -> None:
    """Raise ModelError for towers that nobody could build in any time or memory."""
    for tower in ('vision_cfg', 'text_cfg'):
        sizes = model.get(tower)
        if not isinstance(sizes, dict):
            raise ModelError(f"{path} has no '{tower}' block")
        for name, high in _LARGEST.items():
            value = sizes.get(name, 0)
            # A ResNet has a list of layers.
            for one in value if isinstance(value, list) else [value]:
                check_kind(f'{path}: {tower}.{name}', int, one)
                require_range(f'{path}: {tower}.{name}', one, 0, high)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ModelError(f'{path} is missing: no model lives there') from error
    except (OSError, ValueError) as error:
        raise ModelError(f'{path} is no readable JSON: {error}') from error
    if not isinstance(config, dict) or not isinstance(config.get('model_cfg'), dict):
        raise ModelError(f"{path} has no 'model_cfg' block")
    return config


def _empty_model(folder: Path, description: dict[str, Any]) -> nn.Module:
    open_clip = open_clip_module()
    try:
        with _quiet(), torch.device('meta'):
            return open_clip.create_model(
                f'{LOCAL_PREFIX}{folder}', load_weights=False, device='meta'
            )
    except Exception as error:
        raise ModelError(
            f'{folder / CONFIG_FILE} describes no model that open_clip can build: {error}'
        ) from error


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    try:
        with safe_open(path, framework='pt') as file:
            names = list(file.keys())
            return {name: tuple(file.get_slice(name).get_shape()) for name in names}
    except (SafetensorError, OSError) as error:
        raise ModelError(f'{path} is no readable safetensors file: {error}') from error


def _check_finite(model: nn.Module, model_name: str) -> None:
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ModelError(f"{model_name}: tensor '{name}' has values that are not finite")


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop open_clip's warning about a model without weights, which here is what is wanted."""

    def not_from_factory(record: logging.LogRecord) -> bool:
        return record.module != 'factory'

    root = logging.getLogger()  # open_clip logs there; other loggers do not pass its filters
    root.addFilter(not_from_factory)
    try:
        yield
    finally:
        root.removeFilter(not_from_factory)
