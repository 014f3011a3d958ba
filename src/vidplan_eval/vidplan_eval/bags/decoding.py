# SPDX-License-Identifier: Apache-2.0
"""Messages of a recording as objects: by the definitions in it, else by those of ROS 2."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from vidplan_eval.bags.bag_types import typestore
from vidplan_eval.bags.storage.stored import BagChannel, BagError, StoredMessage

_STAMP = {0: struct.Struct('>iI'), 1: struct.Struct('<iI')}


class Decoder:
    """Decodes CDR; the types of a channel are built when its first message comes."""

    def __init__(self) -> None:
        self._stores: dict[BagChannel, Typestore] = {}

    def message(self, stored: StoredMessage) -> Any:
        """Return the message.

        Raises:
            BagError: of a type that is neither defined in the bag nor known, or damaged.
        """
        channel = stored.channel
        if channel not in self._stores:
            self._stores[channel] = self._store(channel)
        try:
            return self._stores[channel].deserialize_cdr(stored.data, channel.type_name)
        except Exception as error:  # generated code fails in ways of its own on damaged bytes
            raise BagError(f'not a readable {channel.type_name}: {error}') from error

    def _store(self, channel: BagChannel) -> Typestore:
        if channel.serialization != 'cdr':
            raise BagError(f'serialised as {channel.serialization!r}; only cdr can be read')
        own = _embedded(channel.type_name, channel.definition, channel.language)
        if own is not None:
            return own
        if channel.type_name not in _default().fielddefs:
            raise BagError(
                f'the bag has no definition of {channel.type_name}, which is no type of ROS 2 '
                'itself; record with the mcap storage (`ros2 bag record -s mcap`), which keeps it'
            )
        return _default()


def header_stamp_s(data: bytes) -> float:
    """Return the stamp of a message that begins with a std_msgs/Header, without decoding it, s.

    Raises:
        BagError: too short.
    """
    if len(data) < 12 or data[1] not in _STAMP:
        raise BagError(f'{len(data)} bytes are no message with a header')
    sec, nanosec = _STAMP[data[1]].unpack_from(data, 4)
    return float(sec + nanosec * 1e-9)


@lru_cache(maxsize=64)
def _embedded(type_name: str, definition: str, language: str) -> Typestore | None:
    """Types as the bag defines them, which older and newer releases of ROS may define otherwise.

    None where it has no definition, or one that cannot be understood.
    """
    if not definition:
        return None
    store = get_typestore(Stores.EMPTY)
    try:
        if 'idl' in language:
            store.register(get_types_from_idl(definition))
        else:
            store.register(get_types_from_msg(definition, type_name))
        store.get_msgdef(type_name)
    except Exception:  # a parser's own errors; the default types are the second chance
        return None
    return store


_default = lru_cache(maxsize=1)(typestore)
