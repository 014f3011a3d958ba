# SPDX-License-Identifier: Apache-2.0
"""`vidplan run`: cell, graph, goal, video and report in one command."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import above_zero, device, models, output_folder, seed
from vidplan.cli.recordings.run_folder import new_run_folder, replay_command, this_command
from vidplan_core.errors import VidPlanError

if TYPE_CHECKING:
    from vidplan.bags.run_logger import RunLogger
    from vidplan.bringup.cell_pace import CellPace
    from vidplan.bringup.process import ProcessGroup
    from vidplan.bringup.scene_choice import SceneChoice
    from vidplan.cli.terminal import StatusLine
    from vidplan.tasks.goal_client import GoalClient, GoalEnd

EXIT_FAILED = 1
# As long as all processes live: models load slowly on a busy machine.
_READY_S = 600.0
# What the cameras saw last is still on its way when the result is there.
_LINGER_S = 0.7


class RunError(VidPlanError):
    """The cell or the graph did not come up, or fell apart."""

    code = 'RUN_FAILED'


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'run',
        help='show it: simulated cell, graph, goal, video and report in one command',
        description='Starts the simulated cell and the graph, sends the goal, and writes a video '
        'and a one-page report. Exits with 0 if the planner judges the goal done; what the ground '
        'truth of the cell says stands beside.',
    )
    parser.add_argument('instruction', help='such as "move to the carrot"')
    parser.add_argument('--target', default='', help='phrase to look for, instead of the noun')
    parser.add_argument(
        '--seed', type=seed, help='of the scene; default: the first from 1000000 with the object'
    )
    parser.add_argument(
        '--out', type=output_folder, metavar='DIR', help='default: outputs/runs/<time>'
    )
    parser.add_argument('--time-limit', type=above_zero, default=60.0, metavar='S', help='[s]')
    parser.add_argument(
        '--models', type=models, metavar='DIR', help='default: the shipped cell models'
    )
    parser.add_argument('--device', type=device, help='cpu, cuda ...')
    parser.add_argument(
        '--real-time-factor',
        type=above_zero,
        metavar='X',
        help='simulated seconds per real second; default: a twelfth per processor core, up to 1, '
        'or as much less as plans need to be in time',
    )
    parser.add_argument(
        '--record', action=argparse.BooleanOptionalAction, default=True, help='write a bag too'
    )
    parser.add_argument('--view', action='store_true', help='show it live in the Rerun viewer')
    parser.add_argument('--open', action='store_true', help='show the report in a browser')
    return parser


def run(args: argparse.Namespace) -> int:
    """Show one run and return the exit status."""
    from vidplan.bringup.scene_choice import choose_scene
    from vidplan.cli.goal import tell_end
    from vidplan.cli.recordings.view import live_view
    from vidplan.cli.terminal import open_in_browser
    from vidplan.ros.log_folder import log_folder

    choice = choose_scene(args.instruction, args.target, args.seed)
    out = args.out or new_run_folder()
    log_folder()  # or the processes would end one after the other
    out.mkdir(parents=True, exist_ok=True)
    keep_to_ourselves()
    viewer = live_view(out) if args.view else nullcontext()
    with orderly_end(), viewer as args.viewer:
        end, truth = _run_goal(args, choice, out)
    status = tell_end(end, args.instruction)
    if truth:
        print(f'  {truth}')
    for name in ('run.mp4', 'report.html'):
        if (out / name).exists():
            print(f'  {out / name}')
    if (out / 'bag').is_dir():
        print(f'  {replay_command(out, args.models)}')
    if args.open:
        open_in_browser(out / 'report.html')
    return status


def keep_to_ourselves() -> None:
    """Choose a ROS domain that no robot and no other run uses, unless one was chosen."""
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    # 1..101 are valid on every system; 0 is where robots talk.
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 101))


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn SIGTERM into the KeyboardInterrupt of Ctrl-C, so that every process is ended."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_goal(args: argparse.Namespace, choice: SceneChoice, out: Path) -> tuple[GoalEnd, str]:
    """How the goal ended, and what the cell's ground truth says to that."""
    from vidplan.bringup.cell_pace import affordable_factor
    from vidplan.bringup.graph import CELL
    from vidplan.bringup.process import ProcessGroup
    from vidplan.bringup.scene_choice import OBJECTS
    from vidplan.cli.terminal import StatusLine
    from vidplan_eval.viz.runlog import RunLog

    given: dict[str, object] = {
        'seed': choice.seed, 'objects': OBJECTS, 'towel': choice.towel,
        'record': args.record, 'record_dir': str(out / 'bag'),
        'real_time_factor': args.real_time_factor or affordable_factor(),
    }  # fmt: skip
    given |= {k: str(v) for k, v in (('models', args.models), ('device', args.device)) if v}
    pace = float(str(given['real_time_factor']))
    log = RunLog(instruction=args.instruction, seed=choice.seed, real_time_factor=pace)
    with LogFiles(out / 'logs') as logs, StatusLine() as progress:
        progress.say(
            f'starts cell and graph, scene of seed {choice.seed}, at {pace:.2g} of real time'
        )
        # Before rclpy starts its threads: a process forks more safely without them.
        with ProcessGroup(CELL, CELL.values(given), logs) as group:
            end, facts = _converse(args, choice, log, group, progress, logs)
            progress.say('ends cell and graph')
        log.bag = next((str(path) for path in (out / 'bag').glob('*') if path.is_dir()), '')
        progress.say('writes video and report')
        _write(log, out, facts)
        if args.viewer is not None:
            args.viewer.finish(log)
    return end, log.truth_words


