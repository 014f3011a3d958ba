# SPDX-License-Identifier: Apache-2.0
"""The images as their files say them: by digest, without root, told and asked when they end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = Path(__file__).resolve().parents[2] / 'docker'
IMAGES = 'Dockerfile', 'control.Dockerfile'
BOTH = pytest.mark.parametrize('image', IMAGES)


def instructions(image: str) -> list[tuple[str, str]]:
    """Name and words of every instruction, continued lines joined."""
    text = (DOCKER / image).read_text(encoding='utf-8')
    text = re.sub(r'^\s*#.*\n', '', text, flags=re.MULTILINE).replace('\\\n', ' ')
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(name, ' '.join(words.split())) for name, words in lines]


def said(image: str, name: str) -> list[str]:
    return [words for one, words in instructions(image) if one == name]


def services() -> dict[str, Any]:
    return yaml.safe_load((DOCKER / 'compose.yml').read_text(encoding='utf-8'))['services']


@BOTH
def test_the_base_is_one_image_by_its_digest(image: str) -> None:
    (base,) = said(image, 'FROM')
    assert re.fullmatch(r'ros:jazzy-ros-base@sha256:[0-9a-f]{64}', base)
    assert base == said(IMAGES[0], 'FROM')[0]


@BOTH
def test_nothing_runs_as_root(image: str) -> None:
    (user,) = said(image, 'USER')
    names = [name for name, _ in instructions(image)]
    assert 'RUN' not in names[names.index('USER') :]
    made = next(words for words in said(image, 'RUN') if 'useradd' in words)
    assert made.split('useradd')[1].split(' && ')[0].split()[-1] == user
    assert '--uid "$UID"' in made
    assert {'UID=1000', 'GID=1000'} <= set(said(image, 'ARG'))
    assert f'HOME=/home/{user}' in ' '.join(said(image, 'ENV'))


def test_who_plans_may_write_where_it_must_and_use_its_devices() -> None:
    made = next(words for words in said('Dockerfile', 'RUN') if 'useradd' in words)
    assert 'chown -R "$UID:$GID" outputs log' in made
    assert '--groups video,render,dialout' in made
    assert 'ROS_LOG_DIR=/vidplan/outputs/' in ' '.join(said('Dockerfile', 'ENV'))
    planning = services()['planning']
    assert '../outputs:/vidplan/outputs' in planning['volumes']
    assert planning['ipc'] == 'host'
    (device,) = planning['deploy']['resources']['reservations']['devices']
    assert (device['driver'], device['capabilities']) == ('nvidia', ['gpu'])


@BOTH
def test_it_says_how_it_is_ended_and_whether_it_is_well(image: str) -> None:
    assert said(image, 'STOPSIGNAL') == ['SIGINT']
    (check,) = said(image, 'HEALTHCHECK')
    assert '--start-period=' in check
    assert 'CMD ["/entrypoint.sh", "bash", "-c", ' in check
    assert said(image, 'ENTRYPOINT') == ['["/entrypoint.sh"]']


@pytest.mark.parametrize('name', ['control', 'planning'])
def test_services(name: str) -> None:
    service = services()[name]
    assert service['init'] is True
    assert service['stop_signal'] == 'SIGINT'
    assert service['stop_grace_period'] == '20s'
    assert service['build']['args'] == {'UID': '${UID:-1000}', 'GID': '${GID:-1000}'}
    assert 'privileged' not in service
    assert 'user' not in service


def test_the_copied_files_are_there() -> None:
    for image in IMAGES:
        for source in (words.split()[0] for words in said(image, 'COPY')):
            assert (DOCKER.parent / source).exists(), source
    for script in DOCKER.glob('*.sh'):
        assert script.stat().st_mode & 0o111
