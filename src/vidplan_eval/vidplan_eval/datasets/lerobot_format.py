# SPDX-License-Identifier: Apache-2.0
"""Names and places in LeRobot's format, versions 2.1 and 3.0, as they are written here."""

from __future__ import annotations

VERSIONS = ('v2.1', 'v3.0')
CHUNK = 1000
#: Video of each view of the usual layout; other views take their own name.
KEYS = {'left': 'exterior_1_left', 'right': 'exterior_2_left', 'wrist': 'wrist_left'}
PATHS_2 = {
    'data_path': 'data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet',
    'video_path': 'videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4',
}
PATHS_3 = {
    'data_path': 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet',
    'video_path': 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4',
}
# LeRobot looks tasks up by the index of a pandas table.
TASKS_INDEX = {
    'index_columns': ['task'],
    'column_indexes': [],
    'columns': [
        {'name': name, 'field_name': name, 'pandas_type': kind, 'numpy_type': numpy_kind,
         'metadata': None}
        for name, kind, numpy_kind in (
            ('task_index', 'int64', 'int64'), ('task', 'unicode', 'object'),
        )
    ],
    'pandas_version': '2.0.0',
}  # fmt: skip
_ARM = [f'joint_{n}' for n in range(1, 8)]
_POSE = ['x', 'y', 'z', 'roll', 'pitch', 'yaw']
#: Columns of numbers: their names by element.
COLUMNS: dict[str, list[str]] = {
    'observation.state': [*_ARM, 'gripper'],
    'observation.state.joint_position': _ARM,
    'observation.state.cartesian_position': _POSE,
    'observation.state.gripper_position': ['gripper'],
    'action': [*_ARM, 'gripper'],
    'action.joint_position': _ARM,
    'action.cartesian_position': _POSE,
    'action.gripper_position': ['gripper'],
}


def video_key(view: str) -> str:
    """Name of a view's video."""
    return f'observation.images.{KEYS.get(view, view)}'
