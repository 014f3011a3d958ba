# SPDX-License-Identifier: Apache-2.0
"""What a robot is: its arm as a chain with limits, its tool and its gripper."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.limits import JointLimits

#: A row (a, d, alpha) of modified (Craig) Denavit-Hartenberg parameters, m and rad.
DhRow = tuple[float, float, float]

#: Ways to command a gripper: std_msgs/Float64 on a topic, the actions of the Franka hand's node,
#: the action of a Robotiq controller, the node `fci` (a Franka hand without its driver), or not
#: at all.
TOPIC = 'topic'
FRANKA_HAND = 'franka_hand'
ROBOTIQ = 'robotiq'
FCI = 'fci'
NONE = 'none'
GRIPPER_INTERFACES = (TOPIC, FRANKA_HAND, ROBOTIQ, FCI, NONE)

#: Ways to command an arm: the topic or the action of a joint trajectory controller, joint targets
#: of a CRISP controller, Franka's own interface.
ARM_INTERFACES = (TOPIC, 'action', 'crisp', FCI)

GRIPPER_KINDS = ('franka_hand', 'robotiq_2f85')


@dataclass(frozen=True)
class ToolTransform:
    """The tool centre point in the flange's frame.

    Attributes:
        position: (3,) m.
        rpy: (3,) rad, extrinsic xyz.
    """

    position: tuple[float, float, float]
    rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        _require_finite('the tool', self.position, 3)
        _require_finite('the tool', self.rpy, 3)

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Of the tool on the flange, (3, 3)."""
        from scipy.spatial.transform import Rotation  # takes longer to load than all else here

        return np.asarray(Rotation.from_euler('xyz', self.rpy).as_matrix())


@dataclass(frozen=True)
class GripperModel:
    """A gripper that opens and closes along one line.

    Attributes:
        kind: one of GRIPPER_KINDS.
        joints: whose measured positions say how far it is closed; () only where nothing commands
            it, which then counts as open.
        open_position: of each joint when open, m or rad.
        closed_position: of each joint when closed, m or rad.
        opening_m: distance between the fingertips when open, m.
        interface: how it is commanded, one of GRIPPER_INTERFACES.
        action: node of the Franka hand's actions, or name of the Robotiq action.
    """

    kind: str
    joints: tuple[str, ...]
    open_position: float
    closed_position: float
    opening_m: float
    interface: str
    action: str = ''

    def __post_init__(self) -> None:
        for name, known in (('kind', GRIPPER_KINDS), ('interface', GRIPPER_INTERFACES)):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f'{name} of the gripper is {getattr(self, name)!r}; it must be one of '
                    f'{", ".join(known)}'
                )
        ends = self.open_position, self.closed_position
        _require_finite('positions of the gripper', ends, 2)
        if ends[0] == ends[1]:
            raise ConfigError(
                f'open_position and closed_position of the gripper must differ, both are {ends[0]}'
            )
        unmeasured = not self.joints and self.interface != NONE
        if unmeasured or not (math.isfinite(self.opening_m) and self.opening_m > 0):
            raise ConfigError(
                f"a gripper needs at least one joint, unless its interface is '{NONE}', and an "
                f'opening above 0 m, got {self.joints} and {self.opening_m}'
            )
        if self.interface in (FRANKA_HAND, ROBOTIQ) and not self.action:
            raise ConfigError(f"interface '{self.interface}' of the gripper needs an action")


