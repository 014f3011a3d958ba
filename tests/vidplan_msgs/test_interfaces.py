# SPDX-License-Identifier: Apache-2.0
"""Every field of every interface is explained, and every error has a number of its own."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / 'src/vidplan_msgs'
FILES = sorted(
    path for kind in ('msg', 'srv', 'action') for path in (FOLDER / kind).glob(f'*.{kind}')
)
CONSTANT = re.compile(r'^(?P<type>\w+) (?P<name>[A-Z][A-Z0-9_]*)=(?P<value>\d+)')


def sections(path: Path) -> list[list[str]]:
    text = path.read_text(encoding='utf-8')
    return [part.splitlines() for part in re.split(r'^---$', text, flags=re.MULTILINE)]


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_every_field_has_a_comment(path: Path) -> None:
    """Above it (fields in a row share one), or behind it."""
    for lines in sections(path):
        explained = False
        for line in lines:
            if not line.strip():
                explained = False
            elif line.startswith('#'):
                explained = True
            elif not CONSTANT.match(line) and '#' not in line:
                assert explained, f'{path.name}: {line}'


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_every_constant_has_a_comment_and_its_own_value(path: Path) -> None:
    for lines in sections(path):
        seen: dict[str, list[str]] = {}
        for line in lines:
            if match := CONSTANT.match(line):
                assert '#' in line or match['name'] == 'NONE', line
                seen.setdefault(match['type'], []).append(match['value'])
        for values in seen.values():
            assert len(values) == len(set(values))


def test_the_adapter_has_a_number_for_every_reason_of_the_core() -> None:
    from vidplan_core.control import rejection, watchdog

    status = (FOLDER / 'msg/AdapterStatus.msg').read_text(encoding='utf-8')
    numbered = {match['name'] for line in status.splitlines() if (match := CONSTANT.match(line))}
    reasons = {
        value
        for module in (rejection, watchdog)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    assert reasons - {watchdog.FINE} <= numbered


def test_all_files_are_generated() -> None:
    cmake = (FOLDER / 'CMakeLists.txt').read_text(encoding='utf-8')
    assert all(f'{path.parent.name}/{path.name}' in cmake for path in FILES)


@pytest.mark.ros
@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_the_built_interface_is_the_written_one(path: Path) -> None:
    module = importlib.import_module(f'vidplan_msgs.{path.parent.name}')
    interface = getattr(module, path.stem)
    parts = {'msg': [''], 'srv': ['Request', 'Response'], 'action': ['Goal', 'Result', 'Feedback']}
    for part, lines in zip(parts[path.parent.name], sections(path), strict=True):
        generated = getattr(interface, part) if part else interface
        for line in lines:
            if match := CONSTANT.match(line):
                assert getattr(generated, match['name']) == int(match['value'])
