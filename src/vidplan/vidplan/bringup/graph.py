# SPDX-License-Identifier: Apache-2.0
"""The table of processes: launch files and `vidplan up` read it, so none is described twice."""

from __future__ import annotations

from dataclasses import replace

from vidplan.bringup.description import Argument, Entry, Graph, Process, Value
from vidplan_core.geometry.camera_files import DEFAULT_LAYOUT
from vidplan_core.geometry.robot import NONE, TOPIC
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT

# One thread each: these run beside the planner, which needs the cores.
_ONE_THREAD = (('OMP_NUM_THREADS', '1'),)

# Topics are relative: what a namespace holds is one robot, and no other hears or commands it.
_COMMON = (
    Argument('params_file', 'share:config/planning.yaml', 'Parameters of all nodes, YAML.'),
    Argument('namespace', '', 'Namespace of one robot: of all its nodes and topics.'),
    Argument('log_level', 'info', 'debug, info, warn, error or fatal.'),
    Argument('models', 'share:models/cell', 'Folder of the world model and the scorer.'),
    Argument('device', 'cpu', 'Where the models run: cpu, cuda, cuda:1 ...'),
    Argument('autostart', True, 'Configure and activate all at once; else wait for lifecycle.'),
    Argument('record', False, 'Write a bag of everything that an evaluation needs.'),
    Argument('record_dir', 'outputs/bags', 'Folder in which a recording makes its own folder.'),
    Argument('record_required', False, 'When a recording fails, end: the arm comes to rest.'),
    Argument(
        'respawn',
        'stitcher,planning_server',
        'Processes that start again when they fail; the end of any other is the end of all.',
    ),
    Argument('respawn_tries', 3, 'How often each of them starts again.'),
    Argument('respawn_delay_s', 1.0, 'When it starts again, after its end.'),
    Argument('dry_run', False, 'Plan, check and report, but send nothing to the robot.'),
    Argument(
        'robot',
        DEFAULT_ROBOT,
        'Robot: a file of config/robots (fr3_hand, fr3_robotiq, fer_hand), or a path.',
    ),
    Argument(
        'velocity_scale', 1.0, "Share of the joints' velocity limits to use; begin with 0.2."
    ),
    Argument('acceleration_scale', 1.0, "Share of the joints' acceleration limits to use."),
    Argument(
        'cameras', DEFAULT_LAYOUT, 'Cameras: a file of config/cameras (cell, full), or a path.'
    ),
    Argument('left_image', 'left/image_raw', 'Camera of the view left, sensor_msgs/Image.'),
    Argument('right_image', 'right/image_raw', 'Camera of the view right, sensor_msgs/Image.'),
    Argument('wrist_image', 'wrist/image_raw', 'Camera of the view wrist, sensor_msgs/Image.'),
    Argument(
        'joint_states',
        'joint_states',
        'Joint states of the arm at 100 Hz or more (franka_ros2: /franka/joint_states).',
    ),
    Argument('gripper_states', 'gripper/joint_states', 'Joint states of the two fingers.'),
    Argument(
        'trajectory',
        'fr3_arm_controller/joint_trajectory',
        'Topic of the joint trajectory controller.',
    ),
    Argument('gripper_command', 'gripper/command', 'Gripper closedness, std_msgs/Float64.'),
)

_SIM_TIME: tuple[Entry, ...] = (('use_sim_time', Value('use_sim_time')),)
_CAMERAS: tuple[Entry, ...] = (
    ('left/image_raw', Value('left_image')),
    ('right/image_raw', Value('right_image')),
    ('wrist/image_raw', Value('wrist_image')),
)
_STATES: tuple[Entry, ...] = (
    ('joint_states', Value('joint_states')),
    ('gripper/joint_states', Value('gripper_states')),
)
_ROBOT: tuple[Entry, ...] = (('robot', Value('robot')),)
_PACE: tuple[Entry, ...] = tuple(
    (name, Value(name)) for name in ('velocity_scale', 'acceleration_scale')
)
_LAYOUT: tuple[Entry, ...] = (('cameras', Value('cameras')),)
# Simulations and recordings in two namespaces have a time each.
_CLOCK: tuple[Entry, ...] = (('/clock', 'clock'),)
_COMMANDS: tuple[Entry, ...] = (
    ('fr3_arm_controller/joint_trajectory', Value('trajectory')),
    ('gripper/command', Value('gripper_command')),
)


_STITCHER = Process(
    'vidplan',
    'stitcher',
    'vidplan.robots.stitcher_node',
    nodes=('stitcher',),
    parameters=_SIM_TIME + _ROBOT + _LAYOUT,
    remappings=_CAMERAS + _STATES,
    environment=_ONE_THREAD,
)

_PLANNING_SERVER = Process(
    'vidplan',
    'planning_server',
    'vidplan.planning_server.main',
    nodes=('world_model', 'reward', 'planner'),
    parameters=(
        *_SIM_TIME,
        ('models', Value('models')),
        ('device', Value('device')),
        *_ROBOT,
        *_PACE,
        ('autostart', Value('autostart')),
    ),
)

