# SPDX-License-Identifier: Apache-2.0
"""The three nodes over ROS, with a fake planning system: goals, states, topics."""

from __future__ import annotations

import threading
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from tests.fakes.fake_adapter import LAYOUT
from tests.fakes.fake_planner import FRAMES, PERIOD_S
from tests.vidplan.planning_server.server_graph import ROS_ARGS as ROS_ARGS
from tests.vidplan.planning_server.server_graph import Graph
from vidplan.planning_server.markers import candidate_paths
from vidplan.ros import qos
from vidplan.ros.diagnostics import DOUBT
from vidplan.tasks.endings import Ending
from vidplan_core.errors import ModelError
from vidplan_msgs.action import PlanTask

pytestmark = pytest.mark.ros
STATUS = GoalStatus


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


@pytest.mark.fault('cancel')
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


@pytest.mark.fault('preempt')
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


@pytest.mark.fault('preempt')
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


@pytest.mark.fault('nonsense')
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


@pytest.mark.fault('time_limit')
def test_time_limit(graph: Graph) -> None:
    graph.system.cycles = 1000
    status, result = graph.run(time_limit_s=1.0)
    assert (status, result.error_code) == (STATUS.STATUS_ABORTED, PlanTask.Result.TIME_LIMIT)
    assert result.duration_s == pytest.approx(1.0, abs=0.7)
    rest(graph)


@pytest.mark.fault('stitcher_killed')
def test_stitcher_dies_in_mid_motion(graph: Graph) -> None:
    graph.system.cycles = 1000
    handle = graph.send()
    graph.until_moving()
    graph.stitcher.running = False
    diagnostics = graph.ros.node.create_publisher(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
    graph.ros.connect(diagnostics)
    problem = DiagnosticStatus(
        level=DiagnosticStatus.ERROR, name='stitcher: observation', message="view 'left' is stale",
        hardware_id='/stitcher',
    )  # fmt: skip
    diagnostics.publish(DiagnosticArray(status=[problem]))
    status, result = graph.end(handle)
    assert status == STATUS.STATUS_ABORTED
    assert result.error_code == PlanTask.Result.STALE_OBSERVATION
    assert "view 'left' is stale" in result.error_msg
    rest(graph)


@pytest.mark.fault('camera_frozen', 'camera_noise', 'camera_moved')
def test_views_that_are_not_believed_end_the_goal(graph: Graph) -> None:
    graph.system.cycles = 1000
    handle = graph.send()
    graph.until_moving()
    diagnostics = graph.ros.node.create_publisher(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
    graph.ros.connect(diagnostics)
    doubts = [
        DiagnosticStatus(name='stitcher: observation', hardware_id=f'{robot}/stitcher',
                         values=[KeyValue(key=DOUBT, value=f"view 'left' of {robot!r} is frozen")])
        for robot in ('', '/other')
    ]  # fmt: skip
    diagnostics.publish(DiagnosticArray(status=doubts))
    status, result = graph.end(handle)
    assert status == STATUS.STATUS_ABORTED
    assert result.error_code == PlanTask.Result.INVALID_OBSERVATION
    assert result.error_msg == "view 'left' of '' is frozen"
    rest(graph)


@pytest.mark.fault('camera_size')
def test_observations_of_another_size(graph: Graph) -> None:
    graph.stitcher.view = (4, 4)
    graph.ros.spin_for(0.1)
    graph.stitcher.running = False
    _, result = graph.run()
    assert result.error_code == PlanTask.Result.INVALID_OBSERVATION
    assert '(12, 4, 3)' in result.error_msg


@pytest.mark.fault('adapter_killed')
def test_adapter_dies_in_mid_motion(graph: Graph) -> None:
    graph.system.cycles = 1000
    handle = graph.send()
    graph.until_moving()
    graph.adapter.running = False
    status, result = graph.end(handle)
    assert (status, result.error_code) == (STATUS.STATUS_ABORTED, PlanTask.Result.NO_ADAPTER)
    assert 'silent' in result.error_msg


@pytest.mark.fault('adapter_fault')
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
@pytest.mark.fault('model_fails')
def test_planner_fails_in_mid_motion(graph: Graph, error: Exception, ending: Ending) -> None:
    graph.system.error, graph.system.error_cycle = error, 1
    status, result = graph.run()
    assert (status, result.error_code) == (STATUS.STATUS_ABORTED, ending)
    rest(graph)
    graph.system.error = None
    assert graph.run()[0] == STATUS.STATUS_SUCCEEDED


@pytest.mark.fault('server_ends')
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
    futures = graph.ros.collect(Image, 'world_model/futures', qos.PREVIEW)
    markers = graph.ros.collect(MarkerArray, 'planner/markers', qos.PREVIEW)
    graph.ros.spin_for(0.3)
    graph.run()
    graph.ros.spin_until(lambda: strips and maps and overlays and heat and markers and futures)
    height, width, _ = LAYOUT.shape
    assert (strips[0].height, strips[0].width) == (height, FRAMES * width)
    assert (heat[0].height, heat[0].width) == (height, (FRAMES - 1) * width)
    assert (futures[0].height, futures[0].width) == (height, 6 * width)
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
