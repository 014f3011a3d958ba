# SPDX-License-Identifier: Apache-2.0
"""The semantic scorer: how well each patch of a view matches a phrase, and where that is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vidplan_core.errors import ConfigError, InstructionError, ModelError, ObservationError
from vidplan_core.language.dense import METHODS, dense_embeddings
from vidplan_core.language.open_clip_model import LOCAL_PREFIX, load_open_clip
from vidplan_core.language.relevancy import (
    Centring,
    Localisation,
    localise,
    relevancy_logits,
)
from vidplan_core.models.precision import has_amx

CONFIG_FILE = 'semantic.json'
PRECISIONS = ('auto', 'fp32', 'bf16')
_ASPECT_TOLERANCE = 0.05
_CACHED_PHRASES = 512


@dataclass(frozen=True)
class SemanticConfig:
    """Which open_clip model scores, and how its similarities become relevancy and places.

    Attributes:
        model_name: open_clip's name, 'hf-hub:<repository>' or 'local-dir:<folder>'.
        pretrained: open_clip's tag of weights, or a file; None with a prefix.
        method: dense path of the image tower (`dense.METHODS`).
        negatives: neutral phrases; relevancy is the margin over the best-matching of them.
        templates: sentences that a phrase is averaged over, with '{}' for the phrase.
        relevancy_scale: inverse temperature of the relevancy; None takes the model's own.
        threshold: peak relevancy from which on a phrase counts as found, in [0, 1].
        centring: how patches are weighted into a centroid.
        image_size: height, width that the tower is adapted to; None keeps its own.
        stretch: whether views of another aspect ratio are squeezed into the tower's.
        precision: 'fp32', 'bf16', or 'auto' for bf16 where the processor multiplies it fast.
    """

    model_name: str
    pretrained: str | None = None
    method: str = 'maskclip'
    negatives: tuple[str, ...] = ('object', 'things', 'stuff', 'texture')
    templates: tuple[str, ...] = ('{}',)
    relevancy_scale: float | None = 10.0
    threshold: float = 0.55
    centring: Centring = Centring()
    image_size: tuple[int, int] | None = None
    stretch: bool = False
    precision: str = 'auto'

    def __post_init__(self) -> None:
        _require(self.method in METHODS, f"method '{self.method}'; known: {', '.join(METHODS)}")
        _require(
            self.precision in PRECISIONS,
            f"precision '{self.precision}'; known: {', '.join(PRECISIONS)}",
        )
        _require(0.0 <= self.threshold <= 1.0, f'threshold {self.threshold}; range 0 to 1')
        _require(len(self.negatives) > 0, 'no negatives; name at least one neutral phrase')
        _require(
            len(self.templates) > 0 and all('{}' in text for text in self.templates),
            f"templates {self.templates}; each needs '{{}}' for the phrase",
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SemanticConfig:
        """Build from plain values, as JSON or YAML hold them.

        Raises:
            ConfigError: a key is unknown, missing or of the wrong kind.
        """
        unknown = values.keys() - {field.name for field in fields(cls)}
        _require(not unknown, f'unknown keys {sorted(unknown)}')
        plain = dict(values)
        try:
            for name in ('negatives', 'templates', 'image_size'):
                if plain.get(name) is not None:
                    plain[name] = tuple(plain[name])
            if 'centring' in plain:
                plain['centring'] = Centring(**plain['centring'])
            return cls(**plain)
        except TypeError as error:
            raise ConfigError(f'semantic scorer: {error}') from error


class SemanticScorer:
    """An open_clip model with a dense path; everything is batched, and gradients reach the images.

    Attributes:
        config: what it was built from.
        model: the frozen open_clip model.
        scale: inverse temperature of the relevancy.
    """

    def __init__(self, config: SemanticConfig, device: torch.device | str = 'cpu') -> None:
        self.config = config
        self.device = torch.device(device)
        model, self._tokenizer = load_open_clip(
            config.model_name, config.pretrained, config.image_size
        )
        self.model = model.to(self.device)
        self.scale = config.relevancy_scale or float(self.model.logit_scale.exp())
        self._size = _pair(self.model.visual.image_size)
        self._cast = _autocast_type(config.precision, self.device)
        self._mean, self._std = _normalisation(self.model, self.device)
        self._text: dict[str, Tensor] = {}

    @classmethod
    def load(
        cls, source: str | Path | SemanticConfig, device: torch.device | str = 'cpu'
    ) -> SemanticScorer:
        """Load from a model folder (with `semantic.json`) or from a configuration.

        Raises:
            ModelError: weights or description are missing, corrupt or of the wrong shape.
            ConfigError: a configured value is impossible.
        """
        if isinstance(source, SemanticConfig):
            return cls(source, device)
        return cls(read_config(Path(source)), device)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width at which views are scored."""
        return self._size

    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        """Return unit embeddings of phrases, (phrases, dim); each is computed once and kept.

        Raises:
            InstructionError: a phrase is empty.
        """
        for phrase in phrases:
            if not phrase.strip():
                raise InstructionError('an empty phrase cannot be looked for; name an object')
            if phrase not in self._text:
                self._remember(phrase)
        return torch.stack([self._text[phrase] for phrase in phrases])

    def dense(self, images: Tensor) -> Tensor:
        """Return unit embeddings of the patches, (batch, dim, rows, columns).

        Args:
            images: views, float in [0, 1], (batch, 3, height, width).

        Raises:
            ObservationError: the images have another shape or type.
        """
        normalised = self.normalised(images)
        with torch.autocast(
            self.device.type, self._cast or torch.bfloat16, enabled=self._cast is not None
        ):
            embeddings = dense_embeddings(self.model.visual, normalised, self.config.method)
        return embeddings.float()

    def normalised(self, images: Tensor) -> Tensor:
        """Return views (batch, 3, height, width) in [0, 1] as the image tower takes them.

        Raises:
            ObservationError: the images have another shape or type.
        """
        return (self._fit(images) - self._mean) / self._std

    def compare(self, dense: Tensor, phrases: Sequence[str]) -> Tensor:
        """Return relevancy maps in [0, 1], 0.5 neutral, (batch, phrases, rows, columns).

        One pass of the image tower (`dense`) serves several phrases.
        """
        with self._exact():
            maps = [self._relevancy_of(dense, phrase) for phrase in phrases]
        return torch.stack(maps, dim=1)

    def relevancy(self, images: Tensor, phrase: str) -> Tensor:
        """Return the relevancy map of one phrase, (batch, rows, columns), in [0, 1]."""
        return self.compare(self.dense(images), [phrase])[:, 0]

    def localise(self, relevancy: Tensor) -> Localisation:
        """Return where the strongest region of each map is; maps are (batch, rows, columns)."""
        return localise(relevancy, self.config.threshold, self.config.centring)

    def _exact(self) -> torch.autocast:
        """Full precision, also inside a caller's autocast: margins of cosines are small."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=False)

    def _relevancy_of(self, dense: Tensor, phrase: str) -> Tensor:
        texts = self.encode_text([phrase, *negatives_for(phrase, self.config.negatives)])
        similarity = torch.einsum('bdhw,kd->bhwk', dense, texts)
        logits = relevancy_logits(similarity[..., 0], similarity[..., 1:], self.scale)
        return torch.sigmoid(logits)

    def _remember(self, phrase: str) -> None:
        if len(self._text) >= _CACHED_PHRASES:
            self._text.clear()
        sentences = [template.format(phrase) for template in self.config.templates]
        with torch.no_grad(), self._exact():
            tokens = self._tokenizer(sentences).to(self.device)
            embeddings = self.model.encode_text(tokens, normalize=True)
        self._text[phrase] = F.normalize(embeddings.mean(dim=0), dim=0)

    def _fit(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ObservationError(
                'views to score are float in [0, 1], (batch, 3, height, width); got '
                f'{images.dtype} {tuple(images.shape)}'
            )
        if images.shape[-2:] == self._size:
            return images
        if not self.config.stretch:
            _check_aspect(images.shape[-2:], self._size)
        return F.interpolate(images, self._size, mode='bilinear', antialias=True)


def negatives_for(phrase: str, negatives: Sequence[str]) -> list[str]:
    """Return the neutral phrases that do not share a word with the phrase itself.

    'robot' is no alternative to 'robot gripper'. If all share one, all are kept.
    """
    words = set(phrase.lower().split())
    return [text for text in negatives if not words & set(text.split())] or list(negatives)


def read_config(folder: Path) -> SemanticConfig:
    """Return the configuration of a shipped model folder.

    Raises:
        ModelError: the folder or its `semantic.json` is missing or corrupt.
        ConfigError: one of its values is impossible.
    """
    path = folder / CONFIG_FILE
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ModelError(f'{path} is missing: no semantic scorer lives there') from error
    except (OSError, ValueError) as error:
        raise ModelError(f'{path} is no readable JSON: {error}') from error
    if not isinstance(values, dict):
        raise ModelError(f'{path} holds no JSON object')
    return SemanticConfig.from_dict({**values, 'model_name': f'{LOCAL_PREFIX}{folder}'})


def write_config(config: SemanticConfig, folder: Path) -> None:
    """Write what `read_config` reads; the folder itself is the model's name."""
    values = asdict(replace(config, model_name='', pretrained=None))
    for name in ('model_name', 'pretrained'):
        del values[name]
    (folder / CONFIG_FILE).write_text(json.dumps(values, indent=2) + '\n')


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(f'semantic scorer: {message}')


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    height, width = size
    return int(height), int(width)


def _normalisation(model: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    described = model.visual.preprocess_cfg
    mean, std = (torch.tensor(described[name], device=device) for name in ('mean', 'std'))
    return mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)


def _autocast_type(precision: str, device: torch.device) -> torch.dtype | None:
    if precision == 'auto':
        fast = device.type == 'cuda' or has_amx()
        return torch.bfloat16 if fast else None
    return torch.bfloat16 if precision == 'bf16' else None


def _check_aspect(found: Sequence[int], expected: tuple[int, int]) -> None:
    ratio = (found[1] / found[0]) / (expected[1] / expected[0])
    if abs(ratio - 1.0) > _ASPECT_TOLERANCE:
        raise ObservationError(
            f'views of {found[0]}x{found[1]} do not fit the scorer, which sees {expected[0]}x'
            f'{expected[1]}: give views of that ratio, or set `image_size` or `stretch`'
        )
