# SPDX-License-Identifier: Apache-2.0
"""Puts what the steps of bench_gpu.sh wrote into one file, with what they ran on."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import torch

RESULT = 'bench_gpu.json'


def main(words: list[str]) -> int:
    """Write OUT/bench_gpu.json; 0 if every step ended well."""
    out, size, device, *steps = words
    on_gpu = device != 'cpu' and torch.cuda.is_available()
    result: dict[str, Any] = {
        'size': size,
        'device': device,
        'card': torch.cuda.get_device_name() if on_gpu else platform.machine(),
        'torch': torch.__version__,
        'python': platform.python_version(),
        'steps': {},
    }
    for name, status, seconds in (step.split('=') for step in steps):
        found = Path(out) / f'{name}.json'
        result['steps'][name] = {
            'exit': int(status),
            'seconds': int(seconds),
            'result': json.loads(found.read_text()) if found.is_file() else None,
        }
    (Path(out) / RESULT).write_text(json.dumps(result, indent=1) + '\n')
    failed = [name for name, step in result['steps'].items() if step['exit']]
    print(f'{Path(out) / RESULT}: {", ".join(failed) + " failed" if failed else "all steps ran"}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
