# SPDX-License-Identifier: Apache-2.0
"""A file of weights that says it is larger than it is takes no memory, and is named."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import nn

from vidplan_core.errors import ModelError
from vidplan_core.models.io import WEIGHTS, load_weights


def header(length: int | None = None, **tensor: Any) -> bytes:
    """The beginning of a file of safetensors, with one tensor."""
    text = json.dumps({'weight': {'dtype': 'F32', **tensor}}).encode()
    return struct.pack('<Q', len(text) if length is None else length) + text


FILES = {
    'shape': (header(shape=[10**9] * 2, data_offsets=[0, 4]) + bytes(4), 'overflow'),
    'shape beyond its bytes': (header(shape=[10**6], data_offsets=[0, 4]) + bytes(4), 'corrupt'),
    'bytes beyond the file': (header(shape=[10**9], data_offsets=[0, 4 * 10**9]), 'corrupt'),
    'header': (header(2**60, shape=[1], data_offsets=[0, 4]), 'header too large'),
    'not finite': (save({'weight': torch.full((1, 1), float('inf'))}), 'weight is not finite'),
}


@pytest.mark.parametrize('case', FILES)
def test_hostile_weights_are_refused(tmp_path: Path, case: str) -> None:
    content, says = FILES[case]
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelError, match=says):
        load_weights(nn.Linear(1, 1, bias=False), tmp_path)
