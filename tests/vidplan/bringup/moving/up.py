# SPDX-License-Identifier: Apache-2.0
"""`vidplan up`, whose cell has the planner that only moves.

python -m tests.vidplan.bringup.moving.up --cell [options of vidplan up]
"""

from __future__ import annotations

import os
import sys

from tests.vidplan.bringup.moving.graph import moving_graph, python_path
from vidplan.cli import up
from vidplan.cli.main import main

# Slow enough for a busy machine.
LIMITS = (
    ('max_adapter_silence_s', 5), ('max_observation_age_s', 2),
    ('max_silence_s', 60), ('settle_s', 60),
)  # fmt: skip

if __name__ == '__main__':
    os.environ['PYTHONPATH'] = python_path()
    up.CELL = moving_graph({'planning_server': LIMITS})
    sys.exit(main(['up', *sys.argv[1:]]))
