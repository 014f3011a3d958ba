# SPDX-License-Identifier: Apache-2.0
"""Cameras, arm and gripper become one observation, or none with a reason."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any

import cv2
import torch
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from vidplan.parameters.stitcher import StitcherParameters
from vidplan.robots.joint_buffer import JointBuffer, JointSample
from vidplan.robots.robot import gripper_closedness
from vidplan.ros import qos
from vidplan.ros.batches import BatchFeed
from vidplan.ros.camera_feed import CameraFeed, Picture, keep_buffers
from vidplan.ros.camera_lenses import CameraLenses
from vidplan.ros.conversions import joint_values, observation_message, seconds
from vidplan.ros.diagnostics import (
    DOUBT,
    ERROR,
    OK,
    WARN,
    Diagnostics,
    DurationMeter,
    RateMeter,
    Status,
)
from vidplan.ros.images import picture_to_rgb
from vidplan.ros.parameters import declare
from vidplan.ros.running import run_node
from vidplan_core.control.joint_monitor import beyond_range
from vidplan_core.data.demand import EARLY, FrameDemand
from vidplan_core.data.observation import (
    CameraSynchroniser,
    Observation,
    SynchronousImages,
    Vector,
    check_contrast,
)
from vidplan_core.data.plausibility import ViewMonitor
from vidplan_core.errors import ObservationError
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.se3 import matrix_to_quaternion
from vidplan_msgs.msg import Observation as ObservationMessage
from vidplan_sim.ros.room import make_room_for_images

# An image is read at least so often, as a share of the age at which it is stale.
_LOOK_AGAIN = 0.4


class Stitcher(Node):
    """Publishes `observation` whenever all inputs show one moment in time.

    Whatever is wrong with an input is kept as that input's problem until a good message comes;
    diagnostics and the log name it, and nothing is published that could be planned from wrongly.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('stitcher', **kwargs)
        self.parameters = declare(self, StitcherParameters)
        p = self.parameters
        self._layout = p.layout
        views = self._layout.views
        self._synchroniser = CameraSynchroniser(views, p.max_skew_s, p.max_age_s)
        self._joints = JointBuffer()
        # Its stamp, when it came by our clock, and the closedness.
        self._gripper: tuple[float, float, float] | None = None
        self._problems: dict[str, str] = {}
        moving = tuple(view.strip() for view in p.moving_views.split(','))
        self._monitor, self._doubt = ViewMonitor(p.plausibility, moving), ''
        self._next_due_s, self._last_stamp_s = 0.0, -1.0
        self._rates = {name: RateMeter() for name in (*views, 'joint_states', 'observation')}
        self._latency = DurationMeter()
        self._work = DurationMeter()
        self._create_interfaces()

    def _create_interfaces(self) -> None:
        self._publisher = self.create_publisher(ObservationMessage, 'observation', qos.OBSERVATION)
        period_s = 1.0 / self.parameters.publish_rate_hz
        longest_s = min(2.0 * period_s, _LOOK_AGAIN * self.parameters.max_age_s)
        self._demand = FrameDemand(self._layout.views, period_s, longest_s)
        self._lenses = CameraLenses(self, self._layout, whole=self.parameters.check_views)
        # Noise, which is looked for then, is there in whole pictures only.
        halved = () if self.parameters.check_views else self._layout.views
        self._may_halve = {view: partial(self._layout.may_halve, view) for view in halved}
        self._cameras = CameraFeed(
            self, self._layout, self._demand, self._on_image, self._report
        )
        self._states = BatchFeed(self)
        self._states.add(JointState, 'joint_states', self._on_joints)
        self._states.add(JointState, 'gripper/joint_states', self._on_gripper)
        self.create_service(Trigger, 'stitcher/accept_views', self._on_accept)
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add('observation', self._status)

    @property
    def now_s(self) -> float:
        """Present ROS time, s."""
        return self.get_clock().now().nanoseconds * 1e-9

    def _on_joints(self, message: JointState) -> None:
        self._rates['joint_states'].tick()
        names = self.parameters.model.joint_names
        if self._joints.newest and not set(names) & set(message.name):
            return  # another device on the same topic, such as the gripper
        try:
            q = joint_values(message, names)
            if wrong := beyond_range(q, self.parameters.model.hard_limits):
                raise ObservationError(wrong)
            dq = joint_values(message, names, 'velocity')
            self._joints.push(JointSample(seconds(message.header.stamp), q, dq))
        except ObservationError as error:
            self._report('joint_states', error)
        else:
            self._problems.pop('joint_states', None)

    def _on_gripper(self, message: JointState) -> None:
        model = self.parameters.model
        if not model.gripper.joints:
            return
        if set(model.joint_names) & set(message.name) and not (
            set(model.gripper.joints) & set(message.name)
        ):
            return  # the arm, on the same topic
        try:
            value = gripper_closedness(self.parameters.model, message)
        except ObservationError as error:
            self._report('gripper', error)
        else:
            self._gripper = seconds(message.header.stamp), self.now_s, value
            self._problems.pop('gripper', None)

    def _on_image(self, view: str, message: Picture) -> None:
        self._rates[view].tick()
        started_s = time.monotonic()
        self._states.read()
        try:
            image = picture_to_rgb(message, self._may_halve.get(view))
            check_contrast(view, image, self.parameters.min_contrast)
            image = self._lenses.arrived(view, image)
            self._synchroniser.push(view, seconds(message.header.stamp), image)
        except ObservationError as error:
            self._report(view, error)
            return
        self._problems.pop(view, None)
        if not self._problems:
            self._publish_if_due(started_s)

    def _publish_if_due(self, started_s: float) -> None:
        try:
            images = self._synchroniser.take(self.now_s)
            if self._is_due(images.stamp_s):
                self._publish(images)
                self._work.add(time.monotonic() - started_s)
        except ObservationError as error:
            # The other views are on their way, or something is missing: diagnostics tell if so.
            self.get_logger().debug(str(error))

    def _is_due(self, stamp_s: float) -> bool:
        if stamp_s < self._last_stamp_s:  # time restarted
            self._last_stamp_s, self._next_due_s = -1.0, 0.0
        period_s = 1.0 / self.parameters.publish_rate_hz
        return stamp_s > self._last_stamp_s and stamp_s >= self._next_due_s - EARLY * period_s

    def _publish(self, images: SynchronousImages) -> None:
        p = self.parameters
        joints, gap_s = self._joints.at(images.stamp_s, p.max_joint_gap_s)
        position, rotation = flange_pose(torch.from_numpy(joints.q), p.model)
        closedness = self._closedness(images.stamp_s)
        if p.check_views:
            self._require_plausible(images, position.numpy(), rotation.numpy(), closedness)
        observation = Observation(
            images.stamp_s,
            self._lenses.stitched(images.images),
            joints.q,
            joints.dq,
            closedness,
            position.numpy(),
            matrix_to_quaternion(rotation).numpy(),
        )
        self._publisher.publish(
            observation_message(
                observation,
                self._layout,
                p.model.joint_names,
                p.base_frame,
                [images.stamps_s[view] for view in self._layout.views],
                max(images.skew_s, gap_s),
            )
        )
        period_s = 1.0 / p.publish_rate_hz
        # From when it was due, or every period would be rounded up to whole frames.
        due_s = self._next_due_s + period_s
        self._next_due_s = due_s if due_s > images.stamp_s else images.stamp_s + period_s
        self._last_stamp_s = images.stamp_s
        self._demand.need(self._next_due_s)
        self._rates['observation'].tick()
        self._latency.add(self.now_s - images.stamp_s)

    def _require_plausible(
        self, images: SynchronousImages, position: Vector, rotation: Vector, closedness: float
    ) -> None:
        """Raise ObservationError for pictures that cannot be true, see `ViewMonitor`."""
        try:
            self._monitor.check(images.stamp_s, images.images, position, rotation, closedness)
        except ObservationError as error:
            self._note_doubt(str(error))
            raise
        self._note_doubt('')

    def _note_doubt(self, doubt: str) -> None:
        """Keep why the views are not believed; at once whoever plans hears that it changed."""
        changed = bool(doubt) != bool(self._doubt)
        self._doubt = doubt
        if changed:
            self.diagnostics.publish()

    def _on_accept(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._monitor.reset()
        self._note_doubt('')
        response.success = True
        response.message = 'the views are believed as they are now'
        return response

    def _closedness(self, stamp_s: float) -> float:
        if not self.parameters.model.gripper.joints:  # no hand: it counts as open, as in replay
            return 0.0
        if self._gripper is None:
            raise ObservationError(
                'no gripper state yet: is its topic `gripper_states`? An arm without a gripper '
                'needs a robot file with `joints: []` and `interface: none`'
            )
        gripper_s, arrived_s, value = self._gripper
        allowed_s = self.parameters.max_age_s
        if gripper_s - stamp_s > allowed_s:
            raise ObservationError(
                f'the gripper state is {gripper_s - stamp_s:.3f} s in the future: are the clocks '
                'set?'
            )
        # By its stamp, and by when it came: a clock that is behind or ahead hides silence.
        age_s = max(stamp_s - gripper_s, self.now_s - arrived_s)
        if age_s > allowed_s:
            raise ObservationError(
                f'the gripper state is stale: {age_s:.3f} s old, allowed {allowed_s:.3f} s'
            )
        return value

    def _report(self, source: str, error: ObservationError) -> None:
        self._problems[source] = str(error)
        self.get_logger().error(f'{source}: {error}', throttle_duration_sec=2.0)

    def problem(self) -> str:
        """Say why nothing can be published now; empty when it can."""
        if self._problems:
            return '; '.join(f'{source}: {text}' for source, text in self._problems.items())
        if self._doubt:
            return self._doubt
        try:
            stamp_s = self._synchroniser.take(self.now_s).stamp_s
            self._joints.at(stamp_s, self.parameters.max_joint_gap_s)
            self._closedness(stamp_s)
        except ObservationError as error:
            return str(error)
        return ''

    def _status(self) -> Status:
        self._states.read()
        values: dict[str, object] = {f'{k}_hz': meter.hz for k, meter in self._rates.items()}
        values['observations'] = self._rates['observation'].count
        values['age_s'] = self._rates['observation'].age_s
        values[DOUBT] = self._doubt
        values |= self._latency.values('latency') | self._work.values('work')
        reason = self.problem()
        # Steady time: a stalled clock hides the age of stamps, not that nothing arrives.
        silent = self._rates['observation'].age_s > max(1.0, self.parameters.max_age_s)
        if not reason and not silent:
            return Status(OK, 'publishing', values)
        reason = reason or 'no new images arrive: are the cameras and the clock running?'
        self.get_logger().warning(f'no observation: {reason}', throttle_duration_sec=5.0)
        return Status(ERROR if silent or self._doubt else WARN, reason, values)


def main(args: list[str] | None = None) -> int:
    """Run the stitcher until it is stopped."""
    make_room_for_images()
    keep_buffers()
    torch.set_num_threads(1)  # little is done here: no threads beside the planner's
    cv2.setNumThreads(1)
    return run_node(Stitcher, args)


if __name__ == '__main__':
    sys.exit(main())
