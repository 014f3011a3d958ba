# SPDX-License-Identifier: Apache-2.0
"""The metadata.yaml of a bag that is being recorded, file by file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

FILE = 'metadata.yaml'
INFORMATION = 'rosbag2_bagfile_information'


def provisional(
    file: str, topics: Mapping[str, str], notes: Mapping[str, str]
) -> dict[str, Any]:
    """Return what is known of a file before it is closed; topics are types by name."""
    return {
        'version': 8,
        'storage_identifier': 'mcap',
        'duration': {'nanoseconds': 0},
        'starting_time': {'nanoseconds_since_epoch': 0},
        'message_count': 0,
        'topics_with_message_count': [
            {
                'topic_metadata': {
                    'name': name,
                    'type': type_name,
                    'serialization_format': 'cdr',
                    'offered_qos_profiles': [],
                    'type_description_hash': '',
                },
                'message_count': 0,
            }
            for name, type_name in topics.items()
        ],
        'compression_format': '',
        'compression_mode': '',
        'relative_file_paths': [file],
        'files': [],
        'custom_data': dict(notes),
        'ros_distro': 'jazzy',
    }


def combined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the metadata of a bag from those of its files, in order; the last may be open."""
    whole: dict[str, Any] = deepcopy(dict(parts[0]))
    for part in parts[1:]:
        whole['relative_file_paths'] += part['relative_file_paths']
        whole['files'] += part['files']
        whole['message_count'] += part['message_count']
        counts = zip(
            whole['topics_with_message_count'], part['topics_with_message_count'], strict=True
        )
        for mine, more in counts:
            mine['message_count'] += more['message_count']
    spans = [_span(part) for part in parts if part['message_count']]
    if spans:
        first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
        whole['starting_time'] = {'nanoseconds_since_epoch': first}
        whole['duration'] = {'nanoseconds': last - first}
    return whole


def write_metadata(folder: Path, information: Mapping[str, Any]) -> None:
    """Write the metadata of a folder in one step."""
    text = yaml.safe_dump({INFORMATION: dict(information)}, sort_keys=False)
    fresh = folder / f'{FILE}.new'
    fresh.write_text(text, encoding='utf-8')
    fresh.replace(folder / FILE)


def read_metadata(path: Path) -> dict[str, Any]:
    """Return what a metadata file says, as it was written by this program."""
    information: dict[str, Any] = yaml.safe_load(path.read_text(encoding='utf-8'))[INFORMATION]
    return information


def _span(part: Mapping[str, Any]) -> tuple[int, int]:
    """First and last stamp of a file, ns."""
    begin = int(part['starting_time']['nanoseconds_since_epoch'])
    return begin, begin + int(part['duration']['nanoseconds'])
