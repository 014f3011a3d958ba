# SPDX-License-Identifier: Apache-2.0
"""What lives from cycle to cycle: the past, the target's memory, the committed motion, the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ObservationError
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.planner.compositions import Composition
from vidplan_core.planner.interfaces import Situation, Start
from vidplan_core.planner.motion.committed import (
    angles_at,
    rates_at,
    rests,
    speeds_at,
    turn_rate_at,
    velocity_at,
)
from vidplan_core.planner.motion.pressing import presses
from vidplan_core.planner.motion.retreat import retreat
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.motion.standing import hand_stands
from vidplan_core.planner.motion.turning import TurningMotions
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.planner import Plan, only_plan
from vidplan_core.planner.plans.encoded import EncodedFrames, poses_of
from vidplan_core.planner.plans.foresight import ImaginedMotion, committed_chunk
from vidplan_core.planner.plans.pictures import decoded, heat_of, last_frames
from vidplan_core.planner.plans.result import PlanResult, Task
from vidplan_core.planner.target.choosing import Chooser
from vidplan_core.planner.target.in_view import not_found
from vidplan_core.planner.target.locating import Sighting
from vidplan_core.planner.tasks.handling import DONE
from vidplan_core.planner.tasks.task_kind import CycleLook, TaskKind
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.world_model import Imagination

# A gripper that measures this much else than it was commanded moves, or holds something.
MOVING_GRIPPER = 0.05
# Looks in a row that must find a task done.
LOOKS = 2
# Seeds of random choices: apart for every cycle of every configured seed.
SEEDS_APART = 100_003


class Session:
    """Plans cycle after cycle; what one cycle leaves for the next is in the task."""

    def __init__(self, parts: PlannerParts, compositions: Mapping[str, Composition]) -> None:
        """Plan with loaded models, by a composition for each verb."""
        self.parts, self.compositions = parts, compositions
        self.motions = MotionSpace.build(parts)
        self.encoded = EncodedFrames(parts.world_model)
        self.retreats = TurningMotions.build(parts)
        self._ahead_s = parts.config.committed_frames * parts.world_model.config.frame_period_s

    def plan(
        self,
        task: Task,
        history: Sequence[Observation],
        committed: CommittedMotion | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> PlanResult:
        """Plan one cycle.

        Args:
            task: its memory is updated.
            history: as many model frames as the world model's history, oldest first.
            committed: what the arm will do anyway; None for an arm that stays where it is.
            should_stop: asked between iterations.

        Raises:
            ObservationError: the history does not fit the world model.
            TargetNotFoundError: no view shows the target (at the start), or none has for long.
        """
        began = perf_counter()
        composition = self.compositions[task.instruction.verb]
        situation = self.situation(task, history, committed)
        if self._is_over(task, composition, situation):
            plan = only_plan(self.motions.rest(situation.start))
        elif self._backs_off(task, situation, presses(committed, history[-1])):
            measured = float(situation.context.poses.closedness[0, -1])
            plan = only_plan(retreat(self.retreats, situation.start, measured))
        else:
            plan = composition.planner.plan(situation, should_stop)
            if (value := plan.terms.get('value')) is not None:
                task.progress.update(value)
        result = self._result(task, plan, history[-1], situation, began)
        result.time_ratio = committed.time_ratio if committed else 1.0
        task.cycle += 1
        task.handled = situation.start.grip > 0.5
        return result

    @torch.no_grad()
    def situation(
        self,
        task: Task,
        history: Sequence[Observation],
        committed: CommittedMotion | None = None,
    ) -> Situation:
        """Look, and imagine where a plan would start; arguments and errors as for `plan`."""
        parts, kind = self.parts, self.compositions[task.instruction.verb].kind
        asked = task.instruction
        past, images = self._encode(history, asked.words)
        surprise = task.foresight.look(parts, history[-1], past.latents[:, -1])
        position, rotation = past.poses.position[:, -1], past.poses.rotation[:, -1]
        things = task.things(Chooser(parts.locator, images, position, rotation))
        grounding, handled = None, None
        seen = parts.heads.seen(images)
        if kind.handles:
            keep = partial(things.kept, parts.locator, position=position, rotation=rotation)
            grounding = parts.heads.seen_grounding(seen, past.poses, asked, keep)
        if grounding is not None:
            known = None if grounding.seen is None else grounding.seen[:, 0]
        else:
            known = parts.heads.maps_of(seen, asked.target)
        sight = parts.locator.look(images, position, rotation, asked.target, known, things.target)
        place = self._remember(task, sight, images)
        strange = parts.heads.strangeness(past.latents[:, -1], seen)
        context, start = self._hand_over(task, past, history[-1], committed, kind)
        if grounding is not None:
            handled = task.thing.look(
                parts.heads, parts.locator, parts.robot, grounding, images, past.poses,
                context.poses, start.grip,
            )  # fmt: skip
            grounding = handled.grounding
        look = CycleLook(images, past.poses, sight, place, asked, start)
        found = Situation(
            context, start, asked, place, kind.goal(place), kind.gripper(start),
            parts.config.seed * SEEDS_APART + task.cycle, sight, strange, grounding,
            stuck=task.progress.idle >= parts.config.max_idle_cycles, chosen=things.target,
            seen=images[0] if context is past else None, stage=kind.watch(task.stages, look),
            gripping=task.gripper.travelling(start.grip, history[-1].stamp_s + self._ahead_s),
            handled=handled, again=task.progress.again, surprise=surprise,
            notes=[] if surprise is None else surprise.notes(parts.config.surprise),
        )  # fmt: skip
        return replace(found, rest=self._at_rest(found)) if kind.handles else found

    def _encode(self, history: Sequence[Observation], words: str) -> tuple[Context, Tensor]:
        """Encode the history; a network may read the words of the instruction, too.

        Also return the present views (1, views, 3, height, width) in [0, 1].
        """
        if not history:
            raise ObservationError('there is no observation to plan from')
        model, device = self.parts.world_model.config, self.parts.device
        poses = poses_of(history).to(device)
        latents = self.encoded.latents([seen.image for seen in history])
        context = self.parts.world_model.past(latents, poses, words)
        present = torch.from_numpy(history[-1].image).unflatten(0, (len(model.views), -1))[None]
        return context, present.permute(0, 1, 4, 2, 3).to(device).float() / 255.0

    def _remember(self, task: Task, sighting: Sighting, images: Tensor) -> Tensor:
        """Estimated place of the target, (3,), after one more look at views."""
        task.memory.update(sighting, self.parts.locator.trust_m)
        place = task.memory.place
        # What is in the hand or in the bowl may be hidden.
        if task.handled or (place is not None and self._looks_again(task)):
            task.memory.missed = 0
        if place is None or task.memory.missed > self.parts.config.max_missed_cycles:
            missed = 0 if place is None else task.memory.missed
            name = task.instruction.target
            raise not_found(self.parts.locator, sighting, images, name, missed)
        return place

    def _looks_again(self, task: Task) -> bool:
        """Whether a lost target is looked for by backing off: a hand may hide it."""
        config, by = self.parts.config, self.compositions[task.instruction.verb].kind.by_pictures
        lost = by and task.memory.missed > config.max_missed_cycles
        return lost and task.progress.look_again(config.max_idle_cycles, config.retries)

    def _hand_over(
        self, task: Task, context: Context, present: Observation,
        committed: CommittedMotion | None, kind: TaskKind,
    ) -> tuple[Context, Start]:  # fmt: skip
        """Where candidates start: after what the arm is committed to, imagined if the kind is.

        Where the task handles things, a gripper under way is a motion, too.
        """
        ahead = self.parts.config.committed_frames
        here = Start(
            context.poses.position[0, -1], context.poses.rotation[0, -1],
            torch.zeros(3, device=self.parts.device), self._tensor(present.q), present.closedness,
        )  # fmt: skip
        if committed is None or ahead == 0:
            return context, here
        commanded = float(committed.closedness[-1])
        here = replace(here, commanded=commanded)
        gripping = kind.by_pictures and abs(commanded - present.closedness) > MOVING_GRIPPER
        if rests(committed, present.stamp_s) and not gripping:
            return context, here
        chunk = committed_chunk(self.parts, context, present, committed)
        time_s = present.stamp_s + self._ahead_s
        angles, speeds = angles_at(committed, time_s), speeds_at(committed, time_s)
        rates = rates_at(committed, time_s)
        start = Start(
            chunk.position[0, ahead],
            chunk.rotation[0, ahead],
            self._tensor(velocity_at(committed, time_s)),
            self._tensor(present.q if angles is None else angles),
            float(chunk.closedness[0, ahead]),
            None if speeds is None else self._tensor(speeds),
            self._tensor(turn_rate_at(committed, time_s)),
            float(chunk.closedness[0, ahead]),
            None if rates is None else self._tensor(rates),
        )
        if not kind.imagined:
            return context, start
        task.foresight.next = ImaginedMotion.imagine(self.parts, context, chunk, present.stamp_s)
        found = task.foresight.next.imagination
        return self.parts.world_model.advance(context, found.latents, found.measured, ahead), start

    def _at_rest(self, situation: Situation) -> Imagination:
        """What is seen and felt if the arm comes to rest and keeps what its gripper does."""
        start = situation.start
        chunk = self.retreats.rest(start)
        chunk = replace(chunk, closedness=torch.full_like(chunk.closedness, start.grip))
        return self.parts.dynamics.predict(situation, chunk)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.parts.device)

    def _is_over(self, task: Task, composition: Composition, situation: Situation) -> bool:
        """Whether the task is done where an arm in this state would come to rest."""
        found = composition.kind.finished(situation)
        if found is None:
            start = situation.start
            stop = start.position + self.motions.braking(start)
            return composition.done(stop, start.rotation, situation.target)
        task.finished = task.finished + 1 if found >= DONE else 0
        return task.finished > 0

    def _backs_off(self, task: Task, situation: Situation, pressed: bool) -> bool:
        """Whether the arm should back off; raises as `TaskProgress.must_retry`."""
        if not self.compositions[task.instruction.verb].kind.by_pictures:
            return False
        if pressed and not task.pressed:
            task.thing.press(situation.handled, situation.start.rotation, self.parts.robot)
        config = self.parts.config
        return task.backs_off(pressed, config.max_idle_cycles, config.retries)

    def _result(
        self, task: Task, plan: Plan, present: Observation, situation: Situation, began: float
    ) -> PlanResult:
        parts, composition = self.parts, self.compositions[task.instruction.verb]
        position = torch.as_tensor(present.position, dtype=torch.float32)
        rotation = quaternion_to_matrix(torch.as_tensor(present.quaternion, dtype=torch.float32))
        target = situation.target.detach().float().cpu()
        way = composition.kind.goal(target) - tcp_position(position, rotation, parts.robot)
        assert situation.sighting is not None
        return PlanResult(
            done=hand_stands(present, parts.robot)
            and self._done(task, composition, position, rotation, target),
            chunk=plan.chunk,
            start_s=present.stamp_s + self._ahead_s,
            candidates=plan.candidates,
            scores=plan.scores.float().tolist(),
            best=plan.best,
            score=plan.score,
            terms=plan.terms | situation.of_scene,
            relevancy=situation.sighting.maps[0].float().cpu().numpy(),
            target=target.numpy(),
            distance_m=float(way.norm()),
            latency_s=perf_counter() - began,
            cycle=task.cycle,
            refinement=plan.refinement,
            notes=tuple(situation.notes),
            _imagined=(frames := cache(partial(decoded, parts.world_model, plan.latents))),
            _heat=lambda: heat_of(parts, situation.context, plan.chunk, frames()),
            _futures=lambda: last_frames(parts.world_model, plan.ends),
        )

    def _done(
        self, task: Task, composition: Composition, position: Tensor, rotation: Tensor,
        target: Tensor,
    ) -> bool:  # fmt: skip
        """Whether a hand that rests here has done it; pictures must say so twice."""
        if composition.kind.by_pictures:
            return task.finished >= LOOKS
        return composition.done(position, rotation, target)
