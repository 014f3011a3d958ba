# SPDX-License-Identifier: Apache-2.0
"""When a recording has a picture of every camera and a state of the arm: one pass, no pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidplan_core.data.readings import pose_arrays
from vidplan_core.errors import ObservationError, VidPlanError
from vidplan_core.geometry.robot import RobotModel
from vidplan_eval.bags.clocks import on_one_clock
from vidplan_eval.bags.decoding import header_stamp_s
from vidplan_eval.bags.recording import FLANGE
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.sensor_map import SensorMap
from vidplan_eval.bags.storage.stored import BagError, StoredMessage
from vidplan_eval.bags.tracks import (
    Samples,
    Thinned,
    Track,
    arm_row,
    gripper_row,
    nearest,
    with_velocities,
)

ARM, HAND, POSE = 'arm', 'gripper', 'flange'


@dataclass(frozen=True)
class BagMoment:
    """One time at which everything is there.

    Attributes:
        stamp_s: of its oldest picture, s.
        pictures: by view, the place of the picture among all messages of all cameras.
        state: joint positions, then velocities (14,), rad and rad/s.
        closedness: gripper, 0 open .. 1 closed.
        pose: of the flange where the bag has it measured, position (3,) m and quaternion (4,)
            xyzw; None where it follows from the joints.
    """

    stamp_s: float
    pictures: dict[str, int]
    state: np.ndarray
    closedness: float
    pose: np.ndarray | None = None


@dataclass
class Survey:
    """What the first pass over a bag collects: stamps of pictures, states of arm and gripper."""

    sensors: SensorMap
    robot: RobotModel
    pictures: dict[str, Samples] = field(default_factory=dict)
    arm: Samples = field(default_factory=lambda: Samples(14))
    hand: Samples = field(default_factory=lambda: Samples(1))
    flange: Samples = field(default_factory=lambda: Samples(7))
    seen: int = 0
    _flange_topic: str = ''
    thinned: dict[str, Thinned] = field(default_factory=dict)

    def take(self, bag: Bag) -> None:
        """Read all messages of the sensors once; what is of no use is skipped and counted."""
        views = {topic: view for view, topic in self.sensors.cameras.items()}
        self.pictures = {view: Samples(1) for view in self.sensors.cameras}
        hand = self.sensors.gripper
        states = {self.sensors.joints.topic, *([hand.topic] if hand else [])}
        self._flange_topic = bag.topic(FLANGE) if bag.count(FLANGE) else ''
        states |= {self._flange_topic} - {''}
        for stored in bag.stored({*views, *states}):
            if stored.channel.topic in views:
                self._picture(bag, views[stored.channel.topic], stored)
            else:
                self._state(bag, stored)

    def samples(self, name: str) -> Samples:
        """What was collected of a view, of ARM, HAND or POSE."""
        return {ARM: self.arm, HAND: self.hand, POSE: self.flange}.get(name) or self.pictures[name]

    def _picture(self, bag: Bag, view: str, stored: StoredMessage) -> None:
        place, self.seen = self.seen, self.seen + 1
        try:
            stamp_s = header_stamp_s(stored.data)
        except VidPlanError as error:
            bag.skip(stored.channel.topic, str(error))
            return
        self.pictures[view].add(stamp_s, stored.log_ns * 1e-9, np.array([place], float))

    def _state(self, bag: Bag, stored: StoredMessage) -> None:
        topic = stored.channel.topic
        logged_s = stored.log_ns * 1e-9
        thinned = self.thinned.setdefault(topic, Thinned())
        if not thinned.lets(len(stored.data), logged_s):
            return
        message = bag.decoded(stored)
        if message is None:
            return
        header = getattr(message, 'header', None)
        stamp_s = logged_s if header is None else header_stamp_s(stored.data)
        try:
            self._add(topic, message, stamp_s, logged_s)
        except (ObservationError, AttributeError) as error:
            bag.skip(topic, str(error))

    def _add(self, topic: str, message: Any, stamp_s: float, logged_s: float) -> None:
        joints, hand = self.sensors.joints, self.sensors.gripper
        if topic == self._flange_topic:
            pose = np.concatenate([part[0] for part in pose_arrays([message.pose])])
            self.flange.add(stamp_s, logged_s, pose)
            return
        if topic == joints.topic:
            row = arm_row(message, joints, self.robot)
            if row is not None:
                self.arm.add(stamp_s, logged_s, row)
        if hand is not None and topic == hand.topic:
            row = gripper_row(message, hand)
            if row is not None:
                self.hand.add(stamp_s, logged_s, row)


@dataclass(frozen=True)
class FoundMoments:
    """The moments of a bag, oldest first, and what had to be corrected to find them."""

    moments: list[BagMoment]
    notes: list[str]


def find_moments(
    bag: Bag, survey: Survey, period_s: float, max_skew_s: float, max_joint_gap_s: float
) -> FoundMoments:
    """Return one moment per period; periods in which something is missing are left out.

    Raises:
        BagError: a sensor has no message of use at all.
    """
    timed = {view: one.timed() for view, one in survey.pictures.items()}
    timed[ARM] = survey.arm.timed()
    if survey.sensors.gripper is not None:
        timed[HAND] = survey.hand.timed()
    _require(bag, survey, {name: len(one.stamps_s) for name, one in timed.items()})
    if len(survey.flange.stamps_s):
        timed[POSE] = survey.flange.timed()
    clock = on_one_clock(timed)
    tracks = {name: survey.samples(name).track(clock.times_s[name], clock.trusted[name])
              for name in timed}  # fmt: skip
    tracks[ARM] = with_velocities(tracks[ARM])
    cameras = {view: tracks[view] for view in survey.pictures}
    found = _joined(cameras, tracks, period_s, max_skew_s, max_joint_gap_s)
    return FoundMoments(found, clock.notes)


def _joined(
    cameras: dict[str, Track],
    states: dict[str, Track],
    period_s: float,
    max_skew_s: float,
    max_joint_gap_s: float,
) -> list[BagMoment]:
    first = next(iter(cameras.values()))
    wanted_s = first.stamps_s[grid(first.stamps_s, period_s)]
    places = {view: nearest(track.stamps_s, wanted_s) for view, track in cameras.items()}
    stamps = np.stack([cameras[view].stamps_s[place] for view, place in places.items()])
    oldest = stamps.min(axis=0)
    together = np.ptp(stamps, axis=0) <= max_skew_s
    arm = states[ARM]
    known = np.abs(arm.stamps_s[nearest(arm.stamps_s, oldest)] - oldest) <= max_joint_gap_s
    return [
        BagMoment(
            float(oldest[index]),
            {view: int(cameras[view].values[place[index], 0]) for view, place in places.items()},
            arm.at(oldest[index]),
            float(states[HAND].at(oldest[index])[0]) if HAND in states else 0.0,
            _pose(states.get(POSE), oldest[index], max_joint_gap_s),
        )
        for index in np.flatnonzero(together & known)
    ]


def _pose(flange: Track | None, time_s: float, max_gap_s: float) -> np.ndarray | None:
    """The measured pose that is nearest in time; quaternions are not to be mixed."""
    if flange is None or flange.gap_s(time_s) > max_gap_s:
        return None
    return np.asarray(flange.values[int(np.abs(flange.stamps_s - time_s).argmin())])


def grid(stamps_s: np.ndarray, period_s: float) -> np.ndarray:
    """Return indices of the stamps nearest to every whole period since the first one.

    Periods without a stamp within a quarter of a period are left out. Time and memory grow with
    the number of stamps, whatever their range.
    """
    periods = np.round((stamps_s - stamps_s[0]) / period_s)
    off_s = np.abs(stamps_s - stamps_s[0] - periods * period_s)
    near = np.flatnonzero(off_s <= 0.25 * period_s + 1e-9)
    order = near[np.lexsort((near, off_s[near], periods[near]))]
    _, firsts = np.unique(periods[order], return_index=True)
    return np.asarray(order[firsts])


def _require(bag: Bag, survey: Survey, counts: dict[str, int]) -> None:
    sensors = survey.sensors
    topics = {**sensors.cameras, ARM: sensors.joints.topic}
    if sensors.gripper is not None:
        topics[HAND] = sensors.gripper.topic
    for name, topic in topics.items():
        if not counts[name]:
            why = bag.skipped.get(topic)
            reason = f': {why.reason}' if why else f'; it has {bag.present()}'
            raise BagError(f'{bag.path}: {topic} has no usable message of the {name}{reason}')
