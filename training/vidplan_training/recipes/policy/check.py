# SPDX-License-Identifier: Apache-2.0
"""How far the policy's chunks are from the expert's in held-out moments."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from vidplan_core.heads.policy.network import ChunkPolicy, flow_loss
from vidplan_training.recipes.policy.data import Moments, Phrases, lesson

MOST, BATCH, SAMPLES = 1024, 256, 8
NEAR_M = 0.06


@dataclass(frozen=True)
class PolicyCheck:
    """Held-out moments, the same in every check."""

    policy: ChunkPolicy
    moments: Moments
    phrases: Phrases
    grounded: bool

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Loss, median errors of the median sample (cm, rad), and how often the gripper agrees.

        `near_cm` counts moments in which the expert moves less than 6 cm.
        """
        order = torch.randperm(len(self.moments), generator=torch.Generator().manual_seed(3))
        device = next(self.policy.parameters()).device
        state = torch.get_rng_state()
        torch.manual_seed(5)
        losses, drawn, wanted = [], [], []
        for index in order[:MOST].split(BATCH):
            inputs, chunks = lesson(self.moments.rows(index), self.phrases, self.grounded)
            inputs, chunks = inputs.to(device), chunks.to(device)
            losses.append(flow_loss(self.policy, inputs, chunks).cpu() * len(index))
            drawn.append(self.policy.sample(inputs, SAMPLES, 0).median(1).values.cpu())
            wanted.append(chunks.cpu())
        torch.set_rng_state(state)
        found, true = torch.cat(drawn), torch.cat(wanted)
        error = 100.0 * (found - true)[:, :3].norm(dim=1)
        near = true[:, :3].norm(dim=1) < NEAR_M
        agree = (found[:, 4] > 0.5) == (true[:, 4] > 0.5)
        return {
            'held_out_loss': float(torch.stack(losses).sum() / len(true)),
            'error_cm': float(error.median()),
            'near_cm': float(error[near].median()),
            'turn_rad': float((found - true)[:, 3].abs().median()),
            'gripper_agrees': float(agree.float().mean()),
        }
