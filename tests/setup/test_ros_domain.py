# SPDX-License-Identifier: Apache-2.0
"""Test runs side by side do not hear each other, nor any other graph of the machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing

import pytest

from tests.fakes import ros_domain
from tests.fakes.ros_domain import DOMAINS, claim_domain, port


def free_domain() -> int:
    domain, held = claim_domain()
    held.close()
    return domain


def test_a_domain_is_claimed_once_and_free_afterwards() -> None:
    first, held = claim_domain()
    with closing(held):
        second, other = claim_domain(first)
        with closing(other):
            assert second != first
    third, last = claim_domain(first)
    last.close()
    assert third == first


@pytest.mark.parametrize('offset', [0, 10, 14], ids=['multicast', 'first', 'third participant'])
def test_a_domain_where_a_graph_talks_is_left_alone(offset: int) -> None:
    domain = free_domain()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as graph:
        graph.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        graph.bind(('', port(domain, offset)))
        claimed, held = claim_domain(domain)
        held.close()
    assert claimed != domain


def test_no_free_domain_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    one = free_domain()
    monkeypatch.setattr(ros_domain, 'DOMAINS', range(one, one + 1))
    _, held = claim_domain()
    with closing(held), pytest.raises(RuntimeError, match='is in use'):
        claim_domain()


@pytest.mark.ros
def test_ros_itself_is_seen() -> None:
    program = (
        'import rclpy; rclpy.init(); node = rclpy.create_node("talker")\n'
        'print("up", flush=True); input()'
    )
    domain = free_domain()
    talker = subprocess.Popen(
        [sys.executable, '-c', program], env={**os.environ, 'ROS_DOMAIN_ID': str(domain)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert talker.stdout is not None
    assert talker.stdout.readline() == 'up\n'
    claimed, held = claim_domain(domain)
    held.close()
    talker.communicate('\n')
    assert claimed != domain


def test_this_run_has_a_domain_of_its_own() -> None:
    ours = int(os.environ['ROS_DOMAIN_ID'])
    assert ours in DOMAINS
    claimed, held = claim_domain(ours)
    held.close()
    assert claimed != ours
