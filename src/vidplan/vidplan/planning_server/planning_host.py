# SPDX-License-Identifier: Apache-2.0
"""What the three nodes of the planning server share: the models and the thread they run in."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from vidplan.tasks.observation_feed import ObservationFeed, WakeEvent
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.geometry.robot import RobotModel

if TYPE_CHECKING:
    from vidplan_core.planner.plans.result import PlanResult
    from vidplan_core.planner.system import PlanningSystem

P = ParamSpec('P')
T = TypeVar('T')

# As nice are pictures to plans.
_NICE = 10

#: Shows a plan: the plan and the observation it was made from.
Viewer = Callable[['PlanResult', Observation], None]


class PlanningHost:
    """Holds the planning system; tensors go between the nodes by plain method calls.

    Whatever plans, imagines or scores runs in one worker thread, so that callbacks stay live and
    two computations never fight for the same cores or the same GPU memory. Only the pictures for
    people are made in a thread of their own, so that no plan waits for them.

    Attributes:
        wake: Set whenever a waiting task should look again.
        feed: Observations, once the planner is configured.
        viewers: Called with plans that were sent, in the thread of pictures.
        on_failure: Told about a viewer's exception, which must not end a task.
    """

    def __init__(self, load: Callable[..., PlanningSystem] | None = None) -> None:
        """Use another `load(models, config, device, robot)` than the real one's, in tests."""
        self._load = load or _load_system
        self._system: PlanningSystem | None = None
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix='planning')
        self._pictures = ThreadPoolExecutor(
            1, thread_name_prefix='pictures', initializer=_step_back
        )
        self._shown: Future[None] | None = None
        self.wake = WakeEvent()
        self.feed: ObservationFeed | None = None
        self.viewers: list[Viewer] = []
        self.on_failure: Callable[[Exception], None] = lambda error: None

    @property
    def worker(self) -> ThreadPoolExecutor:
        """The thread that computes."""
        return self._worker

    @property
    def system(self) -> PlanningSystem:
        """The loaded system; raises ModelError before `load`."""
        with self._lock:
            if self._system is None:
                raise ModelError('no models are loaded: configure the node world_model first')
            return self._system

    @property
    def layout(self) -> CameraLayout:
        """The stitched images that the world model sees."""
        return self.system.world_model.config.layout

    def load(self, models: Path, config: Any, device: str, robot: RobotModel) -> None:
        """Load the models and imagine once, so that the first plan is as quick as the others.

        Raises:
            ModelError: a file is missing, corrupt or of the wrong shape, or the device is none.
        """
        try:
            system = self._worker.submit(self._load, models, config, device, robot).result()
        except RuntimeError as error:  # what PyTorch raises for devices and memory
            raise ModelError(f"models of {models} do not run on '{device}': {error}") from error
        with self._lock:
            self._system = system

    def unload(self) -> None:
        """Forget the models."""
        with self._lock:
            self._system = None

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run in the worker thread, after what waits there already."""
        return self._worker.submit(work, *args, **kwargs)

    def show(self, plan: PlanResult, observation: Observation) -> None:
        """Let the viewers show a plan, after it was sent: nobody waits for pictures.

        While they draw one plan, only the newest waits.
        """
        if self._shown is not None:
            self._shown.cancel()
        self._shown = self._pictures.submit(self._show, plan, observation)

    def _show(self, plan: PlanResult, observation: Observation) -> None:
        for viewer in self.viewers:
            try:
                viewer(plan, observation)
            except Exception as error:
                self.on_failure(error)

    def close(self) -> None:
        """End the threads; what waits is dropped, and a picture that is being drawn is finished.

        Only after that may the nodes be destroyed that it is published by.
        """
        self._worker.shutdown(wait=False, cancel_futures=True)
        self._pictures.shutdown(wait=True, cancel_futures=True)


def _step_back() -> None:
    """Let the other threads of the process go first, where threads have priorities."""
    with suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _load_system(
    models: Path, config: Any, device: str, robot: RobotModel
) -> PlanningSystem:
    import torch

    from vidplan_core.planner.system import PlanningSystem

    if device.startswith('cuda') and not torch.cuda.is_available():
        raise ModelError(f"device '{device}' is not there: PyTorch sees no CUDA; use cpu")
    system = PlanningSystem.load(models, config, device, robot)
    warm_up(system)
    return system


def warm_up(system: PlanningSystem) -> None:
    """Run every network once on grey pictures: first calls are slow."""
    import torch

    from vidplan_core.data.action import PoseChunk
    from vidplan_core.geometry.fk import flange_pose
    from vidplan_core.language.instruction import PLACE, Instruction
    from vidplan_core.planner.interfaces import Situation, Start
    from vidplan_core.planner.tasks.task_kind import staged

    model = system.world_model.config
    robot = system.parts.robot
    q = torch.tensor(robot.home, dtype=torch.float32, device=system.device)
    position, rotation = flange_pose(q, robot)
    frames = model.history_frames
    shape = (1, frames, len(model.views) * model.height, model.width, 3)
    grey = torch.from_numpy(np.full(shape, 127, np.uint8)).to(system.device)
    past = PoseChunk(
        position.expand(1, frames, 3), rotation.expand(1, frames, 3, 3), q.new_zeros(1, frames)
    )
    views = torch.full((1, len(model.views), 3, model.height, model.width), 0.5)
    views = views.to(system.device)
    place = position - torch.tensor([0.0, 0.1, 0.3], device=system.device)
    with torch.no_grad():
        context = system.world_model.context(grey, past)
    start = Start(position, rotation, torch.zeros_like(position), q, 0.0)
    for verb, kind in system.kinds.items():
        if staged(kind):  # its stages come from looks
            continue
        destination = 'bowl' if verb == PLACE else None
        instruction = Instruction(verb, 'object', destination, words='object')
        grounding = None
        if kind.handles:
            grounding = system.heads.seen_grounding(
                system.heads.seen(views), past, instruction
            )
        situation = Situation(
            context, start, instruction, place, kind.goal(place), grounding=grounding
        )
        system.planner(verb).plan(situation)
