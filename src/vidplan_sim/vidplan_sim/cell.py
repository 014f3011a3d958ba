# SPDX-License-Identifier: Apache-2.0
"""The simulated Franka cell, without ROS: reset, step, look, command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from vidplan_sim.arm.franka import FINGER_OPEN_M, OPEN_CTRL
from vidplan_sim.arm.kinematics import ARM_JOINTS
from vidplan_sim.arm.servo import ARM
from vidplan_sim.arm.trajectory_controller import Point, Trajectory, TrajectoryController
from vidplan_sim.objects import cloth
from vidplan_sim.objects.unseen import UNSEEN_KINDS
from vidplan_sim.render.cameras import DEFAULT_SIZE, VIEWS
from vidplan_sim.render.views import SEGMENT_NAMES, Views, check_size
from vidplan_sim.rig import Rig
from vidplan_sim.scene import Scene
from vidplan_sim.touching import touched_kinds
from vidplan_sim.world import TIMESTEP_S

SETTLE_S = 0.4
GRIPPER_SPEED = 1.6  # closedness per second, about the real hand's 0.13 m/s of width
# Warnings after which a state means nothing any more.
_DIVERGED = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL,
             mujoco.mjtWarning.mjWARN_BADQACC)
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION


class SimulationDiverged(RuntimeError):
    """The physics left the numbers' range; the episode is void, the cell can be reset."""


@dataclass(frozen=True)
class CellState:
    """A moment that `Cell.restore` can return to; `cloth` (vertices, 3), m, is what is shown."""

    scene: Scene
    physics: np.ndarray
    cloth: np.ndarray
    controller: object
    ticks: int
    gripper_goal: float
    gripper_set_point: float


