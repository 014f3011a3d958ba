# SPDX-License-Identifier: Apache-2.0
"""The semantic scorer: how well each patch of a view matches a phrase, and where that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vidplan_core.errors import InstructionError, ObservationError
from vidplan_core.language.dense import dense_embeddings
from vidplan_core.language.open_clip_model import build_open_clip, load_open_clip
from vidplan_core.language.relevancy import (
    Localisation,
    localise,
    relevancy_logits,
    strongest_region,
)
from vidplan_core.language.semantic_config import TYPES, SemanticConfig, read_config
from vidplan_core.language.view_fitting import TowerSize, in_tiles
from vidplan_core.models.precision import has_bfloat16

_CACHED_PHRASES = 512


class SemanticScorer:
    """An open_clip model with a dense path; everything is batched, and gradients reach the images.

    Attributes:
        config: what it was built from.
        model: the frozen open_clip model.
        scale: inverse temperature of the relevancy.
    """

    def __init__(
        self,
        config: SemanticConfig,
        device: torch.device | str = 'cpu',
        random_weights: bool = False,
    ) -> None:
        """Load the model; `random_weights` builds it only, to see what fits."""
        self.config = config
        self.device = torch.device(device)
        load = build_open_clip if random_weights else load_open_clip
        model, self._tokenizer = load(config.model_name, config.pretrained)
        self.model = model.to(self.device)
        self.scale = config.relevancy_scale or float(self.model.logit_scale.exp())
        self._size = TowerSize(self.model.visual)
        if config.image_size is not None:
            self._size.change(config.image_size)
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
    def dim(self) -> int:
        """Numbers of an embedding."""
        return self.encode_text(['object']).shape[-1]

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width at which views were scored last."""
        return self._size.now

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
        if not self._in_tiles(images):
            return self._embed(self.normalised(images))
        own, patch = self._size.own, self._size.patch
        self._size.change(own)
        scale = max(own[0] / images.shape[-2], own[1] / images.shape[-1])
        size = self._size.whole((images.shape[-2] * scale, images.shape[-1] * scale))
        return in_tiles(self._embed, self._scaled(images, size), own, patch)

    def dense_views(self, views: Tensor) -> Tensor:
        """`dense` of views (batch, views, 3, ...), (batch, views, dim, rows, columns)."""
        return self.dense(views.flatten(0, 1)).unflatten(0, views.shape[:2])

    def normalised(self, images: Tensor) -> Tensor:
        """Return views (batch, 3, height, width) in [0, 1] as the image tower takes them.

        The tower is then ready for their size.

        Raises:
            ObservationError: the images have another shape or type.
        """
        _check_views(images)
        view = (images.shape[-2], images.shape[-1])
        size = self.config.image_size or self._size.own
        if self.config.image_size is None and self.config.fit != 'stretch':
            size = self._size.like(view)
        self._size.change(size)
        return self._scaled(images, size)

    def _in_tiles(self, images: Tensor) -> bool:
        _check_views(images)
        plain = self.config.fit != 'tiles' or self.config.image_size is not None
        return not plain and not self._size.fits((images.shape[-2], images.shape[-1]))

    def _embed(self, normalised: Tensor) -> Tensor:
        with torch.autocast(
            self.device.type, self._cast or torch.bfloat16, enabled=self._cast is not None
        ):
            embeddings = dense_embeddings(self.model.visual, normalised, self.config.method)
        return embeddings.float()

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

    def region(self, relevancy: Tensor) -> Tensor:
        """Return 1 on the strongest region of each map (batch, rows, columns), 0 elsewhere."""
        return strongest_region(relevancy, self.config.centring)

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

    def _scaled(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        if images.shape[-2:] != size:
            images = F.interpolate(images, size, mode='bilinear', antialias=True)
        return (images - self._mean) / self._std


def negatives_for(phrase: str, negatives: Sequence[str]) -> list[str]:
    """Return the neutral phrases that do not share a word with the phrase itself.

    'robot' is no alternative to 'robot gripper'. If all share one, all are kept.
    """
    words = set(phrase.lower().split())
    return [text for text in negatives if not words & set(text.split())] or list(negatives)


def _normalisation(model: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    described = model.visual.preprocess_cfg
    mean, std = (torch.tensor(described[name], device=device) for name in ('mean', 'std'))
    return mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)


def _autocast_type(precision: str, device: torch.device) -> torch.dtype | None:
    if precision == 'auto':
        return torch.bfloat16 if device.type == 'cuda' or has_bfloat16() else None
    return TYPES[precision]


def _check_views(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ObservationError(
            'views to score are float in [0, 1], (batch, 3, height, width); got '
            f'{images.dtype} {tuple(images.shape)}'
        )
