# SPDX-License-Identifier: Apache-2.0
"""What `vidplan calibrate` reads and writes however it finds a camera: its lens, its entry."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from vidplan_core.data.calibration.lens import Lens

CAMERAS_FILE = 'cameras.json'
# In which focal lengths in widths and heights need no picture.
_ANY_SIZE = 100


def camera_info(bag: Any, view: str, pictures: str) -> Any:
    """Return the first camera_info of a view: by its role, else beside its pictures; or None."""
    beside = pictures.removesuffix('/compressed').rpartition('/')[0] + '/camera_info'
    for topic in (bag.topic(f'{view}/camera_info'), beside):
        if bag.counts.get(topic):
            return next(bag.peek(topic, 1), None)
    return None


def lens_of_call(args: argparse.Namespace, size: tuple[int, int] | None, info: Any) -> Lens:
    """Return the lens that a call or a camera_info names, for pictures of (width, height).

    Raises:
        ConfigError: nothing says it, or it is of another resolution.
    """
    from vidplan_core.data.calibration.lens import Lens, lens_of, load_lens
    from vidplan_core.errors import ConfigError

    if args.focal:
        return Lens.ideal(*(size or (_ANY_SIZE, _ANY_SIZE)), args.focal)
    if args.lens is not None:
        lens = load_lens(args.lens)
    elif info is not None:
        lens = lens_of(info.width, info.height, info.k, info.distortion_model, info.d)
    else:
        raise ConfigError(
            'nothing says which lens the camera has: there is no camera_info in the recording; '
            'give --lens YAML (of camera_calibration), or --focal FX FY in widths and heights'
        )
    if size is not None:
        lens.require_size(*size)
    return lens


def tell_place(pose: np.ndarray, mount: str) -> None:
    """Print where a camera is."""
    x, y, z = pose[:3, 3]
    print(f'camera on the {mount} at x {x:.4f}, y {y:.4f}, z {z:.4f} m')


def tell_lens(lens: Lens) -> None:
    """Print what to do about a lens that models do not know."""
    import numpy as np

    off = np.abs(np.array(lens.centre) - [(lens.width - 1) / 2, (lens.height - 1) / 2]).max()
    if lens.is_distorted or off > 0.02 * lens.width:
        print(
            'the lens is distorted or its axis is not in the middle: name it under lenses in the '
            'camera layout, so that pictures are rectified to what is written here'
        )


def entry_of(pose: np.ndarray, mount: str, lens: Lens, trust_m: float) -> dict[str, Any]:
    """Return what cameras.json says of a camera with a pose (4, 4) on its mount."""
    return {
        'mount': mount,
        'position': pose[:3, 3].round(6).tolist(),
        'rotation': pose[:3, :3].round(8).tolist(),
        'focal': [round(value, 6) for value in lens.relative_focal],
        'trust_m': trust_m,
    }


def write(args: argparse.Namespace, entry: dict[str, Any], **more: Any) -> None:
    """Say how far an entry is from those that there are, and write it to --out and --json.

    Raises:
        ConfigError: --out or --models has a cameras.json that is none.
    """
    from vidplan_eval.results import write_json

    there = {} if args.out is None else _cameras(args.out)
    _compare(args.view, entry, there, args.out)
    if args.models is not None:
        known = args.models / CAMERAS_FILE
        _compare(args.view, entry, _cameras(known), known)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        cameras = {**there, args.view: entry}
        args.out.write_text(json.dumps(cameras, indent=1) + '\n', encoding='utf-8')
        print(f'wrote {args.view} into {args.out}')
    if args.json is not None:
        write_json(args.json, {'view': args.view, **entry, **more})


def _cameras(path: Path) -> dict[str, Any]:
    from vidplan_core.errors import ConfigError

    if not path.exists():
        return {}
    try:
        return {**json.loads(path.read_text(encoding='utf-8'))}
    except (json.JSONDecodeError, TypeError) as error:
        raise ConfigError(f'{path} is no cameras.json: {error}; name another') from error


def _compare(view: str, entry: dict[str, Any], there: dict[str, Any], path: Path) -> None:
    """Print how far a view's place is from the one in a file, if it has one."""
    import numpy as np

    from vidplan_core.data.calibration.frames import apart

    old = there.get(view)
    if old is None:
        return
    try:
        if old['mount'] != entry['mount']:
            print(f'{path} has {view} on the {old["mount"]}, this is on the {entry["mount"]}')
            return
        far_m, turned_rad = apart(_pose(old), _pose(entry))
    except (KeyError, TypeError, ValueError) as error:
        print(f'{path} has a {view} that says no place ({error!r}); nothing to compare with')
        return
    print(
        f'{path} has {view} {1e3 * far_m:.1f} mm and {np.degrees(turned_rad):.2f} degrees from '
        'this'
    )


def _pose(entry: dict[str, Any]) -> np.ndarray:
    import numpy as np

    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = entry['rotation'], entry['position']
    return pose
