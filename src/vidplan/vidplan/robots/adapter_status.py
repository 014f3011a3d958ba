# SPDX-License-Identifier: Apache-2.0
"""What the adapter says about itself: faults, incidents, and the committed motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vidplan.ros.conversions import pose_message, stamp
from vidplan.ros.diagnostics import ERROR, OK, WARN, DurationMeter, RateMeter, Status
from vidplan_core.control.commands import AdapterState, CommittedMotion
from vidplan_core.control.watchdog import PLAN_OVERDUE, STALE_JOINT_STATE
from vidplan_core.errors import CommandRejectedError
from vidplan_msgs.msg import AdapterStatus


@dataclass(frozen=True)
class Incident:
    """Something that a status reports: the name of one of its error codes, and the words.

    Attributes:
        name: of a constant of AdapterStatus.
        message: what happened, and what would be right.
        plan_id: the plan that it is about, 0 for none.
    """

    name: str = 'NONE'
    message: str = ''
    plan_id: int = 0

    @classmethod
    def of(cls, error: CommandRejectedError, plan_id: int = 0) -> Incident:
        """Return the incident of a rejection."""
        return cls(error.reason, str(error).removeprefix(f'{error.reason}: '), plan_id)

    @property
    def code(self) -> int:
        """The constant's number."""
        return int(getattr(AdapterStatus, self.name))

    def __bool__(self) -> bool:
        return self.name != 'NONE'


NO_INCIDENT = Incident()
_OVERDUE = Incident(PLAN_OVERDUE, 'no new plan came in time; the last trajectory ran out')


class Meters:
    """What the adapter counts and times, for diagnostics."""

    def __init__(self, steady_s: Callable[[], float]) -> None:
        """Measure by time that nobody sets, s."""
        meters = (RateMeter(now=steady_s) for _ in range(3))
        self.joint_states, self.accepted, self.rejected = meters
        self.work, self.latency = DurationMeter(), DurationMeter()

    def silence(self, limit_s: float) -> Incident:
        """Say that no joint state comes, by steady time: a clock that stands hides their age."""
        silence_s = self.joint_states.age_s
        if silence_s <= limit_s:
            return NO_INCIDENT
        message = f'no joint state for {silence_s:.1f} s while the clock stands still'
        return Incident(STALE_JOINT_STATE, message)

    def values(self) -> dict[str, object]:
        """Return them by name."""
        counts: dict[str, object] = {
            'joint_states_hz': self.joint_states.hz,
            'plans_accepted': self.accepted.count,
            'plans_rejected': self.rejected.count,
            'plans_hz': self.accepted.hz,
        }
        times = self.work.values('work') | self.latency.values('observation_to_command')
        return counts | times


@dataclass(frozen=True)
class Report:
    """What a status is made from.

    Attributes:
        active: whether the adapter takes plans at all.
        state: the core's.
        fault: why no plan can be executed now, if so.
        incident: the last rejection or stop since a plan was accepted.
        last_plan_id: the plan that was followed last, 0 for none.
        committed: what the arm will do; None when nothing is known of the arm.
    """

    active: bool
    state: AdapterState
    fault: Incident
    incident: Incident
    last_plan_id: int
    committed: CommittedMotion | None


def health(
    fault: Incident, incident: Incident, writers: int, active: bool, values: dict[str, object]
) -> Status:
    """Return what diagnostics say, the worst first."""
    if fault:
        return Status(ERROR, f'{fault.name}: {fault.message}', values)
    if writers > 1:
        return Status(WARN, f'{writers} nodes command the arm; only one may', values)
    if incident:
        return Status(WARN, f'{incident.name}: {incident.message}', values)
    return Status(OK, 'ready' if active else 'not active', values)


def status_message(report: Report, now_s: float, base_frame: str) -> AdapterStatus:
    """Return the status at a time."""
    incident = _incident(report)
    message = AdapterStatus(
        state=_state(report),
        error_code=incident.code,
        error_msg=incident.message,
        rejected_plan_id=incident.plan_id,
        active_plan_id=report.last_plan_id,
        remaining_s=report.state.rest_in_s,
        time_ratio=report.state.time_ratio,
    )
    message.header.stamp, message.header.frame_id = stamp(now_s), base_frame
    if report.committed is not None:
        motion = report.committed
        message.committed_times_s = (motion.times_s - motion.times_s[0]).tolist()
        message.committed_closedness = motion.closedness.tolist()
        message.committed_joint_positions = motion.q.ravel().tolist()
        message.committed_joint_velocities = motion.dq.ravel().tolist()
        message.committed_poses = [
            pose_message(*pose) for pose in zip(motion.position, motion.quaternion, strict=True)
        ]
    return message


def _incident(report: Report) -> Incident:
    if report.fault:
        return report.fault
    if report.incident:
        return report.incident
    ran_out = report.active and report.last_plan_id and not report.state.moving
    return _OVERDUE if ran_out else NO_INCIDENT


def _state(report: Report) -> int:
    if report.state.moving:
        stopping = report.state.stopping or not report.active
        return AdapterStatus.STOPPING if stopping else AdapterStatus.EXECUTING
    if not report.active and report.fault.name != 'INTERNAL':
        return AdapterStatus.IDLE
    if report.fault:
        return AdapterStatus.FAULT
    return AdapterStatus.HOLDING if report.last_plan_id else AdapterStatus.IDLE
