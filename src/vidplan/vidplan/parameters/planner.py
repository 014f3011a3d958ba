# SPDX-License-Identifier: Apache-2.0
"""Parameters of the node `planner`."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import check_knobs, knob, knob_group
from vidplan_core.planner.config import PlannerConfig


@dataclass(frozen=True)
class PlannerParameters:
    """Parameters of the planner: those of the core by their own names, and the pace of tasks."""

    autostart: bool = knob(
        True,
        'configure and activate the planning server at the start; else wait for lifecycle '
        'transitions',
    )
    core: PlannerConfig = knob_group(PlannerConfig, prefix='')
    execute_frames: int = knob(
        2, 'executed of a plan before the next one takes over', unit='model frames', low=1
    )
    max_late_plans: int = knob(5, 'plans in a row that may miss their start', low=1, high=1000)
    time_limit_s: float = knob(
        60.0,
        'for goals that set none',
        unit='s',
        low=0.1,
        high=86400.0,
        section='When a task ends. In all cases the arm comes to rest.',
    )
    max_observation_age_s: float = knob(
        0.6, 'above which an observation is not planned from', unit='s', low=0.05, high=60.0
    )
    settle_s: float = knob(
        2.0,
        'wait for missing inputs at the start of a task, wall clock',
        unit='s',
        low=0.0,
        high=60.0,
    )
    max_silence_s: float = knob(
        3.0,
        'wall-clock time without observations, even if /clock stands still',
        unit='s',
        low=0.1,
        high=600.0,
    )
    max_adapter_silence_s: float = knob(
        1.0, 'wall-clock time without adapter/status', unit='s', low=0.05, high=60.0
    )
    max_rejected_plans: int = knob(
        3, 'plans in a row that the adapter may refuse', low=1, high=1000
    )
    max_rest_s: float = knob(
        3.0,
        'longest wait for the arm to rest at the end of a task, wall clock',
        unit='s',
        low=0.2,
        high=60.0,
    )
    base_frame: str = knob('base', 'robot base frame, the frame of plans and markers')

    def __post_init__(self) -> None:
        check_knobs(self)

    def check_frames(self, frames: int) -> None:
        """Check against a model that imagines `frames`, the present among them.

        Raises:
            ConfigError: more frames executed than a plan has.
        """
        if self.execute_frames >= frames:
            raise ConfigError(
                f'execute_frames is {self.execute_frames}; allowed: up to {frames - 1}, the last '
                'frame that these models imagine'
            )
