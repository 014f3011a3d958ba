# SPDX-License-Identifier: Apache-2.0
"""The table of processes: launch files and `vidplan up` read it, so none is described twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.robot import NONE, TOPIC
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT

Setting = bool | int | float | str

#: How long a process may take to end when it is asked to [s].
GRACE_S = 10.0


@dataclass(frozen=True)
class Argument:
    """A launch argument, which is also an option of `vidplan up`.

    Attributes:
        name: As in `name:=value`; the option is `--name` with dashes for underscores.
        default: Its type (bool, int, float or str) is the type of every value. A str that starts
            with `share:` is a path in the share folder of this package.
        description: One line for `--show-args` and `--help`.
    """

    name: str
    default: Setting
    description: str


@dataclass(frozen=True)
class Value:
    """Stands for the value of the argument of this name."""

    argument: str


Entry = tuple[str, Value | Setting]


@dataclass(frozen=True)
class Process:
    """One process of the graph.

    Attributes:
        package: ROS package that installs the executable.
        executable: Its name under `lib/<package>`.
        module: The same program as `python -m module`, for a workspace that is not built.
        nodes: Names of its nodes.
        parameters: For every node of the process. A Value counts before the parameter files if
            its argument was given, else after them; a fixed entry counts always.
        parameter_files: Arguments that name YAML files.
        remappings: From a topic's name in the code to its name in this graph.
        condition: Name of a bool argument that must be true; '' for always.
        required: The graph ends when this process ends.
        environment: Variables that are set for the process unless they are set already.
    """

    package: str
    executable: str
    module: str
    nodes: tuple[str, ...] = ()
    parameters: tuple[Entry, ...] = ()
    parameter_files: tuple[str, ...] = ('params_file',)
    remappings: tuple[Entry, ...] = ()
    condition: str = ''
    required: bool = False
    environment: tuple[tuple[str, str], ...] = ()


class Settings(Mapping[str, Setting]):
    """The value of every argument of a graph.

    Attributes:
        given: Names of those that somebody gave; the others are defaults, before which a
            parameter file counts.
    """

    def __init__(self, values: Mapping[str, Setting], given: Iterable[str] = ()) -> None:
        self._values = dict(values)
        self.given = frozenset(given)

    def __getitem__(self, name: str) -> Setting:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True)
class Graph:
    """A set of processes with the arguments that configure them."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    processes: tuple[Process, ...]

    def values(self, given: Mapping[str, object] | None = None) -> Settings:
        """Return the value of every argument: the given ones, defaults for the others.

        Raises:
            ConfigError: an unknown argument, or a value of another type.
        """
        known = {argument.name: argument for argument in self.arguments}
        values = {name: argument_default(argument) for name, argument in known.items()}
        for name, value in (given or {}).items():
            if name not in known:
                raise ConfigError(f"no argument '{name}'; {self.name} has {', '.join(known)}")
            if type(value) is not type(values[name]):
                kind = type(values[name]).__name__
                raise ConfigError(f"argument '{name}' is {value!r}; it must be of type {kind}")
            values[name] = value
        return Settings(values, given or {})

    def chosen(self, settings: Mapping[str, Setting]) -> list[Process]:
        """Return the processes whose condition holds."""
        return [one for one in self.processes if not one.condition or settings[one.condition]]


def share_directory() -> Path:
    """Return the folder with launch, config and models: installed, or this source tree."""
    try:
        from ament_index_python.packages import get_package_share_directory

        installed = Path(get_package_share_directory('vidplan'))
        if (installed / 'config').is_dir():
            return installed
    except (ImportError, LookupError, OSError):
        pass  # not built: the source tree has the same folders
    return Path(__file__).resolve().parents[4]


def argument_default(argument: Argument) -> Setting:
    """Return the default with `share:` replaced by the folder that it stands for."""
    if isinstance(argument.default, str) and argument.default.startswith('share:'):
        return str(share_directory() / argument.default.removeprefix('share:'))
    return argument.default


def resolve(
    entry: Value | Setting,
    values: Mapping[str, Setting],
) -> Setting:
    """Return a fixed entry of the table as it is, and an argument's value for a Value."""
    return values[entry.argument] if isinstance(entry, Value) else entry


# One thread each: these run beside the planner, which needs the cores.
_ONE_THREAD = (('OMP_NUM_THREADS', '1'),)