@dataclass(frozen=True, eq=False)
class RobotModel:
    """An arm with a tool; everything that differs from robot to robot.

    Attributes:
        name: for messages.
        chain: Denavit-Hartenberg rows, base first: one per joint, then the flange.
        limits: what motions keep to; its names are the robot's joints.
        hard_limits: what no command may exceed.
        tool: the tool centre point on the flange.
        home: where the arm starts and where a free elbow rests, rad.
        gripper: what it grasps with.
        arm: how it is commanded, one of ARM_INTERFACES.
        links: capsules that cover the links: frame (0 the base, 1 .. joints, then the flange),
            both ends of the axis in that frame, radius, m.
        fingers: the same of the fingers in all positions, in the flange's frame, without frame.
        fingertips: corners of the open fingers' tips in the flange's frame, m.
    """

    name: str
    chain: tuple[DhRow, ...]
    limits: JointLimits
    hard_limits: JointLimits
    tool: ToolTransform
    home: tuple[float, ...]
    gripper: GripperModel
    arm: str = ARM_INTERFACES[0]
    links: tuple[tuple[float, ...], ...] = ()
    fingers: tuple[tuple[float, ...], ...] = ()
    fingertips: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.arm not in ARM_INTERFACES:
            known = ', '.join(ARM_INTERFACES)
            raise ConfigError(f'arm is {self.arm!r}; it must be one of {known}')
        names = self.limits.names
        if len(set(names)) != len(names) or names != self.hard_limits.names:
            raise ConfigError(
                f'joints of the limits and of the hard limits must be the same, each once; got '
                f'{names} and {self.hard_limits.names}'
            )
        if len(self.chain) != len(names) + 1 or any(len(row) != 3 for row in self.chain):
            raise ConfigError(
                f'the chain of {len(names)} joints needs {len(names) + 1} rows (a, d, alpha), the '
                f'last for the flange; got {len(self.chain)}'
            )
        for row in self.chain:
            _require_finite('the chain', row, 3)
        _require_finite('home', self.home, len(names))
        self._require_capsules()
        self._require_inside()

    def _require_capsules(self) -> None:
        """Raise unless the shapes of links and fingers are shapes, of frames that there are."""
        rows = (('links', self.links, 8), ('fingers', self.fingers, 7))
        for what, found, length in rows:
            for row in found:
                _require_finite(what, row, length)
                if row[-1] <= 0:
                    raise ConfigError(f'{what} need radii above 0 m, got {row}')
        for point in self.fingertips:
            _require_finite('fingertips', point, 3)
        frames = set(range(len(self.chain) + 1))
        if unknown := {row[0] for row in self.links} - frames:
            raise ConfigError(f'links are in frames 0 .. {len(self.chain)}, got {unknown}')

    def _require_inside(self) -> None:
        """Raise unless home keeps the limits, and they keep the hard ones."""
        hard = self.hard_limits
        for name, bound in (('lower', self.limits.lower), ('upper', self.limits.upper)):
            if (found := hard.violation(bound)) is not None:
                raise ConfigError(f'{name} limits exceed the hard limits: {found}')
        for name in ('velocity', 'acceleration'):
            if (getattr(self.limits, name) > getattr(hard, name)).any():
                raise ConfigError(
                    f'{name} limits {getattr(self.limits, name)} exceed the hard limits '
                    f'{getattr(hard, name)}'
                )
        if (found := self.limits.violation(self.home)) is not None:
            raise ConfigError(f'home exceeds the limits: {found}')

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joint names, base first."""
        return self.limits.names

    @cached_property
    def across_fingers(self) -> NDArray[np.float64]:
        """Unit vector (3,) across the fingers, tool frame.

        Normal to the tool's z axis and to the line along which the fingers close, of both the one
        whose larger component is positive: x of the Franka hand. Without fingertips, x.
        """
        if not self.fingertips:
            return np.array([1.0, 0.0, 0.0])
        tips = (np.array(self.fingertips, np.float64) @ self.tool.rotation)[:, :2]
        x, y = np.linalg.svd(tips - tips.mean(0))[2][1]
        sign = np.sign(max(x, y, key=abs))
        return np.array([sign * x, sign * y, 0.0])

    def with_prefix(self, prefix: str) -> RobotModel:
        """Return the robot whose joints are named `<prefix>_<name>`; itself for an empty prefix.

        franka_ros2 names the joints of several arms on one machine so.
        """
        if not prefix:
            return self
        return replace(
            self,
            limits=replace(self.limits, names=_prefixed(prefix, self.limits.names)),
            hard_limits=replace(self.hard_limits, names=_prefixed(prefix, self.limits.names)),
            gripper=replace(self.gripper, joints=_prefixed(prefix, self.gripper.joints)),
        )

    def slowed(self, velocity_scale: float, acceleration_scale: float) -> RobotModel:
        """Return the robot that uses shares of the velocities and accelerations of `limits`."""
        return replace(
            self,
            limits=replace(
                self.limits,
                velocity=velocity_scale * self.limits.velocity,
                acceleration=acceleration_scale * self.limits.acceleration,
            ),
        )


def _prefixed(prefix: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f'{prefix}_{name}' for name in names)


def _require_finite(what: str, values: tuple[float, ...], length: int) -> None:
    if len(values) != length or not all(math.isfinite(value) for value in values):
        raise ConfigError(f'{what} needs {length} finite numbers, got {values}')