_RECORDER = Process(
    'vidplan',
    'recorder',
    'vidplan.bags.recorder',
    nodes=('recorder',),
    parameters=(*_SIM_TIME, *_LAYOUT, ('directory', Value('record_dir'))),
    remappings=_CAMERAS + _STATES + _COMMANDS,
    condition='record',
    required=Value('record_required'),
    environment=_ONE_THREAD,
)


def _planning_processes(
    dry_run: Value | bool, gripper: tuple[Entry, ...] = ()
) -> tuple[Process, ...]:
    """Return stitcher, planning server, adapter and recorder.

    Args:
        dry_run: whether the adapter only checks.
        gripper: parameter of the adapter where a graph has its own way to command the gripper.
    """
    adapter = Process(
        'vidplan',
        'adapter',
        'vidplan.robots.adapter_node',
        nodes=('adapter',),
        parameters=(
            *_SIM_TIME,
            *_ROBOT,
            *_PACE,
            ('dry_run', dry_run),
            ('autostart', Value('autostart')),
            *gripper,
        ),
        remappings=_STATES + _COMMANDS,
        environment=_ONE_THREAD,
    )
    return (_STITCHER, _PLANNING_SERVER, adapter, _RECORDER)


# The arm itself, on a host without ros2_control.
_FCI = Process(
    'vidplan',
    'fci',
    'vidplan.robots.franka.fci_node',
    nodes=('fci',),
    parameters=(*_ROBOT, ('host', Value('fci_host'))),
    remappings=_STATES + _COMMANDS,
    condition='fci',
    last=True,
    environment=_ONE_THREAD,
)

_CELL = Process(
    'vidplan_sim',
    'cell',
    'vidplan_sim.ros.node',
    nodes=('cell',),
    # The cell is the clock, so it never takes its time from /clock.
    parameters=(
        ('seed', Value('seed')),
        ('objects', Value('objects')),
        ('towel', Value('towel')),
        ('real_time_factor', Value('real_time_factor')),
    ),
    parameter_files=('cell_params_file',),
    remappings=_CAMERAS + _STATES + _COMMANDS,
    last=True,
    environment=(*_ONE_THREAD, ('MUJOCO_GL', 'egl'), ('LP_NUM_THREADS', '0')),
)

_PLAYER = Process(
    'vidplan',
    'player',
    'vidplan.bags.player',
    nodes=('player',),
    parameters=(
        ('bag', Value('bag')),
        ('map', Value('map')),
        ('rate', Value('rate')),
        ('wait_for_goal', Value('wait_for_goal')),
        *_ROBOT,
        *_LAYOUT,
    ),
    remappings=_CAMERAS + _STATES,
    last=True,
    environment=_ONE_THREAD,
)


def _common(use_sim_time: bool, without: tuple[str, ...] = ()) -> tuple[Argument, ...]:
    """Return the common arguments, with time from the robot's clock or from /clock."""
    clock = Argument('use_sim_time', use_sim_time, 'Take the time from /clock (simulation, bag).')
    others = (argument for argument in _COMMON if argument.name not in without)
    return (clock, *others)


def _on_own_clock(*processes: Process) -> tuple[Process, ...]:
    return tuple(replace(one, remappings=one.remappings + _CLOCK) for one in processes)


PLANNING = Graph(
    'planning',
    'Stitcher, planning server and action adapter, for a robot that is already up.',
    (
        *_common(use_sim_time=False),
        Argument('fci', False, "Command the arm through Franka's own interface: `arm: fci`."),
        Argument('fci_host', '172.16.0.2', 'Address of the arm, where fci is true.'),
    ),
    (*_planning_processes(dry_run=Value('dry_run')), _FCI),
)

CELL = Graph(
    'cell',
    'The planning graph and the simulated Franka cell.',
    (
        *_common(use_sim_time=True),
        Argument('cell_params_file', 'share:config/cell.yaml', 'Parameters of the cell, YAML.'),
        Argument('seed', 1_000_000, 'Seed of the scene; from 1000000 up for evaluation.'),
        Argument('objects', 0, 'Number of objects beside the bowl, 1 .. 6; 0: the seed decides.'),
        Argument('towel', False, 'A towel of cloth lies there, to be folded.'),
        Argument('real_time_factor', 1.0, 'Simulated seconds per real second, up to 1.'),
    ),
    # The cell's gripper and arm listen to topics, whatever the robot's file says of the real ones.
    _on_own_clock(
        _CELL, *_planning_processes(
            Value('dry_run'), (('gripper_backend', TOPIC), ('arm_backend', TOPIC))
        )
    ),
)

REPLAY = Graph(
    'replay',
    'The planning graph, fed from a bag; nothing is sent to a robot.',
    (
        *_common(use_sim_time=True, without=('dry_run',)),
        Argument('bag', '', 'Rosbag2 to play, a folder or a file; required.'),
        Argument('map', '', 'Which topic of the bag is what, YAML; guessed from names if empty.'),
        Argument('rate', 1.0, 'Bag seconds per real second.'),
        Argument('wait_for_goal', False, 'Begin to play only when a goal has come.'),
    ),
    # Not an argument here: a bag must never move a robot.
    _on_own_clock(_PLAYER, *_planning_processes(True, (('gripper_backend', NONE),))),
)

GRAPHS = {graph.name: graph for graph in (PLANNING, CELL, REPLAY)}
