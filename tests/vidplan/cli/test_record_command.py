# SPDX-License-Identifier: Apache-2.0
"""What `vidplan record` makes of its options."""

from __future__ import annotations

import argparse

import pytest

from vidplan.cli.recordings import record
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.bags.recording import recorded


def arguments(*words: str) -> list[str]:
    parser = argparse.ArgumentParser()
    record.add_parser(parser.add_subparsers())
    return record.ros_arguments(parser.parse_args(['record', 'out/bag', *words]))


def test_the_graphs_own_topics_are_the_default():
    words = arguments()
    assert "bag:='out/bag'" in words
    assert 'use_sim_time:=false' in words
    assert 'left/image_raw:=left/image_raw' in words
    sources = {word.partition(':=')[0] for word in words if ':=' in word}
    roles = {entry.role for entry in recorded(default_layout().views)}
    assert sources - {'bag', 'cameras', 'split_mb', 'use_sim_time', '/clock'} <= roles


def test_a_robots_own_names_replace_them():
    words = arguments('--remap', 'joint_states:=/franka/joint_states', '--namespace', 'cell1')
    assert 'joint_states:=/franka/joint_states' in words
    assert 'joint_states:=joint_states' not in words
    assert '__ns:=/cell1' in words


@pytest.mark.parametrize('entry', ['joint_states', ':=/x', 'joint_states:='])
def test_a_wrong_remapping_is_named(entry):
    with pytest.raises(ConfigError, match='FROM:=TO'):
        arguments('--remap', entry)