def _converse(
    args: argparse.Namespace,
    choice: SceneChoice,
    log: Any,
    group: ProcessGroup,
    progress: StatusLine,
    logs: LogFiles,
) -> tuple[GoalEnd, dict[str, str]]:
    """Wait until all is ready, send the goal, and listen until it ends."""
    from vidplan.bringup.cell_pace import CellPace, asks_cell
    from vidplan.bringup.scene_choice import judged_as

    with listener(log) as (logger, client):

        def alive() -> bool:
            return not any(child.exit_code is not None for child in group.children)

        _wait_until_ready(client, logger, alive, progress, logs, group)
        logger.keep()
        kept = args.real_time_factor is not None
        pace = CellPace(log.real_time_factor, asks_cell(logger), keep=kept)
        end = _follow(args, client, logger, alive, progress, pace)
        client.spin_until(lambda: False, _LINGER_S)
        logger.finish(end)
        log.truth = logger.true_ending(*judged_as(args.instruction), choice.kind)
        return end, _facts(choice, log)


@contextmanager
def listener(log: Any) -> Iterator[tuple[RunLogger, GoalClient]]:
    """Have a node that fills the log, and a client for its goal."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from vidplan.bags.run_logger import RunLogger
    from vidplan.tasks.goal_client import GoalClient
    from vidplan_sim.ros.executors import OneThreadExecutor

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    logger = RunLogger(log)
    executor = OneThreadExecutor()
    executor.add_node(logger)
    try:
        yield logger, GoalClient(logger, executor)
    finally:
        executor.shutdown()
        logger.destroy_node()
        rclpy.try_shutdown()


def _wait_until_ready(
    client: GoalClient,
    logger: RunLogger,
    alive: Callable[[], bool],
    progress: StatusLine,
    logs: LogFiles,
    group: ProcessGroup,
) -> None:
    deadline_s = time.monotonic() + _READY_S
    while not logger.planner_ready:
        if not alive():
            ended = [child.name for child in group.newly_ended()]
            raise RunError(f'{", ".join(ended)} ended at the start: {logs.tail(ended[0])}')
        if time.monotonic() > deadline_s:
            raise RunError(f'not ready after {_READY_S:.0f} s: {logger.planner_says}')
        progress.say(f'waits for the planner: {logger.planner_says}')
        client.spin_until(lambda: logger.planner_ready, 0.5)


def _follow(
    args: argparse.Namespace,
    client: GoalClient,
    logger: RunLogger,
    alive: Callable[[], bool],
    progress: StatusLine,
    pace: CellPace,
) -> GoalEnd:
    from vidplan_msgs.action import PlanTask

    def tell(feedback: Any) -> None:
        logger.note_cycle(feedback.cycle, feedback.plan_latency_s, feedback.time_ratio)
        if logger.note_pace(feedback.cycle, pace.factor):
            pace.note(feedback.plan_latency_s)
        progress.feedback(feedback)
        if args.viewer is not None:
            args.viewer.update(logger.so_far())

    goal = PlanTask.Goal(
        instruction=args.instruction, target=args.target, time_limit_s=args.time_limit
    )
    return client.follow(goal, tell, lambda: False, alive)


def _facts(choice: SceneChoice, log: Any) -> dict[str, str]:
    facts = {'scene seed': str(choice.seed), 'command': this_command()}
    return facts | ({'ground truth': log.truth.words} if log.truth else {})


def _write(log: Any, out: Path, facts: dict[str, str]) -> None:
    from vidplan_eval.viz.report import write_run_report
    from vidplan_eval.viz.video import VideoError, write_run_video

    video = None
    try:
        video = write_run_video(log, out / 'run.mp4')
    except VideoError as error:
        print(f'no video: {error}', file=sys.stderr)
    write_run_report(log, out / 'report.html', video_path=video, facts=facts)


class LogFiles:
    """Keeps the lines of each process in a file of its own; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Any] = {}
        self._last: dict[str, list[str]] = {}

    def __enter__(self) -> LogFiles:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def __call__(self, name: str, line: str) -> None:
        """Keep one line."""
        if name not in self._files:
            self._files[name] = (self._folder / f'{name}.log').open('w', buffering=1)
        self._files[name].write(line + '\n')
        self._last[name] = [*self._last.get(name, []), line][-5:]

    def tail(self, name: str) -> str:
        """Return the last lines of a process."""
        return ' | '.join(self._last.get(name, ['it said nothing'])) + f' ({self._folder})'
