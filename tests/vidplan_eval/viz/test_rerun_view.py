# SPDX-License-Identifier: Apache-2.0
"""Recordings for the Rerun viewer: what a run has is in them, and the arm is where it was."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('rerun', reason='needs rerun-sdk')

from tests.fakes.run_logs import run_log, stitched
from tests.fakes.synthetic_bag import write_bag
from vidplan.cli.main import main
from vidplan.cli.recordings.view import LOOPBACK, viewer_command
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import flange_pose
from vidplan_eval.viz.arm_meshes import ArmMeshes
from vidplan_eval.viz.rerun_view import RerunView, write_rerun


def entities(path: Path) -> set[str]:
    """The entity paths in a file, as Rerun's own program reads them."""
    program = shutil.which('rerun')
    assert program is not None
    done = subprocess.run(
        [program, 'rrd', 'print', str(path)], capture_output=True, text=True, check=True
    )
    return set(re.findall(r'/((?:views|world|curves|candidates|log)[\w/]*)', done.stdout))


def test_everything_of_a_run_is_written(tmp_path: Path) -> None:
    log = run_log()
    futures, heat = np.stack([stitched(k) for k in range(6)]), log.plans[0].predicted[1:]
    log.plans = [
        replace(plan, futures=futures, heat=heat, terms={'value': 0.5}) for plan in log.plans
    ]
    found = entities(write_rerun(log, tmp_path / 'sub' / 'run.rrd'))
    wanted = {f'views/{v}/{k}' for v in log.views for k in ('seen', 'imagined', 'heat')}
    wanted |= {'world/taken', 'world/candidates', 'world/chosen', 'log', 'candidates/5'}
    wanted |= {'curves/score', 'curves/value', 'curves/latency_s', 'curves/due_s'}
    assert wanted <= found
    assert any(path.startswith('world/arm/fr3_link7') for path in found)


def test_a_run_can_be_written_while_it_goes_on(tmp_path: Path) -> None:
    log = run_log()
    whole = replace(log, seen=list(log.seen), plans=list(log.plans))
    log.seen, log.plans, log.result = log.seen[:3], log.plans[:1], None
    view = RerunView(tmp_path / 'run.rrd')
    view.update(log)
    view.finish(whole)
    assert entities(tmp_path / 'run.rrd') == entities(write_rerun(whole, tmp_path / 'b.rrd'))


def test_the_meshes_stand_where_the_kinematics_say() -> None:
    """The hand's mesh is at one place of the flange, whatever the angles."""
    arm = ArmMeshes()
    hand = next(i for i, part in enumerate(arm.parts) if part.name.startswith('hand'))
    in_flange = []
    for q in ([0.0, -0.7, 0.0, -2.3, 0.0, 1.6, 0.8], [0.4, -0.5, 0.2, -2.0, 0.1, 1.5, 0.3]):
        place, _ = arm.places(np.array(q))[hand]
        position, rotation = flange_pose(torch.tensor(q, dtype=torch.float64))
        in_flange.append(rotation.numpy().T @ (place - position.numpy()))
    np.testing.assert_allclose(in_flange[0], in_flange[1], atol=1e-3)


def test_a_bag_becomes_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_bag(tmp_path / 'bag')
    file = tmp_path / 'bag.rrd'
    assert main(['view', str(bag), '--rrd', str(file)]) == 0
    assert capsys.readouterr().out.strip() == str(file)
    assert {'views/left/seen', 'world/taken', 'curves/gripper'} <= entities(file)


def test_the_web_viewer_listens_on_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    command = viewer_command(False, 'x.rrd')
    assert command[command.index('--bind') + 1] == LOOPBACK
    assert '--serve-web' in command
    monkeypatch.setenv('DISPLAY', ':0')
    assert '--serve-web' not in viewer_command(False)
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    with pytest.raises(ConfigError, match='pip install rerun-sdk'):
        viewer_command(False)
