# SPDX-License-Identifier: Apache-2.0
"""Report, page and viewer show pictures in a real browser, by the means that make the docs."""

from __future__ import annotations

import importlib.util
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.fakes.browser import chromium, colours
from tests.fakes.page_robot import PageRobot
from tests.fakes.run_logs import run_log
from vidplan.page.server import PageServer
from vidplan.page.watch import Watch
from vidplan_eval.viz.report import write_run_report
from vidplan_eval.viz.rerun_view import write_rerun
from vidplan_eval.viz.runlog import RunLog
from vidplan_eval.viz.video import write_run_video

SCRIPT = Path(__file__).resolve().parents[3] / 'scripts' / 'write_screenshots.py'
pytestmark = pytest.mark.skipif(chromium() is None, reason='no Chromium is installed')


@pytest.fixture(scope='module')
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location('write_screenshots', SCRIPT)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def colourful_log() -> RunLog:
    """A run whose cameras show noise, which has more colours than any writing."""
    log, rng = run_log(), np.random.default_rng(0)
    noise = [rng.integers(0, 256, seen.image.shape, np.uint8) for seen in log.seen]
    return replace(log, seen=[replace(s, image=n) for s, n in zip(log.seen, noise, strict=True)])


def test_a_report_shows_the_video(script: ModuleType, tmp_path: Path) -> None:
    log = colourful_log()
    video = write_run_video(log, tmp_path / 'run.mp4')
    page = write_run_report(log, tmp_path / 'report.html', video_path=video)
    assert colours(script.report_picture(page)) > script.COLOURS_OF_PICTURES


def test_the_page_shows_what_cameras_see(script: ModuleType) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    robot = PageRobot(Watch())
    robot.show({'left': noise})
    with PageServer(robot, '127.0.0.1', 0, '') as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        shot = script.page_picture(f'http://127.0.0.1:{server.server_port}/')
        server.shutdown()
    assert colours(shot) > script.COLOURS_OF_PICTURES


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which('rerun') is None, reason='needs rerun-sdk')
def test_the_viewer_shows_what_cameras_saw(script: ModuleType, tmp_path: Path) -> None:
    recording = write_rerun(colourful_log(), tmp_path / 'run.rrd')
    assert colours(script.viewer_picture(recording, still_s=0.0)) >= script.COLOURS_OF_PICTURES
