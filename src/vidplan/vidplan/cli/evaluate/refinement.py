# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate --suite refinement`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidplan.cli.evaluate.loading import load_system, make_world, models_folder, settings

if TYPE_CHECKING:
    from vidplan_eval.suites.pick_place.work import PickPlacePiece
    from vidplan_eval.suites.refinement import RefinementRow


@dataclass(frozen=True)
class RefinementWork:
    """Loads a system in every process, and runs one state after the other."""

    models: Path
    device: str
    base: str | None = None

    def __call__(self) -> Callable[[PickPlacePiece], list[RefinementRow]]:
        """Load; returns what runs one state."""
        from vidplan_eval.suites.pick_place.scenes import pick_place_episode
        from vidplan_eval.suites.refinement import RefinementSuite
        from vidplan_sim.cell import Cell

        chosen = {} if self.base is None else {'base': self.base}
        args = argparse.Namespace(models=self.models, device=self.device)
        system = load_system(args, **chosen)
        suite = RefinementSuite(system, make_world(system), Cell())

        def run(piece: PickPlacePiece) -> list[RefinementRow]:
            return suite.run(pick_place_episode(piece.task, piece.seed, piece.distractors))

        return run


def run(args: argparse.Namespace) -> int:
    """Run the suite and print what came of it."""
    from vidplan_eval.results import EpisodeProgress, write_json
    from vidplan_eval.suites.pick_place.work import PickPlacePiece
    from vidplan_eval.suites.refinement import summarise_refinement
    from vidplan_eval.suites.workers import share_out

    seeds = range(args.seed, args.seed + args.episodes)
    pieces = [PickPlacePiece(args.task, seed, args.distractors) for seed in seeds]
    work = RefinementWork(models_folder(args), args.device, args.base)
    named = {
        'suite': args.suite,
        'task': args.task,
        'base': args.base,
        'seed': args.seed,
        'settings': settings(args, load_system(args)),
    }
    progress, rows = EpisodeProgress(args.episodes), []
    for of_state in share_out(work, pieces, args.workers, args.ray):
        rows += of_state
        gains = [row.realised for row in of_state if row.realised is not None]
        gained = bool(gains) and min(gains) >= 0.0
        error = next((row.error.splitlines()[-1] for row in of_state if row.error), '')
        progress.report(f'{of_state[0].seed} {of_state[0].target:14s} {error}', gained)
        result = summarise_refinement(named, rows, args.episodes)
        if args.json is not None:
            write_json(args.json, result)
    _print(result)
    return 0


def _print(result: dict[str, Any]) -> None:
    for name, points in result['curves'].items():
        print(f'{name.replace("_", " ")}: mean gains [95 %]')
        for point in filter(lambda one: one['states'], points):
            words = [
                f'{measure.replace("_", " ")} {point[measure]:+.3f} '
                f'[{point[f"{measure}_interval_95"][0]:+.3f}, '
                f'{point[f"{measure}_interval_95"][1]:+.3f}]'
                for measure in ('predicted', 'realised', 'gap', 'frames_saved')
            ]
            print(f'  {point["step"]} steps, {point["states"]} states: {", ".join(words)}')
