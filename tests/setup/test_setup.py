# SPDX-License-Identifier: Apache-2.0
"""The set-up script: what it says when something is missing, and that repeating it is quick."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy
import pytest

ROOT = Path(__file__).resolve().parents[2]

# In every package.
READ = 'package.xml', 'setup.py', 'setup.cfg'

BARE_ENVIRONMENT = {'PATH': os.environ['PATH'], 'HOME': os.environ.get('HOME', '/')}


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / 'scripts' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def empty_checkout(tmp_path: Path) -> Path:
    """A folder with the sources that the set-up reads and nothing installed."""
    root = tmp_path / 'checkout'
    for folder in ('scripts', 'requirements', 'src/vidplan_msgs'):
        shutil.copytree(ROOT / folder, root / folder)
    for path in (p for name in READ for p in (ROOT / 'src').glob(f'*/{name}')):
        (root / 'src' / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, root / 'src' / path.parent.name)
    shutil.copy(ROOT / 'colcon.meta', root)
    (root / 'training').mkdir()
    shutil.copy(ROOT / 'training/pyproject.toml', root / 'training')
    return root


def fake_commands(folder: Path, **bodies: str) -> Path:
    """A folder of commands that stand in for the system's."""
    folder.mkdir()
    for name, body in bodies.items():
        path = folder / name.replace('_', '-')
        path.write_text(f'#!/bin/sh\n{body}\n', encoding='utf-8')
        path.chmod(0o755)
    return folder


