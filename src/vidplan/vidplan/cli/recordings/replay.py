# SPDX-License-Identifier: Apache-2.0
"""`vidplan replay`: compare imagination and plans with what a bag shows really happened."""

from __future__ import annotations

import argparse
import textwrap
from time import perf_counter
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import (
    device,
    existing_bag,
    existing_file,
    models,
    output_file,
    output_folder,
    positive,
    seconds,
    seed,
)
from vidplan.cli.recordings.bag import add_map, bag_source
from vidplan.cli.recordings.replay_cycles import run_again
from vidplan.cli.recordings.replay_result import print_result, replay_result, write_pictures
from vidplan.cli.terminal import StatusLine

if TYPE_CHECKING:
    from vidplan_core.planner.system import PlanningSystem
    from vidplan_eval.bags.observations import ObservationStream
    from vidplan_eval.bags.rosbag import Bag
    from vidplan_eval.replay.fidelity import FidelityMeter
    from vidplan_eval.replay.hindsight import Recorded
    from vidplan_eval.replay.study import ReplayStudy
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
    parser.add_argument(
        'bag', type=existing_bag, help='folder of a rosbag2, or one .mcap or .db3 file'
    )
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the result')
    parser.add_argument(
        '--out', type=output_folder, metavar='DIR', help='write video, report and picture'
    )
    parser.add_argument('--instruction', default='', help='default: the goal in the bag')
    parser.add_argument('--target', default='', help='phrase to look for')
    parser.add_argument('--models', type=models, metavar='DIR', help='default: the shipped ones')
    parser.add_argument('--device', type=device, default='cpu')
    parser.add_argument('--seed', type=seed, help='of the imagination noise (default 0)')
    parser.add_argument(
        '--plan-every', type=positive, default=2, metavar='N', help='windows between two plans'
    )
    parser.add_argument(
        '--every',
        type=positive,
        default=1,
        metavar='N',
        help='imagine and compare at every Nth moment only: long bags in less time',
    )
    parser.add_argument('--params', type=existing_file, metavar='YAML', help='how to plan')
    parser.add_argument(
        '--again',
        action='store_true',
        help='only make the plans of the recorded run again, each from what it was made from, and '
        'compare scores, value and uncertainty with what was planned online; exit 1 if one '
        'differs',
    )
    parser.add_argument(
        '--pictures-s',
        type=seconds,
        default=120.0,
        metavar='S',
        help='how much of the beginning video and report show [s]; numbers are of all of it',
    )
    add_map(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Replay a bag.

    Raises:
        VidPlanError: an unusable bag, model or instruction.
    """
    from vidplan_eval.bags.rosbag import Bag

    with Bag(args.bag) as bag:  # before torch is loaded
        return run_again(args, bag) if args.again else _replay(args, bag)


def _replay(args: argparse.Namespace, bag: Bag) -> int:
    from vidplan_eval.bags.observations import sees_sensors
    from vidplan_eval.replay.hindsight import recorded_task
    from vidplan_eval.results import write_json

    began_s = perf_counter()
    sees_sensors(bag, _views(args), bag_source(args))  # before models are loaded
    recorded = recorded_task(bag)
    system = _load(args)
    stream = _stream(args, bag, system)
    meter = _meter(args, system)
    log = None if args.out is None else _run_log(args, recorded, meter)
    found = _study(args, bag, stream, system, meter, recorded, log)
    result = replay_result(args, bag, stream, recorded, system, found)
    result['timings'] |= {'total_s': perf_counter() - began_s}
    print_result(result)
    if args.json is not None:
        write_json(args.json, result)
    if log is not None:
        _end_log(log, recorded, found)
        write_pictures(args.out, log, found, meter, result)
    return 0


def _stream(args: argparse.Namespace, bag: Bag, system: PlanningSystem) -> ObservationStream:
    """Learn when the bag has observations, and say aloud what was guessed for it."""
    from vidplan_eval.bags.observations import ObservationStream

    model = system.world_model.config
    stream = ObservationStream(bag, model.layout, model.frame_period_s, bag_source(args))
    if stream.guessed is not None:
        print(f'{bag.path} names no topics of ours; it is read as by this file for --map:')
        print(textwrap.indent(stream.guessed.text(), '  '))
    return stream


def _load(args: argparse.Namespace) -> PlanningSystem:
    from vidplan.cli.evaluate.loading import load_system

    return load_system(args, seed=args.seed)


def _meter(args: argparse.Namespace, system: PlanningSystem) -> FidelityMeter:
    from vidplan_eval.replay.fidelity import FidelityMeter

    head = system.heads.uncertainty_head
    sampling = system.config.sampling
    return FidelityMeter(system.world_model, system.device, sampling, system.config.seed, head)


def _study(
    args: argparse.Namespace,
    bag: Bag,
    stream: ObservationStream,
    system: PlanningSystem,
    meter: FidelityMeter,
    recorded: Recorded,
    log: RunLog | None,
) -> ReplayStudy:
    from vidplan_eval.bags.observations import require_observations
    from vidplan_eval.bags.storage.stored import BagError
    from vidplan_eval.replay.study import study

    words = args.instruction or recorded.instruction, args.target or recorded.target
    task = system.new_task(*words) if any(words) else None
    with StatusLine() as status:
        found = study(
            stream,
            system,
            meter,
            task=task,
            plan_every=args.plan_every,
            every=args.every,
            log=log,
            log_s=args.pictures_s,
            progress=ReplayProgress(len(stream), status),
        )
    require_observations(bag, found.seen)
    if not found.kinds:
        model = system.world_model.config
        raise BagError(
            f'{args.bag}: {found.seen + found.unread} observations, but never '
            f'{model.history_frames + model.frames - 1} in a row at {model.frame_period_s} s'
        )
    return found


class ReplayProgress:
    """Says how far a replay is and when it will end, every few seconds."""

    def __init__(self, total: int, status: StatusLine, period_s: float = 5.0) -> None:
        self._total, self._status, self._period_s = total, status, period_s
        self._began_s = self._said_s = perf_counter()

    def __call__(self, passed: int) -> None:
        """Take note of how many moments have been passed."""
        from vidplan_eval.results import duration_text

        now_s = perf_counter()
        if now_s - self._said_s < self._period_s:
            return
        self._said_s = now_s
        left_s = (now_s - self._began_s) / passed * (self._total - passed)
        self._status.say(f'{passed} of {self._total} observations, {duration_text(left_s)} left')


def _views(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the views of the world model, without loading its weights."""
    from vidplan.cli.evaluate.loading import models_folder
    from vidplan_core.geometry.camera_files import default_layout
    from vidplan_core.world_model.checkpoint import world_model_config

    models = models_folder(args)
    # A released checkpoint is one file, of a network that sees the default's views.
    is_file = models.is_file()
    return default_layout().views if is_file else world_model_config(models / 'world_model').views


def _run_log(args: argparse.Namespace, recorded: Recorded, meter: FidelityMeter) -> RunLog:
    """The bag as a run whose imagined frames are those of the executed motion."""
    from vidplan_eval.viz.runlog import RunLog

    title = args.instruction or recorded.instruction or args.bag.name
    log = RunLog(title, args.target or recorded.target, bag=str(args.bag))
    log.replayed = True
    log.views = meter.views
    return log


def _end_log(log: RunLog, recorded: Recorded, found: ReplayStudy) -> None:
    from vidplan_eval.viz.runlog import RunResult

    if recorded.success is not None:
        code = 'SUCCESS' if recorded.success else 'NO SUCCESS'
        span_s = found.last_s - found.first_s
        log.result = RunResult(recorded.success, code, recorded.message, recorded.plans, span_s)
