# SPDX-License-Identifier: Apache-2.0
"""Keeps test runs apart from each other and from robots, and quick on few cores."""

from __future__ import annotations

import os

from tests.fakes.ros_domain import claim_domain

# Before anything imports torch, MuJoCo or rclpy: they read these once.
_domain, _held_until_the_end = claim_domain()
os.environ['ROS_DOMAIN_ID'] = str(_domain)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ.setdefault('MUJOCO_GL', 'egl')
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('LP_NUM_THREADS', '0')
os.environ.setdefault('MPLBACKEND', 'Agg')
# Models come from the repository; a test that reaches for a hub must fail, not download.
os.environ['HF_HUB_OFFLINE'] = '1'

from importlib.util import find_spec  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# Property tests are the same in every run, and have no deadline: on a shared machine a test's
# time says little about the code.
settings.register_profile('vidplan', deadline=None, max_examples=50, derandomize=True)
settings.load_profile('vidplan')


@pytest.fixture(scope='session')
def repository() -> Path:
    """Top of the repository."""
    return Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `ros` where the workspace is not on the path."""
    missing = [name for name in ('rclpy', 'vidplan_msgs') if find_spec(name) is None]
    if not missing:
        return
    skip = pytest.mark.skip(reason=f'no {missing[0]}: run `make setup` and `source env.sh`')
    for item in items:
        if item.get_closest_marker('ros'):
            item.add_marker(skip)
