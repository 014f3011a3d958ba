# SPDX-License-Identifier: Apache-2.0
"""Who may say what to whom, as an SROS 2 policy: an enclave per process, nothing else allowed.

Access control is DDS Security's, by signed permissions of participants; whoever has no key of the
keystore is not heard (design.ros2.org/articles/ros2_access_control_policies.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from xml.etree import ElementTree

from vidplan.bringup.description import GraphSettings, resolve
from vidplan.bringup.graph import PLANNING

_VIEWS = ('left/image_raw', 'right/image_raw', 'wrist/image_raw')
# Beside the pictures, for views whose lens is read from there.
_LENSES = tuple(view.replace('image_raw', 'camera_info') for view in _VIEWS)
_JOINTS = ('joint_states', 'gripper/joint_states')
_PICTURES = (
    'world_model/prediction', 'world_model/uncertainty', 'world_model/futures', 'reward/relevancy',
    'reward/overlay', 'planner/markers',
)  # fmt: skip
_REPORTS = (
    'adapter/status', 'diagnostics', 'observation', 'plan', 'planner/goal', 'planner/result',
)  # fmt: skip
_COMMANDS = ('fr3_arm_controller/joint_trajectory', 'gripper/command')
_ROBOT_STATE = 'franka_robot_state_broadcaster/robot_state'
_PARAMETERS = (
    'describe_parameters', 'get_parameter_types', 'get_parameters', 'list_parameters',
    'set_parameters', 'set_parameters_atomically', 'get_type_description',
)  # fmt: skip
_LIFECYCLE = (
    'change_state', 'get_state', 'get_available_states', 'get_available_transitions',
    'get_transition_graph',
)  # fmt: skip
_LIVES = ('adapter', 'world_model', 'reward', 'planner')

#: Without a node of the graph: who sends goals, stops and rearms; its key goes to people.
OPERATOR = 'operator'
# Nodes of people's commands, which answer for themselves as all nodes do.
_PEOPLES = (OPERATOR, 'operator_page', 'vidplan_goal')


@dataclass(frozen=True)
class Rights:
    """Names that a node may use, as in the code, before remapping."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    reply: tuple[str, ...] = ()
    request: tuple[str, ...] = ()
    execute: tuple[str, ...] = ()
    call: tuple[str, ...] = ()


# Element, attribute and inner element of each kind of right.
_FORM = {
    'publish': ('topics', 'topic'), 'subscribe': ('topics', 'topic'),
    'reply': ('services', 'service'), 'request': ('services', 'service'),
    'execute': ('actions', 'action'), 'call': ('actions', 'action'),
}  # fmt: skip

RIGHTS: dict[str, Rights] = {
    'stitcher': Rights(
        ('observation',), (*_VIEWS, *_LENSES, *_JOINTS), ('stitcher/accept_views',)
    ),
    'world_model': Rights(_PICTURES[:3], reply=('world_model/rollout',)),
    'reward': Rights(_PICTURES[3:5], reply=('reward/score',)),
    'planner': Rights(
        ('plan', 'planner/markers', 'planner/goal', 'planner/result'),
        ('observation', 'adapter/status', 'diagnostics'),
        request=('adapter/stop',), execute=('plan_task',),
    ),
    'adapter': Rights(
        ('adapter/status', *_COMMANDS, 'target_joint'),
        ('plan', *_JOINTS, _ROBOT_STATE, 'fci/state', 'fci/hand'),
        ('adapter/stop', 'adapter/rearm', 'adapter/recover'),
        ('controller_manager/set_hardware_component_state',
         'controller_manager/switch_controller', 'fci/recover'),
        call=('fr3_arm_controller/follow_joint_trajectory', 'action_server/error_recovery',
              'franka_gripper/move', 'franka_gripper/grasp',
              'robotiq_gripper_controller/gripper_cmd'),
    ),
    'fci': Rights(
        ('joint_states', 'gripper/joint_states', 'fci/state', 'fci/hand'),
        _COMMANDS, ('fci/recover',),
    ),
    'recorder': Rights(
        subscribe=(*_VIEWS, *_JOINTS, *_COMMANDS, *_REPORTS, *_PICTURES, 'robot_description',
                   '/tf', '/tf_static', _ROBOT_STATE),
        request=tuple(
            f'{node}/{name}_parameters'
            for node in ('stitcher', 'world_model', 'reward', 'planner', 'adapter')
            for name in ('list', 'get')
        ),
    ),
    OPERATOR: Rights(
        subscribe=(*_REPORTS, *_PICTURES), call=('plan_task',),
        request=('adapter/stop', 'adapter/rearm', 'adapter/recover', 'stitcher/accept_views',
                 'world_model/rollout', 'reward/score'),
    ),
}  # fmt: skip


def policy(given: Mapping[str, object] | None = None) -> str:
    """Return the policy of the planning graph for launch arguments.

    Raises:
        ConfigError: an argument that the graph does not have.
    """
    settings = PLANNING.values(given)
    root = ElementTree.Element('policy', version='0.2.0')
    enclaves = ElementTree.SubElement(root, 'enclaves')
    for process in PLANNING.processes:
        names = {name: str(resolve(entry, settings)) for name, entry in process.remappings}
        _add_enclave(enclaves, process.executable, process.nodes, names, settings)
    _add_enclave(enclaves, OPERATOR, (OPERATOR,), {}, settings)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, 'unicode')
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add_enclave(
    enclaves: ElementTree.Element,
    name: str,
    nodes: tuple[str, ...],
    remapped: Mapping[str, str],
    settings: GraphSettings,
) -> None:
    space = '/' + str(settings['namespace']).strip('/')
    enclave = ElementTree.SubElement(enclaves, 'enclave', path=f'/vidplan/{name}')
    profiles = ElementTree.SubElement(enclave, 'profiles')
    for node in nodes:
        profile = ElementTree.SubElement(profiles, 'profile', ns=space, node=node)
        for field in fields(Rights):
            _add_rights(profile, field.name, node, remapped)


def _add_rights(
    profile: ElementTree.Element, right: str, node: str, remapped: Mapping[str, str]
) -> None:
    names = [remapped.get(name, name) for name in getattr(RIGHTS[node], right)]
    names += _of_every_node(right, node)
    if not names:
        return
    outer, inner = _FORM[right]
    element = ElementTree.SubElement(profile, outer, {right: 'ALLOW'})
    for name in dict.fromkeys(names):
        ElementTree.SubElement(element, inner).text = name


def _of_every_node(right: str, node: str) -> list[str]:
    """What ROS itself needs; parameters and states of nodes are the operator's to change."""
    if right == 'publish':
        events = [f'{node}/transition_event'] if node in _LIVES else []
        own = [] if node == OPERATOR else ['diagnostics']
        return ['/rosout', '/parameter_events', *own, *events]
    if right == 'subscribe':
        return ['/parameter_events', '/clock']
    if right == 'reply':
        return _services(_PEOPLES if node == OPERATOR else (node,))
    if right == 'request' and node == OPERATOR:
        return _services(tuple(one for one in RIGHTS if one != OPERATOR))
    return []


def _services(nodes: tuple[str, ...]) -> list[str]:
    """What ROS has nodes answer: parameters, their types, and states of those that have some."""
    lives = [one for one in nodes if one in _LIVES]
    return [f'{one}/{name}' for one in nodes for name in _PARAMETERS] + [
        f'{one}/{name}' for one in lives for name in _LIFECYCLE
    ]
