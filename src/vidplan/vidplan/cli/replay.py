# SPDX-License-Identifier: Apache-2.0
"""`vidplan replay`: compare imagination and plans with what a bag shows really happened."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from vidplan.cli.evaluate import positive

if TYPE_CHECKING:
    from vidplan_core.data.observation import Observation
    from vidplan_core.planner.system import PlanningSystem
    from vidplan_eval.bags.observations import BagSource
    from vidplan_eval.replay.fidelity import FidelityMeter, ObservationWindow
    from vidplan_eval.replay.hindsight import HindsightChoice, Recorded
    from vidplan_eval.viz.runlog import RunLog


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'replay',
        help='compare imagination and plans with what a rosbag2 shows',
        description='Imagines the motions that were really executed, compares with what was then '
        'seen, and shows what the planner would have chosen. Needs neither ROS nor a robot; two '
        'runs give the same numbers.',
    )
    parser.add_argument('bag', type=Path, help='folder of a rosbag2, or one .mcap or .db3 file')
    parser.add_argument(
        '--map',
        type=Path,
        metavar='FILE',
        help='which topic is which camera, arm and gripper; guessed and printed if not given',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the result')
    parser.add_argument('--out', type=Path, metavar='DIR', help='write video, report and picture')
    parser.add_argument('--instruction', default='', help='default: the goal in the bag')
    parser.add_argument('--target', default='', help='phrase to look for')
    parser.add_argument('--models', type=Path, metavar='DIR', help='default: the shipped ones')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--seed', type=int, default=0, help='of the imagination noise')
    parser.add_argument(
        '--plan-every', type=positive, default=2, metavar='N', help='frames between two plans'
    )
    parser.add_argument(
        '--robot',
        default='fr3_hand',
        help='a file of config/robots, or the path of another (default fr3_hand)',
    )
    parser.add_argument(
        '--joint-prefix', default='', help='before every joint name (left: left_fr3_joint1)'
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Replay a bag.

    Raises:
        VidPlanError: an unusable bag, model or instruction.
    """
    import numpy as np

    from vidplan_eval.replay.fidelity import FidelityMeter, fidelity_table, moves
    from vidplan_eval.replay.hindsight import choices
    from vidplan_eval.results import write_json

    began_s = perf_counter()
    recorded, system, observations, found = _read(args)
    read_s = perf_counter() - began_s
    model = system.world_model.config
    meter = FidelityMeter(system.world_model, system.device, system.config.sampling, args.seed)
    fidelity = meter.compare(found)
    in_motion = np.array([moves(window) for window in found])
    tables = {
        name: fidelity_table(fidelity.of(chosen), model.views, model.frame_period_s)
        for name, chosen in (('steps', np.ones_like(in_motion)), ('steps_in_motion', in_motion))
    }
    instruction, target = args.instruction or recorded.instruction, args.target or recorded.target
    asked = bool(instruction or target)
    made = choices(system, found, instruction, target, args.plan_every) if asked else []
    result = {
        **_result(args, recorded, observations, found, system),
        'windows_in_motion': int(in_motion.sum()),
        **tables,
        'planner': _planner_result(instruction, target, made, system.config.committed_frames),
        'timings': {'read_s': read_s, 'total_s': perf_counter() - began_s},
    }
    _print(result)
    if args.json is not None:
        write_json(args.json, result)
    if args.out is not None:
        log = _run_log(instruction, recorded, observations, found, made, meter, args)
        _write_pictures(args.out, log, found, meter, tables)
    return 0


def _read(
    args: argparse.Namespace,
) -> tuple[Recorded, PlanningSystem, list[Observation], list[ObservationWindow]]:
    """Read the bag; what is wrong with it is reported before the models are loaded."""
    from vidplan_eval.bags.observations import read_observations, sees_sensors
    from vidplan_eval.bags.rosbag import Bag
    from vidplan_eval.bags.storage.stored import BagError
    from vidplan_eval.replay.fidelity import windows
    from vidplan_eval.replay.hindsight import recorded_task

    with Bag(args.bag) as bag:
        source = bag_source(args)
        sees_sensors(bag, _views(args), source)
        recorded = recorded_task(bag)
        system = _load(args)
        model = system.world_model.config
        observations = read_observations(bag, model.layout, model.frame_period_s, source)
    sizes = (model.history_frames, model.frames, model.frame_period_s)
    found = windows(observations, *sizes, model.history_ages)
    if not found:
        raise BagError(
            f'{args.bag}: {len(observations)} observations, but never '
            f'{model.history_frames + model.frames - 1} in a row at {model.frame_period_s} s'
        )
    return recorded, system, observations, found


def bag_source(args: argparse.Namespace) -> BagSource:
    """Return how the bag of a parsed command line is to be read."""
    from vidplan_eval.bags.observations import BagSource
    from vidplan_eval.bags.sensor_map import read_sensor_map

    sensors = None if args.map is None else read_sensor_map(args.map)
    return BagSource(sensors, args.robot, args.joint_prefix)


def _load(args: argparse.Namespace) -> PlanningSystem:
    from vidplan.cli.evaluate import load_system

    return load_system(args, seed=args.seed)


