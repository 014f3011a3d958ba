# SPDX-License-Identifier: Apache-2.0
"""Pictures from the command line: relevancy over images, curves of a run, heat maps of a plan."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fakes.run_logs import run_log
from vidplan.cli.main import main
from vidplan_core.language.semantic import SemanticScorer
from vidplan_eval.viz.curves import draw_curves, term_curves
from vidplan_sim.cell import Cell
from vidplan_sim.scene import random_scene

MODELS = Path(__file__).resolve().parents[3] / 'models' / 'cell'


def test_a_phrase_is_found_in_picture_files(tmp_path: Path, capsys) -> None:
    cell = Cell(96, 160)
    cell.reset(random_scene(1, count=4))
    views = cell.render(['left', 'right'])
    cell.close()
    paths = []
    for view, image in views.items():
        paths.append(str(tmp_path / f'{view}.png'))
        Image.fromarray(image).save(paths[-1])
    out = tmp_path / 'found.json'
    common = ['--models', str(MODELS), '--json', str(out)]
    assert main(['score', *paths, '--phrase', 'bowl', *common]) == 0
    rows = json.loads(out.read_text())['images']
    assert [row['found'] for row in rows] == [True, True]
    assert Image.open(tmp_path / 'left_relevancy.png').size == (640, 384)
    assert main(['score', paths[0], '--phrase', 'unicorn', *common]) == 1
    assert 'not found' in capsys.readouterr().out
    (tmp_path / 'broken.png').write_text('no picture')
    assert main(['score', str(tmp_path / 'broken.png'), '--phrase', 'bowl', *common]) == 2


def test_no_room_beside_a_picture_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / 'a.png'
    Image.new('RGB', (8, 8)).save(picture)

    def deny(dir: Path) -> None:  # the superuser, who may run this, is denied nothing
        raise PermissionError(errno.EACCES, 'Permission denied')

    monkeypatch.setattr('vidplan_core.models.places.TemporaryFile', deny)
    monkeypatch.setattr(SemanticScorer, 'load', lambda *_, **__: pytest.fail('loaded models'))
    assert main(['score', str(picture), '--phrase', 'bowl']) == 2
    said = capsys.readouterr().err
    assert 'cannot be written: permission denied; name another by --out DIR' in said
    assert said.count('\n') == 1


def test_pictures_of_any_size_are_scored(tmp_path: Path, capsys) -> None:
    cell = Cell(240, 320)
    cell.reset(random_scene(1, count=4))
    Image.fromarray(cell.render(['left'])['left']).save(tmp_path / 'left.png')
    cell.close()
    words = ['score', str(tmp_path / 'left.png'), '--phrase', 'bowl', '--models', str(MODELS)]
    assert main(words) == 0
    assert 'found at' in capsys.readouterr().out


def test_curves_follow_the_plans() -> None:
    log = run_log()
    for index, plan in enumerate(log.plans):
        terms = {'relevancy': 0.5, 'value': 0.1 * index} if index else {}
        log.plans[index] = replace(plan, terms=terms)
    times, curves = term_curves(log)
    assert times[0] == 0.0
    assert list(curves) == ['score', 'relevancy', 'value']
    assert np.isnan(curves['value'][0])
    np.testing.assert_allclose(curves['score'], [plan.score for plan in log.plans])
    assert draw_curves(log).height > 3 * 110
    log.plans.clear()
    with pytest.raises(ValueError, match='no curve'):
        draw_curves(log)
