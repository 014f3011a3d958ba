#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Point the CMake files of the ROS wheels at this interpreter.

The wheels' CMake files name the include folders of Python and numpy on the machine that built
them.  Run this with the environment's own Python, once after installing; running it again
changes nothing.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy

_PYTHON_INCLUDE = re.compile(r'/opt/python/cp3\d+-cp3\d+/include/python3\.\d+')
_NUMPY_INCLUDE = re.compile(
    r'/opt/python/cp3\d+-cp3\d+/lib/python3\.\d+/site-packages/numpy/_?core/include'
)


def repaired(text: str) -> str:
    """Replace the build machine's include folders in the text of a CMake file."""
    text = _NUMPY_INCLUDE.sub(lambda _: numpy.get_include(), text)
    return _PYTHON_INCLUDE.sub(lambda _: sysconfig.get_path('include'), text)


def fix(share: Path) -> int:
    """Repair every CMake file below `share`; returns the number of files that changed."""
    changed = 0
    for path in sorted(share.rglob('*.cmake')):
        before = path.read_text(encoding='utf-8', errors='surrogateescape')
        after = repaired(before)
        if after != before:
            path.write_text(after, encoding='utf-8', errors='surrogateescape')
            changed += 1
    return changed


if __name__ == '__main__':
    print(f'{fix(Path(sys.prefix) / "share")} CMake files repaired')
