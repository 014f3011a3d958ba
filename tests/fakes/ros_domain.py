# SPDX-License-Identifier: Apache-2.0
"""A ROS domain for one test run: no other run has it, and no graph talks in it."""

from __future__ import annotations

import os
import socket

# Domain 0 is where robots talk; above 100, a domain's ports are those that the kernel hands out.
DOMAINS = range(1, 101)

# The ports of a domain, as the DDS specification numbers them.
_FIRST, _PER_DOMAIN = 7400, 250
_MULTICAST, _LAST_PARTICIPANT = 0, 249
_PARTICIPANTS = range(10, 50, 2)


def port(domain: int, offset: int) -> int:
    """Return one of the UDP ports that belong to a domain."""
    return _FIRST + _PER_DOMAIN * domain + offset


def claim_domain(first: int | None = None) -> tuple[int, socket.socket]:
    """Return a free domain and what holds it: closed, or with its process, it is free again.

    A run holds the port of the domain's 120th participant, which nobody else will ever ask for.
    The kernel gives it to one process only, and knows of runs in other containers too, if they
    share the network and could hear each other.

    Args:
        first: domain to try first; by default, another one in every process.

    Raises:
        RuntimeError: every domain is in use.
    """
    begin = os.getpid() if first is None else first - DOMAINS.start
    for step in range(len(DOMAINS)):
        domain = DOMAINS[(begin + step) % len(DOMAINS)]
        held = _bind(port(domain, _LAST_PARTICIPANT))
        if held is None:
            continue
        if is_silent(domain):
            return domain, held
        held.close()
    raise RuntimeError(f'each of the ROS domains {DOMAINS[0]} to {DOMAINS[-1]} is in use')


def is_silent(domain: int) -> bool:
    """Return whether no ROS graph of this machine talks in the domain."""
    for offset in (_MULTICAST, *_PARTICIPANTS):
        probe = _bind(port(domain, offset))
        if probe is None:
            return False
        probe.close()
    return True


def _bind(number: int) -> socket.socket | None:
    """Return a socket that alone has the port, None where somebody else has it."""
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        held.bind(('', number))
    except OSError:
        held.close()
        return None
    return held
