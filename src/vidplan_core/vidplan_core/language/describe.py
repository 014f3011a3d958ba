# SPDX-License-Identifier: Apache-2.0
"""Say what a semantic scorer makes of views: `python -m vidplan_core.language.describe MODEL`.

MODEL is a name of open_clip's, `hf-hub:<repository>`, a folder of open_clip's, a folder with
`semantic.json` or a models folder that has one in `semantic/`. Without weights at hand,
`--random-weights` shows what fits: nothing is downloaded then.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vidplan_core.errors import VidPlanError
from vidplan_core.language.dense import (
    dense_embeddings,
    dense_methods,
    tokens_before_last_block,
)
from vidplan_core.language.open_clip_model import LOCAL_PREFIX
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.language.semantic_config import (
    CONFIG_FILE,
    PRECISIONS,
    SemanticConfig,
    read_config,
)
from vidplan_core.language.view_fitting import FITS


@torch.no_grad()
def pooled_alone(tower: Any, images: Tensor) -> Tensor | None:
    """What a tower's own head makes of every patch if it sees no other one, unit vectors.

    By the tower's own modules, (batch, patches, dim): of a vision transformer the last block
    attends to the patch alone, of a SigLIP the pooling head does. None for other towers.
    """
    if type(tower).__name__ == 'VisionTransformer' and tower.attn_pool is None:
        block, tokens = tower.transformer.resblocks[-1], tokens_before_last_block(tower, images)
        alone = torch.full((tokens.shape[1],) * 2, float('-inf')).fill_diagonal_(0.0)
        seen = block.attention(block.ln_1(tokens), attn_mask=alone.to(tokens))[:, 1:]
        return F.normalize(tower.ln_post(seen) @ tower.proj, dim=-1)
    if getattr(getattr(tower, 'trunk', None), 'attn_pool', None) is None:
        return None
    trunk = tower.trunk
    patches = trunk.forward_features(images)[:, trunk.num_prefix_tokens :]
    pooled = trunk.attn_pool(patches.flatten(0, 1)[:, None])
    pooled = tower.head(trunk.head(trunk.fc_norm(pooled)))
    return F.normalize(pooled, dim=-1).unflatten(0, patches.shape[:2])


def config_of(model: str, pretrained: str | None) -> SemanticConfig:
    """Configuration of a model by name, or of a folder."""
    folder = Path(model)
    if (folder / 'semantic' / CONFIG_FILE).is_file():
        folder /= 'semantic'
    if (folder / CONFIG_FILE).is_file():
        return read_config(folder)
    return SemanticConfig(f'{LOCAL_PREFIX}{folder}' if folder.is_dir() else model, pretrained)


@torch.no_grad()
def describe(scorer: SemanticScorer, view: tuple[int, int], phrase: str) -> Iterator[str]:
    """Lines that say what becomes of a view of a height and width, pixels."""
    tower = scorer.model.visual
    height, width = scorer.image_size
    yield f'image tower   {type(tower).__name__}, trained on {height}x{width}'
    yield f'dense methods {", ".join(dense_methods(tower))}; here {scorer.config.method}'
    images = torch.rand(2, 3, *view, generator=torch.Generator().manual_seed(0))
    images = images.to(scorer.device)
    dense = scorer.dense(images)
    height, width = scorer.image_size
    yield f'view          {view[0]}x{view[1]}, seen as {height}x{width} ({scorer.config.fit})'
    maps = scorer.compare(dense, [phrase])
    rows, columns = maps.shape[-2:]
    yield f'map           {rows}x{columns}, dimension {dense.shape[1]}'
    yield f'relevancy     {float(maps.min()):.3f} .. {float(maps.max()):.3f} of noise'
    pooled = F.normalize(tower(scorer.normalised(images)).float(), dim=-1)
    mean = F.normalize(dense.mean((-2, -1)), dim=-1)
    own = scorer.normalised(images)
    alone = pooled_alone(tower, own)
    if alone is not None and scorer.config.method == 'maskclip':
        apart = dense_embeddings(tower, own).flatten(2).transpose(1, 2) - alone
        most = float(apart.abs().max())
        yield f'patches       {most:.1e} from what the head pools of each alone'
    yield f'mean of map   cosine {float((pooled * mean).sum(-1).mean()):.3f} with the pooled head'


def main(argv: Sequence[str] | None = None) -> int:
    """Load and describe; 1 where it cannot be loaded."""
    parser = argparse.ArgumentParser(prog='describe', description=__doc__)
    parser.add_argument('model', metavar='MODEL')
    parser.add_argument('--pretrained', metavar='TAG', help="open_clip's tag of weights or a file")
    parser.add_argument('--random-weights', action='store_true')
    parser.add_argument('--view', nargs=2, type=int, default=(192, 320), metavar=('H', 'W'))
    parser.add_argument('--phrase', default='mug')
    parser.add_argument('--fit', choices=FITS, help="default: the folder's, or tiles")
    parser.add_argument('--precision', choices=PRECISIONS)
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args(argv)
    try:
        config = config_of(args.model, args.pretrained)
        given = {'fit': args.fit, 'precision': args.precision}
        config = replace(config, **{name: value for name, value in given.items() if value})
        scorer = SemanticScorer(config, args.device, args.random_weights)
        for line in describe(scorer, tuple(args.view), args.phrase):
            print(line)
    except VidPlanError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
