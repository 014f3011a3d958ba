# SPDX-License-Identifier: Apache-2.0
"""What every cycle chose from: curves over time, and the candidates' futures as thumbnails."""

from __future__ import annotations

from html import escape

import numpy as np

from vidplan_eval.viz import charts, drawing
from vidplan_eval.viz.curves import term_curves
from vidplan_eval.viz.imagination import split_views
from vidplan_eval.viz.page import embedded_picture
from vidplan_eval.viz.runlog import PlanRecord, RunLog
from vidplan_eval.viz.summary import due_s

THUMBNAIL = 120
# A page of more pictures takes long to load; these are spread over the run.
MOST_CYCLES = 12


def cycle_charts(log: RunLog) -> str:
    """Return score, its terms, latency and the time that is left of each cycle, as SVG."""
    cycles = [plan.cycle for plan in log.plans]
    drawn = charts.line(cycles, [plan.score for plan in log.plans], 'score')
    scored = [plan.cycle for plan in log.plans if np.isfinite(plan.score)]
    for name, values in term_curves(log)[1].items():
        if name != 'score':
            drawn += charts.line(scored, values.tolist(), name)
    latencies = [plan.latency_s for plan in log.plans]
    drawn += charts.line(cycles, latencies, 'plan latency [s]', floor=0.0)
    due = [due_s(log, plan) for plan in log.plans]
    slack = [np.nan if d is None else d - plan.latency_s for d, plan in zip(due, log.plans)]
    return drawn + charts.line(cycles, slack, 'time left when the plan was there [s]')


def candidate_pictures(log: RunLog) -> str:
    """Return rows of thumbnails: what a cycle's candidates would lead to, and their scores."""
    plans = [plan for plan in log.plans if len(plan.futures)]
    if not plans:
        return ''
    picked = np.unique(np.linspace(0, len(plans) - 1, min(MOST_CYCLES, len(plans))).astype(int))
    rows = ''.join(_row(log, plans[index]) for index in picked)
    shown = f'{len(picked)} of {len(plans)} cycles' if len(picked) < len(plans) else 'every cycle'
    words = 'The last imagined frame of each; the chosen one is framed.'
    return f'<h3>Candidates, {shown}</h3><p>{words}</p>{rows}'


def _row(log: RunLog, plan: PlanRecord) -> str:
    figures = ''.join(
        _figure(log, plan, index, future) for index, future in enumerate(plan.futures)
    )
    return f'<p>cycle {plan.cycle}</p><div class="row">{figures}</div>'


def _figure(log: RunLog, plan: PlanRecord, index: int, future: np.ndarray) -> str:
    view = split_views(future, len(log.views))[0]
    height = round(THUMBNAIL * view.shape[0] / view.shape[1])
    score = f'{plan.scores[index]:.3f}' if index < len(plan.scores) else ''
    picture = embedded_picture(drawing.tile(view, THUMBNAIL, height), f'candidate {index}')
    kind = ' class="chosen"' if index == plan.best else ''
    return f'<figure{kind}>{picture}<figcaption>{escape(score)}</figcaption></figure>'
