# SPDX-License-Identifier: Apache-2.0
"""What a run saw, imagined, chose and came to: the data behind its video and report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.language.deeds import deed_words

if TYPE_CHECKING:
    from vidplan_sim.expert.ending import TrueEnding

NO_PICTURES = np.zeros((0, 0, 0, 3), np.uint8)


@dataclass(frozen=True)
class SeenFrame:
    """One stitched observation as the planner got it.

    Attributes:
        stamp_s: ROS time of the images [s].
        image: Views stacked along height, uint8 (views * H, W, 3), RGB.
        position: Flange in the robot base frame [m], (3,).
        quaternion: Flange in the robot base frame, xyzw, (4,).
        closedness: Gripper, 0 open .. 1 closed.
        q: Joint positions [rad], (7,).
    """

    stamp_s: float
    image: np.ndarray
    position: np.ndarray
    quaternion: np.ndarray
    closedness: float
    q: np.ndarray


@dataclass(frozen=True)
class PlanRecord:
    """One planning cycle: what was imagined and what was chosen.

    Attributes:
        stamp_s: ROS time of the observation that was planned from [s].
        start_s: ROS time at which frame 0 of the chosen chunk is due [s].
        cycle: Number of the cycle within its task, from 0.
        predicted: Imagined frames of the chosen chunk, uint8 (F, views * H, W, 3), RGB;
            F is 0 where the server published none.
        relevancy: Relevancy of the target, float (views, h, w) in [0, 1], 0.5 neutral;
            h is 0 where the server published none.
        candidates: Flange paths of every candidate, base frame [m], (N, F, 3).
        scores: Score of every candidate, (N,).
        best: Index of the chosen candidate.
        score: Score of the chosen chunk after refinement.
        position: Chosen flange path, base frame [m], (F, 3).
        quaternion: Chosen flange orientations, xyzw, (F, 4).
        closedness: Chosen gripper, (F,).
        latency_s: Time the plan took [s], wall clock.
        terms: What the score is made of, by name; empty where none was recorded.
        heat: New imagined frames under their uncertainty, uint8 (F - 1, views * H, W, 3), blue
            certain, red not; empty where nobody drew them.
        futures: Last imagined frame of every candidate, uint8 (N, views * H, W, 3), in the order
            of `scores`; empty where nobody decoded them.
        time_ratio: Time that the arm took over the time that it was given; NaN where unknown.
        notes: What was out of the ordinary, such as a policy server that gave no answer.
        real_time_factor: Seconds of the stamps per second of the machine while it planned; NaN:
            as the log says.
    """

    stamp_s: float
    start_s: float
    cycle: int
    predicted: np.ndarray
    relevancy: np.ndarray
    candidates: np.ndarray
    scores: np.ndarray
    best: int
    score: float
    position: np.ndarray
    quaternion: np.ndarray
    closedness: np.ndarray
    latency_s: float
    terms: Mapping[str, float] = field(default_factory=dict)
    heat: np.ndarray = field(default_factory=lambda: NO_PICTURES)
    futures: np.ndarray = field(default_factory=lambda: NO_PICTURES)
    time_ratio: float = math.nan
    notes: tuple[str, ...] = ()
    real_time_factor: float = math.nan


@dataclass(frozen=True)
class RunResult:
    """How the goal ended: `code` is a name such as SUCCESS, TIME_LIMIT or TARGET_NOT_FOUND.

    `late` of its `cycles` gave a plan that came too late to be executed.
    """

    success: bool
    code: str
    message: str
    cycles: int
    duration_s: float
    late: int = 0


@dataclass
class RunLog:
    """Everything a video and a report of one run are made from.

    Attributes:
        instruction: The goal's words.
        target: The noun phrase that was looked for ('' until known).
        seed: Seed of the cell's scene, None on a robot.
        frame_period_s: Time between two model frames [s].
        views: Names of the stitched views, top to bottom.
        seen: Observations in order of time.
        plans: Planning cycles in order of time.
        result: How the goal ended, None while it runs.
        bag: Folder of the recorded bag, '' if none.
        real_time_factor: Seconds of the stamps per second of the machine that planned, at first.
        truth: How it really ended, if the robot is the simulated cell.
        replayed: The imagined frames are those of the motion that was executed, to their end;
            otherwise each plan's motion is executed until the next plan takes over.
    """

    instruction: str
    target: str = ''
    seed: int | None = None
    frame_period_s: float = 0.2
    views: tuple[str, ...] = field(default_factory=lambda: default_layout().views)
    seen: list[SeenFrame] = field(default_factory=list)
    plans: list[PlanRecord] = field(default_factory=list)
    result: RunResult | None = None
    bag: str = ''
    replayed: bool = False
    real_time_factor: float = 1.0
    truth: TrueEnding | None = None

    @property
    def misjudged(self) -> bool:
        """Whether the planner said one thing and the ground truth says the other."""
        if self.result is None or self.truth is None:
            return False
        return self.result.success != self.truth.done

    @property
    def succeeded(self) -> bool:
        """Whether the planner says so, and no ground truth says otherwise."""
        return self.result is not None and self.result.success and not self.misjudged

    @property
    def verdict(self) -> str:
        """In words, how it ended: what was done, or why not; '' while it runs."""
        if self.result is None:
            return ''
        done = deed_words(self.instruction, self.target) if self.succeeded else ''
        parts = done, self.result.message, self.truth_words
        return '; '.join(words for words in parts if words)

    @property
    def truth_words(self) -> str:
        """What the ground truth says, beside what the planner said; '' where it is unknown."""
        if self.truth is None:
            return ''
        if not self.misjudged:
            return f'ground truth: {self.truth.words}'
        state = 'done' if self.truth.done else 'not done'
        return f'by ground truth it is {state}: {self.truth.words}'

    def seen_near(self, stamp_s: float) -> SeenFrame | None:
        """Return the observation nearest in time to `stamp_s`, None if nothing was seen."""
        return min(self.seen, key=lambda frame: abs(frame.stamp_s - stamp_s), default=None)
