# SPDX-License-Identifier: Apache-2.0
"""The report of a data check: counts, findings, and pictures of the worst."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from vidplan_eval.datasets.check import CheckedData, Finding
from vidplan_eval.datasets.episode import Source
from vidplan_eval.datasets.errors import EpisodeError
from vidplan_eval.viz import drawing
from vidplan_eval.viz.page import simple_page
from vidplan_eval.viz.report import embedded_picture, table

# Frames shown around a finding, and the height of a view, pixels.
SHOWN, TILE = 5, 110
LISTED = 200


def write_check_page(found: CheckedData, source: Source, path: Path, pictures: int = 12) -> Path:
    """Write the page and return its path; pictures of the worst findings are read again."""
    counts = [[kind, str(count)] for kind, count in found.counts.items()]
    parts = [
        f'<p>{found.episodes} episodes of {escape(source.name)}, '
        f'{len({f.episode for f in found.findings})} with findings.</p>',
        *(f'<p class="verdict bad">{escape(words)}</p>' for words in found.whole),
        table(['finding', 'episodes'], counts) if counts else '<p>Nothing was found.</p>',
        '<h2>The worst</h2>',
        *(_figure(source, finding) for finding in found.worst(pictures)),
        '<h2>All findings</h2>',
        table(
            ['episode', 'finding', 'frame', 'detail'],
            [
                [f.episode, f.kind, '' if f.frame is None else str(f.frame), f.detail]
                for f in found.findings[:LISTED]
            ],
        ),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(simple_page(f'Data check: {source.name}', '\n'.join(parts)), encoding='utf-8')
    return path


def _figure(source: Source, finding: Finding) -> str:
    title = f'{finding.episode}: {finding.kind}: {finding.detail}'
    picture = _strip(source, finding)
    if picture is None:
        return f'<p>{escape(title)}</p>'
    shown = embedded_picture(picture, title)
    return f'<figure><figcaption>{escape(title)}</figcaption>{shown}</figure>'


def _strip(source: Source, finding: Finding) -> Image.Image | None:
    """Views above each other, frames from one before the finding on beside each other."""
    try:
        episode = source.read(finding.episode)
        if episode.pictures is None:
            return None
        first = max((finding.frame or 0) - 1, 0)
        stride = 1 if finding.frame is not None else max(episode.frames // SHOWN, 1)
        wanted = [first + k * stride for k in range(SHOWN)]
        frames = [views for k, views in enumerate(episode.pictures()) if k in wanted]
    except EpisodeError:
        return None
    return _sheet(frames) if frames else None


def _sheet(frames: list[np.ndarray]) -> Image.Image:
    views, height, width = frames[0].shape[:3]
    tile = round(TILE * width / height), TILE
    sheet = drawing.canvas(len(frames) * (tile[0] + 4), views * (tile[1] + 4))
    for column, frame in enumerate(frames):
        for row, view in enumerate(frame):
            at = column * (tile[0] + 4), row * (tile[1] + 4)
            sheet.paste(drawing.tile(view, *tile), at)
    return sheet
