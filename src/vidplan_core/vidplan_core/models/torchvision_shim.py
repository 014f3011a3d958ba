# SPDX-License-Identifier: Apache-2.0
"""Makes ``import torchvision`` work beside a CPU build of torch.

torchvision's wheel carries an extension compiled for CUDA.  Beside a CPU torch the extension
cannot load, and ``import torchvision`` then stops at ``operator torchvision::nms does not
exist``, because the package registers fake kernels for operators nobody has declared.
Declaring their schemas first is enough: open_clip and timm import the transforms and never
call the operators.  Where the extension loads (CUDA builds, distribution packages), nothing
is declared here.

Call :func:`ensure_torchvision` before the first import of open_clip, timm or torchvision.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    'nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
    'qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
)


@functools.cache
def ensure_torchvision() -> torch.library.Library | None:
    """Declare torchvision's operators where its extension cannot; safe to call repeatedly.

    Returns:
        The library that holds the declarations (the cache keeps it alive for the life of the
        process, as torch requires), or None where nothing had to be declared.
    """
    if _extension_loads():
        return None
    library = torch.library.Library('torchvision', 'DEF')
    for schema in _SCHEMAS:
        library.define(schema)
    return library


def _extension_loads() -> bool:
    """Load torchvision's compiled operators, if they fit this torch."""
    spec = importlib.util.find_spec('torchvision')
    if spec is None or spec.origin is None:
        return True  # nothing to repair: the import error of torchvision itself says it best
    if hasattr(torch.ops.torchvision, 'nms'):
        return True
    for extension in sorted(Path(spec.origin).parent.glob('_C.*')):
        try:
            torch.ops.load_library(str(extension))
        except OSError:
            continue
        return hasattr(torch.ops.torchvision, 'nms')
    return False
