# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate`: the planner against the simulator in lock-step, without ROS."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidplan_core.planner.system import PlanningSystem
    from vidplan_eval.suites.reach import ReachOutcome
    from vidplan_eval.world import World

SUITES = ('reach', 'choice', 'hacking')
METHODS = ('vidplan', 'random', 'kinematic', 'no_refine')
FIRST_EVALUATION_SEED = 1_000_000


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'evaluate',
        help='measure the planner against the simulator, in lock-step',
        description='Runs episodes of a suite and writes what came of each, with exact '
        "intervals. Simulated time passes by the planner's own schedule, so the result does "
        'not depend on how fast this machine is.',
    )
    parser.add_argument('--suite', choices=SUITES, default='reach')
    parser.add_argument('--method', choices=METHODS, default='vidplan', help='suite reach only')
    parser.add_argument('--episodes', type=positive, default=50)
    parser.add_argument(
        '--seed',
        type=int,
        default=FIRST_EVALUATION_SEED,
        help='seed of the first scene, then one more each (default %(default)s; lower ones are '
        'for training)',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='result, rewritten as it grows')
    parser.add_argument('--videos', type=Path, metavar='DIR', help='a video or picture each')
    parser.add_argument('--models', type=Path, metavar='DIR', help='default: the shipped ones')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=positive, help='default: as PyTorch chooses')
    parser.add_argument('--objects', type=positive, default=4, help='in the scene, bowl aside')
    parser.add_argument('--time-limit', type=float, default=20.0, metavar='S', help='simulated')
    parser.add_argument('--execute-frames', type=positive, default=2, help='between two plans')
    return parser


def positive(text: str) -> int:
    """Read a whole number of at least one."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} is not at least 1')
    return value


def run(args: argparse.Namespace) -> int:
    """Run the suite and return the exit status: 0 when it was run, whatever it found."""
    if args.seed < FIRST_EVALUATION_SEED:
        print(f'note: seeds below {FIRST_EVALUATION_SEED} are for training and tuning')
    if args.threads:
        import torch

        torch.set_num_threads(args.threads)
    return {'reach': _reach, 'choice': _choice, 'hacking': _hacking}[args.suite](args)


def _reach(args: argparse.Namespace) -> int:
    from vidplan_eval.lockstep import LockStep, Pace
    from vidplan_eval.results import EpisodeProgress, write_json
    from vidplan_eval.suites.reach import label, run_episodes, summarise

    system = load_system(args, method=args.method)
    world = make_world(system)
    model = system.world_model.config
    pace = Pace(
        model.history_frames,
        execute_frames=args.execute_frames,
        limit_s=args.time_limit,
        pictures=args.videos is not None,
        history_ages=model.history_ages,
    )
    outcomes: list[ReachOutcome] = []
    progress = EpisodeProgress(args.episodes)
    seeds = range(args.seed, args.seed + args.episodes)
    for outcome in run_episodes(LockStep(system, world, pace), world, seeds, args.objects):
        if args.videos is not None:
            _write_video(outcome, args.videos)
        outcomes.append(replace(outcome, run=None))
        progress.report(label(outcome.row), outcome.row.success)
        result = summarise(args.suite, args.method, args.seed, outcomes, args.episodes)
        if args.json is not None:
            write_json(args.json, {**result, 'settings': settings(args, system)})
    _print_reach(result)
    return 0


def _choice(args: argparse.Namespace) -> int:
    from vidplan_eval.episode import make_episode
    from vidplan_eval.results import EpisodeProgress, write_json
    from vidplan_eval.suites.choice import ChoiceSuite, summarise_choices

    planner = load_system(args, method='no_refine')
    suite = ChoiceSuite(planner, load_system(args, method='kinematic'), make_world(planner))
    rows = []
    progress = EpisodeProgress(args.episodes)
    for seed in range(args.seed, args.seed + args.episodes):
        row = suite.run(make_episode(seed, args.objects))
        rows.append(row)
        agreed = row.best is not None and row.chosen.get('vidplan') == row.best
        progress.report(f'{seed} {row.target:15s} {row.error.splitlines()[-1:]}', agreed)
        result = summarise_choices(args.seed, rows, args.episodes)
        if args.json is not None:
            write_json(args.json, {**result, 'settings': settings(args, planner)})
    _print_choice(result)
    return 0


def _hacking(args: argparse.Namespace) -> int:
    from vidplan_eval.results import EpisodeProgress, write_json
    from vidplan_eval.suites.hacking import HackingSuite, lure, summarise_hacking
    from vidplan_eval.viz.pictures import save_png, strip_picture

    trusting = load_system(
        args, method='no_refine', uncertainty_discount=0.0, uncertainty_weight=0.0
    )
    systems = {False: trusting}
    weighted = load_system(args, method='no_refine')
    if weighted.heads.uncertainty_head is None:
        print('note: these models have no uncertainty head; only the planner without it is tested')
    else:
        systems[True] = weighted
    suite = HackingSuite(systems, make_world(weighted))
    rows = []
    progress = EpisodeProgress(args.episodes)
    for seed in range(args.seed, args.seed + args.episodes):
        episode = lure(seed, args.objects)
        judged = suite.run(episode)
        rows += judged
        if args.videos is not None and judged[-1].phantom_chosen is not None:
            picture = strip_picture(suite.frames(episode), title=episode.instruction)
            save_png(picture, args.videos / f'{seed}_phantom.png')
        last = judged[-1]
        progress.report(
            f'{seed} {last.target:15s} {last.error.splitlines()[-1:]}',
            last.phantom_chosen is False,
        )
        result = summarise_hacking(args.seed, rows, args.episodes)
        if args.json is not None:
            write_json(args.json, {**result, 'settings': settings(args, weighted)})
    _print_hacking(result)
    return 0


def load_system(args: argparse.Namespace, **changes: Any) -> PlanningSystem:
    """Load the models of a parsed command line with changes to the planner's configuration."""
    from vidplan_core.planner.config import PlannerConfig
    from vidplan_core.planner.system import PlanningSystem

    return PlanningSystem.load(models_folder(args), PlannerConfig(**changes), args.device)


