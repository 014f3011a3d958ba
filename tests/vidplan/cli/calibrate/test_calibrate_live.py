# SPDX-License-Identifier: Apache-2.0
"""A camera is found while a process that speaks as its driver and the arm's goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from tests.vidplan.cli.calibrate.test_calibrate import CAMERA, TAG
from vidplan.cli.main import main
from vidplan.cli.recordings import calibrate_live

pytestmark = pytest.mark.ros
ROOT = Path(__file__).resolve().parents[4]


@contextmanager
def tagged_arm(count: int, encoding: str = 'rgb8', prefix: str = '') -> Iterator[None]:
    module = 'tests.vidplan.cli.calibrate.tagged_arm'
    command = [sys.executable, '-m', module, str(count), encoding, prefix]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == 'ready\n'
        yield
    finally:
        process.kill()
        process.wait()


def calibrate(*words: object) -> int:
    words = ('calibrate', '--live', '--view', 'left', '--tag', TAG.size_m, *words)
    return main([str(word) for word in words])


def test_a_running_arm_says_where_its_camera_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'cameras.json'
    with tagged_arm(12):
        assert calibrate('--poses', 12, '--out', out) == 0
    written = json.loads(out.read_text())['left']
    np.testing.assert_allclose(written['position'], CAMERA[:3, 3], atol=3e-3)
    np.testing.assert_allclose(written['rotation'], CAMERA[:3, :3], atol=6e-3)
    np.testing.assert_allclose(written['focal'], [1.2, 1.6])
    said = capsys.readouterr().out
    assert '12 of 12 looks: seen; go to another pose' in said
    assert '12 looks at the tag; other pictures: ' in said


@pytest.mark.parametrize(
    ('encoding', 'prefix', 'words', 'says'),
    [
        ('rgb8', '', ('--image', '/right/image_raw'),
         'no pictures come on /right/image_raw; there are /left/image_raw. Is the driver'),
        ('mono16', '', (), "/left/image_raw: encoding 'mono16' is that of depth or infrared"),
        ('rgb8', 'panda_', (), '/joint_states: joint state lacks fr3_joint1'),
        ('rgb8', '', ('--joint-states', 'arm'), '/arm: no joint states come; name their topic by'),
    ],
    ids=['no pictures', 'depth', 'another robot', 'no joints'],
)  # fmt: skip
def test_topics_from_which_nothing_follows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    encoding: str, prefix: str, words: tuple[str, ...], says: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(calibrate_live, '_SILENT_S', 6.0)
    with tagged_arm(1, encoding, prefix):
        assert calibrate(*words) == 2
    assert says in capsys.readouterr().err


def test_ctrl_c_ends_the_looking(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    follow = calibrate_live._follow

    def twice_and_ctrl_c(collector: calibrate_live.LookCollector, *words: np.ndarray) -> str:
        said = follow(collector, *words)
        if collector.passed['no tag'] == 2:
            raise KeyboardInterrupt
        return said

    monkeypatch.setattr(calibrate_live, '_follow', twice_and_ctrl_c)
    with tagged_arm(1):
        assert calibrate('--number', 7) == 2
    said = capsys.readouterr()
    assert '0 of 15 looks: no such tag in view' in said.out
    assert 'found in 0 pictures' in said.err
