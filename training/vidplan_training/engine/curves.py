# SPDX-License-Identifier: Apache-2.0
"""Curves of a training, as TensorBoard shows them: `tensorboard --logdir FOLDER`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class Curves:
    """Writes numbers and notes by iteration; a resumed run replaces what came after its start."""

    def __init__(self, folder: Path, start: int) -> None:
        # Imported here: it takes a second, and only trainings need it.
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._writer = SummaryWriter(str(folder), purge_step=start or None)

    def numbers(self, iteration: int, values: Mapping[str, float]) -> None:
        """Add one point to each named curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, iteration)

    def note(self, iteration: int, text: str) -> None:
        """Add a line of text."""
        self._writer.add_text('report', text, iteration)

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()
