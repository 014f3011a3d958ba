# SPDX-License-Identifier: Apache-2.0
"""The card of a head that reads latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CARD = """# Relevancy from latents

Says of latents of the world model what the semantic tower says of their pictures, one embedding
per patch, so that imaginations are scored without decoding them: `relevancy: latents` among the
planner's settings. Made by `vidplan-train relevancy-head`; put the folder `relevancy/` beside the
models' others and run `vidplan models seal`.

## Agreement with the tower on {scenes} held-out scenes, {things} things in moments

95 % intervals by scene in brackets; in views in which the tower finds the thing.

| | seen, encoded | imagined |
|---|---|---|
{rows}
"""
ROWS = {
    'correlation': 'correlation of the maps',
    'found_alike': 'views in which both or neither find the thing',
    'same_cell': 'centroid within one patch',
    'same_place': 'fused place within 2 cm',
}


def write_card(folder: Path, found: dict[str, Any]) -> None:
    """Write README.md from the metrics."""
    rows = [
        f'| {text} | {_cell(found["present"], name)} | {_cell(found["imagined"], name)} |'
        for name, text in ROWS.items()
    ]
    text = CARD.format(scenes=found['scenes'], things=found['things'], rows='\n'.join(rows))
    (folder / 'README.md').write_text(text)


def _cell(found: dict[str, Any], name: str) -> str:
    if name not in found:
        return 'not measured'
    low, high = found[f'{name}_95']
    return f'{found[name]:.3f} [{low:.3f}, {high:.3f}]'
