# SPDX-License-Identifier: Apache-2.0
"""What the evaluations can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.knobs import knob
from vidplan_core.language.view_fitting import FITS
from vidplan_core.metrics.perceptual_networks import NETWORKS
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.world_model import SAMPLER_KINDS
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_training.data.readers.source import AnyEpisodes
from vidplan_training.settings.knobs import Settings

FEATURES = ('auto', *NETWORKS)
_PLANNER = PlannerConfig()


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(Settings):
    """What every evaluation has."""

    models: Path = knob(Path('models/cell'), 'folder of the models')
    threads: int | None = knob(None, 'of the processor; none: as PyTorch chooses', low=1)
    seed: int = knob(0, 'of the choice of clips and of noise')
    json: Path | None = knob(None, 'file for the result')


@dataclass(frozen=True, kw_only=True)
class ImaginationSettings(EvaluationSettings, AnyEpisodes):
    """What is common to chunks and long rollouts."""

    steps: tuple[int, ...]
    guidance: tuple[float, float] = knob(
        (1.0, 2.0), 'of the EDM sampler, for the first and the last frame'
    )
    temperature: float = knob(1.0, 'size of the first noise', low=0.0)
    features: str = knob(
        'auto',
        'network of the deep-feature distance; auto takes the first that is here',
        choices=FEATURES,
    )
    device: str = knob('cpu', 'to compute on')


STEPS_TEXT = 'network evaluations; from 50 on the EDM sampler, below the flow map'


@dataclass(frozen=True, kw_only=True)
class EvaluateWorldModel(ImaginationSettings):
    """Imagine clips of held-out episodes in few and in many steps.

    They are compared with what happened, with copying and with reconstruction; all pixels and
    moving pixels apart.
    """

    steps: tuple[int, ...] = knob((1, 2, 4, 8, 50), STEPS_TEXT, low=1, empty=False)
    clips: int = knob(200, 'two per episode', low=1)
    pictures: Path | None = knob(None, 'folder to draw some clips in, as PNG')
    picture_clips: int = knob(4, 'how many are drawn; seeded choice', low=1)


@dataclass(frozen=True, kw_only=True)
class EvaluateRollout(ImaginationSettings):
    """Imagine long held-out episodes chunk after chunk with their recorded actions."""

    steps: tuple[int, ...] = knob((1, 4, 50), STEPS_TEXT, low=1, empty=False)
    episodes: int = knob(8, 'to imagine', low=1)
    chunks: int = knob(15, 'of four new frames each', low=1)
    plot: Path | None = knob(None, 'PNG or SVG of the curves')
    video: Path | None = knob(None, 'mp4 of the first episodes')


@dataclass(frozen=True, kw_only=True)
class EvaluateSemantic(EvaluationSettings):
    """Render scenes of evaluation seeds, with seen instances and with unseen ones.

    Seen ones vary as those of training scenes do; unseen ones have colours and sizes beyond.
    """

    episodes: int = knob(100, 'scenes, of each kind', low=2)
    seed: int = knob(1_000_000, 'of the first scene')
    view: tuple[int, ...] = knob((), "height, width to look at; none: the tower's own", low=16)
    fit: str = knob('tiles', 'for views of another shape than its own', choices=FITS)


@dataclass(frozen=True, kw_only=True)
class EvaluateUncertainty(EvaluationSettings, AnyEpisodes):
    """Imagine clips of held-out episodes and compare predicted errors with true ones.

    As their mean, in 1, 2 and 4 steps, and fed back once.
    """

    unseen_objects: Path | None = knob(None, 'of `collect --unseen objects`')
    unseen_lights: Path | None = knob(None, 'of `collect --unseen lights`')
    clips: int = knob(200, 'two per episode', low=1)
    features: str = knob('auto', 'network of the deep-feature distance', choices=FEATURES)
    pictures: Path | None = knob(None, 'folder for diagrams and heat maps')


@dataclass(frozen=True, kw_only=True)
class ValueSettings(AnyEpisodes):
    """What a value head is measured with; imaginations as the planner has them by default."""

    models: Path = knob(Path('models/cell'), 'folder of the models')
    sampler: str = knob(_PLANNER.sampler, 'how imaginations are made', choices=SAMPLER_KINDS)
    steps: int = knob(_PLANNER.steps, 'network evaluations per imagination', low=1)
    seed: int = knob(0, 'of the choice of clips and of noise')

    @property
    def sampling(self) -> SamplingConfig:
        """How imaginations are sampled."""
        return SamplingConfig(self.steps, self.sampler)


@dataclass(frozen=True, kw_only=True)
class EvaluateValue(ValueSettings):
    """Imagine clips of held-out episodes with instructions that come true, and others.

    And six motions of fresh scenes, each also carried out in the simulator.
    """

    draws: int = knob(6, 'clips per episode', low=1)
    scenes: int = knob(100, 'for the best of six', low=0)
    threads: int | None = knob(None, 'of the processor; none: as PyTorch chooses', low=1)
    json: Path | None = knob(None, 'file for the result')


@dataclass(frozen=True, kw_only=True)
class HeadsRecipe(EvaluationSettings, AnyEpisodes):
    """Train the uncertainty head and, where episodes are labelled, the value head; judge both.

    What is not said here is that of the presets of `uncertainty-head` and `value-head`.
    """

    out: Path = knob(Path('outputs/heads/models'), 'models folder to write, with both heads')
    work: Path = knob(Path('outputs/heads/work'), 'folder of checkpoints to resume from')
    sizes: str | None = knob(None, 'preset of both heads, such as full; none: their defaults')
    iterations: int | None = knob(None, "of each training; none: the preset's", low=1)
    batch: int | None = knob(None, "rollouts per iteration; none: the preset's", low=1)
    pool: int = knob(64, 'rollouts that 8 iterations share, at most', low=1)
    checked: int | None = knob(None, "held-out rollouts of a check; none: the preset's", low=1)
    clips: int = knob(200, 'two per held-out episode, to judge the uncertainty by', low=1)
    scenes: int = knob(100, 'for the best of six, with source=cell only', low=0)


@dataclass(frozen=True, kw_only=True)
class EvaluateContact(EvaluationSettings):
    """Imagine closings 0 to 5 cm off, and eight chunks from moments of a task, of fresh scenes.

    Each is also carried out in the simulator.
    """

    closings: int = knob(200, 'one per scene', low=2)
    sets: int = knob(80, 'moments of eight chunks, at least', low=0)
    data: Path | None = knob(None, 'keep the recorded chunks here, or take them from here')
    pictures: Path | None = knob(None, 'folder to draw the ten worst closings in')
    seed: int = knob(1_000_000, 'of the first scene', low=0)


@dataclass(frozen=True, kw_only=True)
class EvaluateSuccess(EvaluationSettings):
    """Grasp, carry and let go in fresh scenes; say of every look whether it is a success.

    Grasps that hold and miss, releases in the bowl, on its rim and beside it. The interval of a
    share (`right`, `missed`, ...) is by scene where it is named `_95`; the others are exact.
    """

    scenes: int = knob(200, 'one grasp and one release in each', low=2)
    workers: int = knob(1, 'processes that record', low=1)
    data: Path | None = knob(None, 'keep the recorded endings here, or take them from here')
    seed: int = knob(1_000_000, 'of the first scene', low=0)


@dataclass(frozen=True, kw_only=True)
class EvaluateGrasp(EvaluationSettings):
    """Say how far grasps are from the expert's in fresh scenes, with the head and without it.

    Without it the target's triangulated place and the moments of its relevancy say how to grasp.
    Intervals of means are by scene.
    """

    scenes: int = knob(200, 'five looks at each', low=2)
    workers: int = knob(1, 'processes that record', low=1)
    data: Path | None = knob(None, 'keep the recorded looks here, or take them from here')
    seed: int = knob(1_000_000, 'of the first scene', low=0)


@dataclass(frozen=True, kw_only=True)
class ConformalRecipe(ValueSettings):
    """Bound predicted values from below, with known probability.

    One clip of every held-out episode, with a random instruction: half of the episodes choose
    the margin, the other half measures how often the bound holds at all imagined frames together.
    """

    out: Path = knob(
        Path('outputs/conformal'), 'folder to write; the planner reads it from MODELS/value'
    )
    alpha: float = knob(0.1, 'share of episodes that it may fail in', low=0.0, high=1.0)
    json: Path | None = knob(None, 'file for the result')
