# SPDX-License-Identifier: Apache-2.0
"""A run for the Rerun viewer: truth and imagination on one timeline, in 2-D, 3-D and as curves.

Everything is at the time at which it is (or was to be) seen: frame k of a plan at the start of its
chunk plus k frame periods, so that scrubbing shows what happened beside what was imagined.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidplan_core.errors import ConfigError
from vidplan_eval.viz.arm_meshes import ArmMeshes
from vidplan_eval.viz.imagination import split_views
from vidplan_eval.viz.runlog import PlanRecord, RunLog, SeenFrame
from vidplan_eval.viz.summary import due_s

APPLICATION = 'vidplan'
TIMELINE = 'time'
# Points of the path that was taken that stay in view.
TRAIL = 200
CANDIDATES = 6
CHOSEN, OTHER, TAKEN = (224, 138, 0), (120, 120, 120), (60, 140, 220)
# The arm is white, so what is behind it is not. Looked at from in front, from the left, m.
BEHIND, EYE, LOOKED_AT = (48, 54, 64), (1.15, 0.75, 0.7), (0.25, 0.0, 0.3)


class RerunView:
    """Writes a run into a recording; may be called again while the run goes on."""

    def __init__(self, path: Path | None = None, address: str | None = None) -> None:
        """Write to a file, to a viewer that listens at an address, or to both.

        Raises:
            ConfigError: rerun-sdk is not installed.
        """
        self._rr = _rerun()
        self._stream = self._rr.RecordingStream(APPLICATION)
        sinks: list[Any] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            sinks.append(self._rr.FileSink(str(path)))
        if address is not None:
            sinks.append(self._rr.GrpcSink(address))
        self._stream.set_sinks(*sinks)
        self._seen = self._plans = 0
        self._arm = _arm()
        self._log('world', self._rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        for part in self._arm.parts if self._arm else ():
            mesh = self._rr.Mesh3D(
                vertex_positions=part.vertices, triangle_indices=part.faces,
                albedo_factor=part.colour,
            )  # fmt: skip
            self._log(f'world/arm/{part.name}', mesh, static=True)

    def update(self, log: RunLog) -> None:
        """Write what has come to the log since the last call."""
        if log.seen and not self._seen:
            self._stream.send_blueprint(_blueprint(log.views))
        for frame in log.seen[self._seen :]:
            self._write_seen(log, frame)
        for plan in log.plans[self._plans :]:
            self._write_plan(log, plan)
        self._seen, self._plans = len(log.seen), len(log.plans)

    def finish(self, log: RunLog) -> None:
        """Write the rest and how the run ended, and close the recording."""
        self.update(log)
        if log.result is not None:
            level = 'INFO' if log.succeeded else 'ERROR'
            words = f'{log.result.code}: {log.verdict}'
            self._log('log', self._rr.TextLog(words, level=level))
        self._stream.flush()
        self._stream.disconnect()

    def _log(self, entity: str, thing: Any, *, static: bool = False) -> None:
        self._stream.log(entity, thing, static=static)

    def _at(self, log: RunLog, stamp_s: float) -> None:
        origin_s = log.seen[0].stamp_s if log.seen else stamp_s
        self._stream.set_time(TIMELINE, duration=stamp_s - origin_s)

    def _write_seen(self, log: RunLog, frame: SeenFrame) -> None:
        rr = self._rr
        self._at(log, frame.stamp_s)
        for name, view in zip(log.views, split_views(frame.image, len(log.views)), strict=True):
            self._log(f'views/{name}/seen', rr.Image(view))
        taken = [one.position for one in log.seen if one.stamp_s <= frame.stamp_s][-TRAIL:]
        self._log('world/taken', rr.LineStrips3D([np.array(taken)], colors=[TAKEN]))
        self._log('curves/gripper', rr.Scalars(frame.closedness))
        if self._arm is not None:
            places = self._arm.places(frame.q)
            for part, (position, rotation) in zip(self._arm.parts, places, strict=True):
                place = rr.Transform3D(translation=position, mat3x3=rotation)
                self._log(f'world/arm/{part.name}', place)

    def _write_plan(self, log: RunLog, plan: PlanRecord) -> None:
        rr = self._rr
        self._at(log, plan.start_s)
        self._log('world/candidates', rr.LineStrips3D(list(plan.candidates), colors=[OTHER]))
        self._log('world/chosen', rr.LineStrips3D([plan.position], colors=[CHOSEN]))
        curves = {'score': plan.score, 'latency_s': plan.latency_s, **plan.terms}
        if (due := due_s(log, plan)) is not None:
            curves['due_s'] = due
        for name, value in curves.items():
            if np.isfinite(value):
                self._log(f'curves/{name}', rr.Scalars(float(value)))
        for index, future in enumerate(plan.futures):
            first = split_views(future, len(log.views))[0]
            self._log(f'candidates/{index}', rr.Image(first))
        words = f'cycle {plan.cycle}: candidate {plan.best}, score {plan.score:.3f}'
        self._log('log', rr.TextLog('; '.join([words, *plan.notes])))
        self._write_frames(log, plan)

    def _write_frames(self, log: RunLog, plan: PlanRecord) -> None:
        for kind, frames, first in (('imagined', plan.predicted, 0), ('heat', plan.heat, 1)):
            for step, image in enumerate(frames, first):
                self._at(log, plan.start_s + step * log.frame_period_s)
                views = split_views(image, len(log.views))
                for name, view in zip(log.views, views, strict=True):
                    self._log(f'views/{name}/{kind}', self._rr.Image(view))


def write_rerun(log: RunLog, path: Path) -> Path:
    """Write a finished run as one `.rrd` file and return its path."""
    RerunView(path).finish(log)
    return path


def _rerun() -> Any:
    try:
        import rerun
    except ImportError:
        raise ConfigError('the viewer is not installed: pip install rerun-sdk') from None
    return rerun


def _arm() -> ArmMeshes | None:
    """Return the arm; None on a machine without the model of it, such as a robot's."""
    try:
        return ArmMeshes()
    except (ImportError, RuntimeError):
        return None


def _blueprint(views: Sequence[str]) -> Any:
    """Return the lay-out: truth beside imagination, candidates, the room, curves and the log."""
    import rerun.blueprint as rrb

    rows = [
        rrb.Horizontal(
            *(
                rrb.Spatial2DView(origin=f'views/{view}/{kind}', name=f'{view} {kind}')
                for kind in ('seen', 'imagined', 'heat')
            )
        )
        for view in views
    ]
    candidates = [
        rrb.Spatial2DView(origin=f'candidates/{index}', name=f'candidate {index}')
        for index in range(CANDIDATES)
    ]
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Vertical(*rows, rrb.Horizontal(*candidates)),
            rrb.Vertical(
                rrb.Spatial3DView(
                    origin='world',
                    name='arm and paths',
                    background=BEHIND,
                    eye_controls=rrb.EyeControls3D(position=EYE, look_target=LOOKED_AT),
                ),
                rrb.TimeSeriesView(origin='curves', name='score, terms, latency'),
                rrb.TextLogView(origin='log', name='log'),
            ),
        ),
        rrb.BlueprintPanel(state='collapsed'),
        rrb.SelectionPanel(state='collapsed'),
        rrb.TimePanel(state='collapsed', timeline=TIMELINE),
    )
