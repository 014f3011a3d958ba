# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with cameras while they go on sending pictures with new stamps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from vidplan_core.geometry.camera_layout import Image

Pictures = dict[str, Image]

# What a fault makes of the pictures: of now, of when it began, and of one second before that.
Fault = Callable[[Pictures, Pictures, Pictures, np.random.Generator], Pictures]

# Part of the width by which a moved camera's picture is shifted, and the noise, of 255 levels.
_SHIFT, _NOISE = 0.2, 30.0


def _frozen(now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator) -> Pictures:
    return now | {'left': began['left']}


def _wrist_frozen(
    now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator
) -> Pictures:
    return now | {'wrist': began['wrist']}


def _all_frozen(now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator) -> Pictures:
    return began


def _old(now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator) -> Pictures:
    return old


def _noise(now: Pictures, began: Pictures, old: Pictures, random: np.random.Generator) -> Pictures:
    clean = now['right']
    noisy = clean + random.normal(0.0, _NOISE, clean.shape)
    return now | {'right': np.clip(noisy, 0, 255).astype(np.uint8)}


def _swapped(now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator) -> Pictures:
    return now | {'left': now['right'], 'right': now['left']}


def _wrist_swapped(
    now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator
) -> Pictures:
    return now | {'left': now['wrist'], 'wrist': now['left']}


def _moved(now: Pictures, began: Pictures, old: Pictures, _: np.random.Generator) -> Pictures:
    shift = round(_SHIFT * now['left'].shape[1])
    index = np.clip(np.arange(now['left'].shape[1]) + shift, 0, now['left'].shape[1] - 1)
    return now | {'left': now['left'][:, index]}


FAULTS: Mapping[str, Fault] = {
    'left_frozen': _frozen, 'wrist_frozen': _wrist_frozen, 'all_frozen': _all_frozen,
    'old_pictures': _old, 'right_noise': _noise, 'left_and_right_swapped': _swapped,
    'left_and_wrist_swapped': _wrist_swapped, 'left_moved': _moved,
}  # fmt: skip
