# SPDX-License-Identifier: Apache-2.0
"""A report as Markdown and as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from vidplan_eval.viz.page import STYLE
from vidplan_eval.viz.report import table


@dataclass(frozen=True)
class ReportTable:
    """A table of words."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figure:
    """A picture: its file's name, its PNG and what it shows."""

    name: str
    png: bytes
    words: str


Part = str | ReportTable | Figure


@dataclass
class ReportSection:
    """A heading and what stands under it: paragraphs, tables, pictures."""

    title: str
    parts: list[Part] = field(default_factory=list)


def write_document(
    title: str, sections: Sequence[ReportSection], folder: Path
) -> tuple[Path, Path]:
    """Write report.md, with its pictures beside it, and report.html; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for part in section.parts:
            if isinstance(part, Figure):
                (folder / part.name).write_bytes(part.png)
    markdown, page = folder / 'report.md', folder / 'report.html'
    markdown.write_text(to_markdown(title, sections), encoding='utf-8')
    page.write_text(to_html(title, sections), encoding='utf-8')
    return markdown, page


def to_markdown(title: str, sections: Sequence[ReportSection]) -> str:
    """The whole document, pictures by their names."""
    blocks = [f'# {title}']
    for section in sections:
        blocks += [f'## {section.title}', *(_markdown(part) for part in section.parts)]
    return '\n\n'.join(blocks) + '\n'


def to_html(title: str, sections: Sequence[ReportSection]) -> str:
    """The whole document, pictures inside."""
    body = ''.join(
        f'<h2>{escape(section.title)}</h2>' + ''.join(_html(part) for part in section.parts)
        for section in sections
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n'
        f'<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n'
    )


def _markdown(part: Part) -> str:
    if isinstance(part, Figure):
        return f'![{part.words}]({part.name})'
    if isinstance(part, str):
        return part
    lines = [part.head, ['---'] * len(part.head), *part.rows]
    return '\n'.join('| ' + ' | '.join(_cell(cell) for cell in line) + ' |' for line in lines)


def _cell(text: str) -> str:
    return text.replace('|', '\\|').replace('\n', ' ')


def _html(part: Part) -> str:
    if isinstance(part, Figure):
        data = base64.b64encode(part.png).decode()
        return (
            f'<figure><img alt="{escape(part.words)}" src="data:image/png;base64,{data}">'
            '</figure>'
        )
    if isinstance(part, str):
        return f'<p>{escape(part)}</p>'
    return table(part.head, part.rows)
