# SPDX-License-Identifier: Apache-2.0
"""What a value head is told of an instruction: its words, and where the present shows them.

A head that had to learn from words alone which of the things in view is meant would need far
more data than the semantic scorer, which knows it already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.reward.instruction import PICK, PLACE, REACH, Instruction, parse_instruction
from vidplan_core.reward.semantic import SemanticScorer
from vidplan_core.world_model.world_model import WorldModel

VERBS = (REACH, PICK, PLACE)
MAPS = 2  # of the target and of the destination


@dataclass(frozen=True)
class Reading:
    """Instructions read before what is seen.

    text: the verb, one of three, and the scorer's embeddings of the target and of the
        destination, which is zero where there is none, (batch, 3 + 2 * width).
    maps: relevancy of target and destination, (batch, 2, rows, columns) of the latents.
    """

    text: Tensor
    maps: Tensor


@torch.no_grad()
def read(
    scorer: SemanticScorer,
    model: WorldModel,
    present: Tensor,
    instructions: Sequence[str | Instruction],
) -> Reading:
    """Read one instruction before each of some scenes.

    Args:
        scorer: knows the words.
        model: decodes what is seen.
        present: its latents, (batch, channels, rows, columns).
        instructions: as many as scenes.

    Raises:
        InstructionError: an instruction is not understood.
    """
    parsed = [_parsed(instruction) for instruction in instructions]
    text = torch.stack([_words(scorer, wanted) for wanted in parsed])
    views = model.decode(present[:, None])[:, 0].float().clamp(0.0, 1.0)
    dense = scorer.dense(views.flatten(0, 1)).unflatten(0, views.shape[:2])
    maps = torch.stack(
        [_maps(scorer, seen, wanted) for seen, wanted in zip(dense, parsed, strict=True)]
    )
    size = (present.shape[-2] // views.shape[1], present.shape[-1])
    fitted = functional.interpolate(maps.flatten(0, 1), size, mode='bilinear')
    return Reading(text, fitted.flatten(1, 2).unflatten(0, maps.shape[:2]))


def _words(scorer: SemanticScorer, wanted: Instruction) -> Tensor:
    """The verb, and the embeddings of target and destination; zeros for none."""
    target = scorer.encode_text([wanted.target])[0]
    verb = target.new_tensor([float(wanted.verb == name) for name in VERBS])
    if wanted.destination is None:
        return torch.cat([verb, target, torch.zeros_like(target)])
    return torch.cat([verb, target, scorer.encode_text([wanted.destination])[0]])


def _maps(scorer: SemanticScorer, dense: Tensor, wanted: Instruction) -> Tensor:
    """Relevancy (2, views, rows, columns) of target and destination; zeros for none."""
    maps = [scorer.compare(dense, [wanted.target])[:, 0]]
    if wanted.destination is None:
        return torch.stack([maps[0], torch.zeros_like(maps[0])])
    return torch.stack([*maps, scorer.compare(dense, [wanted.destination])[:, 0]])


def _parsed(instruction: str | Instruction) -> Instruction:
    return parse_instruction(instruction) if isinstance(instruction, str) else instruction
