# SPDX-License-Identifier: Apache-2.0
"""Every knob of planning on top of a policy server."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import check_knobs, knob
from vidplan_core.policy_server.droid import RATE_HZ, UNIT_RAD_S

_TIME = {'unit': 's', 'low': 0.01, 'high': 60.0}
_PIXELS = {'unit': 'pixels', 'low': 16, 'high': 2048}


@dataclass(frozen=True)
class PolicyServerConfig:
    """Where the server is, what it is sent and how its answers are taken."""

    url: str = knob(
        'ws://127.0.0.1:8000',
        'of a server with the protocol of openpi, ws:// or wss://',
        section='The policy server, used by base: server and by policy_server in proposals.',
    )
    exterior: str = knob('left', 'view that it sees as observation/exterior_image_1_left')
    second_exterior: str = knob(
        '', "view that it sees as observation/exterior_image_2_left; '': none is sent"
    )
    wrist: str = knob('wrist', "view that it sees as observation/wrist_image_left; '': none")
    image_height: int = knob(224, 'of pictures that it is sent, black bars included', **_PIXELS)
    image_width: int = knob(224, 'likewise', **_PIXELS)
    rate_hz: float = knob(RATE_HZ, 'of its commands', unit='Hz', low=1.0, high=1000.0)
    horizon: int = knob(0, 'commands of an answer that are used; 0: all', low=0, high=1000)
    adapter: str = knob(
        '',
        "learned dynamics adapter, a folder or a released file; '': dynamics_adapter of the "
        'models where they have one, else unit_rad_s',
    )
    unit_rad_s: float = knob(
        UNIT_RAD_S,
        'speed of a joint that is commanded 1, without a learned adapter; 0.78: as recorded in '
        'DROID',
        unit='rad/s',
        low=0.01,
        high=10.0,
    )
    requests: int = knob(1, 'answers in a cycle, for servers that sample', low=1, high=16)
    spread_m: float = knob(
        0.02, 'of candidates around an answer, where they end', unit='m', low=0.0, high=0.2
    )
    timeout_s: float = knob(1.0, 'for an answer', **_TIME)
    connect_timeout_s: float = knob(1.0, 'for a connection, its greeting included', **_TIME)
    retry_s: float = knob(
        1.0, 'until it is asked again after a failure; doubled with each up to 30 s', **_TIME
    )
    max_repeats: int = knob(
        5, 'times that one answer is believed while the arm moves', low=1, high=1000
    )

    def __post_init__(self) -> None:
        check_knobs(self)
        if not self.url.startswith(('ws://', 'wss://')):
            raise ConfigError(f'url is {self.url!r}; allowed: ws://HOST:PORT or wss://HOST:PORT')

    @property
    def views(self) -> dict[str, str]:
        """The view that is sent under each key of the protocol's pictures."""
        named = {
            'observation/exterior_image_1_left': self.exterior,
            'observation/exterior_image_2_left': self.second_exterior,
            'observation/wrist_image_left': self.wrist,
        }
        return {key: view for key, view in named.items() if view}

    def check_views(self, known: tuple[str, ...]) -> None:
        """Check the views against those that there are.

        Raises:
            ConfigError: one is not there.
        """
        if unknown := sorted(set(self.views.values()) - set(known)):
            raise ConfigError(
                f'the policy server is to see {", ".join(unknown)}; there are {", ".join(known)}'
            )
