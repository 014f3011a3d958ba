# SPDX-License-Identifier: Apache-2.0
"""A planning server with a fake planning system, among fakes, and a client of its goals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from rclpy.action import ActionClient

from tests.fakes.fake_adapter import FakeAdapter, FakeStitcher
from tests.fakes.fake_models import ServerSystem
from vidplan.planning_server.main import PlanningServer
from vidplan.planning_server.planning_host import PlanningHost
from vidplan_msgs.action import PlanTask

# Everything is fed by one thread of the test, which a busy machine may hold up for a second.
_PATIENCE = {
    'max_observation_age_s': 4.0,
    'max_silence_s': 8.0,
    'max_adapter_silence_s': 4.0,
    'settle_s': 30.0,
    'max_late_plans': 100,
    'max_rest_s': 20.0,
}
ROS_ARGS = ['--ros-args']
for _name, _value in _PATIENCE.items():
    ROS_ARGS += ['-p', f'planner:{_name}:={_value}']
# Discovery takes long on a busy machine.
START_S = 60.0


@dataclass
class Graph:
    """Server, fakes and a client."""

    ros: Any
    server: PlanningServer
    system: ServerSystem
    stitcher: FakeStitcher
    adapter: FakeAdapter
    client: ActionClient
    feedback: list[PlanTask.Feedback]

    def send(self, instruction: str = 'move to the carrot', **fields: Any) -> Any:
        """Send a goal and return its handle."""
        goal = PlanTask.Goal(instruction=instruction, **fields)
        future = self.client.send_goal_async(
            goal, feedback_callback=lambda message: self.feedback.append(message.feedback)
        )
        self.ros.spin_until(future.done)
        return future.result()

    def end(self, handle: Any) -> tuple[int, PlanTask.Result]:
        """Return action status and result of a goal."""
        future = handle.get_result_async()
        self.ros.spin_until(future.done)
        return future.result().status, future.result().result

    def run(self, *args: Any, **fields: Any) -> tuple[int, PlanTask.Result]:
        return self.end(self.send(*args, **fields))

    def until_moving(self) -> None:
        sent = len(self.adapter.plans)
        self.ros.spin_until(lambda: len(self.adapter.plans) > sent)


@pytest.fixture
def graph(ros: Any) -> Iterator[Graph]:
    system = ServerSystem()
    server = PlanningServer(PlanningHost(load=lambda *_: system))
    server.start()
    stitcher, adapter = ros.add(FakeStitcher()), ros.add(FakeAdapter())
    client = ros.action_client(PlanTask, 'plan_task')
    made = Graph(ros, server, system, stitcher, adapter, client, [])
    ros.connect(stitcher.publisher, adapter.publisher)
    ros.spin_until(
        lambda: server.host.feed.sample() and adapter.count_subscribers('plan'), START_S
    )
    yield made
    server.stop()
