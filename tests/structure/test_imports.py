# SPDX-License-Identifier: Apache-2.0
"""Imports point one way: between packages, between the rooms of a package, between modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure.import_graph import (
    Graph,
    Levels,
    cycles,
    import_graph,
    imported_names,
    room_circles,
    upward,
)
from tests.structure.tree import PACKAGES, parse

# The message packages and libraries that only exist beside ROS.
ROS = {'rclpy', 'cv_bridge', 'launch', 'launch_ros', 'rosbag2_py'}

OURS = {
    'vidplan',
    'vidplan_core',
    'vidplan_eval',
    'vidplan_msgs',
    'vidplan_sim',
    'vidplan_training',
}

ALLOWED = {
    'vidplan_core': set(),
    'vidplan_sim': set(),  # but its node, see NODE_ROOM
    'vidplan_eval': {'vidplan_core', 'vidplan_sim'},
    'vidplan': {'vidplan_core', 'vidplan_eval', 'vidplan_msgs', 'vidplan_sim'},
    'vidplan_training': {'vidplan_core', 'vidplan_eval', 'vidplan_sim'},
}

# The rooms of each package from the lowest level up. A room imports from levels below its own,
# never from above and never from beside. What is inside a room needs no levels, only no circles.
LEVELS: dict[str, Levels] = {
    'vidplan_core': (
        ('errors',),
        ('knobs', 'models', 'registry', 'strict_yaml'),
        ('geometry', 'language', 'policy_server'),
        ('control', 'data'),
        ('world_model',),
        ('heads',),
        ('metrics', 'planner'),
    ),
    'vidplan_sim': (
        ('arm', 'objects'),
        ('render', 'scene'),
        (('parameters', 'push_scenes', 'touching', 'towel_scenes', 'world')),
        ('staging',),
        ('rig',),
        ('cell',),
        ('expert', 'ros'),
    ),
    'vidplan_eval': (
        ('results',),
        ('bags', 'episode', 'phantom', 'viz', 'world'),
        ('datasets',),
        ('landscape', 'replay', 'report', 'speed'),
        ('landscape_picture', 'lockstep'),
        ('suites',),
    ),
    'vidplan': (
        ('parameters',),
        ('bringup', 'ros', 'serving'),
        ('tasks',),
        ('planning_server', 'robots'),
        ('bags', 'page', 'trials'),
        ('cli',),
    ),
    'vidplan_training': (
        ('settings',),
        ('engine',),
        ('collect', 'data'),
        ('recipes',),
        ('evaluation',),
        ('commands',),
        ('cli',),
    ),
}

# The simulator's node and its own helpers talk ROS; nothing else in the package does, nor does
# anything else import them.
NODE_ROOM = 'ros'


def is_ros(module: str) -> bool:
    return module in ROS or module.endswith(('_msgs', '_srvs', '_interfaces'))


def trees(package: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGES[package].rglob('*.py')):
        yield path.relative_to(PACKAGES[package]), parse(path)


def top(name: str) -> str:
    return name.partition('.')[0]


def on_node_side(package: str, path: Path) -> bool:
    return package == 'vidplan_sim' and path.parts[0] == NODE_ROOM


@pytest.fixture(scope='module')
def graph() -> Graph:
    return import_graph(PACKAGES)


@pytest.mark.parametrize('package', PACKAGES)
def test_no_modules_import_each_other(graph: Graph, package: str) -> None:
    assert not [circle for circle in cycles(graph) if top(circle[0]) == package]


@pytest.mark.parametrize('package', PACKAGES)
def test_no_rooms_import_each_other(graph: Graph, package: str) -> None:
    assert not [circle for circle in room_circles(graph) if top(circle) == package]


@pytest.mark.parametrize('package', PACKAGES)
def test_rooms_import_from_levels_below(graph: Graph, package: str) -> None:
    assert not upward(graph, package, LEVELS[package])


def test_every_package_has_sources() -> None:
    assert all(any(folder.rglob('*.py')) for folder in PACKAGES.values())


@pytest.mark.parametrize('package', PACKAGES)
def test_imports_of_ours_point_one_way(package: str) -> None:
    wrong = []
    for path, tree in trees(package):
        allowed = ALLOWED[package] | {package}
        if on_node_side(package, path):
            allowed |= {'vidplan_msgs'}
        wrong += [
            f'{path} imports {name}'
            for name in imported_names(tree)
            if top(name) in OURS - allowed
        ]
    assert not wrong


@pytest.mark.parametrize('package', [package for package in PACKAGES if package != 'vidplan'])
def test_no_ros_below_the_nodes(package: str) -> None:
    wrong = [
        f'{path} imports {name}'
        for path, tree in trees(package)
        if not on_node_side(package, path)
        for name in imported_names(tree)
        if is_ros(top(name))
    ]
    assert not wrong


def test_the_simulator_does_not_know_its_node() -> None:
    wrong = [
        f'{path} imports {name}'
        for path, tree in trees('vidplan_sim')
        if not on_node_side('vidplan_sim', path)
        for name in imported_names(tree)
        if f'{name}.'.startswith(f'vidplan_sim.{NODE_ROOM}.')
    ]
    assert not wrong


@pytest.mark.parametrize('package', PACKAGES)
def test_imports_are_absolute(package: str) -> None:
    """So that the rules above see every import of ours."""
    wrong = [
        f'{path} imports {name}'
        for path, tree in trees(package)
        for name in imported_names(tree)
        if name.startswith('.')
    ]
    assert not wrong
