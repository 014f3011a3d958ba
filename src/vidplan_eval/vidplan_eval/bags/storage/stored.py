# SPDX-License-Identifier: Apache-2.0
"""What a file of a recording offers to its readers, whatever its format."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vidplan_core.errors import VidPlanError


class BagError(VidPlanError):
    """A bag that cannot be written, or does not hold what is asked of it."""

    code = 'INVALID_BAG'


@dataclass(frozen=True)
class BagChannel:
    """One topic of a file.

    Attributes:
        topic: its name on the robot.
        type_name: such as 'sensor_msgs/msg/Image'.
        definition: text of the type with all that it contains; '' where the file has none.
        language: of the definition, 'ros2msg' or 'ros2idl'.
        serialization: of the messages; only 'cdr' can be read.
    """

    topic: str
    type_name: str
    definition: str = ''
    language: str = ''
    serialization: str = 'cdr'


class StoredMessage(NamedTuple):
    """One message as bytes, and when it was recorded, ns."""

    log_ns: int
    channel: BagChannel
    data: bytes


class StoredFile(Protocol):
    """One file of a recording, open for reading.

    Attributes:
        notes: what is wrong with the file; more is found while it is read.
    """

    notes: list[str]

    @property
    def channels(self) -> Collection[BagChannel]:
        """Every topic of the file."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Messages by topic."""

    def messages(self, topics: Collection[str]) -> Iterator[StoredMessage]:
        """Yield the messages of some topics in order of time, leaving out what is damaged."""

    def close(self) -> None:
        """Release the file."""
