# SPDX-License-Identifier: Apache-2.0
"""The parameter file of a new robot is obeyed by a launch that says nothing else."""

from __future__ import annotations

from pathlib import Path

from vidplan.bringup.graph import PLANNING
from vidplan.bringup.overrides import check_start, overrides
from vidplan.parameters.files import read_blocks

CAREFUL = {'dry_run': True, 'velocity_scale': 0.2, 'acceleration_scale': 0.2}


def test_a_new_robot_starts_in_dry_run_at_a_fifth_of_the_speed(repository: Path) -> None:
    path = repository / 'config/new_robot.yaml'
    settings = PLANNING.values({'params_file': str(path)})
    check_start(PLANNING, settings)
    said = {
        name: value
        for block in read_blocks(path)
        if block.means('/adapter')
        for name, value in block.values.items()
    }
    assert {name: said[name] for name in CAREFUL} == CAREFUL
    adapter = next(one for one in PLANNING.processes if one.executable == 'adapter')
    for values in overrides(adapter, settings).values():
        assert not CAREFUL.keys() & values.keys()