def _views(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the views of the world model, without loading its weights."""
    from vidplan.cli.evaluate import models_folder
    from vidplan_core.geometry.camera_files import default_layout
    from vidplan_core.world_model.checkpoint import world_model_config

    models = models_folder(args)
    # A released checkpoint is one file, of a network that sees the default's views.
    is_file = models.is_file()
    return default_layout().views if is_file else world_model_config(models / 'world_model').views


def _result(
    args: argparse.Namespace,
    recorded: Recorded,
    observations: Sequence[Observation],
    found: Sequence[ObservationWindow],
    system: PlanningSystem,
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        'bag': args.bag.name,
        'recorded': asdict(recorded),
        'observations': len(observations),
        'duration_s': round(observations[-1].stamp_s - observations[0].stamp_s, 6),
        'windows': len(found),
        'views': list(system.world_model.config.views),
        'sampling_steps': system.config.steps,
        'sampler': system.config.sampler,
        'seed': args.seed,
    }


def _planner_result(
    instruction: str, target: str, made: Sequence[HindsightChoice], committed_frames: int
) -> dict[str, Any]:
    from vidplan_eval.replay.hindsight import choice_entry

    entries = [choice_entry(choice, committed_frames) for choice in made]
    cosines = [entry['agreement'] for entry in entries if entry.get('agreement') is not None]
    return {
        'instruction': instruction,
        'target': target,
        'plans': len(entries),
        'failed': sum('error' in entry for entry in entries),
        'mean_agreement': sum(cosines) / len(cosines) if cosines else None,
        'compared': len(cosines),
        'cycles': entries,
    }


def _run_log(
    instruction: str,
    recorded: Recorded,
    observations: Sequence[Observation],
    found: Sequence[ObservationWindow],
    made: Sequence[HindsightChoice],
    meter: FidelityMeter,
    args: argparse.Namespace,
) -> RunLog:
    """The bag as a run whose imagined frames are those of the executed motion."""
    from vidplan_eval.logbook import seen_frame
    from vidplan_eval.replay.log import hindsight_record
    from vidplan_eval.viz.runlog import RunLog, RunResult

    log = RunLog(instruction or args.bag.name, args.target or recorded.target, bag=str(args.bag))
    log.replayed = True
    log.views = meter.views
    log.seen = [seen_frame(seen) for seen in observations]
    by_index = {choice.window.index: choice for choice in made}
    for cycle, window in enumerate(found[:: args.plan_every]):
        imagined = meter.imagine([window])[0]
        log.plans.append(hindsight_record(cycle, window, imagined, by_index.get(window.index)))
    if recorded.success is not None:
        code = 'SUCCESS' if recorded.success else 'NO SUCCESS'
        span_s = observations[-1].stamp_s - observations[0].stamp_s
        log.result = RunResult(recorded.success, code, recorded.message, recorded.plans, span_s)
    return log


def _write_pictures(
    folder: Path,
    log: RunLog,
    found: Sequence[ObservationWindow],
    meter: FidelityMeter,
    tables: dict[str, list[dict[str, Any]]],
) -> None:
    from vidplan_eval.replay.fidelity import images, stitched
    from vidplan_eval.viz.curves import draw_curves
    from vidplan_eval.viz.pictures import rollout_picture, save_png
    from vidplan_eval.viz.report import write_run_report
    from vidplan_eval.viz.video import write_run_video

    video = write_run_video(log, folder / 'replay.mp4')
    facts = {'windows': str(len(found)), **_facts(tables)}
    report = write_run_report(log, folder / 'replay.html', video_path=video, facts=facts)
    busiest = max(found, key=_motion)
    picture = rollout_picture(
        images([busiest.future])[0].numpy(),
        stitched(meter.imagine([busiest])[0]),
        views=log.views,
        title='the executed motion, as it was seen and as it was imagined',
    )
    save_png(picture, folder / 'rollout.png')
    written = [str(video), str(report), str(folder / 'rollout.png')]
    if any(plan.terms for plan in log.plans):
        written.append(str(save_png(draw_curves(log), folder / 'curves.png')))
    print(f'wrote {", ".join(written)}')


def _facts(tables: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    names = {'steps': 'all windows', 'steps_in_motion': 'windows in motion'}
    return {
        f'PSNR at +{table[-1]["time_s"]:.1f} s, {names[key]}': (
            '{imagined_db} dB imagined, {copied_db} dB copied, '
            '{reconstructed_db} dB reconstructed'.format(**table[-1]['all'])
        )
        for key, table in tables.items()
        if table[-1]['all']['imagined_db'] is not None
    }


def _motion(window: ObservationWindow) -> float:
    return float(abs(window.future[-1].position - window.future[0].position).sum())


def _print(result: dict[str, Any]) -> None:
    print(f'{result["bag"]}: {result["observations"]} observations, {result["windows"]} windows')
    for key, words in (('steps', 'all windows'), ('steps_in_motion', 'windows in motion')):
        if result[key][0]['all']['imagined_db'] is not None:
            _print_table(words, result['views'], result[key])
    planner = result['planner']
    if planner['plans']:
        agreement = planner['mean_agreement']
        words = 'n/a' if agreement is None else f'{agreement:.2f}'
        print(
            f'planner for "{planner["instruction"]}": {planner["plans"]} plans, '
            f'{planner["failed"]} failed, mean cosine with what was done {words}'
        )
    else:
        print('no goal in the bag and no --instruction: nothing was planned')


def _print_table(words: str, views: Sequence[str], table: list[dict[str, Any]]) -> None:
    print(f'PSNR [dB] of {words}: imagined / copied / reconstructed')
    for entry in table:
        cells = (
            '{imagined_db:.1f} / {copied_db:.1f} / {reconstructed_db:.1f}'.format(**entry[view])
            for view in (*views, 'all')
        )
        print(f'  +{entry["time_s"]:.1f} s  ' + '   '.join(cells))
