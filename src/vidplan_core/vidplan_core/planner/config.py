# SPDX-License-Identifier: Apache-2.0
"""Every knob of the planner in one block, checked once."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.errors import ConfigError
from vidplan_core.planner.objective.combination import Doubt
from vidplan_core.world_model.sampler import KINDS, SamplingConfig

METHODS = ('vidplan', 'no_refine', 'random', 'kinematic')
_WEIGHTS = (
    'relevancy_weight',
    'distance_weight',
    'value_weight',
    'uncertainty_discount',
    'uncertainty_weight',
)


@dataclass(frozen=True)
class PlannerConfig:
    """How to plan.

    Attributes:
        method: `vidplan`; `no_refine` without gradients; `random` takes any candidate;
            `kinematic` scores by localisation and forward kinematics, without imagining.
        steps: evaluations of the world model per imagination.
        sampler: `flow_map` imagines one thing that may happen, in jumps; `edm` denoises, and in
            one step gives the mean of all that may happen.
        seed: of the imagination's noise and of random choices.
        committed_frames: model frames between an observation and the start of its plan, in
            which the arm keeps doing what it was told; must outlast the planning.
        score_frames: frames of the chunk that are decoded and scored, 1 .. 4.
        step_m: length of a candidate's motion; shorter when the target is nearer.
        smallest_step_m: and never shorter than this.
        refine_iterations: gradient steps on the chosen motion; 0 for none.
        refine_step_m: length of the first gradient step.
        reach_m: longest motion within a chunk (the box that refinement stays in).
        relevancy_weight: of the mean relevancy peak over the views, per unit.
        distance_weight: of the distance between tool and target, per metre.
        standoff_m: where above the target's height the tool should come to rest.
        target_height_m: assumed height of a target's visible centre above the table.
        reached_m: horizontal distance at which the tool counts as over the target.
        reached_height_m: height above the goal at which it counts as reached.
        patience: cycles without the target in any view until it counts as lost.
        value_weight: of the value head's expected value, as far as it differs from that of
            coming to rest where it is doubted; no effect without that head.
        usual_uncertainty: uncertainty up to which an imagination is fully trusted, in [0, 1];
            like the next two without effect where there is no uncertainty head.
        uncertainty_discount: how fast trust in relevancy, nearness and value falls above it.
        uncertainty_weight: subtracted from a score per unit of uncertainty above it.
        conformal: whether values count by their conformal lower bound.
        frame_softness: of the maximum over scored frames, in units of score; 0 is the maximum.
    """

    method: str = 'vidplan'
    steps: int = 1
    sampler: str = 'edm'
    seed: int = 0
    committed_frames: int = 2
    score_frames: tuple[int, ...] = (4,)
    step_m: float = 0.12
    smallest_step_m: float = 0.02
    refine_iterations: int = 3
    refine_step_m: float = 0.05
    reach_m: float = 0.14
    relevancy_weight: float = 0.2
    distance_weight: float = 10.0
    standoff_m: float = 0.06
    target_height_m: float = 0.03
    reached_m: float = 0.025
    reached_height_m: float = 0.03
    patience: int = 8
    value_weight: float = 0.1
    usual_uncertainty: float = 0.54
    uncertainty_discount: float = 30.0
    uncertainty_weight: float = 0.5
    conformal: bool = False
    frame_softness: float = 0.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"method '{self.method}' is not one of {METHODS}")
        if self.sampler not in KINDS:
            raise ConfigError(f"sampler '{self.sampler}' is not one of {KINDS}")
        counts = {'steps': (1, 50), 'committed_frames': (0, 4), 'refine_iterations': (0, 50)}
        for name, (low, high) in counts.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f'{name} = {getattr(self, name)}, allowed {low} .. {high}')
        if not self.score_frames or not all(1 <= f <= 4 for f in self.score_frames):
            raise ConfigError(f'score_frames = {self.score_frames}, allowed are some of 1 .. 4')
        lengths = ('step_m', 'smallest_step_m', 'refine_step_m', 'reach_m', 'reached_m')
        for name in lengths:
            if not 0 < getattr(self, name) <= 0.3:
                raise ConfigError(f'{name} = {getattr(self, name)} m, allowed above 0 up to 0.3')
        for name in (*_WEIGHTS, 'standoff_m', 'target_height_m', 'frame_softness'):
            if not 0 <= getattr(self, name) <= 1000:
                raise ConfigError(f'{name} = {getattr(self, name)}, allowed 0 .. 1000')
        if not 0 <= self.usual_uncertainty <= 1:
            raise ConfigError(f'usual_uncertainty = {self.usual_uncertainty}, allowed 0 .. 1')

    @property
    def sampling(self) -> SamplingConfig:
        """How imaginations are sampled."""
        return SamplingConfig(self.steps, self.sampler)

    @property
    def doubt(self) -> Doubt:
        """How uncertainty lowers scores."""
        return Doubt(self.usual_uncertainty, self.uncertainty_discount, self.uncertainty_weight)
