# SPDX-License-Identifier: Apache-2.0
"""Camera layouts from `config/cameras/*.yaml`, and the one that is meant when none is named."""

from __future__ import annotations

from functools import lru_cache

from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.strict_yaml import packaged, read_section

DEFAULT_LAYOUT = 'cell'


@lru_cache(maxsize=1)
def default_layout() -> CameraLayout:
    """Return the layout of the simulated cell, which is meant wherever no other is given."""
    return load_layout(DEFAULT_LAYOUT)


def load_layout(name: str) -> CameraLayout:
    """Return the layout of a shipped file's name, such as `cell`, or of a path.

    Raises:
        ConfigError: no such file, an unknown or missing key, or views that cannot be; names the
            file and the key.
    """
    file = read_section(packaged('cameras', name))
    file.require_only(('views', 'height', 'width', 'topics', 'lenses', 'focal'))
    views, height, width = file.texts('views'), file.whole('height'), file.whole('width')
    texts: dict[str, dict[str, str]] = {'topics': {}, 'lenses': {}}
    for name in texts.keys() & set(file.keys):
        section = file.section(name)
        texts[name] = {view: section.text(view) for view in section.keys}
    focal = {}
    if 'focal' in file:
        section = file.section('focal')
        for view in section.keys:
            x, y = section.numbers(view, 2)
            focal[view] = x, y
    with file.naming():
        return CameraLayout(views, height, width, texts['topics'], texts['lenses'], focal)
