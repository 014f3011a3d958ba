# SPDX-License-Identifier: Apache-2.0
"""What a semantic scorer is built from, and the file of a model folder that says so."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from vidplan_core.errors import ConfigError, ModelError
from vidplan_core.language.dense import METHODS
from vidplan_core.language.open_clip_model import LOCAL_PREFIX
from vidplan_core.language.relevancy import Centring
from vidplan_core.language.view_fitting import FITS

CONFIG_FILE = 'semantic.json'
TYPES = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}
PRECISIONS = ('auto', *TYPES)


@dataclass(frozen=True)
class SemanticConfig:
    """Which open_clip model scores, and how its similarities become relevancy and places.

    Attributes:
        model_name: open_clip's name, 'hf-hub:<repository>' or 'local-dir:<folder>'; '' in a model
            folder that holds the weights itself.
        pretrained: open_clip's tag of weights, or a file; None with a prefix.
        method: dense path of the image tower (`dense.METHODS`).
        negatives: neutral phrases; relevancy is the margin over the best-matching of them.
        templates: sentences that a phrase is averaged over, with '{}' for the phrase.
        relevancy_scale: inverse temperature of the relevancy; None takes the model's own.
        threshold: peak relevancy from which on a phrase counts as found, in [0, 1].
        centring: how patches are weighted into a centroid.
        image_size: height, width that the tower is adapted to; None keeps its own.
        fit: what is done with views of another aspect ratio (`view_fitting.FITS`); tiles find
            places best: in 15 scenes of the cell seen square (`vidplan-train evaluate semantic
            --episodes 15 --seed 700000 --view 96 96 --fit FIT`) the error of the centroid is
            1.09 [0.96, 1.20] pixels, stretched 1.61 [1.14, 2.31], with resampled positions 1.94
            [1.31, 2.77].
        precision: 'fp32', 'bf16', 'fp16', or 'auto' for bf16 where the processor multiplies it
            fast.
    """

    model_name: str = ''
    pretrained: str | None = None
    method: str = 'maskclip'
    negatives: tuple[str, ...] = ('object', 'things', 'stuff', 'texture')
    templates: tuple[str, ...] = ('{}',)
    relevancy_scale: float | None = 10.0
    threshold: float = 0.55
    centring: Centring = Centring()
    image_size: tuple[int, int] | None = None
    fit: str = 'tiles'
    precision: str = 'auto'

    def __post_init__(self) -> None:
        _require(self.method in METHODS, f"method '{self.method}'; known: {', '.join(METHODS)}")
        _require(
            self.precision in PRECISIONS,
            f"precision '{self.precision}'; known: {', '.join(PRECISIONS)}",
        )
        _require(self.fit in FITS, f"fit '{self.fit}'; known: {', '.join(FITS)}")
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
        values = _without_retired(values)
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


def read_config(folder: Path) -> SemanticConfig:
    """Return the configuration of a model folder.

    Without a `model_name` the folder holds the weights itself.

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
    config = SemanticConfig.from_dict(values)
    if not config.model_name:
        return replace(config, model_name=f'{LOCAL_PREFIX}{folder}')
    name = config.model_name.removeprefix(LOCAL_PREFIX)
    if name == config.model_name:
        return config
    # A folder that is named in a file lies beside the file, unless its path is absolute.
    return replace(config, model_name=f'{LOCAL_PREFIX}{folder / name}')


def write_config(config: SemanticConfig, folder: Path) -> None:
    """Write what `read_config` reads, of weights in the folder itself."""
    values = asdict(replace(config, model_name='', pretrained=None))
    for name in ('model_name', 'pretrained'):
        del values[name]
    (folder / CONFIG_FILE).write_text(json.dumps(values, indent=2) + '\n')


def _without_retired(values: dict[str, Any]) -> dict[str, Any]:
    """Values of an earlier version, by what they are called now."""
    kept = {name: value for name, value in values.items() if name != 'stretch'}
    return {**kept, 'fit': 'stretch'} if values.get('stretch') else kept


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(f'semantic scorer: {message}')