def models_folder(args: argparse.Namespace) -> Path:
    """Return the folder that was given, or the one that is shipped."""
    from vidplan.bringup.description import share_directory

    return args.models or share_directory() / 'models' / 'cell'


def make_world(system: PlanningSystem) -> World:
    """Return the simulated cell, seen as the system's world model sees."""
    from vidplan_eval.world import World
    from vidplan_sim.cell import Cell

    model = system.world_model.config
    return World(Cell(), model.layout, model.frame_period_s)


def settings(args: argparse.Namespace, system: PlanningSystem) -> dict[str, Any]:
    """Return what a result depends on."""
    from dataclasses import asdict

    import torch

    return {
        'models': str(models_folder(args)),
        'objects': args.objects,
        'time_limit_s': args.time_limit,
        'execute_frames': args.execute_frames,
        'planner': asdict(system.config),
        'threads': torch.get_num_threads(),
        'torch': torch.__version__,
    }


def _write_video(outcome: ReachOutcome, folder: Path) -> None:
    from vidplan_eval.viz.curves import draw_curves
    from vidplan_eval.viz.pictures import save_png
    from vidplan_eval.viz.runlog import RunResult
    from vidplan_eval.viz.video import write_run_video

    if outcome.run is None or not outcome.run.log.seen:
        return
    row, log = outcome.row, outcome.run.log
    code = 'SUCCESS' if row.success else (row.reason or row.ended).upper()
    log.result = RunResult(row.success, code, row.reason, row.cycles, outcome.run.duration_s)
    verdict = 'success' if row.success else 'failure'
    name = f'{row.seed}_{row.target.replace(" ", "-")}_{verdict}.mp4'
    write_run_video(log, folder / name)
    if any(plan.terms for plan in log.plans):
        save_png(draw_curves(log), (folder / name).with_suffix('.png'))


def _print_reach(result: dict[str, Any]) -> None:
    low, high = result['interval_95']
    p50_s, p99_s = result['plan_latency_p50_s'], result['plan_latency_p99_s']
    print(
        f'{result["method"]}: {result["successes"]} of {result["episodes"]}'
        f' = {result["rate"]:.1%} (95 %: {low:.1%} .. {high:.1%})'
    )
    print(
        f'judged done {result["judged_done"]} times, {result["judged_done_rightly"]} of them '
        f'rightly; {result["crashes"]} crashes'
    )
    if p50_s is not None:
        print(f'plan: {p50_s:.3f} s median, {p99_s:.3f} s 99 % ({result["plans"]} plans)')


def _print_hacking(result: dict[str, Any]) -> None:
    for key in ('without_uncertainty', 'with_uncertainty'):
        entry = result[key]
        if entry is None or entry['rate'] is None:
            continue
        low, high = entry['interval_95']
        print(
            f'{key.replace("_", " ")}: the phantom is chosen {entry["phantom_chosen"]} times of '
            f'{entry["judged"]} = {entry["rate"]:.1%} (95 %: {low:.1%} .. {high:.1%}); the choice '
            f'without it is kept {entry["honest_choice_kept"]} times'
        )


def _print_choice(result: dict[str, Any]) -> None:
    names: Sequence[tuple[str, str]] = (
        ('vidplan', 'planner on imagined futures'),
        ('always_the_same', 'always the same candidate'),
        ('no_world_model', 'present picture and kinematics, no world model'),
        ('true_futures', 'planner on the true futures'),
    )
    print(f'{result["judged"]} states, {result["candidates"]} candidates')
    for key, words in names:
        entry = result[key]
        if entry['rate'] is None:
            continue
        low, high = entry['interval_95']
        regret = entry['regret_cm']
        text = 'n/a' if regret is None else f'{regret:.2f} cm'
        print(f'  {words:48s} {entry["rate"]:6.1%} (95 %: {low:.1%} .. {high:.1%})  regret {text}')
