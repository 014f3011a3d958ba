# SPDX-License-Identifier: Apache-2.0
"""What a description of a model may say: a hostile one ends in a named error, soon."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.heads.anomaly.novelty import NoveltyConfig
from vidplan_core.heads.network import HeadConfig
from vidplan_core.heads.policy.network import PolicyConfig
from vidplan_core.language.open_clip_model import load_open_clip
from vidplan_core.models.io import from_dict
from vidplan_core.world_model.autoencoders.config import AutoencoderConfig
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.dynamics_adapter import DynamicsAdapterConfig
from vidplan_core.world_model.outcome import OutcomeConfig

NAN = float('nan')
KINDS = {
    'world_model': WorldModelConfig, 'autoencoder': AutoencoderConfig, 'value': HeadConfig,
    'uncertainty': HeadConfig, 'novelty': NoveltyConfig, 'policy/grounded': PolicyConfig,
    'world_model/outcome': OutcomeConfig,
}  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    count: int = 1
    share: float = 0.5
    flag: bool = False
    name: str = ''
    pair: tuple[float, float] = (0.0, 0.0)
    many: tuple[tuple[int, ...], ...] = ()
    maybe: tuple[int, int] | None = None


@pytest.mark.parametrize('values', [
    {'count': 2, 'share': 1, 'flag': True, 'name': 'a'}, {'pair': [1, 0.5]}, {'maybe': None},
    {'many': [[1], [2, 3]], 'maybe': [1, 2]},
])  # fmt: skip
def test_values_of_the_right_kind_are_taken(values: dict[str, Any]) -> None:
    found = from_dict(Sizes, values)
    assert json.loads(json.dumps({k: getattr(found, k) for k in values})) == values


@pytest.mark.parametrize(('values', 'says'), [
    ({'count': 1.0}, 'Sizes.count must be a whole number, got 1.0'),
    ({'count': True}, 'Sizes.count must be a whole number'),
    ({'count': 10**9}, 'Sizes.count is 1000000000'),
    ({'share': NAN}, 'Sizes.share must be a number, got nan'),
    ({'share': float('inf')}, 'Sizes.share must be a number'),
    ({'share': 'x'}, "Sizes.share must be a number, got 'x'"),
    ({'share': None}, 'Sizes.share must be a number'),
    ({'flag': 1}, 'Sizes.flag must be true or false'),
    ({'name': 3}, 'Sizes.name must be words'),
    ({'pair': [1.0]}, 'Sizes.pair needs 2 values'),
    ({'pair': 3.0}, 'Sizes.pair must be a list'),
    ({'many': [[1], ['x']]}, r'Sizes.many\[1\]\[0\] must be a whole number'),
    ({'maybe': [1, NAN]}, r'Sizes.maybe\[1\]'),
])  # fmt: skip
def test_values_of_another_kind_are_named(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        from_dict(Sizes, values)


@pytest.mark.fault('models')
@pytest.mark.parametrize(('kind', 'values', 'says'), [
    (WorldModelConfig, {'frame_period_s': 0}, 'frame_period_s is 0'),
    (WorldModelConfig, {'frame_period_s': -1.0}, 'frame_period_s'),
    (WorldModelConfig, {'residual_std': NAN}, 'residual_std'),
    (WorldModelConfig, {'sigma_max': 'x'}, 'sigma_max'),
    (WorldModelConfig, {'sigma_max': 0.001}, 'sigma_min must be below'),
    (WorldModelConfig, {'latent_std': [1.0, 0.0]}, 'latent_std'),
    (WorldModelConfig, {'height': 10**6}, 'height'),
    (WorldModelConfig, {'backbone': {'layers_per_block': 10**5}}, 'layers_per_block'),
    (WorldModelConfig, {'backbone': {'widths': [64] * 1000}}, '1 .. 8 levels'),
    (AutoencoderConfig, {'blocks': 10**5}, 'blocks'),
    (HeadConfig, {'bin_count': 10**6}, 'bin_count'),
    (HeadConfig, {'gamma': -0.5}, 'gamma'),
    (NoveltyConfig, {'spread': [1.0, 0.0]}, 'spread'),
    (PolicyConfig, {'embedding': 0}, 'embedding'),
    (OutcomeConfig, {'pools': -1}, 'pools'),
    (DynamicsAdapterConfig, {'rate_hz': 0.0}, 'rate_hz'),
    (DynamicsAdapterConfig, {'delta_p99': [-9.0] * 7}, 'delta_p01 must be below'),
])  # fmt: skip
def test_hostile_descriptions_are_refused(kind: type, values: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        from_dict(kind, values)


@pytest.mark.parametrize('part', KINDS)
def test_shipped_descriptions_pass_and_one_without_a_number_does_not(
    repository: Path, part: str
) -> None:
    text = (repository / 'models/cell_contact' / part / 'config.json').read_text()
    values = json.loads(text)
    from_dict(KINDS[part], values)
    number = next(name for name, value in values.items() if isinstance(value, int))
    with pytest.raises(ModelError, match=number):
        from_dict(KINDS[part], values | {number: NAN})


@pytest.mark.fault('models')
def test_a_focal_length_that_is_not_finite(repository: Path, tmp_path: Path) -> None:
    text = (repository / 'models/cell/cameras.json').read_text()
    cameras = json.loads(text)
    cameras['left']['focal'][0] = NAN
    path = tmp_path / 'cameras.json'
    path.write_text(json.dumps(cameras))
    with pytest.raises(ModelError, match='must be finite'):
        load_cameras(path, ('left',))


@pytest.mark.fault('models')
def test_a_tower_of_a_hundred_thousand_layers_is_refused_before_it_is_built(
    repository: Path, tmp_path: Path
) -> None:
    shutil.copytree(repository / 'models/cell/semantic', tmp_path / 'semantic')
    path = tmp_path / 'semantic/open_clip_config.json'
    config = json.loads(path.read_text())
    config['model_cfg']['vision_cfg']['layers'] = 100_000
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r'vision_cfg\.layers is 100000, allowed 0 \.\. 256'):
        load_open_clip(f'local-dir:{tmp_path / "semantic"}')