def set_up(root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ['bash', str(root / 'scripts/setup.sh')],
        env=BARE_ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_without_root_it_says_what_to_install(empty_checkout: Path, tmp_path: Path) -> None:
    fakes = fake_commands(
        tmp_path / 'bin', dpkg_query='exit 1', id='echo 1000', sudo='exit 1', apt_get='exit 1'
    )
    result = set_up(empty_checkout, PATH=f'{fakes}:{os.environ["PATH"]}', PYTHON=sys.executable)
    assert result.returncode == 1
    assert 'sudo apt-get install --no-install-recommends libegl1 libopengl0 libgl1-mesa-dri' in (
        result.stderr
    )
    assert not (empty_checkout / '.venv').exists()


def test_as_root_it_installs_what_is_missing(empty_checkout: Path, tmp_path: Path) -> None:
    calls = tmp_path / 'calls'
    fakes = fake_commands(
        tmp_path / 'bin', dpkg_query='exit 1', id='echo 0', apt_get=f'echo "$@" >> {calls}; exit 7'
    )
    result = set_up(empty_checkout, PATH=f'{fakes}:{os.environ["PATH"]}', PYTHON=sys.executable)
    assert result.returncode == 1
    assert 'system packages: libegl1 libopengl0 libgl1-mesa-dri' in result.stdout
    assert 'log/setup.log' in result.stderr
    assert calls.read_text(encoding='utf-8').startswith('update')


def test_a_sourced_ros_must_have_what_the_packages_name(
    empty_checkout: Path, tmp_path: Path
) -> None:
    index = tmp_path / 'ros/share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    (index / 'rclpy').touch()
    fakes = fake_commands(
        tmp_path / 'bin', dpkg_query='echo installed', id='echo 1000', sudo='exit 1'
    )
    result = set_up(
        empty_checkout,
        PATH=f'{fakes}:{os.environ["PATH"]}',
        PYTHON=sys.executable,
        ROS_DISTRO='jazzy',
        AMENT_PREFIX_PATH=str(tmp_path / 'ros'),
    )
    assert result.returncode == 1
    assert 'ros-jazzy-cv-bridge' in result.stderr
    assert 'ros-jazzy-sensor-msgs' in result.stderr
    assert 'rclpy' not in result.stderr
    assert 'vidplan' not in result.stderr.partition('apt-get install')[2]


@pytest.mark.parametrize('python', ['/nonexistent/python3', '/bin/false'])
def test_an_unfit_python_is_named(empty_checkout: Path, python: str) -> None:
    result = set_up(empty_checkout, PYTHON=python)
    assert result.returncode == 1
    assert f'PYTHON={python} is not a Python from 3.10 to 3.13' in result.stderr


@pytest.mark.parametrize('meanwhile', ['', 'echo >> colcon.meta'], ids=['quiet', 'checkout'])
def test_what_changes_during_a_build_is_built_next(
    empty_checkout: Path, tmp_path: Path, meanwhile: str
) -> None:
    fakes = fake_commands(tmp_path / 'bin', dpkg_query='echo installed')
    build = f'case "$*" in *colcon*) mkdir -p install\n{meanwhile}\nesac'
    (empty_checkout / '.venv').mkdir()
    (empty_checkout / '.venv/.vidplan-mode').write_text('wheels')
    fake_commands(empty_checkout / '.venv/bin', python=build)
    (empty_checkout / 'env.sh').write_text('PATH="$PWD/.venv/bin:$PATH"\n')
    path = f'{fakes}:{os.environ["PATH"]}'
    first = set_up(empty_checkout, PATH=path, PYTHON=sys.executable)
    assert (first.returncode, first.stderr) == (0, '')
    again = set_up(empty_checkout, PATH=path, PYTHON=sys.executable)
    assert again.returncode == 0
    assert ('workspace: ' in again.stdout) == bool(meanwhile)


@pytest.mark.ros
def test_a_second_call_finds_nothing_to_do() -> None:
    environment = {name: os.environ[name] for name in ('ROS_DISTRO',) if name in os.environ}
    set_up(ROOT, **environment)
    result = set_up(ROOT, **environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ''


# --- env.sh ------------------------------------------------------------------------------------


@pytest.mark.ros
@pytest.mark.parametrize('shell', ['bash', 'zsh'])
def test_env_brings_the_commands_from_any_folder(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f'no {shell} here')
    result = subprocess.run(
        [shell, '-c', f'source {ROOT}/env.sh && command -v vidplan vidplan-train python'],
        cwd=tmp_path,
        env=BARE_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == [
        f'{ROOT}/.venv/bin/{name}' for name in ('vidplan', 'vidplan-train', 'python')
    ]


def test_env_before_the_set_up_says_what_to_do(tmp_path: Path) -> None:
    shutil.copy(ROOT / 'env.sh', tmp_path)
    result = subprocess.run(
        ['bash', '-c', 'source ./env.sh'],
        cwd=tmp_path,
        env=BARE_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "run 'make setup'" in result.stderr


@pytest.fixture
def built_checkout(tmp_path: Path) -> Path:
    """A checkout that was built without ROS, with what colcon writes cut short."""
    shutil.copy(ROOT / 'env.sh', tmp_path)
    (tmp_path / '.venv').mkdir()
    (tmp_path / '.venv/.vidplan-mode').write_text('wheels')
    (tmp_path / 'install').mkdir()
    (tmp_path / 'install/local_setup.bash').write_text('[ -z "$COLCON_CURRENT_PREFIX" ] && B=1\n')
    return tmp_path


@pytest.mark.parametrize('option', ['-u', '+u'])
def test_env_leaves_shell_options_as_they_are(built_checkout: Path, option: str) -> None:
    script = f'set {option}; source ./env.sh; case $- in *u*) echo -u ;; *) echo +u ;; esac'
    result = subprocess.run(
        ['bash', '-c', script],
        cwd=built_checkout, env=BARE_ENVIRONMENT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (result.stdout.strip(), result.stderr) == (option, '')


def test_env_refuses_another_ros(built_checkout: Path) -> None:
    result = subprocess.run(
        ['bash', '-c', 'source ./env.sh'],
        cwd=built_checkout, env=BARE_ENVIRONMENT | {'ROS_DISTRO': 'humble'},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode != 0
    assert 'this shell has humble sourced' in result.stderr


# --- the include folders of the ROS wheels -----------------------------------------------------


def test_cmake_files_point_at_this_python(tmp_path: Path) -> None:
    module = script('fix_cmake_paths')
    cmake = tmp_path / 'share/thing/cmake/thingExport.cmake'
    cmake.parent.mkdir(parents=True)
    cmake.write_text(
        'INCLUDE "${_IMPORT_PREFIX}/include;/opt/python/cp312-cp312/include/python3.12;'
        '/opt/python/cp312-cp312/lib/python3.12/site-packages/numpy/_core/include"\n',
        encoding='utf-8',
    )
    assert module.fix(tmp_path / 'share') == 1
    text = cmake.read_text(encoding='utf-8')
    assert '/opt/python' not in text
    assert numpy.get_include() in text
    assert '${_IMPORT_PREFIX}/include;' in text
    assert module.fix(tmp_path / 'share') == 0
