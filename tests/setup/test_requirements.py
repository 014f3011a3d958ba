# SPDX-License-Identifier: Apache-2.0
"""What is installed is pinned, and what is imported is declared."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / 'requirements'

# Where each lock applies, in the words of requirement markers.
LOCKS = {
    'constraints.txt': ('3.10', '3.11', '3.12', '3.13'),
    'constraints-with-ros.txt': ('3.12',),
}
INSTALLED = {
    'constraints.txt': ('torch.txt', 'no-deps.txt', 'base.txt', 'without-ros.txt'),
    'constraints-with-ros.txt': ('torch.txt', 'no-deps.txt', 'base.txt', 'with-ros.txt'),
}


def requirements(name: str) -> list[Requirement]:
    lines = (REQUIREMENTS / name).read_text(encoding='utf-8').splitlines()
    return [Requirement(text) for line in lines if (text := line.partition('#')[0].strip())]


def is_meant_for(requirement: Requirement, python: str) -> bool:
    environment = {'python_version': python, 'python_full_version': f'{python}.3'}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def pins(lock: str, python: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for requirement in requirements(lock):
        if is_meant_for(requirement, python):
            found.setdefault(canonicalize_name(requirement.name), []).append(
                str(requirement.specifier)
            )
    return found


@pytest.mark.parametrize(
    ('lock', 'python'), [(lock, python) for lock, pythons in LOCKS.items() for python in pythons]
)
def test_every_requirement_has_one_pin(lock: str, python: str) -> None:
    locked = pins(lock, python)
    for name in INSTALLED[lock]:
        for requirement in requirements(name):
            if not is_meant_for(requirement, python):
                continue
            pin = locked.get(canonicalize_name(requirement.name))
            assert pin is not None, f'{requirement.name} is not in {lock}: run scripts/lock.sh'
            assert len(pin) == 1
            assert pin[0].startswith('==')
            assert requirement.specifier.contains(pin[0].removeprefix('=='))


# Which build there is of these differs by machine, and so does its hash.
UNHASHED = re.compile(r'torch|triton|nvidia-.*|cuda-.*')


def hashed_pins(name: str, python: str) -> dict[str, list[str]]:
    """As `pins`, of a file with hashes; without one, a pin does not count."""
    found: dict[str, list[str]] = {}
    text = re.sub(r'^#.*\n', '', (REQUIREMENTS / name).read_text(), flags=re.MULTILINE)
    for line in text.replace('\\\n', '').splitlines():
        words, *hashes = line.split(' --hash=sha256:')
        requirement = Requirement(words.strip())
        if is_meant_for(requirement, python) and all(len(one.strip()) == 64 for one in hashes):
            pin = str(requirement.specifier) if hashes else 'no hash'
            found.setdefault(canonicalize_name(requirement.name), []).append(pin)
    return found


@pytest.mark.parametrize(
    ('lock', 'python'), [(lock, python) for lock, pythons in LOCKS.items() for python in pythons]
)
def test_every_pin_has_its_hashes(lock: str, python: str) -> None:
    hashes = lock.replace('constraints', 'hashes').replace('.txt', '.lock')
    wanted = {n: p for n, p in pins(lock, python).items() if not UNHASHED.fullmatch(n)}
    assert hashed_pins(hashes, python) == wanted
    setup = (ROOT / 'scripts/setup.sh').read_text(encoding='utf-8')
    assert '--no-deps --require-hashes -r "$hashes"' in setup


@pytest.mark.parametrize('lock', LOCKS)
def test_no_distribution_but_jazzy(lock: str) -> None:
    names = {requirement.name for requirement in requirements(lock)}
    assert not {name for name in names if re.match(r'ros-(?!jazzy)(humble|kilted|lyrical)', name)}
    assert ('ros-jazzy-rclpy' in names) == (lock == 'constraints.txt')


def test_a_sourced_ros_keeps_its_numpy() -> None:
    """cv_bridge is compiled against numpy 1 there."""
    assert pins('constraints-with-ros.txt', '3.12')['numpy'] == ['==1.26.4']


# --- package.xml -------------------------------------------------------------------------------

PACKAGES = ('vidplan_core', 'vidplan_sim', 'vidplan')
ROS_LIBRARIES = {'rclpy', 'cv_bridge', 'launch', 'launch_ros', 'ament_index_python'}
OURS = {'vidplan', 'vidplan_core', 'vidplan_msgs', 'vidplan_sim'}
OPTIONAL = {'franka_msgs'}  # not released for Jazzy: rosdep could not find it


def declared(package: str) -> set[str]:
    tree = ElementTree.parse(ROOT / 'src' / package / 'package.xml')
    return {
        element.text or ''
        for element in tree.getroot()
        if element.tag in ('depend', 'exec_depend')
    }


def ros_imports(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition('.')[0])
    return {
        name
        for name in found
        if name in ROS_LIBRARIES | OURS or name.endswith(('_msgs', '_srvs', '_interfaces'))
    }


@pytest.mark.parametrize('package', PACKAGES)
def test_package_xml_names_what_is_imported(package: str) -> None:
    used = ros_imports(ROOT / 'src' / package / package) - {package} - OPTIONAL
    assert used <= declared(package)


@pytest.mark.parametrize('package', [*PACKAGES, 'vidplan_msgs'])
def test_package_xml_is_complete(package: str) -> None:
    root = ElementTree.parse(ROOT / 'src' / package / 'package.xml').getroot()
    assert root.get('format') == '3'
    assert root.findtext('name') == package
    assert root.findtext('license') == 'Apache-2.0'
    assert root.findtext('version') == '0.1.0'
    assert root.find('maintainer').get('email')
    assert root.find('export/build_type') is not None


def test_every_source_carries_the_licence() -> None:
    folders = ('src', 'training', 'tests', 'scripts', 'launch')
    bare = [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob('*.py')
        if 'SPDX-License-Identifier: Apache-2.0' not in path.read_text(encoding='utf-8')[:200]
    ]
    assert not bare
