# SPDX-License-Identifier: Apache-2.0
"""The simulated cell as a ROS 2 node with the interfaces of the robot and its cameras.

It is the clock of its graph: simulated time is paced to the wall clock, published on `/clock`,
stamps every message, and never runs backwards, not even over a reset.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Float64
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vidplan_msgs.msg import Truth
from vidplan_sim.arm.franka import FINGER_OPEN_M
from vidplan_sim.arm.kinematics import ARM_JOINTS, FINGER_JOINTS
from vidplan_sim.arm.trajectory_controller import TrajectoryRejected
from vidplan_sim.cell import Cell
from vidplan_sim.render.cameras import VIEWS
from vidplan_sim.render.description import BASE
from vidplan_sim.ros import messages
from vidplan_sim.ros.camera_thread import CameraThread
from vidplan_sim.ros.executors import OneThreadExecutor
from vidplan_sim.ros.frames import FramePublisher
from vidplan_sim.ros.pacing import RealTimePacer
from vidplan_sim.ros.parameters import declare_parameters
from vidplan_sim.ros.room import make_room_for_images
from vidplan_sim.scene import Scene
from vidplan_sim.towel_scenes import cell_scene

_GRIPPER_HZ = 30.0
_TRUTH_HZ = 15.0


class CellNode(Node):
    """Publishes what the robot and its cameras would, and takes the same commands."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('cell', **kwargs)
        self._values = declare_parameters(self)
        self._cell = Cell(self._values.image_height, self._values.image_width)
        self._cell.reset(self._scene())
        self._tick_s = (
            max(1, round(self._values.tick_s / self._cell.timestep_s)) * self._cell.timestep_s
        )
        # Time zero means "no time yet" in ROS, so the first stamp comes one tick later.
        self._start_s = self._tick_s
        self._due_s = dict.fromkeys(('cameras', 'gripper', 'truth'), self._start_s + self._tick_s)
        self._last_tcp: tuple[float, np.ndarray] | None = None
        self.rejected = 0
        self._create_publishers()
        self._cameras = CameraThread(
            self._cell.save(), self._cell.height, self._cell.width, self._publish_picture
        )
        self._create_inputs()
        self._pacer = RealTimePacer(self._tick_s, self._values.real_time_factor)
        self.add_post_set_parameters_callback(self._on_parameters)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(self._tick_s, self._on_timer, clock=steady)
        self._slow_timer = self.create_timer(1.0, self._publish_diagnostics, clock=steady)
        self.get_logger().info(
            f'seed {self._cell.scene.seed}: ' + ', '.join(self._cell.truth())
        )

    def _create_publishers(self) -> None:
        sensor = qos_profile_sensor_data
        self._clock_publisher = self.create_publisher(ClockMessage, '/clock', QoSProfile(depth=1))
        self._joint_publisher = self.create_publisher(JointState, 'joint_states', 10)
        self._gripper_publisher = self.create_publisher(JointState, 'gripper/joint_states', 10)
        self._truth_publisher = (
            self.create_publisher(Truth, 'cell/truth', 10) if self._values.publish_truth else None
        )
        self._frames = FramePublisher(self)
        self._diagnostics = self.create_publisher(DiagnosticArray, 'diagnostics', 10)
        self._image_publishers = {
            view: self.create_publisher(Image, f'{view}/image_raw', sensor) for view in VIEWS
        }
        self._info_publishers = {
            view: self.create_publisher(CameraInfo, f'{view}/camera_info', sensor)
            for view in VIEWS
        }
        size = self._cell.height, self._cell.width
        self._infos = {
            view: messages.camera_info(view, f'{view}_optical_frame', *size) for view in VIEWS
        }

    def _create_inputs(self) -> None:
        command = QoSProfile(depth=1)
        self.create_subscription(
            JointTrajectory, 'fr3_arm_controller/joint_trajectory', self._on_trajectory, command
        )
        self.create_subscription(Float64, 'gripper/command', self._on_gripper_command, command)
        self.create_service(Trigger, 'cell/reset', self._on_reset)

    @property
    def time_s(self) -> float:
        """Simulated time of the graph, s; goes on over resets."""
        return self._start_s + self._cell.time_s

    def _scene(self) -> Scene:
        seed, objects, towel = (
            self.get_parameter(name).value for name in ('seed', 'objects', 'towel')
        )
        return cell_scene(seed, objects, towel=towel)

    def _on_timer(self) -> None:
        for _ in range(self._pacer.due()):
            self._cell.step(self._tick_s)
            self._publish_state()

    def _publish_state(self) -> None:
        stamp = messages.to_stamp(self.time_s)
        self._clock_publisher.publish(ClockMessage(clock=stamp))
        self._joint_publisher.publish(
            messages.joint_state(stamp, ARM_JOINTS, self._cell.q, self._cell.dq)
        )
        if self._is_due('gripper', _GRIPPER_HZ):
            finger_m = (1.0 - self._cell.closedness) * FINGER_OPEN_M
            self._gripper_publisher.publish(
                messages.joint_state(stamp, FINGER_JOINTS, np.full(2, finger_m))
            )
            positions = dict(zip(ARM_JOINTS, self._cell.q)) | dict.fromkeys(
                FINGER_JOINTS, finger_m
            )
            self._frames.publish(stamp, positions)
        if self._is_due('cameras', self._values.camera_rate_hz):
            self._cameras.submit(self.time_s, self._cell.save())
        if self._truth_publisher is not None and self._is_due('truth', _TRUTH_HZ):
            self._truth_publisher.publish(self._truth())

    def _is_due(self, what: str, rate_hz: float) -> bool:
        if self.time_s < self._due_s[what] - 0.5 * self._tick_s:
            return False
        # From the time it was due, not from now, or every period would be rounded up.
        due_s = self._due_s[what] + 1.0 / rate_hz
        self._due_s[what] = due_s if due_s > self.time_s else self.time_s + 1.0 / rate_hz
        return True

    def _truth(self) -> Truth:
        cell, now_s = self._cell, self.time_s
        tcp, speed = cell.tcp, 0.0
        if self._last_tcp is not None and now_s > self._last_tcp[0]:
            then_s, before = self._last_tcp
            speed = float(np.linalg.norm(tcp - before)) / (now_s - then_s)
        self._last_tcp = now_s, tcp
        return messages.truth(
            messages.to_stamp(now_s), BASE, cell.truth(), tcp, speed, cell.scene.seed
        )

    def _publish_picture(self, view: str, stamp_s: float, pixels: np.ndarray) -> None:
        info = self._infos[view]
        info.header.stamp = messages.to_stamp(stamp_s)
        self._image_publishers[view].publish(
            messages.image(info.header.stamp, info.header.frame_id, pixels)
        )
        self._info_publishers[view].publish(info)

    def _on_trajectory(self, message: JointTrajectory) -> None:
        stamp_s = messages.to_seconds(message.header.stamp)
        # Stamp zero is "now"; others are in the graph's time, which goes on over resets.
        start_s = stamp_s - self._start_s if stamp_s > 0.0 else None
        try:
            self._cell.send_trajectory(
                message.joint_names, messages.trajectory_points(message), start_s
            )
        except TrajectoryRejected as error:
            self.rejected += 1
            self.get_logger().error(
                f'trajectory rejected ({error.code}): {error.message}', throttle_duration_sec=1.0
            )

    def _on_gripper_command(self, message: Float64) -> None:
        try:
            self._cell.send_gripper(message.data)
        except ValueError as error:
            self.rejected += 1
            self.get_logger().error(
                f'gripper command rejected: {error}', throttle_duration_sec=1.0
            )

    def _on_parameters(self, parameters: list[Parameter]) -> None:
        for one in parameters:
            if one.name == 'real_time_factor':
                self._pacer.follow(one.value)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        now_s = self.time_s
        try:
            scene = self._scene()
        except ValueError as error:  # no room for so many objects beside a towel
            response.success, response.message = False, str(error)
            return response
        self._cell.reset(scene)
        self._start_s = now_s
        self._last_tcp = None
        self._pacer.forgive()
        response.success = True
        response.message = f'scene of seed {self._cell.scene.seed}'
        self.get_logger().info(response.message)
        return response

    def _publish_diagnostics(self) -> None:
        factor = self._pacer.factor()
        wanted = self._pacer.wanted
        durations = sorted(self._cameras.durations_s) or [float('nan')]
        values = {
            'real_time_factor': factor,
            'lost_s': self._pacer.lost_s,
            'images': float(self._cameras.rendered),
            'images_dropped': float(self._cameras.dropped),
            'render_p50_s': durations[len(durations) // 2],
            'render_max_s': durations[-1],
            'commands_rejected': float(self.rejected),
        }
        slow = factor < 0.9 * wanted
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if slow else DiagnosticStatus.OK,
            name='cell: simulation',
            hardware_id='simulated FR3',
            message=f'runs at {factor:.2f} of real time' + (', the machine is busy' * slow),
            values=[KeyValue(key=key, value=f'{value:.4g}') for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = messages.to_stamp(self.time_s)
        self._diagnostics.publish(array)

    def destroy_node(self) -> None:
        """Stop the cameras first: their thread publishes."""
        self._cameras.close()
        super().destroy_node()


def main(args: list[str] | None = None) -> int:
    """Run the cell until it is stopped; 2 if it cannot start."""
    make_room_for_images()
    rclpy.init(args=args)
    node = None
    try:
        node = CellNode()
        rclpy.spin(node, OneThreadExecutor())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ParameterException, ValueError, RuntimeError) as error:
        if rclpy.ok():  # else a callback was publishing when the signal took ROS down
            print(f'cell: {error}', file=sys.stderr, flush=True)
            return 2
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
