# SPDX-License-Identifier: Apache-2.0
"""Everything between observations and a plan, for the node and for offline evaluation alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ObservationError, TargetNotFoundError
from vidplan_core.geometry.camera import Camera, load_cameras
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.heads.heat_map import heat_map
from vidplan_core.language.instruction import parse_instruction
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.models.precision import narrow
from vidplan_core.planner.committed import angles_at, chunk_ahead, rests, velocity_at
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.cycle import NO_PICTURES, Pictures, PlanResult, Situation, Task
from vidplan_core.planner.judge import Judge, load_judge
from vidplan_core.planner.objective.reach import ReachObjective, Sighting
from vidplan_core.planner.planner import Plan, Planner, Start
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.world_model import Context, Imagination, WorldModel

# The arm counts as at rest below this joint speed, rad/s.
REST_RAD_S = 0.02


class PlanningSystem:
    """World model, scorer and planner, loaded once."""

    def __init__(
        self,
        world_model: WorldModel,
        scorer: SemanticScorer,
        cameras: dict[str, Camera],
        config: PlannerConfig,
        device: torch.device,
        judge: Judge | None = None,
    ) -> None:
        config.check_frames(world_model.config.frames)
        self.world_model, self.scorer, self.config = world_model, scorer, config
        self.device, self.cameras = device, cameras
        self.objective = ReachObjective(scorer, scorer.config.threshold, cameras, config)
        self.planner = Planner(world_model, self.objective, config, judge=judge)

    @staticmethod
    def load(
        models: Path, config: PlannerConfig | None = None, device: str = 'cpu'
    ) -> PlanningSystem:
        """Load a models folder: autoencoder/, world_model/, semantic/ and cameras.json.

        Its heads, uncertainty/ and value/, are used where they are there.

        Raises:
            ModelError: a file is missing, corrupt or does not fit.
        """
        world_model = load_world_model(models, device)
        if not world_model.config.backbone.own_precision:
            narrow(world_model.backbone, torch.device(device))
            narrow(world_model.autoencoder, torch.device(device))
        cameras = load_cameras(models / 'cameras.json', world_model.config.views)
        scorer = SemanticScorer.load(models / 'semantic', device=device)
        chosen = config or PlannerConfig()
        judge = load_judge(models, world_model, scorer, conformal=chosen.conformal, device=device)
        return PlanningSystem(world_model, scorer, cameras, chosen, torch.device(device), judge)

    def new_task(self, instruction: str, target: str = '') -> Task:
        """Start following an instruction; `target` overrides the phrase to look for.

        Raises:
            InstructionError: no phrase to look for.
        """
        if target.strip() and not instruction.strip():
            instruction = f'move to the {target}'
        parsed = parse_instruction(instruction)
        phrase = parse_instruction(f'move to the {target}').target if target.strip() else ''
        return Task(parsed, phrase or parsed.target, instruction.strip())

    def plan(
        self,
        task: Task,
        history: Sequence[Observation],
        committed: CommittedMotion | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> PlanResult:
        """Plan one cycle.

        Args:
            task: from `new_task`; its memory is updated.
            history: as many model frames as the world model's history, oldest first.
            committed: what the arm will do anyway; None for an arm that stays where it is.
            should_stop: asked between iterations.

        Raises:
            ObservationError: the history does not fit the world model.
            TargetNotFoundError: no view shows the target (at the start), or none has for long.
        """
        began = perf_counter()
        here = self.situation(task, history, committed)
        start, memory = here.start, here.memory
        if self._over_target(start, memory):
            plan = self._rest(start)
        else:
            plan = self.planner.plan(
                here.context, start, task.phrase, memory, task.cycle, should_stop,
                task.instruction,
            )  # fmt: skip
        result = self._result(task, plan, history[-1], here, began)
        task.cycle += 1
        return result

    # The steps of a cycle

    @torch.no_grad()
    def situation(
        self,
        task: Task,
        history: Sequence[Observation],
        committed: CommittedMotion | None = None,
    ) -> Situation:
        """Look, and imagine where a plan would start; arguments and errors as for `plan`."""
        context, images = self._see(history, task.words)
        position, rotation = context.poses.position[:, -1], context.poses.rotation[:, -1]
        sighting = self.objective.look(images, position, rotation, task.phrase)
        memory = self._remember(task, sighting)
        seen = context.latents[:, -1]
        ahead = self.config.committed_frames
        context, start = self._at_start(context, history[-1], committed, ahead)
        known = self.planner.judge.novelty
        novelty = None if known is None else float(known.score(seen)[0])
        return Situation(context, start, memory, sighting, novelty)

    def _see(self, history: Sequence[Observation], words: str) -> tuple[Context, Tensor]:
        """Encode the history; a network may read the words of the instruction, too.

        Also return the present views (1, views, 3, height, width) in [0, 1].
        """
        if not history:
            raise ObservationError('there is no observation to plan from')
        model = self.world_model.config
        images = torch.from_numpy(np.stack([seen.image for seen in history]))[None]
        poses = PoseChunk(
            _stack([seen.position for seen in history]),
            quaternion_to_matrix(_stack([seen.quaternion for seen in history])),
            _stack([np.float64(seen.closedness) for seen in history]),
        ).to(self.device)
        context = self.world_model.context(images.to(self.device), poses, words)
        views = images[:, -1].unflatten(1, (len(model.views), model.height))
        return context, views.permute(0, 1, 4, 2, 3).to(self.device).float() / 255.0

    def _remember(self, task: Task, sighting: Sighting) -> Tensor:
        task.memory.update(sighting, self.objective.trust_m)
        place = task.memory.place
        if place is None or task.memory.missed > self.config.patience:
            peak = float(sighting.peaks.max())
            when = 'now' if place is None else f'for {task.memory.missed} cycles'
            raise TargetNotFoundError(
                f"no view shows '{task.phrase}' {when}: the best relevancy is {peak:.2f}, needed "
                f'{self.scorer.config.threshold:.2f}; name an object that the cameras see'
            )
        return place

    def _at_start(
        self, context: Context, present: Observation, committed: CommittedMotion | None, ahead: int
    ) -> tuple[Context, Start]:
        """Where candidates start: after what the arm is committed to, imagined."""
        here = Start(
            context.poses.position[0, -1], context.poses.rotation[0, -1],
            torch.zeros(3, device=self.device), self._tensor(present.q), present.closedness,
        )  # fmt: skip
        if committed is None or ahead == 0 or rests(committed, present.stamp_s):
            return context, here
        model = self.world_model.config
        chunk = chunk_ahead(committed, present.stamp_s, model.frames, model.frame_period_s)
        chunk = chunk.to(torch.float32).to(self.device)
        latents = self._imagine(context, chunk).latents
        time_s = present.stamp_s + ahead * model.frame_period_s
        angles = angles_at(committed, time_s)
        start = Start(
            chunk.position[0, ahead],
            chunk.rotation[0, ahead],
            self._tensor(velocity_at(committed, time_s)),
            self._tensor(present.q if angles is None else angles),
            float(chunk.closedness[0, ahead]),
        )
        return self.world_model.advance(context, latents, chunk, ahead), start

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def _over_target(self, start: Start, memory: Tensor) -> bool:
        if self.config.method == 'random':
            return False
        stop = start.position + self.planner.braking(start)
        way = self.objective.to_goal(stop, start.rotation, memory)
        over = float(way[:2].norm()) < self.config.reached_m
        return over and float(-way[2]) < self.config.reached_height_m

    def _rest(self, start: Start) -> Plan:
        """The plan of an arm that is where it should be: brake and stay."""
        chunk = self.planner.still(start)
        return Plan(chunk, chunk, torch.zeros(1), 0, 0.0, {}, None, ())

    def _result(
        self,
        task: Task,
        plan: Plan,
        present: Observation,
        situation: Situation,
        began: float,
    ) -> PlanResult:
        model = self.world_model.config
        now = quaternion_to_matrix(torch.as_tensor(present.quaternion, dtype=torch.float32))
        here = Start(
            torch.as_tensor(present.position, dtype=torch.float32), now,
            torch.zeros(3), torch.zeros(7), present.closedness,
        )  # fmt: skip
        at_rest = bool(np.abs(present.dq).max() < REST_RAD_S)
        place = situation.memory.detach().float().cpu()
        distance = float(self.objective.to_goal(here.position, here.rotation, place).norm())
        return PlanResult(
            done=at_rest and self._over_target(here, place),
            chunk=plan.chunk,
            start_s=present.stamp_s + self.config.committed_frames * model.frame_period_s,
            candidates=plan.candidates,
            scores=plan.scores.float().tolist(),
            best=plan.best,
            score=plan.score,
            terms=plan.terms | _told(situation.novelty),
            relevancy=situation.sighting.maps[0].float().cpu().numpy(),
            target=place.numpy(),
            distance_m=distance,
            latency_s=perf_counter() - began,
            cycle=task.cycle,
            refinement=plan.refinement,
            _imagined=lambda: self.pictures(plan.latents),
            _doubted=lambda: self._heat(situation.context, plan),
        )

    @torch.no_grad()
    def pictures(self, latents: Tensor | None) -> np.ndarray:
        """Decode imagined latents (1, frames, ...) to uint8 (frames, views*height, width, 3)."""
        model = self.world_model.config
        if latents is None:
            return np.zeros((0, len(model.views) * model.height, model.width, 3), np.uint8)
        return _stacked(self.world_model.decode(latents)[0])

    @torch.no_grad()
    def imagined_pictures(self, context: Context, chunk: PoseChunk) -> Pictures:
        """Imagine a chunk (1, frames) and draw its new frames and their uncertainty."""
        imagination = self._imagine(context, chunk)
        frames = self.world_model.decode(imagination.latents[:, 1:])
        head = self.planner.judge.uncertainty_head
        if head is None:
            return Pictures(_stacked(frames[0]), NO_PICTURES)
        heat = heat_map(self.world_model, head.judge(imagination).entropy, frames)
        return Pictures(_stacked(frames[0]), _stacked(heat[0]))

    def _imagine(self, context: Context, chunk: PoseChunk) -> Imagination:
        config = self.config
        return self.world_model.imagine(context, chunk, config.sampling, config.seed)

    def _heat(self, context: Context, plan: Plan) -> np.ndarray:
        """The heat map over a plan's new frames; empty without imagination or without a head."""
        if self.planner.judge.uncertainty_head is None or plan.latents is None:
            return NO_PICTURES
        return self.imagined_pictures(context, plan.chunk).heat


def _told(novelty: float | None) -> dict[str, float]:
    """What a plan reports of how strange its scene is, beside the score's terms."""
    return {} if novelty is None else {'novelty': novelty}


def _stacked(views: Tensor) -> np.ndarray:
    """Pictures (frames, views, 3, height, width) in [0, 1] as uint8 (frames, rows, width, 3)."""
    stacked = views.float().permute(0, 1, 3, 4, 2).flatten(1, 2)
    return (stacked * 255).round().to(torch.uint8).cpu().numpy()


def _stack(rows: Sequence[np.ndarray | np.float64]) -> Tensor:
    return torch.from_numpy(np.stack(rows)[None]).float()
