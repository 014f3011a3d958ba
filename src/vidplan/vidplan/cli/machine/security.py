# SPDX-License-Identifier: Apache-2.0
"""`vidplan security`: the policy that keeps strangers from the arm."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

from vidplan.cli.arguments import output_folder

POLICY = 'policy.xml'
# Launch arguments that a policy depends on.
_NAMES = (
    'namespace', 'left_image', 'right_image', 'wrist_image', 'joint_states', 'gripper_states',
    'trajectory', 'gripper_command',
)  # fmt: skip


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'security',
        help='write who may say what to whom, as an SROS 2 policy',
        description='Access control of the ROS graph.',
    )
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    initial = actions.add_parser(
        'init',
        help='write the policy, and tell how keys are made of it',
        description='Writes policy.xml, an enclave for every process and one for operators. Keys '
        'are made by `ros2 security`, which the printed commands call.',
    )
    initial.add_argument('folder', type=output_folder, metavar='DIR', help='to write to')
    for name in _NAMES:
        initial.add_argument(f'--{name.replace("_", "-")}', help='as the launch argument')
    return parser


def run(args: argparse.Namespace) -> int:
    """Write the policy; raises ConfigError."""
    from vidplan.bringup.security import policy

    given = {name: getattr(args, name) for name in _NAMES if getattr(args, name) is not None}
    args.folder.mkdir(parents=True, exist_ok=True)
    path = args.folder / POLICY
    path.write_text(policy(given), encoding='utf-8')
    keys, written = (shlex.quote(str(place)) for place in (args.folder / 'keystore', path))
    print(
        f'{path} written. With ros-jazzy-sros2, on a machine that stays off the network:\n'
        f'  ros2 security create_keystore {keys}\n'
        f'  ros2 security generate_artifacts -k {keys} -p {written}\n'
        'Each machine gets its own enclaves only. Then, for every process (docs/robot.md):\n'
        f'  export ROS_SECURITY_KEYSTORE={keys} ROS_SECURITY_ENABLE=true\n'
        '  export ROS_SECURITY_STRATEGY=Enforce ROS_SECURITY_ENCLAVE_OVERRIDE=/vidplan/adapter'
    )
    return 0
