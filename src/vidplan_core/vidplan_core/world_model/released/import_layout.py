# SPDX-License-Identifier: Apache-2.0
"""The names of the released checkpoints' tensors, and ours for the same tensors."""

from __future__ import annotations

# Released prefix and ours; of several that fit, the first counts.
PREFIXES = (
    ('unet.distance_embedding.', 'backbone.target_embedding.'),
    ('unet.', 'backbone.unet.'),
    ('action_encoder.', 'backbone.action_encoder.'),
    ('vae.', 'autoencoder.vae.'),
    ('text_encoder.', 'text_encoder.clip.'),
)

# CLIP's image tower, which the release carries along, and the learned loss weights of a flow
# map's training: neither has a part in imagining.
UNUSED = ('image_encoder.', 'log_var_net.')


def ours(released: str) -> str | None:
    """Our name of a released tensor, None where we have none."""
    return _renamed(released, PREFIXES)


def released(ours: str) -> str | None:
    """Released name of one of our tensors, None where there is none."""
    return _renamed(ours, tuple((new, old) for old, new in PREFIXES))


def part(released: str) -> str:
    """The part of a model that a released name belongs to."""
    return released.partition('.')[0]


def _renamed(name: str, prefixes: tuple[tuple[str, str], ...]) -> str | None:
    for old, new in prefixes:
        if name.startswith(old):
            return new + name.removeprefix(old)
    return None
