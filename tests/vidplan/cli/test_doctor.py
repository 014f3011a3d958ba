# SPDX-License-Identifier: Apache-2.0
"""`vidplan doctor`: what is found in environments that are made for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from vidplan.cli.machine import checks
from vidplan.cli.machine.checks import BAD, GOOD, WARNING, MachineFinding
from vidplan.cli.machine.doctor import finding_lines
from vidplan.cli.main import main


@pytest.mark.parametrize(
    ('check', 'environment', 'state', 'told'),
    [
        (checks.check_ros, {'ROS_DISTRO': 'humble'}, BAD, 'humble'),
        (checks.check_domain, {}, GOOD, '0, discovery SUBNET'),
        (checks.check_domain, {'ROS_DOMAIN_ID': '42'}, GOOD, '42'),
        (checks.check_domain, {'ROS_DOMAIN_ID': '200'}, BAD, '200'),
        (checks.check_domain, {'ROS_DOMAIN_ID': 'robot'}, BAD, 'robot'),
        (checks.check_logs, {'HOME': '/tmp'}, GOOD, '/tmp'),
        (checks.check_logs, {'HOME': '/etc/passwd/x'}, BAD, '/etc/passwd/x'),
        (checks.check_middleware, {'RMW_IMPLEMENTATION': 'rmw_none'}, BAD, 'rmw_none'),
        (checks.check_rendering, {}, WARNING, 'MUJOCO_GL'),
        (checks.check_rendering, {'MUJOCO_GL': 'egl'}, GOOD, 'egl'),
    ],
)
def test_findings(
    check: Callable[[Mapping[str, str]], MachineFinding],
    environment: dict[str, str],
    state: str,
    told: str,
) -> None:
    found = check(environment)
    assert (found.state, told in found.words) == (state, True)
    assert bool(found.remedy) == (found.state != GOOD)


def test_a_pointer_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vidplan.bringup import description

    monkeypatch.setattr(description, 'share_directory', lambda: tmp_path)
    assert checks.check_models({}).state == BAD
    weights = tmp_path / 'models/cell/world_model/weights.safetensors'
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n')
    assert 'git lfs pull' in checks.check_models({}).remedy
    weights.write_bytes(b'\0' * 100)
    assert checks.check_models({}).state == GOOD


def test_the_command_writes_what_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'found.json'
    status = main(['doctor', '--json', str(path)])
    findings = json.loads(path.read_text())['findings']
    out = capsys.readouterr().out
    assert all(f['words'] in out for f in findings)
    assert '\033' not in out
    assert status == any(f['state'] == BAD for f in findings)


def test_colours_are_for_terminals() -> None:
    finding = MachineFinding('disk', BAD, 'full', 'make room')
    assert finding_lines(finding, colour=False) == [
        'failed   disk     full', '                  -> make room'
    ]  # fmt: skip
    assert '\033[31mfailed' in finding_lines(finding, colour=True)[0]
