# SPDX-License-Identifier: Apache-2.0
"""Writes the API reference of the documentation site from the docstrings, without imports.

python scripts/write_api.py             into docs/api, which is not kept under version control
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / 'docs' / 'api'
PACKAGES = ('vidplan_core', 'vidplan_eval', 'vidplan_sim', 'vidplan')
Documented = ast.ClassDef | ast.FunctionDef


def page(package: str, source: Path | None = None) -> str:
    """Return the page of a package: every module, class and function that is not private."""
    source = source or ROOT / 'src' / package / package
    modules = [entry for path in sorted(source.rglob('*.py')) if (entry := _module(path, source))]
    return '\n'.join([f'# {package}', '', 'Written from the docstrings.', '', *modules])


def _module(path: Path, source: Path) -> str:
    """Return the section of a module; '' of a private or an empty one."""
    parts = (source.name, *path.relative_to(source).with_suffix('').parts)
    name = '.'.join(part for part in parts if part != '__init__')
    tree = ast.parse(path.read_text(encoding='utf-8'))
    lines = [line for node in tree.body for line in _entry(node)]
    if not lines or any(part.startswith('_') and part != '__init__' for part in parts):
        return ''
    return '\n'.join([f'## {name}', '', _plain(ast.get_docstring(tree)), '', *lines, ''])


def _entry(node: ast.stmt) -> Iterator[str]:
    """Lines of a public class or function."""
    if not isinstance(node, Documented) or node.name.startswith('_'):
        return
    yield f'### `{_signature(node)}`'
    yield ''
    yield _plain(ast.get_docstring(node))
    yield ''
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            if isinstance(inner, ast.FunctionDef) and not inner.name.startswith('_'):
                first = (ast.get_docstring(inner) or '').partition('\n')[0]
                yield f'- `{_signature(inner)}`: {_escaped(first)}'
        yield ''


def _signature(node: Documented) -> str:
    if isinstance(node, ast.ClassDef):
        bases = ', '.join(ast.unparse(base) for base in node.bases)
        return f'class {node.name}({bases})' if bases else f'class {node.name}'
    returns = f' -> {ast.unparse(node.returns)}' if node.returns else ''
    return f'{node.name}({ast.unparse(node.args)}){returns}'


def _plain(text: str | None) -> str:
    """Return a docstring as it is laid out, so that nothing in it is taken for a mark."""
    if not text:
        return ''
    first, _, rest = text.partition('\n\n')
    return _escaped(first) + (f'\n\n```text\n{rest}\n```' if rest.strip() else '')


def _escaped(text: str) -> str:
    """Return text without marks of Markdown but those of code."""
    parts = text.split('`')
    for place in range(0, len(parts), 2):
        parts[place] = re.sub(r'([<>\[\]*_|])', r'\\\1', parts[place])
    return '`'.join(parts)


def main() -> int:
    """Write every page."""
    OUT.mkdir(exist_ok=True)
    for package in PACKAGES:
        (OUT / f'{package}.md').write_text(page(package), encoding='utf-8')
    print(f'wrote {len(PACKAGES)} pages into {OUT.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
