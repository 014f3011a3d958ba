# SPDX-License-Identifier: Apache-2.0
"""The documentation: every link leads somewhere, and written pages are as the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / 'docs').glob('*.md'))
_LINK = re.compile(r'\]\(([^)#\s]+)(?:#[^)]*)?\)')


def writer(name: str = 'write_docs') -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f'scripts/{name}.py')
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def broken_links(path: Path) -> list[str]:
    """Links of a page to files that are not there; those to other sites are left alone."""
    found = _LINK.findall(path.read_text(encoding='utf-8'))
    local = [link for link in found if '://' not in link and not link.startswith('mailto:')]
    return [link for link in local if not (path.parent / link).exists()]


@pytest.mark.parametrize('path', [*PAGES, ROOT / 'README.md'], ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    assert broken_links(path) == []


def test_a_broken_link_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / 'page.md'
    page.write_text('[a](page.md#top) [b](none.md) [c](https://example.com/x)')
    assert broken_links(page) == ['none.md']


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r'"([\w/]+\.md)"', (ROOT / 'zensical.toml').read_text(encoding='utf-8'))
    written = [f'api/{package}.md' for package in writer('write_api').PACKAGES]
    assert sorted(listed) == sorted([*written, *(page.name for page in PAGES)])


def test_written_pages_are_as_the_code_says() -> None:
    for path, text in writer().pages().items():
        assert path.read_text(encoding='utf-8') == text, 'run scripts/write_docs.py'


def test_every_error_of_a_goal_has_a_remedy() -> None:
    module = writer()
    assert module.codes().keys() <= module.REMEDIES.keys()
    assert module.codes()['TARGET_NOT_FOUND'][0] == 102


def test_every_error_of_a_command_has_a_remedy() -> None:
    codes = re.compile(r"(?:\bcode = |CommandFault\(\s*)'([A-Z_]+)'")
    found = {
        code
        for path in (ROOT / 'src').rglob('*.py')
        for code in codes.findall(path.read_text(encoding='utf-8'))
    }
    assert {'INVALID_BAG', 'DISK_FULL'} <= found
    assert found - {'SUCCESS', 'VIDPLAN_ERROR'} <= writer().REMEDIES.keys()


def test_the_reference_is_made_of_docstrings(tmp_path: Path) -> None:
    source = tmp_path / 'tool'
    source.mkdir()
    (source / '_hidden.py').write_text('def f(): pass\n')
    (source / 'arm.py').write_text(
        '"""Arms of `a_b` and c_d."""\n\ndef move(to: float, *, slow: bool = False) -> int:\n'
        '    """Go there.\n\n    to: in m.\n    """\n\ndef _inner(): pass\n\nclass Arm(Base):\n'
        '    """One."""\n\n    def stop(self) -> None:\n        """At *once*."""\n'
    )
    assert writer('write_api').page('tool', source).splitlines() == [
        '# tool', '', 'Written from the docstrings.', '',
        '## tool.arm', '', 'Arms of `a_b` and c\\_d.', '',
        '### `move(to: float, *, slow: bool=False) -> int`', '', 'Go there.', '',
        '```text', 'to: in m.', '```', '',
        '### `class Arm(Base)`', '', 'One.', '',
        '- `stop(self) -> None`: At \\*once\\*.', '',
    ]  # fmt: skip
