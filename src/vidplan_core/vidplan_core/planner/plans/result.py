# SPDX-License-Identifier: Apache-2.0
"""What goes into one planning cycle and what comes out of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch

from vidplan_core.data.action import PoseChunk
from vidplan_core.language.instruction import Instruction
from vidplan_core.planner.motion.gripper_course import GripperCourse
from vidplan_core.planner.plans.foresight import Foresight
from vidplan_core.planner.target.choosing import Chooser, ChosenThings
from vidplan_core.planner.target.handled import HandledThing
from vidplan_core.planner.target.memory import TargetMemory
from vidplan_core.planner.tasks.progress import TaskProgress
from vidplan_core.planner.tasks.stage_memory import StageMemory

NO_PICTURES = np.zeros((0, 0, 0, 3), np.uint8)


@dataclass
class Task:
    """One instruction being followed; what is here is the only state between cycles.

    Attributes:
        instruction: what to do.
        memory: where the target is.
        cycle: number of the next one.
        progress: whether it comes nearer to the end.
        finished: cycles in a row that found it done.
        handled: whether the gripper was commanded to be closed.
        stages: what is known of a task that has stages.
        chosen: which of several things are meant; None until somebody looked.
        gripper: when its command changed.
        thing: where the target and its destination are, if it is handled.
        pressed: whether the hand pressed on something at the last look.
        foresight: what the next look should show.
    """

    instruction: Instruction
    memory: TargetMemory = field(default_factory=TargetMemory)
    cycle: int = 0
    progress: TaskProgress = field(default_factory=TaskProgress)
    finished: int = 0
    handled: bool = False
    stages: StageMemory = field(default_factory=StageMemory)
    chosen: ChosenThings | None = None
    gripper: GripperCourse = field(default_factory=GripperCourse)
    thing: HandledThing = field(default_factory=HandledThing)
    pressed: bool = False
    foresight: Foresight = field(default_factory=Foresight)

    def things(self, chooser: Chooser) -> ChosenThings:
        """Which things are meant: chosen at the first look, and followed from then on.

        Raises:
            TargetNotFoundError: which ones is not clear.
        """
        if self.chosen is None:
            self.chosen = chooser.things_of(self.instruction)
            if self.chosen.target is not None:
                self.memory.place = self.chosen.target.place
        return self.chosen.at(self.memory.place)

    def backs_off(self, pressed: bool, idle_cycles: int, retries: int) -> bool:
        """Whether the arm should back off, once more because the hand presses on something or not.

        Arguments and errors as for `TaskProgress.must_retry`; pressing on is one retry.
        """
        if pressed and not self.pressed:
            self.progress.idle = 2 * idle_cycles
        self.pressed = pressed
        return self.progress.must_retry(self.instruction.words, idle_cycles, retries) or pressed


@dataclass(frozen=True)
class Pictures:
    """New frames of an imagination, uint8 (frames, views*height, width, 3) each.

    Attributes:
        frames: as they are imagined.
        heat: under the colours of their uncertainty, blue to red; none without a head.
    """

    frames: np.ndarray
    heat: np.ndarray


@dataclass(eq=False)
class PlanResult:
    """One cycle's outcome.

    Attributes:
        done: the planner's own judgement that the tool rests over the target.
        chunk: flange poses (1, frames); frame 0 is due at `start_s`.
        start_s: when the chunk starts, in the clock of the observations, s.
        candidates: all proposed chunks (candidates, frames).
        scores: (candidates,), in the order of the proposals.
        best: index of the chosen candidate.
        score: of the chosen chunk after refinement.
        terms: the score's terms by name, of the chosen candidate, and what is known of
            the scene, such as `novelty` and `surprise`.
        relevancy: (views, rows, columns) in [0, 1] of the target in the present images.
        target: place of the target as the planner estimates it, (3,), base frame, m.
        distance_m: from the tool to the goal above the target, as the planner estimates it.
        latency_s: time the cycle took, wall clock, s.
        cycle: its number within the task, from 0.
        time_ratio: time that the arm takes for the plan before this one over the time that it was
            given; 1 when it does in time what was imagined.
        notes: what was out of the ordinary, such as a policy server that gave no answer.
    """

    done: bool
    chunk: PoseChunk
    start_s: float
    candidates: PoseChunk
    scores: list[float]
    best: int
    score: float
    terms: dict[str, float]
    relevancy: np.ndarray
    target: np.ndarray
    distance_m: float
    latency_s: float
    cycle: int
    refinement: tuple[float, ...] = ()
    time_ratio: float = 1.0
    notes: tuple[str, ...] = ()
    _imagined: Callable[[], np.ndarray] = field(default=lambda: NO_PICTURES)
    _heat: Callable[[], np.ndarray] = field(default=lambda: NO_PICTURES)
    _futures: Callable[[], np.ndarray] = field(default=lambda: NO_PICTURES)

    @cached_property
    def predicted(self) -> np.ndarray:
        """Imagined frames of the chosen chunk, uint8 (frames, views*height, width, 3).

        Decoded on first use: nobody waits for pictures before the arm gets its plan. Empty for
        a method without imagination.
        """
        return self._imagined()

    @cached_property
    def heat(self) -> np.ndarray:
        """The new imagined frames under their uncertainty, uint8 as `predicted`, one frame less.

        Blue is certain, red is not. Empty without imagination or without an uncertainty head.
        """
        return self._heat()

    @cached_property
    def futures(self) -> np.ndarray:
        """The last imagined frame of every candidate, in the order of `scores`, as `predicted`.

        Of one that was not imagined it shows nothing; empty without imagination.
        """
        return self._futures()

    def alternatives(self) -> Iterator[PlanResult]:
        """The candidates as plans of their own, best first, for when this one is refused.

        What nobody imagined, or was left out for doubt, is none.
        The chosen candidate is among them where refinement has changed it. None has pictures.
        """
        for index in sorted(range(len(self.scores)), key=lambda index: -self.scores[index]):
            chunk = self.candidates.select(index)
            if self.scores[index] == -math.inf:
                continue
            if index == self.best and torch.equal(chunk.position, self.chunk.position):
                continue
            yield replace(
                self, chunk=chunk, best=index, score=self.scores[index], terms={}, refinement=(),
                _imagined=lambda: NO_PICTURES, _heat=lambda: NO_PICTURES,
            )  # fmt: skip
