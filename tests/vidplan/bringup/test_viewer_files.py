# SPDX-License-Identifier: Apache-2.0
"""What the layouts of RViz and Foxglove show is what the graph publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.bags.recording import SETTINGS, recorded

ROOT = Path(__file__).resolve().parents[3]
ROLES = {SETTINGS, *(entry.role for entry in recorded(default_layout().views))}
SOURCES = ''.join(path.read_text() for path in (ROOT / 'src/vidplan/vidplan').rglob('*.py'))
RVIZ = yaml.safe_load((ROOT / 'config/vidplan.rviz').read_text())
FOXGLOVE = json.loads((ROOT / 'config/foxglove.json').read_text())


def topics(part: Any) -> Iterator[str]:
    """All words that begin like a topic."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield from topics([name, value])
    elif isinstance(part, list):
        for value in part:
            yield from topics(value)
    elif isinstance(part, str) and part.startswith('/'):
        yield part.partition('.')[0]


@pytest.mark.parametrize('topic', sorted({*topics(RVIZ), *topics(FOXGLOVE)}))
def test_every_topic_is_published(topic: str) -> None:
    name = topic.removeprefix('/')
    assert {topic, name} & ROLES or f"'{name}'" in SOURCES


def panels(tile: Any) -> Iterator[str]:
    if isinstance(tile, str):
        yield tile
    else:
        for half in ('first', 'second'):
            yield from panels(tile[half])


def test_every_panel_has_its_place() -> None:
    assert sorted(panels(FOXGLOVE['layout'])) == sorted(FOXGLOVE['configById'])
