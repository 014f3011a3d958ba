# SPDX-License-Identifier: Apache-2.0
"""The model card of the semantic scorer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CARD = """# Semantic scorer of the cell

A small open_clip model (`open_clip_config.json`, `open_clip_model.safetensors`, loaded as
`local-dir:`), trained on rendered views of the simulated cell so that its patches know the
phrases. `semantic.json` says how similarities become relevancy, places and "found".

Made by `vidplan-train semantic`; it knows the objects of the cell and refuses other words.
Trained on views and captions rendered from the cell; licence Apache-2.0, like the code.

## Measured on held-out scenes

Half of the held-out scenes chose the threshold ({threshold}), these are the other {scenes}.

| | |
|---|---|
| own object nearest, of all in the view (top-1) | {top1} |
| centroid error, pixels of a 96x160 view: median / mean / 95 % | {p50} / {mean} / {p95} |
| gripper in the scene views, pixels: median / 95 % | {grip50} / {grip95} |
| visible (>= 20 px in a view) but not found | {false_rejection} |
| not in the scene and refused | {absent_rejected} |
| known objects that are absent and refused | {absent_objects_rejected} |
| unknown words refused | {unknown_words_rejected} |
{decoded}
| phrase | not found though visible | refused when absent | centroid error, px (median / 95 %) |
|---|---|---|---|
{rows}
"""


def write_card(folder: Path, report: dict[str, Any]) -> None:
    """Write README.md from the metrics."""
    error = report['centroid_error_px']
    shown = {
        key: report[key]
        for key in (
            'threshold',
            'scenes',
            'top1',
            'false_rejection',
            'absent_rejected',
            'absent_objects_rejected',
            'unknown_words_rejected',
        )
    }
    rows = '\n'.join(_row(name, values) for name, values in report['phrases'].items())
    grip = report['gripper_error_px']
    text = CARD.format(
        **shown,
        p50=error['p50'],
        mean=error['mean'],
        p95=error['p95'],
        grip50=grip['p50'],
        grip95=grip['p95'],
        decoded=_decoded(report),
        rows=rows,
    )
    (folder / 'README.md').write_text(text)


def _row(name: str, values: dict[str, Any]) -> str:
    error = values['centroid_error_px']
    place = f'{error["p50"]} / {error["p95"]}' if error else '-'
    missed = '-' if values['false_rejection'] is None else values['false_rejection']
    refused = '-' if values['absent_rejected'] is None else values['absent_rejected']
    return f'| {name} | {missed} | {refused} | {place} |'


def _decoded(report: dict[str, Any]) -> str:
    if 'decoded' not in report:
        return ''
    decoded = report['decoded']
    error = decoded['centroid_error_px']
    return (
        '\nThe same scenes as the world model decodes them: '
        f'top-1 {decoded["top1"]}, centroid error {error["p50"]} / {error["mean"]} / '
        f'{error["p95"]} px, false rejection {decoded["false_rejection"]}, '
        f'absent refused {decoded["absent_rejected"]}.\n'
    )
