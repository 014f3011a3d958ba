# SPDX-License-Identifier: Apache-2.0
"""Whether a GPU can be used, asked of its driver: PyTorch takes seconds to load."""

from __future__ import annotations

import ctypes
import re
from importlib.util import find_spec
from pathlib import Path


def gpu_problem(index: int = 0) -> str:
    """Say why the CUDA device of this index cannot be used; '' if it can."""
    if not torch_has_cuda():
        return 'this PyTorch was built without CUDA'
    count = gpu_count()
    if count == 0:
        return 'the driver shows no GPU'
    return '' if index < count else f'this machine has {count} of them, counted from 0'


def gpu_count() -> int:
    """Count the GPUs that the CUDA driver shows to this process."""
    try:
        driver = ctypes.CDLL('libcuda.so.1')
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def torch_has_cuda() -> bool:
    """Whether the installed PyTorch was built for CUDA; reads its version file."""
    found = find_spec('torch')
    if found is None or found.origin is None:
        return False
    text = Path(found.origin).with_name('version.py').read_text(encoding='utf-8')
    return re.search(r'^cuda[^=]*=\s*[\'"]', text, re.MULTILINE) is not None
