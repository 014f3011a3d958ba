# SPDX-License-Identifier: Apache-2.0
"""Writes everything that an evaluation needs into a bag, and closes it whatever happens."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from vidplan.bags.settings_feed import SettingsFeed
from vidplan.parameters.bags import RecorderParameters
from vidplan.parameters.files import check_arguments
from vidplan.ros.diagnostics import OK, WARN, Diagnostics, Status
from vidplan.ros.images import image_kind
from vidplan.ros.log_folder import log_folder
from vidplan.ros.parameters import declare
from vidplan.ros.running import EXIT_CONFIG, EXIT_OK, report_start_failure
from vidplan_core.errors import VidPlanError
from vidplan_eval.bags.recording import (
    JOINTS,
    SETTINGS,
    Delivery,
    RecordedTopic,
    cameras,
    recorded,
)
from vidplan_eval.bags.writer import BagTopic, BagWriter
from vidplan_sim.ros.executors import OneThreadExecutor

# After the signal to end, the other nodes still report how they ended: the arm coming to rest,
# the goal's result. Listening this much longer keeps that.
LINGER_S = 0.7
# What waits in queues by then is taken, too, but not for ever: cameras may go on.
DRAIN_S, QUIET_SPINS = 3.0, 5
EXIT_FAILED = 1
# About ten seconds of cameras and states; a clock that is not there by then will not come.
MAX_WAITING = 2000

# Deep queues: a chunk that is being compressed must not cost a message.
_QOS = {
    Delivery.SENSOR: QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=200,
        reliability=ReliabilityPolicy.BEST_EFFORT,
    ),
    Delivery.RELIABLE: QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=200, reliability=ReliabilityPolicy.RELIABLE
    ),
    Delivery.LATCHED: QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=200,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    ),
}


def recording_folder(parameters: RecorderParameters) -> Path:
    """Return the folder of this recording."""
    if parameters.bag:
        return Path(parameters.bag)
    return Path(parameters.directory) / time.strftime('%Y-%m-%d_%H-%M-%S')


class Recorder(Node):
    """Subscribes to every topic of the table and writes the bytes as they come."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('recorder', **kwargs)
        parameters = declare(self, RecorderParameters)
        path, layout = recording_folder(parameters), parameters.layout
        self._topic_of = {
            role: layout.topic(view)
            for view, role in zip(layout.views, cameras(layout.views), strict=True)
        }
        table = map(self._as_it_comes, recorded(layout.views))
        entries = [entry for entry in table if self._is_installed(entry)]
        topics = [
            BagTopic(entry.role, self._resolved(entry.role), entry.type_name) for entry in entries
        ]
        topics.append(BagTopic(SETTINGS, self._resolved(SETTINGS), 'std_msgs/msg/String'))
        self.writer = BagWriter(path, topics, split_bytes=parameters.split_mb * 2**20)
        self.counts = {topic.role: 0 for topic in topics}
        # Messages that came before the simulated clock's first tick have no time yet.
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=MAX_WAITING)
        for entry in entries:
            self._subscribe(entry)
        self.settings = SettingsFeed(self, self._on_settings)
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add('recording', self._status)
        self.get_logger().info(f'recording {len(topics)} topics into {path}')

    def _as_it_comes(self, entry: RecordedTopic) -> RecordedTopic:
        """The entry with the type of a camera's topic, which may be one of compressed pictures."""
        if entry.role not in self._topic_of:
            return entry
        kind = image_kind(self._resolved(entry.role)).__name__
        return replace(entry, type_name=f'sensor_msgs/msg/{kind}')

    def _is_installed(self, entry: RecordedTopic) -> bool:
        try:
            message_class(entry.type_name)
        except (ImportError, AttributeError):
            self.get_logger().info(f'{entry.role} is not recorded: no {entry.type_name} here')
            return False
        return True

    def _subscribe(self, entry: RecordedTopic) -> None:
        self.create_subscription(
            message_class(entry.type_name),
            self._topic_of.get(entry.role, entry.role),
            partial(self._on_message, entry.role),
            _QOS[entry.delivery],
            raw=True,
        )

    def _resolved(self, role: str) -> str:
        return self.resolve_topic_name(self._topic_of.get(role, role))

    def _on_message(self, role: str, data: bytes) -> None:
        now_ns = self.get_clock().now().nanoseconds
        self.counts[role] += 1
        if now_ns == 0:
            self._wait(role, data)
            return
        self._write_waiting(now_ns)
        self.writer.write(role, now_ns, data)

    def _on_settings(self, text: str) -> None:
        self._on_message(SETTINGS, serialize_message(String(data=text)))

    def _wait(self, role: str, data: bytes) -> None:
        if len(self._waiting) == MAX_WAITING:
            self.get_logger().error(
                'no /clock arrives, old messages are dropped: start it, or set use_sim_time false',
                throttle_duration_sec=5.0,
            )
        self._waiting.append((role, data))

    def _write_waiting(self, now_ns: int) -> None:
        for role, data in self._waiting:
            self.writer.write(role, now_ns, data)
        self._waiting.clear()

    def _status(self) -> Status:
        silent = [role for role in (*self._topic_of, JOINTS) if not self.counts[role]]
        if silent:
            return Status(WARN, f'nothing yet on {", ".join(silent)}', dict(self.counts))
        return Status(OK, f'recording into {self.writer.path}', dict(self.counts))

    def close(self) -> None:
        """Write what is left and finish the bag; any number of times."""
        if self._waiting:
            self._write_waiting(max(1, self.get_clock().now().nanoseconds))
        self.writer.close()


