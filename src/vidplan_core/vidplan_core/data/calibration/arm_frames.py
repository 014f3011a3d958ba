# SPDX-License-Identifier: Apache-2.0
"""What the frames of an arm are called in TF: its base, its flange, its joints."""

from __future__ import annotations

import re
from collections.abc import Collection

from vidplan_core.data.calibration.frames import FrameTree
from vidplan_core.data.calibration.hand_eye import CalibrationError

#: Frame of the robot model that a camera is mounted on, as franka_description numbers it.
_LINKS = {'base': 'link0', 'flange': 'link8'}
_JOINTS = 7
# What an arm may be called if not as in the robot's file, perhaps with a prefix.
_ARM = r'(?:.*_)?(?:fr3|panda|fer|fp3)_'
_FIRST_JOINT = re.compile(r'(?P<arm>.*?)(?:joint|j)_?1')
_PLAIN_BASE = 'base'
# Frames below the flange that are taken for it: the hand is turned by 45 degrees on it.
_HAND = re.compile(r'hand|tcp|tool|gripper|finger', re.IGNORECASE)


def mount_frame(names: Collection[str], mount: str, first_joint: str) -> str:
    """Return the name of the frame that a camera's place is given in.

    Args:
        names: of all frames.
        mount: base or flange.
        first_joint: name of the arm's first joint, such as fr3_joint1.

    Raises:
        CalibrationError: there is none, or those of several arms.
    """
    match = _FIRST_JOINT.fullmatch(first_joint)
    own = (match['arm'] if match else '') + _LINKS[mount]
    if own in names:
        return own
    others = sorted(name for name in names if re.fullmatch(_ARM + _LINKS[mount], name))
    if len(others) == 1:
        return others[0]
    if not others and mount == 'base' and _PLAIN_BASE in names:
        return _PLAIN_BASE
    there = f'there are {", ".join(others)}' if others else f'there is no {own}'
    raise CalibrationError(
        f"which frame is the arm's {mount}? {there}; name it by --parent (frames: "
        f'{", ".join(sorted(names)[:12])})'
    )


def refuse_joints(tree: FrameTree) -> None:
    """Let no chain go along an arm: its joints move, even where it rested all the time."""
    names = set(tree.names)
    starts = [name.removesuffix('link0') for name in names if name.endswith('link0')]
    for arm in (start for start in starts if f'{start}link{_JOINTS}' in names):
        for number in range(1, _JOINTS + 1):
            above, below = f'{arm}link{number - 1}', f'{arm}link{number}'
            tree.refuse(above, below, f'a joint of the arm moves {below} in {above}')


def is_hand(name: str) -> bool:
    """Whether a name is that of the hand or tool, which is another frame than the flange."""
    return _HAND.search(name) is not None