_COMMON = (
    Argument('params_file', 'share:config/planning.yaml', 'Parameters of all nodes, YAML.'),
    Argument('namespace', '', 'Namespace of all nodes and of every relative name.'),
    Argument('log_level', 'info', 'debug, info, warn, error or fatal.'),
    Argument('models', 'share:models/cell', 'Folder of the world model and the scorer.'),
    Argument('device', 'cpu', 'Where the models run: cpu, cuda, cuda:1 ...'),
    Argument('autostart', True, 'Configure and activate all at once; else wait for lifecycle.'),
    Argument('record', False, 'Write a bag of everything that an evaluation needs.'),
    Argument('record_dir', 'outputs/bags', 'Folder in which a recording makes its own folder.'),
    Argument('dry_run', False, 'Plan, check and report, but send nothing to the robot.'),
    Argument(
        'robot',
        DEFAULT_ROBOT,
        'Robot: a file of config/robots (fr3_hand, fr3_robotiq, fer_hand), or a path.',
    ),
    Argument('left_image', '/left/image_raw', 'Left scene camera, sensor_msgs/Image.'),
    Argument('right_image', '/right/image_raw', 'Right scene camera, sensor_msgs/Image.'),
    Argument('wrist_image', '/wrist/image_raw', 'Wrist camera, sensor_msgs/Image.'),
    Argument(
        'joint_states',
        '/joint_states',
        'Joint states of the arm at 100 Hz or more (franka_ros2: /franka/joint_states).',
    ),
    Argument('gripper_states', '/gripper/joint_states', 'Joint states of the two fingers.'),
    Argument(
        'trajectory',
        '/fr3_arm_controller/joint_trajectory',
        'Topic of the joint trajectory controller.',
    ),
    Argument('gripper_command', '/gripper/command', 'Gripper closedness, std_msgs/Float64.'),
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
_COMMANDS: tuple[Entry, ...] = (
    ('fr3_arm_controller/joint_trajectory', Value('trajectory')),
    ('gripper/command', Value('gripper_command')),
)


def _planning_processes(
    dry_run: Value | bool, gripper: tuple[Entry, ...] = ()
) -> tuple[Process, ...]:
    """Return stitcher, planning server, adapter and recorder.

    Args:
        dry_run: whether the adapter only checks.
        gripper: parameter of the adapter where a graph has its own way to command the gripper.
    """
    return (
        Process(
            'vidplan',
            'stitcher',
            'vidplan.robots.stitcher_node',
            nodes=('stitcher',),
            parameters=_SIM_TIME + _ROBOT,
            remappings=_CAMERAS + _STATES,
            environment=_ONE_THREAD,
        ),
        Process(
            'vidplan',
            'planning_server',
            'vidplan.planning_server.main',
            nodes=('world_model', 'reward', 'planner'),
            parameters=(
                *_SIM_TIME,
                ('models', Value('models')),
                ('device', Value('device')),
                ('autostart', Value('autostart')),
            ),
        ),
        Process(
            'vidplan',
            'adapter',
            'vidplan.robots.adapter_node',
            nodes=('adapter',),
            parameters=(
                *_SIM_TIME,
                *_ROBOT,
                ('dry_run', dry_run),
                ('autostart', Value('autostart')),
                *gripper,
            ),
            remappings=_STATES + _COMMANDS,
            environment=_ONE_THREAD,
        ),
        Process(
            'vidplan',
            'recorder',
            'vidplan.bags.recorder',
            nodes=('recorder',),
            parameters=(*_SIM_TIME, ('directory', Value('record_dir'))),
            remappings=_CAMERAS + _STATES + _COMMANDS,
            condition='record',
            environment=_ONE_THREAD,
        ),
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
        ('real_time_factor', Value('real_time_factor')),
    ),
    parameter_files=('cell_params_file',),
    remappings=_CAMERAS + _STATES + _COMMANDS,
    required=True,
    environment=(*_ONE_THREAD, ('MUJOCO_GL', 'egl'), ('LP_NUM_THREADS', '0')),
)

_PLAYER = Process(
    'vidplan',
    'player',
    'vidplan.bags.player',
    nodes=('player',),
    parameters=(
        ('bag', Value('bag')),
        ('rate', Value('rate')),
        ('wait_for_goal', Value('wait_for_goal')),
    ),
    remappings=_CAMERAS + _STATES,
    required=True,
    environment=_ONE_THREAD,
)


def _common(use_sim_time: bool, without: tuple[str, ...] = ()) -> tuple[Argument, ...]:
    """Return the common arguments, with time from the robot's clock or from /clock."""
    clock = Argument('use_sim_time', use_sim_time, 'Take the time from /clock (simulation, bag).')
    others = (argument for argument in _COMMON if argument.name not in without)
    return (clock, *others)


PLANNING = Graph(
    'planning',
    'Stitcher, planning server and action adapter, for a robot that is already up.',
    _common(use_sim_time=False),
    _planning_processes(dry_run=Value('dry_run')),
)

CELL = Graph(
    'cell',
    'The planning graph and the simulated Franka cell.',
    (
        *_common(use_sim_time=True),
        Argument('cell_params_file', 'share:config/cell.yaml', 'Parameters of the cell, YAML.'),
        Argument('seed', 1_000_000, 'Seed of the scene; from 1000000 up for evaluation.'),
        Argument('objects', 0, 'Number of objects beside the bowl, 1 .. 6; 0: the seed decides.'),
        Argument('real_time_factor', 1.0, 'Simulated seconds per real second, up to 1.'),
    ),
    # The cell's gripper listens to a topic, whatever the robot's file says of the real one.
    (_CELL, *_planning_processes(Value('dry_run'), (('gripper_backend', TOPIC),))),
)

REPLAY = Graph(
    'replay',
    'The planning graph, fed from a bag; nothing is sent to a robot.',
    (
        *_common(use_sim_time=True, without=('dry_run',)),
        Argument('bag', '', 'Folder of the rosbag2 to play; required.'),
        Argument('rate', 1.0, 'Bag seconds per real second.'),
        Argument('wait_for_goal', False, 'Begin to play only when a goal has come.'),
    ),
    # Not an argument here: a bag must never move a robot.
    (_PLAYER, *_planning_processes(True, (('gripper_backend', NONE),))),
)

GRAPHS = {graph.name: graph for graph in (PLANNING, CELL, REPLAY)}
