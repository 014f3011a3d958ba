# SPDX-License-Identifier: Apache-2.0
"""`vidplan parse`: what is understood and what is refused, in lines and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vidplan.cli.main import main


def test_what_is_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / 'read.json'
    texts = ['move slowly to the mug', 'put the carrot in the bowl']
    texts.append('put the left can on the tray')
    assert main(['parse', *texts, '--json', str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        'reach: mug (left out: slowly)',
        'place: carrot -> bowl',
        'place: can [left] -> tray',
    ]
    rows = json.loads(path.read_text())['instructions']
    assert [row['target'] for row in rows] == ['mug', 'carrot', 'can']
    assert rows[2]['which'] == {'by': 'left', 'other': '', 'number': 1}


def test_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['parse', 'pick up the second mug', 'pick up the mug']) == 1
    refused, read = capsys.readouterr().out.splitlines()
    assert refused.startswith("refused: 'second' chooses among objects by order")
    assert read == 'pick: mug'
