# SPDX-License-Identifier: Apache-2.0
"""Parameters of the node `planner`, and the core's configuration that they make."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from vidplan.ros.parameters import parameter
from vidplan.tasks.task import Timing
from vidplan_core.errors import ConfigError
from vidplan_core.planner.config import METHODS, PlannerConfig
from vidplan_core.world_model.sampler import KINDS

_CORE = {field.name for field in dataclasses.fields(PlannerConfig)}
_D = PlannerConfig()


@dataclass(frozen=True)
class PlannerParameters:
    """Parameters of the planner; those of PlannerConfig have its names and defaults."""

    method: str = parameter(
        _D.method,
        'How to choose motions; all but vidplan are there to compare with.',
        choices=METHODS,
    )
    steps: int = parameter(
        _D.steps, 'Evaluations of the world model per imagination.', low=1, high=50
    )
    sampler: str = parameter(
        _D.sampler,
        'flow_map: one thing that may happen; edm: in one step the mean of all that may.',
        choices=KINDS,
    )
    seed: int = parameter(_D.seed, 'Seed of the imagination noise.', low=0, high=2**31 - 1)
    committed_frames: int = parameter(
        _D.committed_frames,
        'Model frames between an observation and the start of its plan; must outlast planning.',
        low=0, high=4,
    )  # fmt: skip
    execute_frames: int = parameter(
        2, 'Model frames of a plan that are executed before the next takes over.', low=1, high=4
    )
    score_frames: tuple[int, ...] = parameter(
        _D.score_frames, 'Imagined frames that are decoded and scored.', low=1, high=4
    )
    proposals: tuple[str, ...] = parameter(_D.proposals, 'Sources of the candidates.')
    step_m: float = parameter(_D.step_m, 'Length of a candidate motion, m.', low=0.001, high=0.3)
    smallest_step_m: float = parameter(
        _D.smallest_step_m, 'Its length when the target is near, m.', low=0.001, high=0.3
    )
    refine_iterations: int = parameter(
        _D.refine_iterations, 'Gradient steps on the chosen motion; 0: none.', low=0, high=50
    )
    refine_step_m: float = parameter(
        _D.refine_step_m, 'Length of the first gradient step, m.', low=0.001, high=0.3
    )
    reach_m: float = parameter(_D.reach_m, 'Longest motion within a plan, m.', low=0.001, high=0.3)
    relevancy_weight: float = parameter(
        _D.weights['relevancy'], 'Weight of the mean relevancy peak.', low=0.0, high=1000.0
    )
    distance_weight: float = parameter(
        _D.weights['distance'], 'Weight of the distance to the target, per m.',
        low=0.0, high=1000.0,
    )  # fmt: skip
    value_weight: float = parameter(
        _D.weights['value'], 'Weight of the expected value, where a value head is there.',
        low=0.0, high=1000.0,
    )  # fmt: skip
    usual_uncertainty: float = parameter(
        _D.usual_uncertainty, 'Uncertainty up to which an imagination is fully trusted.',
        low=0.0, high=1.0,
    )  # fmt: skip
    uncertainty_discount: float = parameter(
        _D.uncertainty_discount, 'How fast trust falls with uncertainty above that; 0: never.',
        low=0.0, high=1000.0,
    )  # fmt: skip
    uncertainty_weight: float = parameter(
        _D.uncertainty_weight, 'Subtracted from a score per unit of uncertainty above that.',
        low=0.0, high=1000.0,
    )  # fmt: skip
    conformal: bool = parameter(
        _D.conformal, 'Whether values count by their conformal lower bound.'
    )
    frame_softness: float = parameter(
        _D.frame_softness, 'Softness of the maximum over scored frames, in units of score.',
        low=0.0, high=1000.0,
    )  # fmt: skip
    standoff_m: float = parameter(
        _D.standoff_m, 'Height above the target at which the tool should rest, m.',
        low=0.0, high=1.0,
    )  # fmt: skip
    target_height_m: float = parameter(
        _D.target_height_m, 'Assumed height of a target above the table, m.', low=0.0, high=1.0
    )
    reached_m: float = parameter(
        _D.reached_m, 'Horizontal distance that counts as over the target, m.',
        low=0.001, high=0.3,
    )  # fmt: skip
    reached_height_m: float = parameter(
        _D.reached_height_m, 'Height above the goal that counts as reached, m.',
        low=0.001, high=0.3,
    )  # fmt: skip
    max_missed_cycles: int = parameter(
        _D.max_missed_cycles, 'Cycles without a view of the target until it is lost.',
        low=0, high=1000,
    )  # fmt: skip
    time_limit_s: float = parameter(
        60.0, 'Longest duration of a task whose goal sets none, s.', low=0.1, high=86400.0
    )
    max_observation_age_s: float = parameter(
        0.6, 'Age above which an observation is not planned from, s.', low=0.05, high=60.0
    )
    max_silence_s: float = parameter(
        3.0, 'Wall-clock time without observations that ends a task even if the clock stands, s.',
        low=0.1, high=600.0,
    )  # fmt: skip
    max_adapter_silence_s: float = parameter(
        1.0, 'Wall-clock time without adapter status that ends a task, s.', low=0.05, high=60.0
    )
    settle_s: float = parameter(
        2.0, 'Wait for missing inputs at the start of a task, wall clock, s.',
        low=0.0, high=60.0,
    )  # fmt: skip
    max_late_plans: int = parameter(5, 'Plans in a row that may come too late.', low=1, high=1000)
    max_rejected_plans: int = parameter(
        3, 'Plans in a row that the adapter may refuse.', low=1, high=1000
    )
    max_rest_s: float = parameter(
        3.0, 'Longest wait for the arm to rest at the end of a task, wall clock, s.',
        low=0.2, high=60.0,
    )  # fmt: skip
    base_frame: str = parameter('base', 'Robot base frame, the frame of plans and markers.')
    autostart: bool = parameter(
        True, 'Configure and activate at the start; else wait for lifecycle transitions.'
    )

    def __post_init__(self) -> None:
        if not self.score_frames:
            raise ConfigError('parameter score_frames is empty; name at least one of 1 .. 4')

    def core(self) -> PlannerConfig:
        """Return the core's configuration; raises ConfigError."""
        values = {name: getattr(self, name) for name in _CORE - {'weights'}}
        weights = {name: getattr(self, f'{name}_weight') for name in _D.weights}
        return PlannerConfig(weights=weights, **values)

    def timing(self, frame_period_s: float) -> Timing:
        """Return the pace of tasks."""
        return Timing(
            execute_s=self.execute_frames * frame_period_s,
            settle_s=self.settle_s,
            max_late_plans=self.max_late_plans,
            max_rejected_plans=self.max_rejected_plans,
            max_rest_s=self.max_rest_s,
        )