def message_class(type_name: str) -> Any:
    """Return the Python class of a ROS type name, also of an action's feedback message."""
    package, kind, name = type_name.split('/')
    module = import_module(f'{package}.{kind}')
    if kind == 'action':
        action, _, part = name.partition('_')
        implementation = getattr(module, action)
        return getattr(implementation.Impl, part, None) or getattr(implementation, part)
    return getattr(module, name)


def record(
    create: Callable[[], Recorder],
    args: Sequence[str] | None = None,
    duration_s: float = float('inf'),
) -> int:
    """Record until Ctrl-C, SIGTERM or the duration is over; return the exit status.

    The signals are taken here and not by rclpy, which would end the context, and with it the
    messages that are on their way.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    recorder = None
    try:
        log_folder()
        words = None if args is None else list(args)
        rclpy.init(args=words, signal_handler_options=SignalHandlerOptions.NO)
        check_arguments(args)
        recorder = create()
        _spin(recorder, stop, duration_s)
    except (VidPlanError, OSError) as error:
        if recorder is None and isinstance(error, VidPlanError):
            report_start_failure(error)
            return EXIT_CONFIG
        print(f'RECORDING_FAILED: {error}', file=sys.stderr, flush=True)
        return EXIT_FAILED
    finally:
        if recorder is not None:
            recorder.close()
            recorder.destroy_node()
        rclpy.try_shutdown()
    print(f'{recorder.writer.path}: {recorder.writer.count} messages', flush=True)
    return EXIT_OK


def _spin(recorder: Recorder, stop: threading.Event, duration_s: float) -> None:
    executor = OneThreadExecutor()
    executor.add_node(recorder)
    deadline_s = time.monotonic() + duration_s
    while not stop.is_set() and time.monotonic() < deadline_s:
        executor.spin_once(timeout_sec=0.1)
    deadline_s = time.monotonic() + LINGER_S
    while time.monotonic() < deadline_s:
        executor.spin_once(timeout_sec=0.05)
    _drain(recorder, executor)
    executor.shutdown()


def _drain(recorder: Recorder, executor: SingleThreadedExecutor) -> None:
    """Take what has come already, which on a busy machine is more than could be taken till now."""
    deadline_s, quiet = time.monotonic() + DRAIN_S, 0
    while quiet < QUIET_SPINS and time.monotonic() < deadline_s:
        before = recorder.counts.copy()
        executor.spin_once(timeout_sec=0.0)
        quiet = 0 if recorder.counts != before else quiet + 1


def main(args: list[str] | None = None) -> int:
    """Run the recorder until it is stopped."""
    return record(Recorder, args)


if __name__ == '__main__':
    sys.exit(main())