class Cell:
    """An FR3 with its hand at a table with everyday objects, three cameras, simulated time.

    Steps in lock-step: time passes only in `step`. The same scene and the same commands give the
    same states and pictures, bit by bit.

    Args:
        height, width: size of the pictures, pixels.
        shadows: whether pictures have shadows (twice as slow).
        unseen: whether scenes may hold the objects of `unseen.py`, which training never does.

    Raises:
        ValueError: the picture size is impossible.
    """

    segment_names: tuple[str, ...] = SEGMENT_NAMES
    timestep_s: float = TIMESTEP_S

    def __init__(self, height: int = DEFAULT_SIZE[0], width: int = DEFAULT_SIZE[1], *,
                 shadows: bool = False, unseen: bool = False) -> None:
        check_size(height, width)
        self.height, self.width = height, width
        self._shadows = shadows
        self._extra = UNSEEN_KINDS if unseen else ()
        self._rigs: dict[bool, Rig] = {}  # by whether they have cloth
        self._use_rig(with_cloth=False)
        self._scene: Scene | None = None
        self._ticks = 0
        self._gripper_goal = self._gripper_set_point = 0.0
        self.controller = TrajectoryController(ARM_JOINTS)

    def reset(self, scene: Scene) -> None:
        """Start an episode: objects at rest, the arm at `scene.q_start`, gripper open, time zero.

        Raises:
            ValueError: the cell cannot build the scene.
        """
        self._enter(scene)
        self._data.qpos[:7] = scene.q_start
        self._data.qpos[7:9] = FINGER_OPEN_M
        self._gripper_goal = self._gripper_set_point = 0.0
        self._ticks = 0
        self.controller.hold(np.array(scene.q_start), 0.0)
        for _ in range(round(SETTLE_S / TIMESTEP_S)):
            self._tick()
        self._data.qvel[:] = 0.0
        self._data.time = 0.0
        self._ticks = 0
        self.controller.hold(np.array(scene.q_start), 0.0)
        self._update_frames()

    def step(self, duration_s: float) -> None:
        """Simulate a duration, rounded to whole physics steps.

        Raises:
            ValueError: the duration is negative or not finite.
            SimulationDiverged: the physics failed.
        """
        self._require_scene()
        if not np.isfinite(duration_s) or duration_s < 0.0:
            raise ValueError(f'duration_s must be finite and not negative, got {duration_s}')
        end = self._ticks + round(duration_s / TIMESTEP_S)
        while self._ticks < end:
            self._tick()
        self._update_frames()
        if any(self._data.warning[int(kind)].number for kind in _DIVERGED):
            raise SimulationDiverged(f'scene {self._scene} diverged before {self.time_s:.3f} s')

    def send_trajectory(self, names: Sequence[str], points: Sequence[Point],
                        start_s: float | None = None) -> None:
        """Hand a joint trajectory to the arm's controller; `start_s` None starts it now.

        Raises:
            TrajectoryRejected: the controller refuses it and goes on as before.
        """
        self._require_scene()
        stamp_s = 0.0 if start_s is None else start_s
        self.controller.accept(Trajectory(names, points, stamp_s), self.time_s, self.q, self.dq)

    def send_gripper(self, closedness: float) -> None:
        """Command the gripper: 0 open to 1 closed.

        Raises:
            ValueError: the value is not within 0 to 1.
        """
        if not 0.0 <= closedness <= 1.0:
            raise ValueError(f'closedness must be 0 to 1, got {closedness}')
        self._gripper_goal = float(closedness)

    @property
    def scene(self) -> Scene:
        """The scene of this episode."""
        return self._require_scene()

    @property
    def time_s(self) -> float:
        """Simulated time since the reset."""
        return self._ticks * TIMESTEP_S

    @property
    def q(self) -> np.ndarray:
        """Measured joint positions (7,) rad."""
        return self._data.qpos[:7].copy()

    @property
    def dq(self) -> np.ndarray:
        """Measured joint velocities (7,) rad/s."""
        return self._data.qvel[:7].copy()

    @property
    def closedness(self) -> float:
        """Measured gripper state, 0 open to 1 closed."""
        width = float(self._data.qpos[7] + self._data.qpos[8])
        return float(np.clip(1.0 - width / (2 * FINGER_OPEN_M), 0.0, 1.0))

    @property
    def tcp(self) -> np.ndarray:
        """Point between the fingertips (3,) m, base frame."""
        return self._data.site('tcp').xpos.copy()

    def flange_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Flange position (3,) m and quaternion (4,) xyzw in the base frame."""
        site = self._data.site('flange')
        wxyz = np.empty(4)
        mujoco.mju_mat2Quat(wxyz, site.xmat)
        return site.xpos.copy(), wxyz[[1, 2, 3, 0]]

    def truth(self) -> dict[str, np.ndarray]:
        """True centres (3,) m, base frame, of the scene's objects and the bowl, by kind.

        For evaluators and teachers only; a planner must not see it.
        """
        scene, body = self._require_scene(), self._data.body
        found = {name: body(name).xpos.copy() for name in scene.kinds}
        if scene.towel is not None:
            found[cloth.NAME] = self.cloth().reshape(-1, 3).mean(0)
        return found

    def cloth(self) -> np.ndarray:
        """True places (rows, columns, 3) m, base frame, of its vertices; for evaluators only.

        Raises:
            ValueError: the scene has no towel.
        """
        if self._require_scene().towel is None:
            raise ValueError('this scene has no towel')
        return cloth.vertices(self._data)

    def object_pose(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """True centre (3,) m and rotation (3, 3) of one thing, base frame; for evaluators only.

        Raises:
            ValueError: it is not in the scene, or has no pose because it is cloth.
        """
        self._require_kind(kind)
        body = self._data.body(kind)
        return body.xpos.copy(), body.xmat.reshape(3, 3).copy()

    def put(self, kind: str, place: np.ndarray) -> None:
        """Let a thing be at (3,) m, base frame, turned as it is; errors as of `object_pose`."""
        self._require_kind(kind)
        joint = self._data.joint(kind)
        joint.qpos[:3], joint.qvel[:] = place, 0.0
        self._update_frames()

    def touched(self) -> dict[str, frozenset[str]]:
        """Kinds that each body of the gripper touches, by its name; for evaluators only."""
        return touched_kinds(self._model, self._data, self.truth())

    @property
    def gripper_command(self) -> tuple[float, float]:
        """Closedness commanded last, and how far that command has got at the hand's speed."""
        return self._gripper_goal, self._gripper_set_point

    def render(self, views: Sequence[str] = VIEWS) -> dict[str, np.ndarray]:
        """Pictures of the views, by default all, each (height, width, 3) uint8 rgb."""
        return self._views().render(self._data, views)

    def segmentation(self) -> dict[str, np.ndarray]:
        """Index into `segment_names` of each pixel of each view, (height, width) int16."""
        return self._views().segmentation(self._data)

    def save(self) -> CellState:
        """This moment, to branch from."""
        physics = np.empty(mujoco.mj_stateSize(self._model, _STATE))
        mujoco.mj_getState(self._model, self._data, physics, _STATE)
        return CellState(self._require_scene(), physics, self._data.flexvert_xpos.copy(),
                         self.controller.snapshot(), self._ticks, self._gripper_goal,
                         self._gripper_set_point)

    def restore(self, state: CellState) -> None:
        """Return to a saved moment, exactly; also one of another scene or another cell."""
        if state.scene != self._scene:
            self._enter(state.scene)
        for kind in _DIVERGED:
            self._data.warning[int(kind)].number = 0
        mujoco.mj_setState(self._model, self._data, state.physics, _STATE)
        self.controller.restore(state.controller)
        self._ticks = state.ticks
        self._gripper_goal, self._gripper_set_point = state.gripper_goal, state.gripper_set_point
        self._update_frames()
        self._data.flexvert_xpos[:] = state.cloth

    def close(self) -> None:
        """Free the renderer."""
        for rig in self._rigs.values():
            rig.close()

    def _enter(self, scene: Scene) -> None:
        self._use_rig(with_cloth=scene.towel is not None)
        self._rig.enter(scene)
        self._scene = scene

    def _use_rig(self, *, with_cloth: bool) -> None:
        if with_cloth not in self._rigs:
            self._rigs[with_cloth] = Rig(self._extra, cloth=with_cloth)
        self._rig = self._rigs[with_cloth]
        self._model, self._data = self._rig.model, self._rig.data

    def _tick(self) -> None:
        data = self._data
        goal, speed = self.controller.sample(self.time_s)
        data.ctrl[ARM] = self._rig.servos.control(data.qpos[ARM], data.qvel[ARM], goal, speed)
        most = GRIPPER_SPEED * TIMESTEP_S
        gap = self._gripper_goal - self._gripper_set_point
        self._gripper_set_point += min(max(gap, -most), most)
        data.ctrl[7] = OPEN_CTRL * (1.0 - self._gripper_set_point)
        mujoco.mj_step(self._model, data)
        self._ticks += 1

    def _update_frames(self) -> None:
        # Not mj_forward: that would warm-start the next contact solve, and the outcome would
        # depend on how an episode is cut into calls of step.
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def _views(self) -> Views:
        self._require_scene()
        return self._rig.views(self.height, self.width, shadows=self._shadows)

    def _require_kind(self, kind: str) -> None:
        if kind not in (known := self._require_scene().kinds):
            raise ValueError(f"no '{kind}' in this scene; it has {', '.join(known)}")

    def _require_scene(self) -> Scene:
        if self._scene is None:
            raise RuntimeError('the cell has no scene yet: call reset() first')
        return self._scene
