# SPDX-License-Identifier: Apache-2.0
"""Every topic and service that a real node has is its own by the policy: denied, it would end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from rclpy.node import Node
from rclpy.parameter import Parameter

from vidplan.bringup.security import OPERATOR, policy
from vidplan.robots.adapter_node import AdapterNode
from vidplan.robots.stitcher_node import Stitcher

pytestmark = pytest.mark.ros

GRIPPER = Parameter('gripper_backend', value='topic')
#: By the profile whose rights they have.
NODES: dict[str, Callable[[str], Node]] = {
    'adapter': lambda space: AdapterNode(namespace=space, parameter_overrides=[GRIPPER]),
    'stitcher': lambda space: Stitcher(namespace=space),
    OPERATOR: lambda space: Node('vidplan_goal', namespace=space),
}
KINDS = {'reply': 'service', 'publish': 'publisher', 'subscribe': 'subscriber'}


def allowed(profile: str, namespace: str, right: str) -> set[str]:
    """Full names that a profile has a right to."""
    root = ElementTree.fromstring(policy({'namespace': namespace}).encode())
    texts = {
        str(name.text)
        for rights in root.findall(f".//profile[@node='{profile}']/*[@{right}='ALLOW']")
        for name in rights
    }
    space = namespace.rstrip('/')
    return {text if text.startswith('/') else f'{space}/{text}' for text in texts}


@pytest.mark.parametrize('namespace', ['/', '/arm1'])
@pytest.mark.parametrize('profile', NODES)
def test_the_policy_denies_nothing_that_a_node_has(
    ros: Any, profile: str, namespace: str
) -> None:
    node = ros.add(NODES[profile](namespace))
    for right, kind in KINDS.items():
        ask = getattr(node, f'get_{kind}_names_and_types_by_node')
        has = {name for name, _ in ask(node.get_name(), namespace)}
        assert has - allowed(profile, namespace, right) == set()
