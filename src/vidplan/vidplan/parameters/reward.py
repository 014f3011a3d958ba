# SPDX-License-Identifier: Apache-2.0
"""Parameters of the node `reward`."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.knobs import check_knobs, knob


@dataclass(frozen=True)
class RewardParameters:
    """What the service takes, and what is shown of the relevancy."""

    max_images: int = knob(64, 'most images in one call of reward/score', low=1, high=4096)
    publish_relevancy: bool = knob(
        True,
        'reward/relevancy and reward/overlay of every plan, while somebody subscribes',
        mutable=True,
    )

    def __post_init__(self) -> None:
        check_knobs(self)
