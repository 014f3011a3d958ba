#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Import what VidPlan stands on and render one image; says what is missing and what helps."""

from __future__ import annotations

import importlib
import sys

_MODULES = (
    'torch',
    'diffusers',
    'open_clip',
    'cv2',
    'mujoco',
    'daqp',
    'rosbags',
    'av',
    'accelerate',
    'pyarrow.parquet',
    'rclpy',
    'vidplan_msgs.action',
    'vidplan_core',
    'vidplan_eval',
    'vidplan_sim',
    'vidplan',
    'vidplan_training',
)

_SCENE = '<mujoco><worldbody><light pos="0 0 3"/><geom size=".1"/></worldbody></mujoco>'


def check_imports() -> None:
    """Import every module; raises ImportError with the name of the first that fails."""
    from vidplan_core.models.torchvision_shim import ensure_torchvision

    ensure_torchvision()
    for name in _MODULES:
        try:
            importlib.import_module(name)
        except Exception as error:
            raise ImportError(f'`import {name}` failed: {error!r}') from error


def check_rendering() -> None:
    """Render a sphere without a screen; raises RuntimeError if the image stays black."""
    import mujoco

    model = mujoco.MjModel.from_xml_string(_SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with mujoco.Renderer(model, 32, 32) as renderer:
        renderer.update_scene(data)
        image = renderer.render()
    if image.max() == 0:
        raise RuntimeError('the image is black')


def main() -> int:
    """Run both checks; returns the exit status."""
    try:
        check_imports()
    except ImportError as error:
        print(f'{error}\nRemove the folder .venv and run `make setup` again.', file=sys.stderr)
        return 1
    try:
        check_rendering()
    except Exception as error:
        print(
            f'rendering failed: {error!r}\nIt needs libegl1, libopengl0 and libgl1-mesa-dri, '
            'and MUJOCO_GL=egl.',
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
