# SPDX-License-Identifier: Apache-2.0
"""Rebuild the planner's observations from a bag, at the world model's rate, one at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vidplan_core.data.image_messages import check_image, convert_own
from vidplan_core.data.observation import Observation
from vidplan_core.data.readings import pose_arrays
from vidplan_core.errors import ObservationError, VidPlanError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT
from vidplan_core.geometry.se3 import matrix_to_quaternion
from vidplan_eval.bags.decoding import header_stamp_s
from vidplan_eval.bags.guessing import FoundSensors, find_sensors, require_map
from vidplan_eval.bags.moments import BagMoment, Survey, find_moments, grid
from vidplan_eval.bags.pictures import picture
from vidplan_eval.bags.recording import OBSERVATION
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.sensor_map import SensorMap
from vidplan_eval.bags.storage.stored import BagError, StoredMessage


@dataclass(frozen=True)
class BagSource:
    """How the robot of a bag is read; the defaults are those of the stitcher.

    Attributes:
        sensors: which topic is what; None to find out from names and types.
        robot: file of config/robots whose joints are looked for, where `sensors` is None.
        joint_prefix: of the arm's joints, where `sensors` is None.
        max_skew_s: largest difference between the stamps of the cameras.
        max_joint_gap_s: largest distance from the images to the nearest joint state.
    """

    sensors: SensorMap | None = None
    robot: str = DEFAULT_ROBOT
    joint_prefix: str = ''
    max_skew_s: float = 0.07
    max_joint_gap_s: float = 0.05


class ObservationStream:
    """Observations of a bag: how many there are is known at once, pictures are read one by one.

    Memory does not grow with the number of pictures, which are brought to the layout's size as
    they are read.

    Attributes:
        stamps_s: of every moment, whether its pictures turn out to be readable or not, s.
        notes: what was guessed or corrected, in words.
        guessed: the map that was guessed; None where it was given or is the recording's own.
    """

    def __init__(
        self, bag: Bag, layout: CameraLayout, period_s: float, source: BagSource | None = None
    ) -> None:
        """Learn when the bag has observations.

        Cameras and joint states are preferred; a bag without them may hold observations instead.

        Raises:
            BagError: neither is there (missing topics are named), or nothing fits together.
        """
        self._bag, self._layout = bag, layout
        source = source or BagSource()
        self.notes: list[str] = []
        self.guessed: SensorMap | None = None
        self.stamps_s: list[float] = []
        self._moments: list[BagMoment] = []
        self._places: list[int] = []
        sensors = _sensors(bag, layout.views, source)
        if sensors is None:
            self._find_stitched(period_s)
        else:
            self.guessed = sensors.sensors if sensors.guessed else None
            self._find(period_s, sensors.sensors, source)
        if not len(self):
            raise BagError(
                f'{bag.path}: no moment has an image of every camera within {source.max_skew_s} s '
                f'and a joint state within {source.max_joint_gap_s} s{_after(self.notes)}'
            )

    def __len__(self) -> int:
        return len(self.stamps_s)

    def __iter__(self) -> Iterator[Observation]:
        return (seen for _, seen in self.numbered())

    def numbered(self, only: Collection[int] | None = None) -> Iterator[tuple[int, Observation]]:
        """Yield observations with the numbers of their moments, oldest first.

        Args:
            only: numbers of the moments that are wanted; pictures of no other one are decoded.
        """
        wanted = range(len(self)) if only is None else sorted(only)
        return self._from_sensors(wanted) if self._moments else self._from_observations(wanted)

    def _find(self, period_s: float, sensors: SensorMap, source: BagSource) -> None:
        _require_views(sensors, self._layout)
        self._sensors, self._robot = sensors, sensors.model()
        survey = Survey(sensors, self._robot)
        survey.take(self._bag)
        gaps = source.max_skew_s, source.max_joint_gap_s
        found_moments = find_moments(self._bag, survey, period_s, *gaps)
        self._moments = found_moments.moments
        self.stamps_s = [moment.stamp_s for moment in self._moments]
        self.notes += found_moments.notes
        if sensors.gripper is None:
            self.notes.append('no gripper is known: it counts as open all the time')

    def _from_sensors(self, wanted: Sequence[int]) -> Iterator[tuple[int, Observation]]:
        """Put pictures together as they come; a moment that lacks one of them is left out."""
        due: dict[int, list[tuple[int, str]]] = {}
        for number in wanted:
            for view, place in self._moments[number].pictures.items():
                due.setdefault(place, []).append((number, view))
        open_views: dict[int, dict[str, np.ndarray]] = {}
        waiting = deque(wanted)
        for place, fitted in self._pictures({place: rows[0][1] for place, rows in due.items()}):
            if fitted is not None:
                for number, view in due[place]:
                    open_views.setdefault(number, {})[view] = fitted
            while waiting and max(self._moments[waiting[0]].pictures.values()) <= place:
                views = open_views.pop(number := waiting.popleft(), {})
                if len(views) == len(self._layout.views):
                    moment = self._moments[number]
                    yield number, _observation(self._layout, views, moment, self._robot)

    def _pictures(self, due: dict[int, str]) -> Iterator[tuple[int, np.ndarray | None]]:
        """Yield the pictures in these places, in the size of their view; None where skipped."""
        topics = list(self._sensors.cameras.values())
        for place, stored in enumerate(self._bag.stored(topics)):
            if place in due:
                yield place, self._fitted(stored, due[place])

    def _fitted(self, stored: StoredMessage, view: str) -> np.ndarray | None:
        message = self._bag.decoded(stored)
        if message is None:
            return None
        try:
            return self._layout.fit(view, {view: picture(message, stored.channel.type_name)})
        except VidPlanError as error:
            self._bag.skip(stored.channel.topic, str(error))
            return None

    def _find_stitched(self, period_s: float) -> None:
        found: list[float] = []
        for stored in self._bag.stored([self._bag.topic(OBSERVATION)]):
            found.append(header_stamp_s(stored.data))
        order = np.argsort(found, kind='stable')
        self._places = sorted(int(order[i]) for i in grid(np.array(found)[order], period_s))
        self.stamps_s = [found[place] for place in self._places]

    def _from_observations(self, wanted: Sequence[int]) -> Iterator[tuple[int, Observation]]:
        numbers = {self._places[number]: number for number in wanted}
        for place, stored in enumerate(self._bag.stored([self._bag.topic(OBSERVATION)])):
            message = self._bag.decoded(stored) if place in numbers else None
            if message is not None:
                stamp_s = header_stamp_s(stored.data)
                yield numbers[place], _stitched(self._bag, message, self._layout, stamp_s)


def stitched_observations(
    bag: Bag, layout: CameraLayout, wanted: Callable[[float], bool]
) -> Iterator[Observation]:
    """Yield the observations that the graph recorded, those whose stamps, s, are wanted.

    Raises:
        BagError: one is not of the layout.
    """
    for stored in bag.stored([bag.topic(OBSERVATION)]):
        stamp_s = header_stamp_s(stored.data)
        message = bag.decoded(stored) if wanted(stamp_s) else None
        if message is not None:
            yield _stitched(bag, message, layout, stamp_s)


def read_observations(
    bag: Bag, layout: CameraLayout, period_s: float, source: BagSource | None = None
) -> list[Observation]:
    """Return one observation per model frame, oldest first, of a bag that fits into memory.

    Raises:
        BagError: as ObservationStream does, or no picture can be read.
    """
    stream = ObservationStream(bag, layout, period_s, source)
    observations = list(stream)
    require_observations(bag, len(observations))
    return observations


def require_observations(bag: Bag, found: int) -> None:
    """Raise BagError where there was no observation in the end, and say what was skipped."""
    if not found:
        reasons = [f'{topic}: {skipped.reason}' for topic, skipped in bag.skipped.items()]
        raise BagError(f'{bag.path} has no usable observation{_after(reasons)}')


def sees_sensors(bag: Bag, views: Sequence[str], source: BagSource | None = None) -> bool:
    """Return whether a bag has states and cameras of these views; False: observations instead.

    Raises:
        BagError: it has neither; the missing topics are named.
    """
    return _sensors(bag, views, source or BagSource()) is not None


def _sensors(bag: Bag, views: Sequence[str], source: BagSource) -> FoundSensors | None:
    if source.sensors is not None:
        require_map(bag, source.sensors)
        return FoundSensors(source.sensors, guessed=False)
    try:
        return find_sensors(bag, views, source.robot, source.joint_prefix)
    except BagError:
        if bag.count(OBSERVATION):
            return None
        raise


def _require_views(sensors: SensorMap, layout: CameraLayout) -> None:
    if set(sensors.cameras) != set(layout.views):
        raise BagError(
            f'the map has the cameras {", ".join(sensors.cameras)}; the world model sees '
            f'{", ".join(layout.views)}'
        )


def _after(reasons: Sequence[str]) -> str:
    return f': {"; ".join(reasons)}' if reasons else ''


def _observation(
    layout: CameraLayout, views: dict[str, np.ndarray], moment: BagMoment, robot: RobotModel
) -> Observation:
    q, dq = np.split(moment.state, 2)
    if moment.pose is not None:
        position, quaternion = np.split(moment.pose, [3])
    else:
        at, rotation = flange_pose(torch.from_numpy(q), robot)
        position, quaternion = at.numpy(), matrix_to_quaternion(rotation).numpy()
    return Observation(
        stamp_s=moment.stamp_s,
        image=layout.stitch(views),
        q=q,
        dq=dq,
        closedness=moment.closedness,
        position=position,
        quaternion=quaternion,
    )


def _stitched(bag: Bag, message: Any, layout: CameraLayout, stamp_s: float) -> Observation:
    try:
        check_image(message.image)
    except ObservationError as error:
        raise BagError(f'{bag.path}: observation at {stamp_s:.3f} s: {error}') from None
    pixels = convert_own(message.image)
    views = tuple(message.views)
    if views != layout.views or pixels.shape != layout.shape:
        raise BagError(
            f'{bag.path}: observations of views {views} with shape {pixels.shape}; the world '
            f'model sees {layout.views} with shape {layout.shape}'
        )
    (position,), (quaternion,) = pose_arrays([message.flange_pose])
    return Observation(
        stamp_s=stamp_s,
        image=pixels,
        q=np.array(message.joint_positions),
        dq=np.array(message.joint_velocities),
        closedness=float(message.gripper_closedness),
        position=position,
        quaternion=quaternion,
    )
