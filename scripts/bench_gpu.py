# SPDX-License-Identifier: Apache-2.0
"""Runs the parts of bench_gpu.sh, each within its time, and puts what they found into one file.

A part is a process of its own, so that one that crashes or runs out of time takes nothing else
along. What it had found by then is kept. Parts that ended well are not run again with the same
settings.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

RESULT, LOG = 'bench_gpu.json', 'bench_gpu.log'
AGREEMENT, TRAINING = 'scripts/bench_agreement.py', 'scripts/bench_training.py'
BENCH_S, TRAINING_S = 480.0, 360.0
# A part that begins with less than this would end with nothing.
LEAST_S = 5.0
# Between asking a part to end and ending it.
GRACE_S = 15.0
# What a CPU, on which the parts are only tried, is spared, and a training that it can do there.
NOT_ON_CPU = (
    'forward_batch, plan: a CPU takes tens of minutes to compile them; they are compiled on a GPU'
)
SMALL_TRAINING = ('--episodes', '4', '--iterations', '4')
SMALL_TRAINING += ('--set', 'batch=1', 'checked=1', 'model.widths=32,32', 'trainer.log_every=1')


@dataclass(frozen=True)
class Part:
    """One process: it writes OUT/`name`.json, within `seconds`.

    left_out: what of it is not measured here, and why; '' where all is.
    """

    name: str
    seconds: float
    command: tuple[str, ...]
    left_out: str = ''


def parts_of(args: argparse.Namespace) -> list[Part]:
    """What is to be measured, in the order of its worth."""
    full, on_cpu = args.size == 'full', args.device == 'cpu'
    python, out = (sys.executable, '-W', 'ignore'), args.out
    bench = (*python, '-m', 'vidplan.cli.main', 'bench', 'engine', '--size', args.size)
    bench += ('--device', args.device, '--value', 'picture', '--params', 'config/full_size.yaml')
    bench += ('--repeats', str(args.repeats), '--limit', '6' if full else '2')
    bench += () if full else ('--candidates', '2', '--iterations', '1')
    small = 'small' if full else args.size
    agreement = (*python, AGREEMENT, '--device', args.device, '--size', small)
    training = (*python, TRAINING, '--out', str(out), '--device', args.device)
    training_s = args.training_s - 60 if full else args.training_s / 3
    training += ('--seconds', str(training_s * args.slack))
    training += ('--data', str(args.data)) if args.data else ()
    training += () if full else SMALL_TRAINING

    def part(name: str, seconds: float, *command: str, left_out: str = '') -> Part:
        return Part(name, seconds, (*command, '--json', str(out / f'{name}.json')), left_out)

    # Compiling takes as long as it takes: what is compiled comes last, the shortest plan first.
    compiled = ('--compile', '--channels-last', '--only', 'forward')
    compiled += () if on_cpu else ('forward_batch', 'plan')
    chosen = [
        part('agreement', 60, *agreement),
        part('eager', 200, *bench, '--steps', *(('1', '2', '4') if full else ('1', '2'))),
        part(
            'compiled', BENCH_S, *bench, '--steps', '1', *(('4',) if full else ()), *compiled,
            left_out=NOT_ON_CPU if on_cpu else '',
        ),
        part('training', args.training_s, *training),
    ]
    return [part for part in chosen if not args.only or part.name in args.only]


def run_parts(parts: Sequence[Part], result: dict[str, Any], args: argparse.Namespace) -> bool:
    """Run what did not end well before, and write after each; whether all have ended well.

    All but the training share the bench's time: one that needs less leaves it to the next.
    """
    left_s = args.bench_s
    with (args.out / LOG).open('a') as log:
        for part in parts:
            before = result['parts'].get(part.name, {})
            if before.get('exit') == 0:
                tell(log, f'== {part.name}: done before')
                continue
            seconds = part.seconds if part.name == 'training' else min(part.seconds, left_s)
            row = run_part(part, seconds * args.slack, args.out, log)
            left_s -= row['seconds'] / args.slack if part.name != 'training' else 0
            result['parts'][part.name] = row
            write(args.out / RESULT, result)
    return all(result['parts'][part.name]['exit'] == 0 for part in parts)


def run_part(part: Part, seconds: float, out: Path, log: IO[str]) -> dict[str, Any]:
    """How one part ended, after how long, and what it found."""
    if seconds < LEAST_S:
        tell(log, f'== {part.name}: no time is left for it')
        return {'exit': None, 'seconds': 0.0, 'ended': 'no time was left', 'result': None}
    tell(log, f'== {part.name}, {seconds:.0f} s at most')
    found = out / f'{part.name}.json'
    found.unlink(missing_ok=True)
    began = time.monotonic()
    process = subprocess.Popen(
        part.command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        late = follow(process, began + seconds, log)
    finally:
        _signal(process, signal.SIGKILL)  # nothing stays behind when this script is ended
    ended = 'out of time' if late else f'with status {process.returncode}'
    row = {
        'exit': process.returncode,
        'seconds': round(time.monotonic() - began, 1),
        'ended': ended,
        'result': json.loads(found.read_text()) if found.is_file() else None,
        **({'left_out': part.left_out} if part.left_out else {}),
    }
    tell(log, f'== {part.name} ended {ended} after {row["seconds"]} s')
    return row


def follow(process: subprocess.Popen[str], until: float, log: IO[str]) -> bool:
    """Copy a process's lines until it ends; end it when its time is over; whether it was."""
    def copy() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            tell(log, line.rstrip('\n'))

    reader = threading.Thread(target=copy, daemon=True)
    reader.start()
    late = False
    for how in (signal.SIGINT, signal.SIGKILL):
        try:
            process.wait(max(until - time.monotonic(), 0.0))
            break
        except subprocess.TimeoutExpired:
            late, until = True, time.monotonic() + GRACE_S
            _signal(process, how)
    process.wait()
    reader.join(GRACE_S)
    return late


