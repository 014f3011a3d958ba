# SPDX-License-Identifier: Apache-2.0
"""When things come out otherwise than imagined: how far, and when that is too far."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.knobs import check_knobs, knob

_NATS = {'unit': 'nats', 'low': 1.0, 'high': 14.0}


@dataclass(frozen=True)
class SurpriseConfig:
    """When what is seen is too far from what was imagined one cycle before."""

    stop_on_surprise: bool = knob(
        True,
        'end the goal, the arm at rest, when a view is too far from what was imagined of it one '
        'cycle before; else that is only noted',
        section='When things come out otherwise than imagined; needs an uncertainty head.',
    )
    max_surprise: float = knob(
        2.5,
        'how improbable a view may be to the uncertainty head, as a whole: minus the logarithm '
        'of the probability of errors as large, about 1 as long as all comes as imagined',
        **_NATS,
    )
    surprising_looks: int = knob(
        1, 'looks in a row that must be above that until the goal ends', low=1, high=10
    )
    max_part_surprise: float = knob(
        5.0,
        'the same of the worst part of a view, a twentieth, above which a note says that '
        'something slipped or moved by itself; that never ends a goal',
        **_NATS,
    )

    def __post_init__(self) -> None:
        check_knobs(self)


@dataclass(frozen=True)
class Surprise:
    """How far a look is from what was imagined of it.

    Attributes:
        views: names.
        whole: how surprising each view is as a whole, nats.
        part: how surprising each is in its worst part, nats.
    """

    views: tuple[str, ...]
    whole: tuple[float, ...]
    part: tuple[float, ...]

    @property
    def terms(self) -> dict[str, float]:
        """The most surprising view, as a whole and in a part, for whoever watches."""
        return {'surprise': max(self.whole), 'part_surprise': max(self.part)}

    def problem(self, config: SurpriseConfig) -> str:
        """What is wrong with a view as a whole; '' for nothing."""
        found = max(self.whole)
        if found <= config.max_surprise:
            return ''
        return (
            f"view '{self.views[self.whole.index(found)]}' came out otherwise than imagined, by "
            f'{found:.1f} nats, allowed {config.max_surprise:.1f}: was the camera moved or '
            'swapped, does it show something else, did somebody reach in?'
        )

    def notes(self, config: SurpriseConfig) -> list[str]:
        """What a plan says of it: nothing as long as all comes as imagined."""
        if problem := self.problem(config):
            return [problem]
        found = max(self.part)
        if found <= config.max_part_surprise:
            return []
        return [
            f"a part of view '{self.views[self.part.index(found)]}' came out otherwise than "
            f'imagined, by {found:.1f} nats, usual up to {config.max_part_surprise:.1f}: did '
            'something slip or move by itself?'
        ]
