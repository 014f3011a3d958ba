# SPDX-License-Identifier: Apache-2.0
"""The report of a run: one self-contained HTML page that a phone shows as well."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from vidplan_eval.results import write_json
from vidplan_eval.viz import drawing, video
from vidplan_eval.viz.candidates import candidate_pictures, cycle_charts
from vidplan_eval.viz.imagination import StepQuality, executed_steps, takes_over_s
from vidplan_eval.viz.page import PAGE, embedded_picture
from vidplan_eval.viz.pictures import rollout_picture
from vidplan_eval.viz.runlog import PlanRecord, RunLog
from vidplan_eval.viz.summary import deadlines, few, gain_db, run_summary, worst_moments

EMBED_LIMIT_BYTES = 16 * 1024 * 1024
PICTURES = 2


def write_run_report(
    log: RunLog,
    path: Path | str,
    *,
    video_path: Path | str | None = None,
    facts: Mapping[str, str] | None = None,
    sections: str = '',
    details: Mapping[str, Any] | None = None,
) -> Path:
    """Write the page of one run, its numbers as JSON beside it, and return the page's path.

    Args:
        log: the run.
        path: of the HTML file; its folder is created.
        video_path: of the run's video; embedded up to 16 MiB, linked beyond.
        facts: further lines for the list at the end, such as the models and the command.
        sections: further HTML, above the cycles.
        details: further entries of the JSON.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = facts or {}
    steps = executed_steps(log)
    write_json(path.with_suffix('.json'), {**run_summary(log, facts, steps), **(details or {})})
    page = PAGE.substitute(
        title=escape(log.instruction),
        verdict=_verdict(log),
        cards=_cards(log, steps),
        video=_video(Path(video_path), path.parent) if video_path else '',
        rollouts=_rollouts(log),
        quality=_quality_table(log, steps),
        worst=_worst_table(log, steps),
        sections=sections,
        path=_path_picture(log),
        chart=cycle_charts(log),
        futures=candidate_pictures(log),
        cycles=_cycle_table(log, steps),
        facts=_facts(log, facts),
    )
    partial = path.with_name(f'.{path.name}.partial')
    partial.write_text(page, encoding='utf-8')
    partial.replace(path)
    return path


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table; every cell is escaped."""
    header = ''.join(f'<th>{escape(cell)}</th>' for cell in head)
    body = ''.join(
        '<tr>' + ''.join(f'<td>{escape(cell)}</td>' for cell in row) + '</tr>' for row in rows
    )
    return f'<div class="scroll"><table><tr>{header}</tr>{body}</table></div>'


def _verdict(log: RunLog) -> str:
    if log.result is None:
        return '<p class="verdict bad">no result</p>'
    kind = 'good' if log.succeeded else 'bad'
    code = log.result.code + (' by the planner, not by ground truth' if log.misjudged else '')
    return (
        f'<p class="verdict {kind}">{escape(code)}</p>'
        f'<p>{escape(log.verdict)}</p>'
    )


def _cards(log: RunLog, steps: Sequence[StepQuality]) -> str:
    times = deadlines(log)
    gain = [gain_db(step) for step in steps]
    ratios = [plan.time_ratio for plan in log.plans if isfinite(plan.time_ratio)]
    longest = 'plan, 99 %' if times['p99_s'] is not None else f'longest of {times["timed"]} plans'
    cards = {
        'duration': _number(log.result.duration_s if log.result else None, 's', 1),
        'cycles': str(times['cycles']),
        'late plans': f'{times["late"]} of {times["timed"]}',
        'cycles without a plan': str(times['missing']),
        'plan, median' + few(times['timed']): _number(times['p50_s'], 's', 3),
        longest: _number(times['p99_s'] or times['longest_s'], 's', 3),
        'slowest motion': _number(max(ratios, default=None), 'x its time', 2),
        'imagination over copying' + few(len(gain)): _number(
            float(np.mean(gain)) if gain else None, 'dB', 1
        ),
    }
    return ''.join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for name, value in cards.items()
    )


def _number(value: float | None, unit: str, digits: int) -> str:
    return 'n/a' if value is None else f'{value:.{digits}f} {unit}'


def _video(path: Path, folder: Path) -> str:
    if not path.is_file():
        return f'<p>The video {escape(path.name)} was not written.</p>'
    if path.stat().st_size <= EMBED_LIMIT_BYTES:
        source = 'data:video/mp4;base64,' + base64.b64encode(path.read_bytes()).decode()
    else:
        source = escape(os.path.relpath(path, folder))
    return f'<video controls muted playsinline loop src="{source}"></video>'


def _rollouts(log: RunLog) -> str:
    whole = [plan for plan in log.plans if len(plan.predicted) > 1]
    busiest = sorted(whole, key=_length, reverse=True)[:PICTURES]
    return ''.join(_rollout(log, plan) for plan in whole if any(plan is one for one in busiest))


def _length(plan: PlanRecord) -> float:
    return float(np.linalg.norm(plan.position[-1] - plan.position[0]))


def _rollout(log: RunLog, plan: PlanRecord) -> str:
    due = plan.start_s + log.frame_period_s * np.arange(len(plan.predicted))
    seen = [log.seen_near(float(time_s)) for time_s in due]
    real = np.stack([frame.image for frame in seen if frame is not None])
    title = f'Cycle {plan.cycle}: imagined from {due[0] - plan.stamp_s:.1f} s earlier'
    end_s = takes_over_s(log, plan)
    executed = round((end_s - plan.start_s) / log.frame_period_s) if isfinite(end_s) else None
    picture = rollout_picture(
        real,
        plan.predicted,
        views=log.views,
        frame_period_s=log.frame_period_s,
        executed=executed,
        title=title,
    )
    return f'<figure>{embedded_picture(picture, title)}</figure>'


def _quality_table(log: RunLog, steps: Sequence[StepQuality]) -> str:
    if not steps:
        return '<p>The arm moved nowhere that was imagined.</p>'
    rows = []
    for step in sorted({quality.step for quality in steps}):
        of_step = [quality for quality in steps if quality.step == step]
        imagined = np.mean([quality.imagined_db for quality in of_step], axis=0)
        copied = np.mean([quality.copied_db for quality in of_step], axis=0)
        cells = [f'{a:.1f} / {b:.1f}' for a, b in zip(imagined, copied, strict=True)]
        rows.append([f'{step}', str(len(of_step)), *cells])
    return table(['step', 'frames', *log.views], rows)


def _path_picture(log: RunLog) -> str:
    if not log.seen:
        return ''
    trail = np.array([frame.position for frame in log.seen])
    size = (420, 360)
    panels = drawing.canvas(2 * size[0] + 8, size[1])
    for column, plane in enumerate((video.TOP_VIEW, video.SIDE_VIEW)):
        panel = video.draw_path_panel(plane, size, trail, log.plans[-1] if log.plans else None)
        panels.paste(panel, (column * (size[0] + 8), 0))
    return embedded_picture(panels, 'Flange path from above and from the side')


def _worst_table(log: RunLog, steps: Sequence[StepQuality]) -> str:
    rows = [
        [
            f'{step.cycle}', f'{step.step}', f'{100 * step.moved_m:.1f}',
            f'{np.mean(step.imagined_db):.1f}', f'{np.mean(step.copied_db):.1f}',
            f'{gain_db(step):+.1f}',
        ]
        for step in worst_moments(steps)
    ]  # fmt: skip
    head = ['cycle', 'step', 'moved [cm]', 'imagined [dB]', 'copied [dB]', 'gain [dB]']
    return table(head, rows) if rows else ''


def _cycle_table(log: RunLog, steps: Sequence[StepQuality]) -> str:
    origin_s = log.seen[0].stamp_s if log.seen else 0.0
    first = {quality.cycle: quality for quality in steps if quality.step == 1}
    rows = []
    for plan in log.plans:
        quality = first.get(plan.cycle)
        truth = '' if quality is None else f'{np.mean(quality.imagined_db):.1f}'
        scores = ' '.join(f'{score:.3f}' for score in plan.scores)
        rows.append(
            [
                str(plan.cycle),
                f'{plan.stamp_s - origin_s:.1f}',
                str(plan.best),
                f'{plan.score:.3f}',
                f'{plan.latency_s:.3f}',
                f'{plan.time_ratio:.2f}' if isfinite(plan.time_ratio) else '',
                truth,
                scores,
            ]
        )
    head = [
        'cycle', 't [s]', 'best', 'score', 'latency [s]', 'time ratio', 'PSNR +1 [dB]',
        'all candidates',
    ]  # fmt: skip
    return table(head, rows)


def _facts(log: RunLog, facts: Mapping[str, str]) -> str:
    known = {
        'looked for': log.target,
        'scene seed': '' if log.seed is None else str(log.seed),
        'recorded bag': log.bag,
        **facts,
    }
    lines = (f'<dt>{escape(k)}</dt><dd>{escape(v)}</dd>' for k, v in known.items() if v)
    return ''.join(lines)
