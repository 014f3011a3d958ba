# SPDX-License-Identifier: Apache-2.0
"""Messages as bytes: msgpack with NumPy arrays of numbers, and nothing that runs code.

An array is a map of four: `__ndarray__` true, its `data`, its `dtype` as NumPy spells it and its
`shape`; a NumPy number is `__npgeneric__` true, `data` and `dtype`. The keys are bytes. Arrays of
objects, structures or complex numbers are refused in both directions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np

from vidplan_core.errors import PolicyServerError
from vidplan_core.policy_server.reasons import MALFORMED

ARRAY, NUMBER, DATA, DTYPE, SHAPE = b'__ndarray__', b'__npgeneric__', b'data', b'dtype', b'shape'
# Largest message that is taken: three colour pictures of 1280 x 720 are a sixth of it.
MAX_BYTES = 64 * 2**20
MOST_DIMENSIONS = 8
# Booleans, integers and real numbers, as `numpy.dtype.str` spells them.
_NUMERIC = re.compile(r'[<>|=]?(b1|[iu][1248]|f[248])')


def pack(content: Any) -> bytes:
    """Bytes of a message of maps, lists, words, numbers and arrays.

    Raises:
        PolicyServerError: MALFORMED, it holds something else.
    """
    try:
        return bytes(msgpack.packb(content, default=_plain))
    except (TypeError, ValueError, OverflowError) as error:
        raise PolicyServerError(MALFORMED, f'a message cannot be sent: {error}') from error


def unpack(data: bytes) -> Any:
    """The message of some bytes; arrays are copies in this machine's byte order.

    Raises:
        PolicyServerError: MALFORMED, the bytes are no such message.
    """
    try:
        return msgpack.unpackb(data, object_hook=_read, ext_hook=_no_extension)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise PolicyServerError(
            MALFORMED, f'{len(data)} bytes are no msgpack message of numbers and words: {error}'
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        spelled = _dtype(value.dtype.str).str
        if isinstance(value, np.ndarray):
            return {ARRAY: True, DATA: value.tobytes(), DTYPE: spelled, SHAPE: value.shape}
        return {NUMBER: True, DATA: value.item(), DTYPE: spelled}
    raise TypeError(f'{type(value).__name__} is neither a number, a word, a list nor a map')


def _read(found: dict[Any, Any]) -> Any:
    if ARRAY in found:
        return _array(found)
    if NUMBER in found:
        data = found.get(DATA)
        if not isinstance(data, (bool, int, float)):
            raise ValueError(f'a NumPy number holds {type(data).__name__}')
        return _dtype(found.get(DTYPE)).type(data)
    return found


def _array(found: Mapping[Any, Any]) -> np.ndarray:
    dtype, data, shape = _dtype(found.get(DTYPE)), found.get(DATA), found.get(SHAPE)
    sizes = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
    if not sizes or not isinstance(shape, list) or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f'an array has the shape {shape!r}')
    wanted = math.prod(shape) * dtype.itemsize
    if not isinstance(data, bytes) or len(data) != wanted:
        have = len(data) if isinstance(data, bytes) else type(data).__name__
        raise ValueError(f'an array {tuple(shape)} of {dtype} needs {wanted} bytes, got {have}')
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder('='))


def _dtype(spelled: Any) -> np.dtype[Any]:
    if isinstance(spelled, bytes):
        spelled = spelled.decode('ascii', 'replace')
    if not isinstance(spelled, str) or _NUMERIC.fullmatch(spelled) is None:
        raise ValueError(f'arrays of {spelled!r} are refused: numbers only')
    return np.dtype(spelled)


def _no_extension(code: int, data: bytes) -> Any:
    raise ValueError(f'the extension type {code} is refused')
