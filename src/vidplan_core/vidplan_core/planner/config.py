# SPDX-License-Identifier: Apache-2.0
"""Every knob of the planner in one block, declared and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vidplan_core.errors import ConfigError
from vidplan_core.heads.anomaly.unexpected import SurpriseConfig
from vidplan_core.knobs import check_knobs, knob, knob_group
from vidplan_core.policy_server.config import PolicyServerConfig
from vidplan_core.world_model import GRADIENTS, PRECISIONS, SAMPLER_KINDS

if TYPE_CHECKING:
    from vidplan_core.world_model.sampling.sampler import SamplingConfig

METHODS = ('vidplan', 'no_refine', 'random', 'kinematic', 'policy', 'one_sample', 'random_of_n',
           'no_imagination', 'no_uncertainty', 'discard', 'value_only', 'basis_only')  # fmt: skip
# The base that is no policy of the models, and the source of that name.
SERVER, POLICY_SERVER = 'server', 'policy_server'
# The policy of the models that is not given where things are.
WORDS = 'words'
BASES = ('grounded', WORDS, SERVER)
# What `score_views` calls all of the models' cameras.
ALL_VIEWS = 'all'
# Who says where a phrase is in what is imagined.
TOWER, LATENTS = 'tower', 'latents'
_LENGTH = {'unit': 'm', 'low': 0.001, 'high': 0.3}
_WEIGHT = {'low': 0.0, 'high': 1000.0}


@dataclass(frozen=True)
class PlannerConfig:
    """How to plan; each knob says what it does."""

    method: str = knob(
        'vidplan',
        'how motions are chosen; no_refine: without gradients, random: any candidate, kinematic: '
        'by localisation and forward kinematics, without imagining, policy: what the policy '
        'proposes first, one_sample: that, refined, random_of_n: any of its samples, '
        'no_imagination: as if nothing moved, no_uncertainty: imaginations as they are, discard: '
        'without those that are doubted, value_only: by the value of all terms, basis_only: '
        'without a policy (all for comparison)',
        choices=METHODS,
        section='Which motions are considered.',
    )
    proposals: tuple[str, ...] = knob(
        ('spatial_basis',),
        'sources of the candidates; my_package.my_module:MySource: your own',
        empty=False,
    )
    base: str = knob(
        'grounded',
        "which of the models' policies proposes: given where things are, or words only; server: "
        'the policy server',
        choices=BASES,
    )
    samples: int = knob(8, 'candidates that a policy proposes', low=1, high=64)
    support_m: float = knob(
        0.01, 'how far refinement may move what a policy proposes', unit='m', low=0.001, high=0.3
    )
    margin: float = knob(
        0.08,
        "by which a candidate must score above the policy's first to be taken instead; a policy "
        'that reads words only has no such lead',
        low=0.0,
        high=1000.0,
    )
    shortlist: int = knob(
        0,
        'most candidates that are imagined: those whose poses alone come nearest; 0: all. For '
        'reaching; what a policy proposes is always imagined',
        low=0,
        high=64,
    )
    step_m: float = knob(0.12, 'length of a candidate motion', **_LENGTH)
    smallest_step_m: float = knob(0.02, 'its length when the target is near', **_LENGTH)
    steps: int = knob(1, 'evaluations of the world model per imagination', low=1, high=50)
    sampler: str = knob(
        'edm',
        'edm: in one step the mean of all that may happen; flow_map: one thing that may; '
        'flow_map_clamped: that, for a flow map trained between two noise levels',
        choices=SAMPLER_KINDS,
    )
    guidance_first: float = knob(
        1.0,
        'how much the first imagined frame follows the motion rather than any motion; 1 and 1 '
        'need no second evaluation, released models were sampled with 1 to 2',
        low=0.0,
        high=100.0,
    )
    guidance_last: float = knob(
        1.0, 'the same of the last frame, linear in between', low=0.0, high=100.0
    )
    seed: int = knob(0, "of the imagination's noise and of random choices", low=0, high=2**31 - 1)
    score_frames: tuple[int, ...] = knob(
        (4,),
        "imagined frames that are decoded and scored, up to the models' last; 0 is the present",
        low=1,
        empty=False,
    )
    score_views: tuple[str, ...] = knob(
        (ALL_VIEWS,),
        "which of the models' cameras are decoded and looked at in imaginations, or all; others "
        'cost nothing then, and say nothing',
        empty=False,
    )
    relevancy: str = knob(
        TOWER,
        'who says where a phrase is in what is imagined: the tower, in decoded pictures; or a '
        'head that was distilled from it and reads latents, so that none is decoded',
        choices=(TOWER, LATENTS),
    )
    decode_neighbours: int = knob(
        1,
        'frames before and after a scored one that are decoded with it, where the decoder looks '
        "at neighbours (Stable Video Diffusion's): more is nearer to decoding all, and slower",
        low=0,
        high=64,
    )
    refine_iterations: int = knob(
        3, 'gradient steps on the chosen motion; 0: none', low=0, high=50
    )
    refine_steps: int = knob(
        0,
        'evaluations of the world model per imagination in refinement; 0: as for candidates',
        low=0,
        high=50,
    )
    gradient: str = knob(
        'full',
        'through which evaluations of the world model refinement differentiates: all, or the last',
        choices=GRADIENTS,
    )
    checkpointing: bool = knob(
        False, 'compute activations again in refinement instead of keeping them: less memory'
    )
    refine_step_m: float = knob(0.05, 'length of the first gradient step', **_LENGTH)
    reach_m: float = knob(
        0.14, 'longest motion within a plan, the box that refinement stays in', **_LENGTH
    )
    weights: Mapping[str, float] = knob(
        {'relevancy': 0.2, 'distance': 10.0, 'value': 0.1},
        'of each term of the score, by name; relevancy: the mean peak over the views, distance: '
        'per m between tool and target, value: the expected value in [0, 1], as far as it differs '
        "from that of coming to rest where it is uncertain (needs the models' value head), "
        'centring: per view by which the target is off the desired centre of the views, '
        'my_package.my_module:MyTerm: your own',
        section='What a motion is worth.',
        **_WEIGHT,
    )
    handling_weights: Mapping[str, float] = knob(
        {'value': 1.0},
        'the same for tasks that handle things, whose distance to the target says little',
        **_WEIGHT,
    )
    refine_weights: Mapping[str, float] = knob(
        {'value': 0.0},
        'the same for what refinement ascends; all 0: as for choosing',
        **_WEIGHT,
    )
    centre: tuple[float, ...] = knob(
        (0.5, 0.5),
        'where in every view the target should be, x and y from the top left corner, for centring',
        unit='sizes of the view',
        low=0.0,
        high=1.0,
        length=2,
    )
    combination: str = knob(
        'pessimistic',
        'how uncertainty lowers scores; pessimistic: by the trust and the penalty below, '
        'entropy_weighted: what terms add counts 1 - uncertainty times',
        choices=('pessimistic', 'entropy_weighted'),
    )
    usual_uncertainty: float = knob(
        0.54,
        'uncertainty up to which an imagination is fully trusted; this and the next three need '
        "the models' uncertainty head",
        low=0.0,
        high=1.0,
    )
    handling_usual_uncertainty: float = knob(
        0.68,
        'the same for tasks that handle things: touching is always less certain than moving',
        low=0.0,
        high=1.0,
    )
    uncertainty_discount: float = knob(
        30.0, 'how fast trust falls above that, exp(-discount * excess); 0: never', **_WEIGHT
    )
    uncertainty_weight: float = knob(
        0.5, 'subtracted from the score per unit of uncertainty above that', **_WEIGHT
    )
    conformal: bool = knob(False, 'whether values count by their conformal lower bound')
    frame_softness: float = knob(
        0.0, 'of the maximum over score_frames, in units of score; 0: the maximum', **_WEIGHT
    )
    standoff_m: float = knob(
        0.06, "above the target's height, where the tool should rest", unit='m', low=0.0, high=1.0
    )
    target_height_m: float = knob(
        0.03,
        'above the table, assumed for the visible centre of a target',
        unit='m',
        low=0.0,
        high=1.0,
    )
    reached_m: float = knob(0.025, 'horizontal distance that counts as over the target', **_LENGTH)
    reached_height_m: float = knob(0.03, 'above the goal that counts as reached', **_LENGTH)
    max_missed_cycles: int = knob(
        8, 'cycles without a view of the target until it is lost', low=0, high=1000
    )
    max_idle_cycles: int = knob(
        4, 'cycles without coming nearer until other motions are tried', low=1, high=1000
    )
    retries: int = knob(5, 'times that the arm backs off and looks again', low=0, high=100)
    precision: str = knob(
        'auto',
        'of the networks; auto: bf16 where the machine is fast in it, weights as they are stored',
        choices=PRECISIONS,
        section='How the networks are computed.',
    )
    channels_last: bool = knob(
        False,
        'lay the weights of convolutions out as the tensor cores of a GPU like them; on a CPU '
        'that is slower',
    )
    compile: bool = knob(
        False, 'compile network and decoder at the start: minutes then, faster afterwards'
    )
    committed_frames: int = knob(
        2,
        'between an observation and the start of its plan, while the arm goes on with the one '
        "before: must outlast planning; fewer than the models' frames",
        unit='model frames',
        low=0,
        section='Pace. Planning must take less than committed_frames times the frame period.',
    )
    surprise: SurpriseConfig = knob_group(SurpriseConfig, prefix='')
    policy_server: PolicyServerConfig = knob_group(PolicyServerConfig)

    def __post_init__(self) -> None:
        check_knobs(self)

    def check_frames(self, frames: int) -> None:
        """Check what counts in frames against a world model that imagines `frames` of them.

        Raises:
            ConfigError: a frame beyond its last; frame 0 is the present.
        """
        last = frames - 1
        for name, value in (
            ('score_frames', max(self.score_frames)),
            ('committed_frames', self.committed_frames),
        ):
            if value > last:
                raise ConfigError(
                    f'{name} is {getattr(self, name)!r}; allowed: up to {last}, the last frame '
                    f'that these models imagine'
                )

    @property
    def asks_server(self) -> bool:
        """Whether a policy server proposes."""
        return self.base == SERVER or POLICY_SERVER in self.proposals

    @property
    def sampling(self) -> SamplingConfig:
        """How candidates are imagined."""
        return self._sampling(self.steps)

    @property
    def refine_sampling(self) -> SamplingConfig:
        """How imaginations are sampled that are differentiated."""
        sampled = self._sampling(self.refine_steps or self.steps)
        return replace(sampled, gradient=self.gradient, checkpointing=self.checkpointing)

    def _sampling(self, steps: int) -> SamplingConfig:
        # Only now: whoever checks a parameter file needs no PyTorch.
        from vidplan_core.world_model.sampling.sampler import SamplingConfig

        return SamplingConfig(steps, self.sampler, self.guidance_first, self.guidance_last)
