# SPDX-License-Identifier: Apache-2.0
"""Train the policy, and say how far it is from the expert in moments that it has not seen."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch.nn import functional

from vidplan_core.errors import ModelError
from vidplan_core.heads.grounding import VERBS
from vidplan_core.heads.policy.files import save_policy
from vidplan_core.heads.policy.network import ChunkPolicy, PolicyConfig, flow_loss
from vidplan_core.heads.value import text_probe
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.models.io import read_weights
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.dataset import Shard, is_held_out, shards
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.contact.data import number_of
from vidplan_training.recipes.policy.check import PolicyCheck
from vidplan_training.recipes.policy.data import MomentReader, Moments, Phrases, lesson
from vidplan_training.recipes.policy.settings import PolicyRecipe


def policy_config(
    model: WorldModel, scorer: SemanticScorer, recipe: PolicyRecipe
) -> PolicyConfig:
    """Sizes of a policy for a world model and a scorer."""
    config = model.config
    return PolicyConfig(
        model.mean.shape[2], config.latent_height, config.latent_width, len(config.views),
        text=len(VERBS) + 2 * len(scorer.encode_text(['bowl'])[0]),
        grounded=recipe.base == 'grounded', width=recipe.width, text_probe=text_probe(scorer),
    )  # fmt: skip


def gather(recipe: PolicyRecipe, reader: MomentReader) -> tuple[Moments, Moments]:
    """Moments to learn from, and those of every tenth shard, which are held out."""
    episodes = [s for s in shards(recipe.data) if not s.branches]
    training = [s for s in episodes if not is_held_out(number_of(s))]
    held_out = [s for s in episodes if s not in training] or training[-1:]
    return _read(reader, training, recipe.most_episodes), _read(reader, held_out, 1_000)


def _read(reader: MomentReader, found: list[Shard], most_episodes: int) -> Moments:
    parts, episodes, progress = [], 0, ProgressLog('read (shards)', len(found))
    for number, shard in enumerate(found, 1):
        if episodes >= most_episodes:
            break
        moments = reader.read(shard)
        episodes += shard.episodes
        parts += [] if moments is None else [moments]
        progress.update(number)
    return Moments.cat(parts)


def go_on_from(policy: ChunkPolicy, folder: Path) -> None:
    """Take a policy's weights; what it does not read yet, at the end of `known`, counts nothing.

    Raises ModelError when it is missing or of another shape.
    """
    weights, first = read_weights(folder), 'known.0.weight'
    if first in weights:
        more = policy.state_dict()[first].shape[1] - weights[first].shape[1]
        weights[first] = functional.pad(weights[first], (0, max(more, 0)))
    try:
        policy.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(f'cannot go on from the policy in {folder}: {error}') from error


def run(recipe: PolicyRecipe) -> int:
    """Read, train, write the averaged weights."""
    device = torch.device(recipe.device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    model = load_world_model(recipe.models, 'cpu')
    scorer = SemanticScorer.load(recipe.models / 'semantic', 'cpu')
    training, held_out = gather(recipe, MomentReader(model, scorer, recipe.most_objects))
    kinds = next(s for s in shards(recipe.data)).meta['kinds']
    phrases, grounded = Phrases(scorer, kinds), recipe.base == 'grounded'
    torch.manual_seed(recipe.seed)
    policy = ChunkPolicy(policy_config(model, scorer, recipe))
    if recipe.start is not None:
        go_on_from(policy, recipe.start)
    policy = policy.to(device)
    trainer = Trainer(policy, recipe.trainer.with_short_warmup(), recipe.work)
    check = PolicyCheck(policy, held_out, phrases, grounded)
    print(f'{len(training)} moments to learn from, {len(held_out)} held out', flush=True)

    def loss(iteration: int) -> torch.Tensor:
        rng = torch.Generator().manual_seed(1_000_003 * recipe.seed + iteration)
        index = torch.randint(len(training), (recipe.batch,), generator=rng)
        inputs, chunks = lesson(training.rows(index), phrases, grounded, rng, recipe.noise)
        return flow_loss(policy, inputs.to(trainer.device), chunks.to(trainer.device))

    trainer.run(loss, lambda _: check.measure())
    trainer.use_average()
    save_policy(recipe.out, policy)
    found = check.measure()
    (recipe.out / 'metrics.json').write_text(
        json.dumps(found | {'moments': len(training), 'held_out': len(held_out)}, indent=1) + '\n'
    )
    print(json.dumps(found, indent=1), flush=True)
    return 0
