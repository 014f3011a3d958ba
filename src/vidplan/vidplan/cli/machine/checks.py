# SPDX-License-Identifier: Apache-2.0
"""What a machine needs for VidPlan, one function per thing; nothing is changed by looking."""

from __future__ import annotations

import ctypes
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from vidplan.ros.log_folder import LogFolderError, log_folder
from vidplan_core.models.mistaken import mistaken_for
from vidplan_core.models.places import folder_problem, nearest

GOOD, WARNING, BAD = 'ok', 'warning', 'failed'

# Domains from here on collide with the ports that Linux gives to clients (ROS 2 documentation).
_LAST_SAFE_DOMAIN = 101
_DISK_MB = 2000
# adjtimex(2): the kernel says that no time service keeps the clock.
_TIME_ERROR = 5


@dataclass(frozen=True)
class MachineFinding:
    """What one look found.

    Attributes:
        name: what was looked at.
        state: one of GOOD, WARNING, BAD.
        words: what is there.
        remedy: what to do; '' where nothing has to be done.
    """

    name: str
    state: str
    words: str
    remedy: str = ''


def check_python(environment: Mapping[str, str]) -> MachineFinding:
    """Look at the version of Python."""
    version = '.'.join(map(str, sys.version_info[:3]))
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        return MachineFinding('python', BAD, version, 'use Python 3.10 to 3.13')
    return MachineFinding('python', GOOD, f'{version}, {sys.executable}')


def check_ros(environment: Mapping[str, str]) -> MachineFinding:
    """Look for ROS 2 Jazzy and the built workspace."""
    distribution = environment.get('ROS_DISTRO', '')
    if distribution and distribution != 'jazzy':
        return MachineFinding('ros', BAD, f'{distribution} is sourced', 'open a shell without it')
    if find_spec('rclpy') is None:
        return MachineFinding(
            'ros', BAD, 'rclpy is not on the path', '`source env.sh` of the checkout'
        )
    if find_spec('vidplan_msgs') is None:
        return MachineFinding(
            'ros', BAD, 'vidplan_msgs is not built', '`make setup`, `source env.sh`'
        )
    return MachineFinding(
        'ros', GOOD, f'{distribution or "jazzy, from wheels"}; the workspace is built'
    )


def check_middleware(environment: Mapping[str, str]) -> MachineFinding:
    """Look for the middleware that the environment asks for."""
    name = environment.get('RMW_IMPLEMENTATION', '') or 'rmw_fastrtps_cpp'
    prefixes = environment.get('AMENT_PREFIX_PATH', '').split(':')
    if any((Path(prefix) / 'share' / name).is_dir() for prefix in prefixes if prefix):
        return MachineFinding('rmw', GOOD, name)
    return MachineFinding(
        'rmw', BAD, f'{name} is not installed', 'unset RMW_IMPLEMENTATION, or install it'
    )


def check_domain(environment: Mapping[str, str]) -> MachineFinding:
    """Look at the ROS domain."""
    text = environment.get('ROS_DOMAIN_ID', '')
    near = environment.get('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    if text and not (text.isdigit() and int(text) <= _LAST_SAFE_DOMAIN):
        return MachineFinding(
            'domain', BAD, f'ROS_DOMAIN_ID is {text!r}', 'set it to a number of 0 to 101'
        )
    return MachineFinding(
        'domain', GOOD, f'{text or 0}, discovery {near}; the robot must have the same'
    )


def check_logs(environment: Mapping[str, str]) -> MachineFinding:
    """Look whether ROS can write its logs."""
    try:
        return MachineFinding('logs', GOOD, str(log_folder(environment)))
    except LogFolderError as error:
        return MachineFinding('logs', BAD, error.problem, 'set HOME or ROS_LOG_DIR')


def check_gpu(environment: Mapping[str, str]) -> MachineFinding:
    """Look for a GPU; the models for the cell need none."""
    from vidplan.cli.gpu import gpu_count, gpu_problem

    problem = gpu_problem()
    if not problem:
        return MachineFinding('gpu', GOOD, f'{gpu_count()} for --device cuda')
    return MachineFinding('gpu', WARNING, problem, 'none is needed for the models of the cell')


def check_disk(environment: Mapping[str, str]) -> MachineFinding:
    """Look for room and permission where outputs go."""
    place = Path('outputs')
    if problem := folder_problem(place):
        return MachineFinding('disk', BAD, problem, 'say --out, or cd')
    free_mb = shutil.disk_usage(nearest(place)).free // 1_000_000
    words = f'{free_mb / 1000:.1f} GB free for outputs/'
    if free_mb < _DISK_MB:
        return MachineFinding(
            'disk', WARNING, words, f'a recording wants {_DISK_MB / 1000:.0f} GB'
        )
    return MachineFinding('disk', GOOD, words)


def check_models(environment: Mapping[str, str]) -> MachineFinding:
    """Look for the shipped models, and that they are weights and no pointers to them."""
    from vidplan.bringup.description import share_directory

    folder = share_directory() / 'models' / 'cell'
    files = sorted(folder.rglob('*.safetensors'))
    if not files:
        return MachineFinding(
            'models', BAD, f'{folder} has no weights', 'get the whole repository'
        )
    for file in files:
        if what := mistaken_for(file):
            words, _, remedy = what.partition(': ')
            return MachineFinding('models', BAD, f'{file} {words}', remedy)
    size_mb = sum(file.stat().st_size for file in files) / 1e6
    return MachineFinding('models', GOOD, f'{folder}: {len(files)} files, {size_mb:.0f} MB')


def check_clock(environment: Mapping[str, str]) -> MachineFinding:
    """Ask the kernel whether a time service keeps the clock, by which stamps are compared."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return MachineFinding('clock', WARNING, 'not known on this system')
    if state == _TIME_ERROR:
        return MachineFinding(
            'clock', WARNING, 'no time service keeps it', 'run chrony here and on the robot'
        )
    return MachineFinding('clock', GOOD, 'kept by a time service')


def check_rendering(environment: Mapping[str, str]) -> MachineFinding:
    """Look for what renders the simulated cell without a screen."""
    kind = environment.get('MUJOCO_GL', '') or 'glfw'
    if find_spec('mujoco') is None:
        return MachineFinding('cell', BAD, 'mujoco is not installed', '`make setup`')
    if kind == 'glfw' and not environment.get('DISPLAY'):
        return MachineFinding(
            'cell', WARNING, 'no screen, and MUJOCO_GL is not set', 'MUJOCO_GL=egl'
        )
    return MachineFinding('cell', GOOD, f'mujoco, rendering by {kind}')


CHECKS: tuple[Callable[[Mapping[str, str]], MachineFinding], ...] = (
    check_python, check_ros, check_middleware, check_domain, check_logs, check_gpu, check_disk,
    check_models, check_clock, check_rendering,
)  # fmt: skip
