# SPDX-License-Identifier: Apache-2.0
"""Released checkpoints, shrunken: what loads, what it becomes, and how wrong ones are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.fakes.tiny import tiny_ctrl_world
from tests.vidplan_core.world_model.shared_data import shared
from vidplan_core.errors import ModelError
from vidplan_core.world_model.backbones.interface import Condition
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.describe import describe, main
from vidplan_core.world_model.released.import_checkpoint import (
    CTRL_WORLD,
    FLOW_MAP,
    convert,
    load_released,
    read_released,
)
from vidplan_core.world_model.released.import_layout import released
from vidplan_core.world_model.released.presets import ctrl_world, read_spec
from vidplan_core.world_model.world_model import WorldModel

SPEC = tiny_ctrl_world()
State = dict[str, Tensor]


def state_of(flow_map: bool = False) -> State:
    """A checkpoint as others write it: their names, float32, unused parts carried along."""
    torch.manual_seed(0)
    model = tiny_ctrl_world(flow_map).build()
    if flow_map:
        torch.nn.init.normal_(model.backbone.target_embedding.linear_2.weight, std=0.1)
    state = {str(released(name)): value for name, value in model.state_dict().items()}
    return {**state, 'image_encoder.visual_projection.weight': torch.zeros(4, 4)}


@pytest.fixture(scope='module')
def state() -> State:
    return state_of()


@pytest.fixture
def path(tmp_path: Path, state: State) -> Path:
    return save(tmp_path, state)


def save(folder: Path, state: State) -> Path:
    torch.save(state, folder / 'checkpoint.pt')
    return folder / 'checkpoint.pt'


def question(model: WorldModel) -> tuple[Tensor, Condition, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    shape = (4, model.config.latent_height, model.config.latent_width)
    history = torch.randn(1, 7, *shape, generator=draw)
    actions = torch.rand(1, 11, 7, generator=draw)
    noisy = torch.randn(1, 5, *shape, generator=draw)
    return noisy, Condition(history, actions), torch.full((1,), 0.2), torch.full((1,), 0.7)


def test_every_tensor_lands_in_its_place(path: Path, state: State) -> None:
    model = load_released(path, SPEC)
    loaded = {str(released(name)): value for name, value in model.state_dict().items()}
    assert set(state) - set(loaded) == {'image_encoder.visual_projection.weight'}
    for name in set(state) & set(loaded):
        exact = name.startswith('action_encoder.')
        expected = state[name] if exact else state[name].bfloat16()
        assert torch.equal(loaded[name].to(expected.dtype), expected), name
    assert model.backbone.unet.conv_in.weight.dtype == torch.bfloat16
    assert not any(value.is_meta for value in (*model.buffers(), *model.parameters()))


@torch.no_grad()
def test_a_checkpoint_becomes_a_folder_that_loads_as_the_same_model(
    path: Path, tmp_path: Path
) -> None:
    direct = load_released(path, SPEC)
    convert(path, read_released(path, SPEC), tmp_path / 'models')
    loaded = load_world_model(tmp_path / 'models')
    assert loaded.config == direct.config
    assert loaded.autoencoder.config == direct.autoencoder.config
    own = direct.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in loaded.state_dict().items())
    assert torch.equal(loaded.text_encoder(['a cup']), direct.text_encoder(['a cup']))
    noisy, *rest = question(direct)
    assert torch.equal(loaded.backbone(noisy, *rest), direct.backbone(noisy, *rest))


@pytest.mark.parametrize('writer', ['module', 'positions', 'safetensors', 'half'])
def test_other_writers_are_understood(tmp_path: Path, state: State, writer: str) -> None:
    places = {'text_encoder.text_model.embeddings.position_ids': torch.arange(77)[None]}
    written = {
        'module': {f'module.{name}': value for name, value in state.items()},
        'positions': {**state, **places},
        'safetensors': state,
        'half': {name: value.bfloat16() for name, value in state.items()},
    }[writer]
    path = tmp_path / 'checkpoint.safetensors'
    if writer == 'safetensors':
        save_file(written, path)
    else:
        path = save(tmp_path, written)
    found = read_released(path, SPEC)
    assert found.kind == CTRL_WORLD
    assert len(found.tensors) == len(state) - 1
    assert [part.name for part in found.parts if not part.used] == ['image_encoder']


def test_tensors_that_share_memory_are_stored_for_each_name(tmp_path: Path, state: State) -> None:
    """One bias for two layers, and a part of a larger tensor, as a writer may tie them."""
    tied = {**state, 'action_encoder.action_encode.2.bias': state[_BIAS]}
    weights = torch.zeros(2, *state[_BIAS].shape)
    tied[_LAST_BIAS] = weights[1]
    path = save(tmp_path, tied)
    convert(path, read_released(path, SPEC), tmp_path / 'models')
    model = load_world_model(tmp_path / 'models')
    loaded = model.state_dict()
    for name in (_BIAS, 'action_encoder.action_encode.2.bias', _LAST_BIAS):
        assert torch.equal(loaded[f'backbone.{name}'], tied[name])


_BIAS = 'action_encoder.action_encode.0.bias'
_LAST_BIAS = 'action_encoder.action_encode.4.bias'


def _missing(state: State) -> None:
    del state['unet.conv_in.weight']


def _renamed(state: State) -> None:
    state['unet.conv_inn.weight'] = state.pop('unet.conv_in.weight')


def _reshaped(state: State) -> None:
    state['vae.quant_conv.weight'] = torch.zeros(8, 4, 1, 1)


def _cut(state: State) -> None:
    name = 'action_encoder.action_encode.2.weight'
    state[name] = state[name][:-1].clone()


def _added(state: State) -> None:
    state['unet.reward_head.weight'] = torch.zeros(3)


def _broken(state: State) -> None:
    state['text_encoder.text_projection.weight'][0, 0] = float('nan')


def _huge(state: State) -> None:
    one = torch.zeros(1)  # and a few bytes on the disk
    state['action_encoder.action_encode.2.weight'] = one.expand(10**6, 10**6)


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (_missing, r'unet.conv_in.weight is missing, expected shape \(32, 8, 3, 3\)'),
        (_renamed, r'unet.conv_in.weight is missing.*unet.conv_inn.weight.*was it renamed'),
        (_reshaped, r'vae.quant_conv.weight has shape \(8, 4, 1, 1\), expected \(8, 8, 1, 1\)'),
        (_cut, r'action_encode.2.weight has shape \(31, 32\), expected \(32, 32\)'),
        (_added, r'unet.reward_head.weight is unknown, shape \(3,\)'),
        (_broken, 'text_encoder.text_projection.weight is not finite'),
        (_huge, r'action_encode.2.weight has shape \(1000000, 1000000\), expected \(32, 32\)'),
    ],
    ids=['missing', 'renamed', 'shape', 'cut', 'unknown', 'nan', 'huge'],
)
def test_wrong_tensors_are_named(
    tmp_path: Path, state: State, damage: Callable[[State], None], message: str
) -> None:
    changed = {name: value.clone() for name, value in state.items()}
    damage(changed)
    path = save(tmp_path, changed)
    with pytest.raises(ModelError, match=message) as error:
        read_released(path, SPEC)
    assert str(path) in str(error.value)


def test_another_size_is_refused_with_both_shapes(path: Path) -> None:
    with pytest.raises(ModelError, match=r'has shape \(32, \d+\), expected \(1024, \d+\)'):
        load_world_model(path)  # the size of a bare checkpoint is Ctrl-World's


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'is empty'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:0', 'git lfs pull'),
        (b'<!DOCTYPE html><html>403</html>', 'a web page'),
        (b'not a checkpoint at all', 'is text, no weights'),
        (b'PK\x03\x04 rubbish', r'corrupt or truncated: [^.]*$'),
        (None, 'corrupt or truncated'),
    ],
    ids=['empty', 'pointer', 'web page', 'text', 'half a zip', 'truncated'],
)
def test_unreadable_files_are_named(path: Path, content: bytes | None, message: str) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ModelError, match=message):
        read_released(path, SPEC)


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        ([torch.zeros(1)], 'holds no tensors by name but list'),
        ({'model': {'a': torch.zeros(1)}}, "'model' is of type dict"),
        ({'weight': torch.zeros(1)}, 'no Ctrl-World checkpoint: no tensor unet'),
        ({'unet.x': Path('code')}, 'holds more than tensors'),
    ],
    ids=['list', 'wrapped', 'another model', 'objects'],
)
def test_other_contents_are_named(tmp_path: Path, value: object, message: str) -> None:
    torch.save(value, tmp_path / 'checkpoint.pt')
    with pytest.raises(ModelError, match=message):
        read_released(tmp_path / 'checkpoint.pt', SPEC)


@torch.no_grad()
def test_a_flow_map_reads_its_target_time_as_it_was_trained_to(tmp_path: Path) -> None:
    state = {**state_of(flow_map=True), 'log_var_net.0.weight': torch.zeros(3)}
    found = read_released(save(tmp_path, state), SPEC)
    assert (found.kind, found.notes) == (FLOW_MAP, ())
    assert found.spec.world_model.backbone.target_scale == 1.0  # fed unscaled upstream
    assert found.spec.world_model.sigma_min == 0.02
    model = load_released(tmp_path / 'checkpoint.pt', SPEC)
    noisy, condition, start, target = question(model)
    near = model.backbone(noisy, condition, start, start)
    assert not torch.allclose(model.backbone(noisy, condition, start, target), near, atol=1e-3)


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """A flow map as the published code trains it: zero but for the last bias."""
    state = state_of(flow_map=True)
    for name in ('linear_1.weight', 'linear_1.bias', 'linear_2.weight'):
        state[f'unet.distance_embedding.{name}'].zero_()
    state['unet.distance_embedding.linear_2.bias'].normal_()
    return save(tmp_path, state)


def test_a_dead_embedding_is_a_constant_that_can_learn(dead: Path) -> None:
    found = read_released(dead, SPEC)
    assert 'never learned' in found.notes[0]
    model = load_released(dead, SPEC)
    assert model.config.backbone.target_scale == 1000.0
    embedding = model.backbone.target_embedding
    gap = model.backbone.target_features(torch.tensor([0.0, 300.0, 1000.0]))
    bias = found.tensors['backbone.target_embedding.linear_2.bias']
    torch.testing.assert_close(embedding(gap), bias.expand(3, -1))
    embedding.requires_grad_(True)
    embedding(gap).square().sum().backward()
    assert embedding.linear_2.weight.grad.abs().max() > 0


def test_parts_that_a_flow_map_lacks_come_from_an_imported_model(
    tmp_path: Path, path: Path
) -> None:
    base = tmp_path / 'base'
    convert(path, read_released(path, SPEC), base)
    state = {k: v for k, v in state_of(True).items() if k.startswith(('unet.', 'action_'))}
    bare = tmp_path / 'flow_map'
    bare.mkdir()
    found = read_released(save(bare, state), SPEC)
    assert found.absent == ('vae', 'text_encoder')
    with pytest.raises(ModelError, match=r'has no vae\.\* and text_encoder\.\*'):
        convert(bare / 'checkpoint.pt', found, tmp_path / 'out')
    convert(bare / 'checkpoint.pt', found, tmp_path / 'out', base)
    loaded = load_world_model(tmp_path / 'out')
    direct = load_released(bare / 'checkpoint.pt', SPEC, base)
    own = direct.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in loaded.state_dict().items())


def test_full_size_has_the_released_tensors() -> None:
    published = json.loads(shared('data/ctrl_world_keys.json').read_text())
    wanted = {k: tuple(v) for k, v in published.items() if not k.startswith('image_encoder.')}
    assert dict(describe(ctrl_world(target_time=False))) == wanted


def test_full_size_flow_map_adds_four_tensors() -> None:
    plain, flow_map = (dict(describe(ctrl_world(flag))) for flag in (False, True))
    assert {k: v for k, v in flow_map.items() if k not in plain} == {
        'unet.distance_embedding.linear_1.weight': (1280, 320),
        'unet.distance_embedding.linear_1.bias': (1280,),
        'unet.distance_embedding.linear_2.weight': (1280, 1280),
        'unet.distance_embedding.linear_2.bias': (1280,),
    }


@pytest.mark.parametrize('backbone', ['unet2d', 'svd'])
def test_describe_prints_a_line_per_tensor(capsys: pytest.CaptureFixture, backbone: str) -> None:
    assert main(['--size', 'cell', '--backbone', backbone]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 'autoencoder.encoder.0.weight [32, 3, 4, 4]' in lines
    assert all(json.loads(line.partition(' ')[2]) is not None for line in lines)


def test_a_size_is_read_from_json(tmp_path: Path) -> None:
    (tmp_path / 'size.json').write_text(json.dumps(asdict(SPEC)))
    assert read_spec(tmp_path / 'size.json') == SPEC
    for content, message in (('{', 'not valid json'), ('{}', "needs the objects 'world_model'")):
        (tmp_path / 'size.json').write_text(content)
        with pytest.raises(ModelError, match=message):
            read_spec(tmp_path / 'size.json')
