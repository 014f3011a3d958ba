# SPDX-License-Identifier: Apache-2.0
"""The policy says all that the nodes need, and lets the adapter alone command the arm."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from vidplan.bringup.graph import PLANNING
from vidplan.bringup.security import OPERATOR, RIGHTS, policy
from vidplan.cli.main import main

#: Files whose nodes are in the planning graph.
_FOLDERS = ('robots', 'planning_server', 'tasks')
_USES = {
    'publish': r"create_publisher\(\s*\w+(?:\.\w+)?,\s*'([^']+)'",
    'subscribe': r"create_subscription\(\s*\w+,\s*'([^']+)'",
    'reply': r"create_service\(\s*\w+,\s*'([^']+)'",
    'request': r"create_client\(\s*\w+,\s*'([^']+)'",
    'call': r"ActionClient\(\w+, \w+, '([^']+)'",
}


def allowed(text: str, right: str) -> dict[str, set[str]]:
    """Names by the nodes that have a right to them."""
    found: dict[str, set[str]] = {}
    for profile in ElementTree.fromstring(text.encode()).iter('profile'):
        for rights in profile:
            if rights.get(right) == 'ALLOW':
                for name in rights:
                    found.setdefault(str(name.text), set()).add(str(profile.get('node')))
    return found


def test_every_process_has_an_enclave_of_its_own() -> None:
    root = ElementTree.fromstring(policy().encode())
    paths = [enclave.get('path') for enclave in root.iter('enclave')]
    processes = [process.executable for process in PLANNING.processes]
    assert paths == [f'/vidplan/{name}' for name in (*processes, OPERATOR)]
    nodes = [profile.get('node') for profile in root.iter('profile')]
    assert sorted(nodes) == sorted(RIGHTS)


@pytest.mark.parametrize('right', _USES)
def test_the_policy_allows_what_the_nodes_do(repository: Path, right: str) -> None:
    folder = repository / 'src/vidplan/vidplan'
    texts = [path.read_text() for one in _FOLDERS for path in (folder / one).rglob('*.py')]
    used = {name for text in texts for name in re.findall(_USES[right], text)}
    assert used
    known = {name for rights in RIGHTS.values() for name in getattr(rights, right)}
    assert used - {'diagnostics'} <= known


def test_one_node_alone_commands_the_arm_and_one_alone_plans() -> None:
    publish = allowed(policy(), 'publish')
    assert publish['fr3_arm_controller/joint_trajectory'] == {'adapter'}
    assert publish['gripper/command'] == {'adapter'}
    assert publish['plan'] == {'planner'}
    call = allowed(policy(), 'call')
    assert call['fr3_arm_controller/follow_joint_trajectory'] == {'adapter'}
    assert call['plan_task'] == {OPERATOR}


def test_parameters_and_states_are_changed_by_operators_alone() -> None:
    request = allowed(policy(), 'request')
    assert request['adapter/set_parameters'] == request['adapter/change_state'] == {OPERATOR}
    assert allowed(policy(), 'reply')['adapter/set_parameters'] == {'adapter'}
    assert request['adapter/stop'] == {'planner', OPERATOR}


def test_names_are_those_of_the_launch(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words = ['--joint-states', '/franka/joint_states', '--namespace', 'arm1']
    assert main(['security', 'init', str(tmp_path), *words]) == 0
    assert 'generate_artifacts' in capsys.readouterr().out
    text = (tmp_path / 'policy.xml').read_text()
    assert allowed(text, 'subscribe')['/franka/joint_states'] == {
        'adapter', 'stitcher', 'recorder',
    }  # fmt: skip
    assert {p.get('ns') for p in ElementTree.fromstring(text.encode()).iter('profile')} == {
        '/arm1'
    }
