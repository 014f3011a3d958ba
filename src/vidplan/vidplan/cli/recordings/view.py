# SPDX-License-Identifier: Apache-2.0
"""`vidplan view`: a run or a bag in the Rerun viewer, on this machine only."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidplan.cli.arguments import existing, existing_bag, output_file
from vidplan.cli.recordings.bag import add_map, bag_source

if TYPE_CHECKING:
    from vidplan_eval.viz.rerun_view import RerunView
    from vidplan_eval.viz.runlog import RunLog

LOOPBACK = '127.0.0.1'
PORT = 9876
#: Where a viewer that `viewer_command` starts listens.
ADDRESS = f'rerun+http://{LOOPBACK}:{PORT}/proxy'
# Written by `vidplan run --view` into the folder of the run.
RUN_FILE = 'run.rrd'


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'view',
        help='look at a run or a bag: views, imaginations, arm in 3-D, curves, on one timeline',
        description='Shows what `vidplan run --view` wrote, or the cameras and the arm of a bag. '
        'Needs rerun-sdk; the web viewer listens on this machine only.',
    )
    parser.add_argument('path', metavar='RUN|BAG|FILE.rrd', help='what to look at')
    parser.add_argument('--rrd', type=output_file, metavar='FILE', help='write, show nothing')
    parser.add_argument('--web', action='store_true', help='in a browser, not in a window')
    parser.add_argument('--cameras', default='cell', help='camera layout of a bag')
    add_map(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Find or write the recording, and show it.

    Raises:
        ConfigError: the viewer is not installed.
        BagError: a bag that cannot be read.
    """
    from vidplan_core.errors import ConfigError

    try:
        found = existing(args.path)
    except argparse.ArgumentTypeError as error:
        raise ConfigError(str(error)) from None
    from vidplan_core.models.places import usual_folder
    from vidplan_eval.viz.rerun_view import write_rerun

    recording = found / RUN_FILE if (found / RUN_FILE).is_file() else found
    if recording.suffix != '.rrd':
        file = args.rrd or usual_folder(Path('outputs/views'), '--rrd FILE') / f'{found.name}.rrd'
        recording = write_rerun(bag_log(args, existing_bag(args.path)), file)
        print(recording)
    elif args.rrd is not None:
        print(shutil.copy(recording, args.rrd))
    if args.rrd is not None:
        return 0
    return subprocess.run(viewer_command(args.web, str(recording))).returncode


def bag_log(args: argparse.Namespace, path: Path) -> RunLog:
    """Return what the cameras of a bag saw, as a log of a run without plans."""
    from vidplan_core.geometry.camera_files import load_layout
    from vidplan_eval.bags.observations import ObservationStream
    from vidplan_eval.bags.rosbag import Bag
    from vidplan_eval.viz.logbook import seen_frame
    from vidplan_eval.viz.runlog import RunLog

    layout = load_layout(args.cameras)
    with Bag(path) as bag:
        log = RunLog(path.name, bag=str(path), views=layout.views)
        stream = ObservationStream(bag, layout, log.frame_period_s, bag_source(args))
        log.seen.extend(map(seen_frame, stream))
    return log


def viewer_command(web: bool, *files: str) -> list[str]:
    """Return what starts the viewer: a window where there is a screen, else a local web page.

    Raises:
        ConfigError: it is not installed.
    """
    from vidplan_core.errors import ConfigError

    program = shutil.which('rerun')
    if program is None:
        raise ConfigError('the viewer is not installed: pip install rerun-sdk')
    screen = os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
    kind = ['--serve-web'] if web or not screen else []
    return [program, *kind, '--bind', LOOPBACK, '--port', str(PORT), *files]


@contextmanager
def live_view(folder: Path) -> Iterator[RerunView]:
    """Start a viewer, and have what writes into it and into the folder.

    It stays to be looked at, which is said at the end; with a run that is cut short it ends.
    """
    from vidplan_eval.viz.rerun_view import RerunView

    command = viewer_command(False)
    viewer = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    page = f'http://{LOOPBACK}:9090?url={ADDRESS}' if '--serve-web' in command else ''
    if page:
        print(f'viewer: {page}')
    try:
        yield RerunView(folder / RUN_FILE, ADDRESS)
    except BaseException:
        # It is started by a script, so that there are two of them.
        with suppress(ProcessLookupError):
            os.killpg(viewer.pid, signal.SIGTERM)
        viewer.wait()
        raise
    if page and viewer.poll() is None:
        print(f'the viewer stays on {page}; to end it: kill -- -{viewer.pid}')
