# SPDX-License-Identifier: Apache-2.0
"""Trains the cell's `svd` backbone from latents for some minutes, and writes what came of it.

Without episodes to train on a few are recorded first: enough to see how fast it trains, too few
to learn much.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

EPISODES = 40
# So that the held-out error is known some times on the way.
SAVE_EVERY = 100


def train(data: Path, out: Path, seconds: float, iterations: int, more: Sequence[str]) -> float:
    """Train until the time is over or all is done; the seconds that it took."""
    from vidplan_training.cli import main

    began = time.monotonic()
    # The trainer ends an iteration and saves when it is interrupted.
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    words = ['world-model', '--set', f'data={data}', 'model.backbone=svd', f'out={out / "model"}']
    words += [f'work={out / "run.pt"}', f'trainer.iterations={iterations}']
    words += [f'trainer.save_every={SAVE_EVERY}', *more]
    try:
        if main(words):
            raise SystemExit(f'bench_training: the training of {data} was refused')
    except KeyboardInterrupt:
        raise SystemExit('bench_training: the time was over before the first iteration') from None
    except SystemExit as end:
        if end.code != 128 + signal.SIGINT:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    return time.monotonic() - began


def recorded(out: Path, episodes: int) -> Path:
    """A folder of new episodes, a part of them held out; one that is complete is kept."""
    from vidplan_training.cli import main

    data = out / 'episodes'
    words = ['collect', '--out', str(data), '--episodes', str(episodes), '--shard', '2']
    if main([*words, '--workers', str(os.cpu_count() or 1)]):
        raise SystemExit('bench_training: no episodes could be recorded; name some by --data')
    return data


def curves(folder: Path) -> dict[str, list[list[float]]]:
    """Points (iteration, value) of every curve."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {
        name: [[point.step, point.value] for point in events.Scalars(name)]
        for name in events.Tags()['scalars']
    }


def memory_mb() -> float | None:
    """Most that the GPU's tensors took; None without one."""
    import torch

    return torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else None


def main(words: Sequence[str] | None = None) -> int:
    """Record where needed, train, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--data', type=Path)
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--seconds', type=float, required=True)
    parser.add_argument('--iterations', type=int, default=20000)
    parser.add_argument('--episodes', type=int, default=EPISODES, help='recorded without --data')
    parser.add_argument('--set', nargs='+', default=(), help='more of the recipe, FIELD=VALUE')
    parser.add_argument('--json', type=Path, required=True)
    args = parser.parse_args(words)
    if args.device == 'cpu':
        os.environ['ACCELERATE_USE_CPU'] = '1'
    began = time.monotonic()
    data = args.data or recorded(args.out, args.episodes)
    left_s = max(args.seconds - (time.monotonic() - began), 1.0)
    seconds = train(data, args.out, left_s, args.iterations, args.set)
    found: dict[str, Any] = {
        'data': str(args.data) if args.data else f'{args.episodes} episodes recorded for it',
        'seconds': round(seconds, 1),
        'peak_memory_mb': memory_mb(),
        'curves': curves(args.out / 'run_curves'),
    }
    args.json.write_text(json.dumps(found) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
