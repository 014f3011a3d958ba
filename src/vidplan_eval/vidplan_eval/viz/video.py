# SPDX-License-Identifier: Apache-2.0
"""The video of a run: what was seen, what was imagined, where the target is, the path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from vidplan_core.data.video_file import VideoError, VideoWriter
from vidplan_eval.viz import drawing
from vidplan_eval.viz.drawing import Plane
from vidplan_eval.viz.imagination import ending_s, imagined_at, plan_at, split_views
from vidplan_eval.viz.runlog import PlanRecord, RunLog, SeenFrame

TILE_WIDTH, TILE_HEIGHT = 320, 192
MARGIN, HEADER, CAPTION = 8, 74, 22
END_HOLD_S = 1.5
# Candidates in a row, and the height of that row, pixels.
FUTURES, FUTURES_HEIGHT = 6, 150
# Above these speeds of the flange the video is shown at half and at quarter speed, m/s.
SLOWED_M_S = (0.3, 0.6)
# The part of the base frame that the two path drawings show [m].
TOP_VIEW = Plane(across=1, up=0, low=(-0.35, 0.2), high=(0.35, 0.75), flip=True)
SIDE_VIEW = Plane(across=0, up=2, low=(0.2, 0.0), high=(0.75, 0.55))


def write_run_video(log: RunLog, path: Path | str) -> Path:
    """Write the video of a run, in real time but where the arm is fast, and return its path.

    Raises:
        VideoError: nothing was seen, or no encoder is there.
    """
    path = Path(path)
    if not log.seen:
        raise VideoError(f'{path}: the run has no observation to show')
    rate_hz = frame_rate(log)
    with VideoWriter(path, rate_hz) as writer:
        for index, frame in enumerate(run_frames(log)):
            for _ in range(slowness(log, index)):
                writer.add(frame)
        for _ in range(round(END_HOLD_S * rate_hz)):
            writer.add(frame)
    return path


def frame_rate(log: RunLog) -> float:
    """Rate at which the observations came, within 1..30 Hz."""
    stamps = [frame.stamp_s for frame in log.seen]
    if len(stamps) < 2:
        return 1.0 / log.frame_period_s
    period_s = float(np.median(np.diff(stamps)))
    return float(np.clip(1.0 / max(period_s, 1e-3), 1.0, 30.0))


def slowness(log: RunLog, index: int) -> int:
    """How many times slower than it was an observation is shown: 1, 2 or 4."""
    if index + 1 >= len(log.seen):
        return 1
    here, later = log.seen[index], log.seen[index + 1]
    way_m = float(np.linalg.norm(later.position - here.position))
    speed_m_s = way_m / max(later.stamp_s - here.stamp_s, 1e-3)
    return 2 ** sum(speed_m_s > limit for limit in SLOWED_M_S)


def run_frames(log: RunLog) -> Iterator[np.ndarray]:
    """Draw one video frame, uint8 (H, W, 3), for each observation."""
    for index in range(len(log.seen)):
        yield np.asarray(draw_run_frame(log, index))


def draw_run_frame(log: RunLog, index: int) -> Image.Image:
    """Draw observation `index` beside what had been imagined for its time."""
    seen = log.seen[index]
    plan = plan_at(log, seen.stamp_s)
    rows = len(log.views)
    width = 4 * TILE_WIDTH + 5 * MARGIN
    futures = FUTURES_HEIGHT if any(len(one.futures) for one in log.plans) else 0
    below = HEADER + CAPTION + rows * (TILE_HEIGHT + MARGIN) + MARGIN
    picture = drawing.canvas(width, below + futures)
    _draw_header(picture, log, index, plan)
    _draw_seen(picture, log, seen)
    _draw_imagined(picture, log, seen)
    _draw_relevancy(picture, log, plan)
    _draw_paths(picture, log, index, plan)
    if futures:
        imagined = imagined_at(log, seen.stamp_s)
        _draw_futures(picture, log, plan if imagined is None else imagined.plan, below)
    return picture


def _column(index: int) -> int:
    return MARGIN + index * (TILE_WIDTH + MARGIN)


def _row(index: int) -> int:
    return HEADER + CAPTION + index * (TILE_HEIGHT + MARGIN)


def _caption(picture: Image.Image, column: int, words: str) -> None:
    at = (_column(column), HEADER + CAPTION / 2)
    drawing.text(picture, at, words, colour=drawing.MUTED, size=13, anchor='lm')


def _draw_header(picture: Image.Image, log: RunLog, index: int, plan: PlanRecord | None) -> None:
    title = drawing.fit(f'"{log.instruction}"', picture.width - 340, 24)
    drawing.text(picture, (MARGIN, 10), title, size=24)
    elapsed = log.seen[index].stamp_s - log.seen[0].stamp_s
    facts = f'{elapsed:5.1f} s'
    slow = slowness(log, index)
    if slow > 1:
        facts += f'   shown {slow} times slower'
    if plan is not None:
        facts += (
            f'   cycle {plan.cycle}   score {plan.score:.3f}'
            f'   best of {len(plan.scores)}: {plan.best}'
        )
        if np.isfinite(plan.latency_s):
            facts += f'   plan {plan.latency_s * 1e3:.0f} ms'
    drawing.text(picture, (MARGIN, 46), facts, size=16, colour=drawing.MUTED)
    if log.result is not None and log.seen[index].stamp_s >= ending_s(log):
        colour = drawing.GOOD if log.succeeded else drawing.BAD
        right = picture.width - MARGIN
        drawing.text(picture, (right, 24), log.result.code, size=24, colour=colour, anchor='rm')
        words = drawing.fit(log.verdict, picture.width // 2, 16)
        drawing.text(picture, (right, 54), words, size=16, colour=colour, anchor='rm')


def _draw_seen(picture: Image.Image, log: RunLog, seen: SeenFrame) -> None:
    _caption(picture, 0, 'what happened')
    views = split_views(seen.image, len(log.views))
    for row, (name, view) in enumerate(zip(log.views, views, strict=True)):
        picture.paste(drawing.tile(view, TILE_WIDTH, TILE_HEIGHT), (_column(0), _row(row)))
        drawing.text(picture, (_column(0) + 6, _row(row) + 4), name, size=13)


def _draw_imagined(picture: Image.Image, log: RunLog, seen: SeenFrame) -> None:
    imagined = imagined_at(log, seen.stamp_s)
    if imagined is None:
        _caption(picture, 1, 'imagined')
        words = 'no plan yet' if plan_at(log, seen.stamp_s) is None else 'nothing is imagined'
        for row in range(len(log.views)):
            blank = drawing.empty_tile(TILE_WIDTH, TILE_HEIGHT, words)
            picture.paste(blank, (_column(1), _row(row)))
        return
    ahead_s = max(seen.stamp_s - imagined.plan.stamp_s, 0.0)
    words = f'imagined {ahead_s:.1f} s before'
    _caption(picture, 1, f'last imagined, {ahead_s:.1f} s before' if imagined.beyond else words)
    heat = imagined.plan.heat
    shown = imagined.image
    for row, view in enumerate(split_views(shown, len(log.views))):
        picture.paste(drawing.tile(view, TILE_WIDTH, TILE_HEIGHT), (_column(1), _row(row)))
        if 1 <= imagined.step <= len(heat):
            _draw_heat(picture, split_views(heat[imagined.step - 1], len(log.views))[row], row)


def _draw_heat(picture: Image.Image, view: np.ndarray, row: int) -> None:
    """Put the uncertainty into the lower right corner of an imagined view."""
    size = TILE_WIDTH // 3, TILE_HEIGHT // 3
    at = _column(1) + TILE_WIDTH - size[0] - 2, _row(row) + TILE_HEIGHT - size[1] - 2
    picture.paste(drawing.tile(view, *size), at)
    drawing.text(picture, (at[0] + 3, at[1] + 2), 'uncertainty', size=11)


def _draw_futures(picture: Image.Image, log: RunLog, plan: PlanRecord | None, top: int) -> None:
    """Draw where the best candidates would lead, with their scores; the chosen one is framed."""
    words = 'candidate futures, best first: score'
    drawing.text(picture, (MARGIN, top + 4), words, size=13, colour=drawing.MUTED)
    if plan is None or not len(plan.futures):
        return
    order = np.argsort(-plan.scores, kind='stable')[:FUTURES]
    width = (picture.width - (FUTURES + 1) * MARGIN) // FUTURES
    size = width, FUTURES_HEIGHT - CAPTION - 2 * MARGIN
    for place, candidate in enumerate(order):
        at = MARGIN + place * (width + MARGIN), top + CAPTION
        view = split_views(plan.futures[candidate], len(log.views))[0]
        chosen = int(candidate) == plan.best
        if chosen:
            frame = drawing.canvas(size[0] + 6, size[1] + 6, drawing.CHOSEN)
            picture.paste(frame, (at[0] - 3, at[1] - 3))
        picture.paste(drawing.tile(view, *size), at)
        said = f'{plan.scores[candidate]:.3f}' + ('  chosen' if chosen else '')
        colour = drawing.CHOSEN if chosen else drawing.INK
        drawing.text(picture, (at[0] + 6, at[1] + 4), said, size=13, colour=colour)


def _draw_relevancy(picture: Image.Image, log: RunLog, plan: PlanRecord | None) -> None:
    peak = 0.0 if plan is None or plan.relevancy.size == 0 else float(plan.relevancy.max())
    words = f'relevancy of "{log.target}"' if log.target else 'relevancy'
    _caption(picture, 2, f'{words}, peak {peak:.2f}' if peak else words)
    # Over the image that it was computed from: the wrist camera has moved on since.
    source = None if plan is None else log.seen_near(plan.stamp_s)
    for row in range(len(log.views)):
        at = (_column(2), _row(row))
        if plan is None or source is None or plan.relevancy.size == 0:
            blank = drawing.empty_tile(TILE_WIDTH, TILE_HEIGHT, 'no relevancy yet')
            picture.paste(blank, at)
            continue
        view = split_views(source.image, len(log.views))[row]
        large = np.asarray(drawing.tile(view, TILE_WIDTH, TILE_HEIGHT))
        shown = drawing.overlay_relevancy(large, plan.relevancy[row])
        picture.paste(Image.fromarray(shown), at)


def _draw_paths(picture: Image.Image, log: RunLog, index: int, plan: PlanRecord | None) -> None:
    _caption(picture, 3, 'flange path: past, candidates, chosen')
    height = (len(log.views) * (TILE_HEIGHT + MARGIN) - 2 * MARGIN) // 2
    trail = np.array([frame.position for frame in log.seen[: index + 1]])
    panels = {
        'from above (x up, y left), 10 cm grid': TOP_VIEW,
        'from the side (x right, z up)': SIDE_VIEW,
    }
    for row, (words, plane) in enumerate(panels.items()):
        panel = draw_path_panel(plane, (TILE_WIDTH, height), trail, plan)
        drawing.text(panel, (8, 6), words, size=12, colour=drawing.MUTED)
        picture.paste(panel, (_column(3), _row(0) + row * (height + MARGIN)))


def draw_path_panel(
    plane: Plane, size: tuple[int, int], trail: np.ndarray, plan: PlanRecord | None
) -> Image.Image:
    """Draw the past path (K, 3), every candidate of `plan` and the chosen one in a plane."""
    panel = drawing.canvas(*size, drawing.TILE)
    plane.draw_grid(panel)
    if plan is not None:
        for path in plan.candidates:
            drawing.draw_path(panel, plane.pixels(path, size), drawing.MUTED, width=1)
        drawing.draw_path(
            panel, plane.pixels(plan.position, size), drawing.CHOSEN, width=3, dots=True
        )
    drawing.draw_path(panel, plane.pixels(trail, size), drawing.TRAIL)
    return panel