def _signal(process: subprocess.Popen[str], how: signal.Signals) -> None:
    """To the process and to what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, how)


def tell(log: IO[str], line: str) -> None:
    """Print a line and keep it."""
    print(line, flush=True)
    print(line, file=log, flush=True)


def machine(device: str) -> dict[str, Any]:
    """What everything runs on; `missing` says why a device cannot be used."""
    about: dict[str, Any] = {'device': device, 'python': platform.python_version()}
    try:
        import torch
    except ImportError:
        why = f'{sys.executable} has no PyTorch; name one that has by PYTHON=...'
        return {**about, 'card': None, 'missing': why}
    about['torch'] = torch.__version__
    if device == 'cpu':
        return {**about, 'card': platform.machine()}
    if not torch.cuda.is_available():
        why = 'PyTorch finds no CUDA device here; say --device cpu --size tiny to try the parts'
        return {**about, 'card': None, 'missing': why}
    return {**about, 'card': torch.cuda.get_device_name(device), 'cuda': torch.version.cuda}


def started(args: argparse.Namespace) -> dict[str, Any]:
    """The result so far: an earlier run's where it was asked for the same."""
    asked = {'size': args.size, 'repeats': args.repeats, **machine(args.device)}
    path = args.out / RESULT
    earlier = json.loads(path.read_text()) if path.is_file() else {}
    parts = earlier.get('parts', {}) if earlier.get('asked') == asked else {}
    return {'asked': asked, 'parts': parts}


def write(path: Path, result: dict[str, Any]) -> None:
    """Write so that a reader finds the old file or the new one."""
    partial = path.with_suffix('.partial')
    partial.write_text(json.dumps(result, indent=1) + '\n')
    partial.replace(path)


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(prog='bench_gpu.sh', description=__doc__)
    parser.add_argument('out', type=Path, help='folder for the results')
    parser.add_argument('--size', choices=('tiny', 'small', 'full'), default='full')
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--repeats', type=int, default=15, help='measurements per stage')
    parser.add_argument('--data', type=Path, help='cell episodes to train on; else few are made')
    parser.add_argument('--only', nargs='+', metavar='PART', help='such as eager training')
    parser.add_argument('--bench-s', type=float, default=BENCH_S, help='for all but the training')
    parser.add_argument('--training-s', type=float, default=TRAINING_S)
    parser.add_argument('--slack', type=float, default=1.0, help='times as long')
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """0 if every part ended well, 1 if one did not, 2 where the device is missing."""
    args = parse(words)
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    result = started(args)
    write(args.out / RESULT, result)
    if 'missing' in result['asked']:
        print(f'bench_gpu: {result["asked"]["missing"]}', file=sys.stderr)
        return 2
    well = run_parts(parts_of(args), result, args)
    ends = ', '.join(f'{name} {row["ended"]}' for name, row in result['parts'].items())
    print(f'{args.out / RESULT}: {ends}')
    return 0 if well else 1


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
