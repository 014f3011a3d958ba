# SPDX-License-Identifier: Apache-2.0
"""Messages: what is sent comes back, and nothing but numbers and words is taken."""

from __future__ import annotations

import pickle
from contextlib import suppress

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import (
    array_shapes,
    arrays,
    boolean_dtypes,
    floating_dtypes,
    integer_dtypes,
    unsigned_integer_dtypes,
)

from vidplan_core.errors import PolicyServerError
from vidplan_core.policy_server.wire import pack, unpack

NUMBERS = st.one_of(
    boolean_dtypes(), integer_dtypes(), unsigned_integer_dtypes(), floating_dtypes()
)


@given(arrays(NUMBERS, array_shapes(min_dims=0, max_dims=4, min_side=0)))
def test_arrays_come_back(array: np.ndarray) -> None:
    found = unpack(pack({'a': array}))['a']
    assert found.dtype == array.dtype.newbyteorder('=')
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable


def test_bytes_are_those_of_openpi() -> None:
    """By its documentation of the format, written out by hand."""
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    plain = {b'__ndarray__': True, b'data': bytes(range(6)), b'dtype': '|u1', b'shape': [2, 3]}
    assert msgpack.unpackb(pack({'image': array})) == {'image': plain}
    np.testing.assert_array_equal(unpack(msgpack.packb({'image': plain}))['image'], array)
    one = {b'__npgeneric__': True, b'data': 2.5, b'dtype': '<f4'}
    assert msgpack.unpackb(pack(np.float32(2.5))) == one
    assert unpack(msgpack.packb(one)) == np.float32(2.5)


@pytest.mark.parametrize(
    'value', [np.array([object()]), np.array(['a']), np.array([1j]), np.zeros(2, 'f4,f4'), {1, 2}],
    ids=['objects', 'words', 'complex', 'structure', 'set'],
)  # fmt: skip
def test_what_is_no_number_is_not_sent(value: object) -> None:
    with pytest.raises(PolicyServerError, match='MALFORMED: a message cannot be sent'):
        pack({'a': value})


class Fires:
    """Would run code where it is unpickled."""

    fired = False

    def __reduce__(self):
        return setattr, (Fires, 'fired', True)


def array(**changes: object) -> bytes:
    known = {'__ndarray__': True, 'data': bytes(8), 'dtype': '<f4', 'shape': [2], **changes}
    return msgpack.packb({key.encode(): value for key, value in known.items()})


@pytest.mark.parametrize(
    'data',
    [
        array(dtype='|O', data=pickle.dumps(Fires())),
        array(dtype='O'),
        array(dtype='f4,f4'),
        array(dtype='<c8'),
        array(dtype='<M8[s]'),
        array(dtype=7),
        array(shape=[3]),
        array(shape=[-2]),
        array(shape=[2.0]),
        array(shape=[True, 2]),
        array(shape='2'),
        array(shape=[1] * 40),
        array(data='12345678'),
        array(data=None),
        msgpack.packb({b'__npgeneric__': True, b'data': b'x', b'dtype': '<f4'}),
        msgpack.packb(msgpack.ExtType(5, b'x')),
        msgpack.packb([]) + b'more',
        b'\x81' * 3000,
        b'\xc1',
        b'\xdd\xff\xff\xff\xff',
        b'',
    ],
)
def test_what_is_wrong_is_named_and_runs_nothing(data: bytes) -> None:
    with pytest.raises(PolicyServerError, match='MALFORMED: .* no msgpack message'):
        unpack(data)
    assert not Fires.fired


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_named_error(data: bytes) -> None:
    with suppress(PolicyServerError):
        unpack(data)
