# SPDX-License-Identifier: Apache-2.0
"""The three nodes over ROS, with a fake planning system: goals, states, services, topics."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

import rclpy
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Pose
from rclpy.action import ActionClient
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from tests.vidplan.fake_adapter import LAYOUT, FakeAdapter, FakeStitcher
from tests.vidplan.fake_models import ServerSystem
from tests.vidplan.fake_planner import FRAMES, PERIOD_S
from vidplan import qos
from vidplan.endings import Ending
from vidplan.images import to_image
from vidplan.markers import candidate_paths
from vidplan.nodes.planning_server import PlanningServer
from vidplan.planning_host import PlanningHost
from vidplan_core.errors import ConfigError, ModelError, VidPlanError
from vidplan_msgs.action import PlanTask
from vidplan_msgs.srv import Rollout, Score

pytestmark = pytest.mark.ros
STATUS = GoalStatus
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
    server = PlanningServer(PlanningHost(load=lambda models, config, device: system))
    server.start()
    stitcher, adapter = ros.add(FakeStitcher()), ros.add(FakeAdapter())
    client = ActionClient(ros.node, PlanTask, 'plan_task')
    made = Graph(ros, server, system, stitcher, adapter, client, [])
    ros.spin_until(client.server_is_ready, START_S)
    ros.connect(stitcher.publisher, adapter.publisher)
    ros.spin_until(
        lambda: server.host.feed.sample() and adapter.count_subscribers('plan'), START_S
    )
    yield made
    server.stop()


def rest(graph: Graph) -> None:
    """The arm stands and no plan comes any more."""
    graph.ros.spin_for(0.1)
    assert graph.adapter.until_s <= graph.adapter.now_s


def test_success_with_feedback_of_every_cycle(graph: Graph) -> None:
    status, result = graph.run()
    assert status == STATUS.STATUS_SUCCEEDED
    assert result.success
    assert (result.error_code, result.error_msg) == (PlanTask.Result.NONE, '')
    assert (result.cycles, result.target) == (3, 'carrot')
    assert result.final_score == 1.0
    assert len(graph.adapter.plans) == 2
    cycles = [feedback.cycle for feedback in graph.feedback]
    assert cycles == sorted(cycles)
    assert set(cycles) == {0, 1, 2, 3}
    assert graph.feedback[-1].best_candidate == 1
    assert graph.feedback[-1].term_names == ['relevancy']
    rest(graph)


def test_plan_message(graph: Graph) -> None:
    graph.run()
    first, second = graph.adapter.plans
    assert first.header.frame_id == 'base'
    assert (first.cycle, second.cycle) == (1, 2)
    assert 0 < first.plan_id < second.plan_id
    assert len(first.poses) == len(first.closedness) == FRAMES
    assert first.frame_period_s == PERIOD_S
    assert list(first.candidate_scores) == pytest.approx([0.1, 0.9, 0.2, 0.3, 0.4, 0.5])
    ahead_s = (
        first.start_time.sec
        - first.observation_stamp.sec
        + 1e-9 * (first.start_time.nanosec - first.observation_stamp.nanosec)
    )
    assert ahead_s == pytest.approx(graph.system.lead_s, abs=1e-6)


def test_cancel_brings_the_arm_to_rest(graph: Graph) -> None:
    graph.system.cycles = 1000
    handle = graph.send()
    graph.until_moving()
    canceling = handle.cancel_goal_async()
    graph.ros.spin_until(lambda: graph.adapter.stops)
    status, result = graph.end(handle)
    assert canceling.done()
    assert (status, result.error_code) == (STATUS.STATUS_CANCELED, PlanTask.Result.CANCELED)
    assert not result.success
    rest(graph)


def test_newer_goal_preempts(graph: Graph) -> None:
    graph.system.cycles = 1000
    old = graph.send()
    graph.until_moving()
    graph.system.cycles = 1
    new = graph.send('move to the fish')
    status, result = graph.end(old)
    assert (status, result.error_code) == (STATUS.STATUS_ABORTED, PlanTask.Result.PREEMPTED)
    assert 'newer goal' in result.error_msg
    status, result = graph.end(new)
    assert (status, result.target) == (STATUS.STATUS_SUCCEEDED, 'fish')


def test_only_the_newest_of_many_goals_runs(graph: Graph) -> None:
    graph.system.cycles = 1000
    handles = [graph.send()]
    graph.until_moving()
    graph.system.cycles = 1
    handles += [graph.send('move to the fish') for _ in range(3)]
    codes = [graph.end(handle)[1].error_code for handle in handles]
    assert codes == [PlanTask.Result.PREEMPTED] * 3 + [PlanTask.Result.NONE]


def test_canceled_while_it_waits_for_its_turn(graph: Graph) -> None:
    graph.system.cycles = 1000
    graph.send()
    graph.until_moving()
    waiting = graph.send('move to the fish')
    waiting.cancel_goal_async()
    status, result = graph.end(waiting)
    assert (status, result.error_code) == (STATUS.STATUS_CANCELED, PlanTask.Result.CANCELED)
    rest(graph)


def test_goals_that_cannot_be_followed(graph: Graph) -> None:
    cases: tuple[tuple[dict[str, Any], Ending], ...] = (
        ({'instruction': 'sing a song'}, Ending.INVALID_INSTRUCTION),
        ({'instruction': 'move to the unicorn'}, Ending.TARGET_NOT_FOUND),
        ({'time_limit_s': -1.0}, Ending.INVALID_TIME_LIMIT),
        ({'time_limit_s': float('nan')}, Ending.INVALID_TIME_LIMIT),
    )
    for fields, ending in cases:
        status, result = graph.run(**fields)
        assert (status, result.error_code) == (STATUS.STATUS_ABORTED, ending)
        assert result.error_msg
    assert not graph.adapter.plans
    assert graph.run()[0] == STATUS.STATUS_SUCCEEDED  # the next goal is not harmed


def test_time_limit(graph: Graph) -> None:
    graph.system.cycles = 1000
    status, result = graph.run(time_limit_s=1.0)
    assert (status, result.error_code) == (STATUS.STATUS_ABORTED, PlanTask.Result.TIME_LIMIT)
    assert result.duration_s == pytest.approx(1.0, abs=0.7)
    rest(graph)


def test_stitcher_dies_in_mid_motion(graph: Graph) -> None:
    graph.system.cycles = 1000
    handle = graph.send()
    graph.until_moving()
    graph.stitcher.running = False
    diagnostics = graph.ros.node.create_publisher(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
    graph.ros.connect(diagnostics)
    told = DiagnosticStatus(
        level=DiagnosticStatus.ERROR, name='stitcher: observation', message="view 'left' is stale"
    )
    diagnostics.publish(DiagnosticArray(status=[told]))
    status, result = graph.end(handle)
    assert status == STATUS.STATUS_ABORTED
    assert result.error_code == PlanTask.Result.STALE_OBSERVATION
    assert "view 'left' is stale" in result.error_msg
    rest(graph)


def test_observations_of_another_size(graph: Graph) -> None:
    graph.stitcher.view = (4, 4)
    graph.ros.spin_for(0.1)
    graph.stitcher.running = False
    _, result = graph.run()
    assert result.error_code == PlanTask.Result.INVALID_OBSERVATION
    assert '(12, 4, 3)' in result.error_msg


def test_adapter_dies_in_mid_motion(graph: Graph) -> None:
    graph.system.cycles = 1000
    handle = graph.send()
    graph.until_moving()
    graph.adapter.running = False
    status, result = graph.end(handle)
    assert (status, result.error_code) == (STATUS.STATUS_ABORTED, PlanTask.Result.NO_ADAPTER)
    assert 'silent' in result.error_msg


def test_adapter_fault(graph: Graph) -> None:
    from vidplan_msgs.msg import AdapterStatus

    graph.adapter.state_override = AdapterStatus.FAULT
    graph.adapter.error = (AdapterStatus.TRACKING, 'joint 4 is 0.3 rad off')
    graph.ros.spin_for(0.1)
    _, result = graph.run()
    assert result.error_code == PlanTask.Result.ADAPTER_FAULT
    assert 'TRACKING: joint 4' in result.error_msg


@pytest.mark.parametrize(
    ('error', 'ending'),
    [(ModelError('nan'), Ending.MODEL_ERROR), (KeyError('oops'), Ending.INTERNAL)],
    ids=['model', 'unexpected'],
)
def test_planner_fails_in_mid_motion(graph: Graph, error: Exception, ending: Ending) -> None:
    graph.system.error, graph.system.error_cycle = error, 1
    status, result = graph.run()
    assert (status, result.error_code) == (STATUS.STATUS_ABORTED, ending)
    rest(graph)
    graph.system.error = None
    assert graph.run()[0] == STATUS.STATUS_SUCCEEDED


def test_deactivated_in_mid_motion(graph: Graph) -> None:
    graph.system.cycles = 1000
    handle = graph.send()
    graph.until_moving()
    # Another thread: this one spins the fakes that the ending goal waits for.
    thread = threading.Thread(target=graph.server.planner.trigger_deactivate)
    thread.start()
    status, result = graph.end(handle)
    thread.join()
    assert (status, result.error_code) == (STATUS.STATUS_ABORTED, PlanTask.Result.SHUTDOWN)
    rest(graph)
    assert not graph.send().accepted
    graph.server.planner.trigger_activate()
    graph.system.cycles = 1
    assert graph.run()[0] == STATUS.STATUS_SUCCEEDED


def test_pictures_of_every_plan(graph: Graph) -> None:
    strips = graph.ros.collect(Image, 'world_model/prediction', qos.PREVIEW)
    maps = graph.ros.collect(Image, 'reward/relevancy', qos.PREVIEW)
    overlays = graph.ros.collect(Image, 'reward/overlay', qos.PREVIEW)
    heat = graph.ros.collect(Image, 'world_model/uncertainty', qos.PREVIEW)
    markers = graph.ros.collect(MarkerArray, 'planner/markers', qos.PREVIEW)
    graph.ros.spin_for(0.3)
    graph.run()
    graph.ros.spin_until(lambda: strips and maps and overlays and heat and markers)
    height, width, _ = LAYOUT.shape
    assert (strips[0].height, strips[0].width) == (height, FRAMES * width)
    assert (heat[0].height, heat[0].width) == (height, (FRAMES - 1) * width)
    assert (maps[0].height, maps[0].width, maps[0].encoding) == (3 * 4, 4, '32FC1')
    assert (overlays[0].height, overlays[0].width) == (height, width)
    assert candidate_paths(markers[0]).shape == (6, FRAMES, 3)
    stamps = {(one.header.stamp.sec, one.header.stamp.nanosec) for one in (strips[0], maps[0])}
    assert len(stamps) == 1


def test_diagnostics_of_three_nodes(graph: Graph) -> None:
    arrays = graph.ros.collect(DiagnosticArray, '/diagnostics')
    wanted = {'planner: planning', 'world_model: models', 'reward: scorer'}

    def seen() -> dict[str, DiagnosticStatus]:
        return {status.name: status for array in arrays for status in array.status}

    graph.ros.spin_until(lambda: wanted <= set(seen()))
    assert all(seen()[name].level == DiagnosticStatus.OK for name in wanted)


def rollout_request(candidates: int = 2) -> Rollout.Request:
    total = candidates * FRAMES
    poses = [Pose() for _ in range(total)]
    return Rollout.Request(
        candidates=candidates, frames=FRAMES, poses=poses, closedness=[0.0] * total, steps=3
    )


def test_rollout(graph: Graph) -> None:
    response = graph.ros.call(Rollout, 'world_model/rollout', rollout_request())
    assert (response.error_code, response.error_msg) == (Rollout.Response.NONE, '')
    assert len(response.images) == 2 * FRAMES
    assert response.images[0].data[0] == 3
    assert response.duration_s > 0


def test_rollout_refuses(graph: Graph) -> None:
    response = graph.ros.call(Rollout, 'world_model/rollout', rollout_request(65))
    assert response.error_code == Rollout.Response.TOO_MANY
    assert '64' in response.error_msg
    assert not response.images


def test_rollout_that_is_not_finite(graph: Graph) -> None:
    graph.system.world_model.broken = True
    response = graph.ros.call(Rollout, 'world_model/rollout', rollout_request())
    assert response.error_code == Rollout.Response.MODEL_ERROR


def white(height: int = 8) -> Image:
    return to_image(np.full((height, 8, 3), 255, np.uint8))


def test_score(graph: Graph) -> None:
    request = Score.Request(images=[white(), white()], phrase='carrot')
    response = graph.ros.call(Score, 'reward/score', request)
    assert response.error_code == Score.Response.NONE
    assert list(response.peaks) == [1.0, 1.0]
    assert list(response.found) == [True, True]
    assert [(p.x, p.y) for p in response.centroids] == [(0.5, 0.5)] * 2
    assert (response.relevancy[0].height, response.relevancy[0].encoding) == (4, '32FC1')


def test_score_refuses(graph: Graph) -> None:
    cases = (
        (Score.Request(phrase='carrot'), 'NO_IMAGES'),
        (Score.Request(images=[white()], phrase=' '), 'INVALID_PHRASE'),
        (Score.Request(images=[white(), white(16)], phrase='carrot'), 'INVALID_IMAGE'),
        (Score.Request(images=[Image(encoding='yuv422')], phrase='carrot'), 'INVALID_IMAGE'),
    )
    for request, code in cases:
        response = graph.ros.call(Score, 'reward/score', request)
        assert (code, response.error_code) == (code, getattr(Score.Response, code))
        assert response.error_msg


def test_models_that_cannot_be_loaded(ros: Any) -> None:
    def load(*_: Any) -> Any:
        raise ModelError('world_model/config.json is missing')

    server = PlanningServer(PlanningHost(load=load))
    try:
        with pytest.raises(ModelError, match=r'config\.json is missing'):
            server.start()
        assert isinstance(server.world_model.failure, ModelError)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('committed_frames', '9'),
        ('method', 'magic'),
        ('step_m', '-0.1'),
        ('time_limit_s', '0.0'),
        ('execute_frames', 'two'),
        ('device', '3'),
    ],
)
def test_wrong_parameter(name: str, value: str) -> None:
    rclpy.init(args=['--ros-args', '-p', f'{name}:={value}'])
    try:
        with pytest.raises(ConfigError, match=name):
            PlanningServer(PlanningHost(load=lambda *_: None))
    finally:
        rclpy.try_shutdown()


def test_without_autostart_the_lifecycle_is_left_to_others() -> None:
    rclpy.init(args=['--ros-args', '-p', 'autostart:=false'])
    server = PlanningServer(PlanningHost(load=lambda *_: ServerSystem()))
    try:
        server.start()
        assert not server.planner.active
        server.planner.trigger_configure()
        assert isinstance(server.planner.failure, VidPlanError)  # no models yet
        for node in server.nodes:
            node.trigger_configure()
        for node in server.nodes:
            node.trigger_activate()
        assert server.planner.active
    finally:
        server.stop()
        rclpy.try_shutdown()
