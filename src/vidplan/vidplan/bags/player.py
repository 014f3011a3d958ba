# SPDX-License-Identifier: Apache-2.0
"""Plays the cameras and states of a bag into the graph, and is its clock."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock

from vidplan.parameters.bags import PlayerParameters
from vidplan.parameters.files import check_arguments
from vidplan.ros import qos
from vidplan.ros.log_folder import log_folder
from vidplan.ros.parameters import declare
from vidplan.ros.running import EXIT_CONFIG, EXIT_OK, report_start_failure
from vidplan_core.errors import ConfigError, VidPlanError
from vidplan_core.geometry.robot_files import load_robot
from vidplan_eval.bags.guessing import FoundSensors, find_sensors
from vidplan_eval.bags.playing import played
from vidplan_eval.bags.recording import cameras, recorded, sensors
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.sensor_map import read_sensor_map
from vidplan_msgs.action import PlanTask

# Three images at once overrun the shared memory of Fast DDS (512 KiB), and the first is lost.
_IMAGE_GAP_S = 0.01
_MODELS_STATUS = 'world_model: models'
# Longest wait for the last messages of a topic to arrive.
_LAST_WORDS_S = 2.0


class Player(Node):
    """Publishes recorded bytes as they are, at their pace, with `/clock` between them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('player', **kwargs)
        self.parameters = declare(self, PlayerParameters)
        if not self.parameters.bag:
            raise ConfigError('parameter bag is empty; give the folder of a rosbag2, bag:=DIR')
        self.models_ready = False
        self.goal_came = not self.parameters.wait_for_goal
        self._clock_publisher = self.create_publisher(Clock, '/clock', QoSProfile(depth=1))
        layout = self.parameters.layout
        topics = {
            role: layout.topic(view)
            for view, role in zip(layout.views, cameras(layout.views), strict=True)
        }
        self._cameras = tuple(topics)
        self._views = layout.views
        self._robot = load_robot(self.parameters.robot, self.parameters.joint_prefix)
        types = {entry.role: entry.type_name for entry in recorded(layout.views)}
        self._outputs = {
            role: self.create_publisher(_message_class(types[role]), topics.get(role, role), 10)
            for role in sensors(layout.views)
        }
        self.create_subscription(
            DiagnosticArray, 'diagnostics', self._on_diagnostics, qos.DIAGNOSTICS
        )
        self.create_subscription(PlanTask.Goal, 'planner/goal', self._on_goal, qos.EVENT)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def play(self, stop: threading.Event) -> int:
        """Play the bag once and return how many messages there were.

        Raises:
            BagError: the bag is damaged, or has no cameras and states.
        """
        with Bag(self.parameters.bag) as bag:
            found = self._find_sensors(bag)
            self._wait_for_models(stop)
            self.get_logger().info(f'plays {self.parameters.bag}')
            count = self._play(played(bag, found, self._views, self._robot), stop)
            for topic, skipped in bag.skipped.items():
                self.get_logger().warning(
                    f'{topic}: left out {skipped.count} messages: {skipped.reason}'
                )
            return count

    def _find_sensors(self, bag: Bag) -> FoundSensors:
        """Return what is to be played; a guess is said aloud, in the form that `map` takes."""
        if self.parameters.map:
            return FoundSensors(read_sensor_map(Path(self.parameters.map)), guessed=True)
        found = find_sensors(bag, self._views, self.parameters.robot, self.parameters.joint_prefix)
        if found.guessed:
            self.get_logger().info(f'takes the topics for:\n{found.sensors.text()}')
        return found

    def _play(self, rows: Iterator[tuple[str, int, bytes]], stop: threading.Event) -> int:
        period_ns = round(1e9 / self.parameters.clock_rate_hz)
        began_s = time.monotonic()
        first_ns = tick_ns = None
        count = 0
        for role, stamp_ns, data in rows:
            if first_ns is None or tick_ns is None:
                first_ns = tick_ns = stamp_ns
            while tick_ns <= stamp_ns:
                self._wait_until(began_s + (tick_ns - first_ns) * 1e-9 / self.parameters.rate)
                self._publish_clock(tick_ns)
                tick_ns += period_ns
            if stop.is_set():
                break
            self._outputs[role].publish(data)
            if role in self._cameras:
                time.sleep(_IMAGE_GAP_S)
            count += 1
        self._wait_until_heard()
        return count

    def _wait_until_heard(self) -> None:
        """Stay until the last messages have arrived: with the node, they would be gone."""
        for publisher in (*self._outputs.values(), self._clock_publisher):
            publisher.wait_for_all_acked(Duration(seconds=_LAST_WORDS_S))

    def _wait_for_models(self, stop: threading.Event) -> None:
        deadline_s = time.monotonic() + self.parameters.wait_for_models_s
        while not (self.models_ready or stop.is_set()) and time.monotonic() < deadline_s:
            self._executor.spin_once(timeout_sec=0.1)
        if not self.goal_came:
            self.get_logger().info('waits for a goal, such as `vidplan goal "move to the carrot"`')
        while not (self.goal_came or stop.is_set()):
            self._executor.spin_once(timeout_sec=0.1)

    def _wait_until(self, time_s: float) -> None:
        while (left_s := time_s - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.05))

    def _publish_clock(self, time_ns: int) -> None:
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(time_ns, 1_000_000_000)
        self._clock_publisher.publish(message)

    def _on_goal(self, _: PlanTask.Goal) -> None:
        self.goal_came = True

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.models_ready = self.models_ready or any(
            status.name == _MODELS_STATUS and status.level == DiagnosticStatus.OK
            for status in message.status
        )


def _message_class(type_name: str) -> Any:
    package, kind, name = type_name.split('/')
    return getattr(import_module(f'{package}.{kind}'), name)


def main(args: list[str] | None = None) -> int:
    """Play a bag once."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    player = None
    try:
        log_folder()
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        check_arguments(args)
        player = Player()
        count = player.play(stop)
    except VidPlanError as error:
        report_start_failure(error)
        return EXIT_CONFIG
    finally:
        if player is not None:
            player.destroy_node()
        rclpy.try_shutdown()
    print(f'played {count} messages', flush=True)
    return EXIT_OK


if __name__ == '__main__':
    sys.exit(main())
