# SPDX-License-Identifier: Apache-2.0
"""What a replay found: as JSON, as lines in a terminal, and as pictures."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidplan_core.planner.system import PlanningSystem
    from vidplan_eval.bags.observations import ObservationStream
    from vidplan_eval.bags.rosbag import Bag
    from vidplan_eval.replay.fidelity import FidelityMeter
    from vidplan_eval.replay.hindsight import Recorded
    from vidplan_eval.replay.study import ReplayStudy
    from vidplan_eval.viz.runlog import RunLog


def replay_result(
    args: argparse.Namespace,
    bag: Bag,
    stream: ObservationStream,
    recorded: Recorded,
    system: PlanningSystem,
    found: ReplayStudy,
) -> dict[str, Any]:
    """Return everything that is written; two replays differ in `timings` only."""
    import numpy as np

    from vidplan_eval.replay.calibration import calibration_table
    from vidplan_eval.replay.fidelity import fidelity_table

    model = system.world_model.config
    fidelity, in_motion = found.fidelity, np.array(found.in_motion)
    every = np.ones_like(in_motion)
    return {
        'bag': args.bag.name,
        'recorded': asdict(recorded),
        'map': None if stream.guessed is None else asdict(stream.guessed),
        'notes': [*bag.notes, *stream.notes],
        'skipped': {topic: asdict(skipped) for topic, skipped in sorted(bag.skipped.items())},
        'observations': found.seen + found.unread,
        'moments_without_picture': len(stream) - found.seen - found.unread,
        'duration_s': round(found.last_s - found.first_s, 6),
        'windows': len(found.kinds),
        'every': args.every,
        'windows_in_motion': int(in_motion.sum()),
        'views': list(model.views),
        'sampling_steps': system.config.steps,
        'sampler': system.config.sampler,
        'seed': system.config.seed,
        'steps': fidelity_table(fidelity.of(every), model.views, model.frame_period_s),
        'steps_in_motion': fidelity_table(
            fidelity.of(in_motion), model.views, model.frame_period_s
        ),
        'calibration': calibration_table(fidelity, found.kinds, model.frame_period_s, args.every),
        'planner': _planner_result(args, recorded, found),
        'value': _value(recorded, found),
        'timings': _timings(system, found),
    }


def _planner_result(
    args: argparse.Namespace, recorded: Recorded, found: ReplayStudy
) -> dict[str, Any]:
    entries = found.entries
    cosines = [entry['agreement'] for entry in entries if entry.get('agreement') is not None]
    return {
        'instruction': args.instruction or recorded.instruction,
        'target': args.target or recorded.target,
        'plans': len(entries),
        'failed': sum('error' in entry for entry in entries),
        'mean_agreement': sum(cosines) / len(cosines) if cosines else None,
        'compared': len(cosines),
        'cycles': entries,
    }


def _value(recorded: Recorded, found: ReplayStudy) -> dict[str, Any]:
    """How the planner valued the course of things, against how they ended."""
    import numpy as np

    from vidplan_eval.replay.calibration import rank_correlation

    rows = [(e['stamp_s'], e['terms']['value']) for e in found.entries
            if 'value' in e.get('terms', {})]  # fmt: skip
    stamps, values = np.array(rows).reshape(-1, 2).T
    return {
        'outcome': recorded.success,
        'plans': len(rows),
        'first': rows[0][1] if rows else None,
        'last': rows[-1][1] if rows else None,
        'rises': rank_correlation(values, stamps, overlap=1),
    }


def _timings(system: PlanningSystem, found: ReplayStudy) -> dict[str, Any]:
    from vidplan_core.metrics.intervals import percentile

    due_s = system.config.committed_frames * system.world_model.config.frame_period_s
    return {
        'plan_p50_s': percentile(found.latencies_s, 50),
        'plan_p99_s': percentile(found.latencies_s, 99) if len(found.latencies_s) >= 100 else None,
        'plan_longest_s': max(found.latencies_s, default=None),
        'plan_due_s': due_s,
        'plans_late': sum(latency_s > due_s for latency_s in found.latencies_s),
    }


def write_pictures(
    folder: Path,
    log: RunLog,
    found: ReplayStudy,
    meter: FidelityMeter,
    result: dict[str, Any],
) -> None:
    """Write video, report, curves, and pictures of the longest motion and of the worst moments."""
    from vidplan_eval.viz.curves import draw_curves
    from vidplan_eval.viz.pictures import save_png
    from vidplan_eval.viz.report import write_run_report
    from vidplan_eval.viz.video import write_run_video

    video = write_run_video(log, folder / 'replay.mp4')
    facts = {'windows': str(result['windows']), **_facts(result)}
    report = write_run_report(
        log, folder / 'replay.html', video_path=video, facts=facts,
        sections=_fidelity_section(result) + _calibration_section(result['calibration']),
        details={'replay': result},
    )  # fmt: skip
    written = [video, report, *_rollouts(folder, log, found, meter)]
    if any(plan.terms for plan in log.plans):
        written.append(save_png(draw_curves(log), folder / 'curves.png'))
    print(f'wrote {", ".join(str(path) for path in written)}')


def _fidelity_section(result: dict[str, Any]) -> str:
    """PSNR by view and step, where the arm moved if it did, as HTML."""
    from vidplan_eval.viz.report import table

    moved = result['steps_in_motion'][0]['all']['imagined_db'] is not None
    rows = result['steps_in_motion' if moved else 'steps']
    views = [*result['views'], 'all']
    cells = [
        [f'+{entry["time_s"]:.1f}', *(_psnr_cell(entry[view]) for view in views)]
        for entry in rows
    ]
    of = result['windows_in_motion'] if moved else result['windows']
    words = f'imagined / copied / reconstructed, dB, of {of} windows{" in motion" * moved}'
    return f'<h2>PSNR by view and step</h2><p>{words}.</p>{table(["t [s]", *views], cells)}'


def _psnr_cell(entry: dict[str, float | None]) -> str:
    names = ('imagined_db', 'copied_db', 'reconstructed_db')
    values = [entry[name] for name in names]
    return ' / '.join('n/a' if value is None else f'{value:.1f}' for value in values)


def _calibration_section(rows: Sequence[dict[str, Any]]) -> str:
    """Uncertainty against error, by step and by kind of moment, as HTML."""
    from vidplan_eval.viz.report import table

    cells = [
        [
            entry['moments'], f'+{entry["time_s"]:.1f}', str(entry['count']),
            *(_cell(entry[key]) for key in ('error', 'expected_error', 'spearman')),
            ' .. '.join(map(_cell, entry['spearman_95'] or ())),
        ]
        for entry in rows
        if entry['count'] and entry['uncertainty'] is not None
    ]  # fmt: skip
    head = ['moments', 't [s]', 'count', 'error', 'expected error', 'rank correlation', '95 %']
    return f'<h2>Uncertainty and error</h2>{table(head, cells)}' if cells else ''


def _cell(value: float | None) -> str:
    return 'too few' if value is None else f'{value:.3f}'


def _rollouts(folder: Path, log: RunLog, found: ReplayStudy, meter: FidelityMeter) -> list[Path]:
    from vidplan_eval.replay.fidelity import images, stitched
    from vidplan_eval.viz.pictures import rollout_picture, save_png

    assert found.busiest is not None
    named = {'rollout': ('the executed motion, as it was seen and as it was imagined',
                         found.busiest[1])}  # fmt: skip
    for rank, (lost_db, window) in enumerate(found.worst, 1):
        at_s = window.future[0].stamp_s - found.first_s
        title = f'{lost_db:.1f} dB worse than the autoencoder, {at_s:.1f} s after the start'
        named[f'worst_{rank}'] = (title, window)
    written = []
    for name, (title, window) in named.items():
        real = images([window.future])[0].numpy()
        imagined = stitched(meter.imagine([window])[0])
        picture = rollout_picture(real, imagined, views=log.views, title=title)
        written.append(save_png(picture, folder / f'{name}.png'))
    return written


def _facts(result: dict[str, Any]) -> dict[str, str]:
    names = {'steps': 'all windows', 'steps_in_motion': 'windows in motion'}
    facts = {
        f'PSNR at +{result[key][-1]["time_s"]:.1f} s, {names[key]}': (
            '{imagined_db} dB imagined, {copied_db} dB copied, '
            '{reconstructed_db} dB reconstructed'.format(**result[key][-1]['all'])
        )
        for key in names
        if result[key][-1]['all']['imagined_db'] is not None
    }
    facts |= {f'left out of {t}': f'{s["count"]}: {s["reason"]}' for t, s in
              result['skipped'].items()}  # fmt: skip
    return facts | {f'note {number}': note for number, note in enumerate(result['notes'], 1)}


def print_result(result: dict[str, Any]) -> None:
    """Print the headline of a replay, what was left out, and the tables."""
    print(f'{result["bag"]}: {result["observations"]} observations, {result["windows"]} windows')
    recorded = result['recorded']
    if recorded['success'] is not None:
        verdict = 'SUCCESS' if recorded['success'] else 'NO SUCCESS'
        print(f'  recorded: "{recorded["instruction"]}": {verdict} {recorded["message"]}'.rstrip())
    for note in result['notes']:
        print(f'  note: {note}')
    for topic, skipped in result['skipped'].items():
        print(f'  left out {skipped["count"]} of {topic}: {skipped["reason"]}')
    for key, words in (('steps', 'all windows'), ('steps_in_motion', 'windows in motion')):
        if result[key][0]['all']['imagined_db'] is not None:
            _print_table(words, result['views'], result[key])
    _print_calibration(result['calibration'])
    _print_planner(result)


def _print_planner(result: dict[str, Any]) -> None:
    planner, timings = result['planner'], result['timings']
    if not planner['plans']:
        print('no goal in the bag and no --instruction: nothing was planned')
        return
    agreement = planner['mean_agreement']
    words = 'n/a' if agreement is None else f'{agreement:.2f} (of {planner["compared"]})'
    print(
        f'planner for "{planner["instruction"]}": {planner["plans"]} plans, '
        f'{planner["failed"]} failed, mean cosine with what was done {words}'
    )
    errors = [entry['error'] for entry in planner['cycles'] if 'error' in entry]
    for error, count in Counter(errors).most_common(3):
        print(f'  {count} failed: {error}')
    if timings['plan_p50_s'] is not None:
        print(
            f'  {timings["plan_p50_s"]:.2f} s median, {timings["plan_longest_s"]:.2f} s longest; '
            f'{timings["plans_late"]} later than the {timings["plan_due_s"]:.1f} s that they have'
        )


def _print_calibration(table: list[dict[str, Any]]) -> None:
    last = [entry for entry in table if entry['step'] == max(row['step'] for row in table)]
    if all(entry['uncertainty'] is None for entry in last):
        return
    print(f'uncertainty and error of latents at +{last[0]["time_s"]:.1f} s:')
    for entry in last:
        if not entry['count']:
            continue
        correlation = 'too few to correlate'
        if entry['spearman'] is not None:
            low, high = entry['spearman_95']
            correlation = f'rank correlation {entry["spearman"]:.2f} ({low:.2f} .. {high:.2f})'
        print(
            f'  {entry["moments"]:12s} {entry["count"]:5d} moments  error {entry["error"]:.3f}  '
            f'expected {entry["expected_error"] or float("nan"):.3f}  {correlation}'
        )


def _print_table(words: str, views: Sequence[str], table: list[dict[str, Any]]) -> None:
    print(f'PSNR [dB] of {words}: imagined / copied / reconstructed')
    for entry in table:
        cells = (
            '{imagined_db:.1f} / {copied_db:.1f} / {reconstructed_db:.1f}'.format(**entry[view])
            for view in (*views, 'all')
        )
        print(f'  +{entry["time_s"]:.1f} s  ' + '   '.join(cells))
