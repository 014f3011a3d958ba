# SPDX-License-Identifier: Apache-2.0
"""Message definitions for bags: Jazzy's own, and ours read from their .msg and .action files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from vidplan_core.errors import ConfigError

PACKAGE = 'vidplan_msgs'
# Packages of others whose messages are recorded where they are installed: Jazzy's store has none.
OTHERS = ('franka_msgs',)
_PARTS = ('Goal', 'Result', 'Feedback')
_RULE = '=' * 80


@dataclass(frozen=True)
class Definition:
    """What a bag must know of a type: its text with all it contains, and its hash."""

    text: str
    digest: str


def definitions_directory() -> Path:
    """Return the folder with msg/ and action/ of our interfaces: installed, or the sources.

    Raises:
        ConfigError: neither is there.
    """
    sources = Path(__file__).resolve().parents[3] / PACKAGE
    # Where ours are not built, the sources have the same files.
    places = [place for place in (installed(PACKAGE), sources) if place is not None]
    for place in places:
        if (place / 'msg').is_dir():
            return place
    raise ConfigError(f'the definitions of {PACKAGE} are not in {" or ".join(map(str, places))}')


def installed(package: str) -> Path | None:
    """Return the folder of an installed ROS package's definitions; None without it, or ROS."""
    try:
        from ament_index_python.packages import get_package_share_directory

        return Path(get_package_share_directory(package))
    except (ImportError, LookupError, OSError):
        return None


def typestore(directory: Path | None = None) -> Typestore:
    """Return the types of Jazzy, of OTHERS, and in `directory` (default: our interfaces)."""
    directory = directory or definitions_directory()
    types = {}
    places = [(PACKAGE, directory), *((package, installed(package)) for package in OTHERS)]
    for package, place in places:
        for path in sorted((place / 'msg').glob('*.msg')) if place else ():
            types.update(get_types_from_msg(path.read_text(), f'{package}/msg/{path.stem}'))
    for path in sorted((directory / 'action').glob('*.action')):
        for name, text in action_parts(path.stem, path.read_text()).items():
            types.update(get_types_from_msg(text, name))
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(types)
    return store


def action_parts(action: str, text: str) -> dict[str, str]:
    """Split an action's text into the messages that ROS makes of it."""
    lines: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip() == '---':
            lines.append([])
        else:
            lines[-1].append(line)
    prefix = f'{PACKAGE}/action/{action}'
    parts = {f'{prefix}_{name}': '\n'.join(of) for name, of in zip(_PARTS, lines, strict=True)}
    parts[f'{prefix}_FeedbackMessage'] = (
        f'unique_identifier_msgs/UUID goal_id\n{action}_Feedback feedback\n'
    )
    return parts


def definition(store: Typestore, type_name: str) -> Definition:
    """Return the text and hash of a type.

    Raises:
        ConfigError: the store does not know the type.
    """
    if type_name not in store.fielddefs:
        raise ConfigError(f'no definition of the message type {type_name}')
    if type_name.endswith('_FeedbackMessage'):
        text = _feedback_text(store, type_name)
    else:
        text = store.generate_msgdef(type_name, ros_version=2)[0]
    return Definition(text, store.hash_rihs01(type_name))


def _feedback_text(store: Typestore, type_name: str) -> str:
    # rosbags cannot write a message that contains one of an action; reading it is no problem.
    inner = type_name.removesuffix('Message')
    uuid = store.generate_msgdef('unique_identifier_msgs/msg/UUID', ros_version=2)[0]
    feedback = store.generate_msgdef(inner, ros_version=2)[0]
    return (
        f'unique_identifier_msgs/UUID goal_id\n{inner.rpartition("/")[2]} feedback\n'
        f'{_RULE}\nMSG: unique_identifier_msgs/UUID\n{uuid}{_RULE}\nMSG: {inner}\n{feedback}'
    )
