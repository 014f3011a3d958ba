# SPDX-License-Identifier: Apache-2.0
"""Videos that decode again, and what is lined up in them."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest

from tests.fakes.run_logs import DOWN, PERIOD_S, plan_record, run_log, stitched
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.viz.drawing import (
    CHOSEN,
    GOOD,
    Plane,
    fit,
    font,
    heat_colours,
    overlay_relevancy,
)
from vidplan_eval.viz.imagination import executed_steps, imagined_at, plan_at, split_views
from vidplan_eval.viz.pictures import png_bytes, rollout_picture, save_png
from vidplan_eval.viz.runlog import RunLog, SeenFrame
from vidplan_eval.viz.video import (
    CAPTION,
    END_HOLD_S,
    HEADER,
    MARGIN,
    TILE_HEIGHT,
    TILE_WIDTH,
    VideoError,
    VideoWriter,
    draw_run_frame,
    frame_rate,
    slowness,
    write_run_video,
)


def decoded(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(stream)]
        return frames, stream.codec_context, float(stream.average_rate)


def test_the_video_plays_in_real_time_in_a_format_browsers_know(tmp_path):
    log = run_log()
    path = write_run_video(log, tmp_path / 'deep' / 'run.mp4')
    frames, codec, rate_hz = decoded(path)
    assert (codec.name, codec.pix_fmt) == ('h264', 'yuv420p')
    assert rate_hz == pytest.approx(1 / PERIOD_S)
    assert len(frames) == len(log.seen) + round(END_HOLD_S / PERIOD_S)
    assert [entry.name for entry in path.parent.iterdir()] == ['run.mp4']


def test_frames_survive_encoding(tmp_path):
    frames = [np.full((33, 49, 3), shade, np.uint8) for shade in (30, 120, 220)]
    with VideoWriter(tmp_path / 'a.mp4', 5.0) as writer:
        for frame in frames:
            writer.add(frame)
    back, _, _ = decoded(tmp_path / 'a.mp4')
    assert [image.shape for image in back] == [(32, 48, 3)] * 3
    for image, frame in zip(back, frames, strict=True):
        assert abs(float(image.mean()) - float(frame.mean())) < 4


def test_a_failure_leaves_no_file(tmp_path):
    def fail():
        with VideoWriter(tmp_path / 'a.mp4', 5.0) as writer:
            writer.add(np.zeros((16, 16, 3), np.uint8))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.iterdir())


def test_nothing_to_show_is_an_error(tmp_path):
    with pytest.raises(VideoError, match='no observation'):
        write_run_video(RunLog('move'), tmp_path / 'a.mp4')
    with pytest.raises(VideoError, match='no frame'), VideoWriter(tmp_path / 'b.mp4', 5.0):
        pass


def test_a_run_without_plans_and_result_can_be_shown():
    log = RunLog('move to the pea', seen=run_log().seen[:1])
    assert frame_rate(log) == pytest.approx(5.0)
    assert draw_run_frame(log, 0).width > 1000


def test_the_followed_plan_is_the_latest_that_has_started():
    log = run_log()
    assert plan_at(log, 0.1) is None
    assert plan_at(log, 0.2).cycle == 0
    assert plan_at(log, 0.61).cycle == 1


def test_the_imagined_frame_is_the_one_that_is_due():
    log = run_log()
    imagined = imagined_at(log, 0.4)
    assert (imagined.plan.cycle, imagined.step) == (0, 1)
    assert np.array_equal(imagined.image, stitched(2, 190))
    assert not imagined.beyond


def test_the_last_imagination_stays_until_there_is_a_newer_one():
    log = run_log()
    last = imagined_at(log, 30.0)
    assert last.beyond
    assert np.array_equal(last.image, log.plans[-1].predicted[-1])
    assert imagined_at(log, 0.1) is None
    braking = replace(log.plans[-1], start_s=25.0, predicted=np.zeros((0, 0, 0, 3), np.uint8))
    log.plans.append(braking)
    assert np.array_equal(imagined_at(log, 30.0).image, last.image)


def test_the_verdict_is_shown_from_the_beginning_of_the_ending():
    log = run_log()
    green = np.array(GOOD)

    def verdict(index):
        header = np.asarray(draw_run_frame(log, index))[:HEADER, -300:].astype(int)
        return bool((abs(header - green).max(axis=-1) < 20).any())

    shown = [verdict(index) for index in range(len(log.seen))]
    start = next(k for k, seen in enumerate(log.seen) if seen.stamp_s >= log.plans[-1].start_s)
    assert shown == [index >= start for index in range(len(log.seen))]
    assert sum(shown) > 1


def test_candidates_are_shown_with_the_chosen_one_framed_and_heat_in_the_corner():
    log = run_log()
    height = draw_run_frame(log, 4).height
    futures = np.stack([stitched(step, 40 * step) for step in range(6)])
    heat = np.full((4, *stitched(0).shape), (0, 0, 250), np.uint8)
    log.plans = [replace(plan, futures=futures, heat=heat) for plan in log.plans]
    drawn = np.asarray(draw_run_frame(log, 4)).astype(int)
    assert drawn.shape[0] > height
    framed = (abs(drawn[height:] - np.array(CHOSEN)).max(axis=-1) < 5).sum(axis=0)
    # The best comes first: its frame is in the left sixth and nowhere else.
    sixth = drawn.shape[1] // 6
    assert framed[:sixth].max() > 50
    assert framed[sixth + 10 :].max() == 0
    column = slice(MARGIN + TILE_WIDTH + MARGIN, 2 * (MARGIN + TILE_WIDTH))
    assert (abs(drawn[:, column] - np.array((0, 0, 250))).max(axis=-1) < 10).any()


def test_a_fast_arm_is_shown_slowly(tmp_path):
    log = run_log()
    fast = [
        replace(seen, position=seen.position + np.array([0.1 * k, 0, 0]))
        for k, seen in enumerate(log.seen)
    ]
    slow_log = replace(log, seen=fast)
    assert {slowness(log, index) for index in range(len(log.seen))} == {1}
    assert slowness(slow_log, 0) == 2
    frames, _, rate_hz = decoded(write_run_video(slow_log, tmp_path / 'a.mp4'))
    assert len(frames) == 2 * (len(log.seen) - 1) + 1 + round(END_HOLD_S * rate_hz)


def test_only_executed_frames_are_judged():
    log = run_log()
    steps = executed_steps(log)
    # Plans start 0.4 s apart, so two frames of each are executed; the last one's run goes on.
    assert [(step.cycle, step.step) for step in steps[:4]] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert all(np.mean(step.imagined_db) > np.mean(step.copied_db) for step in steps)


def test_a_frame_without_observation_is_not_judged():
    log = run_log()
    log.seen = [frame for frame in log.seen if not 0.3 < frame.stamp_s < 0.5]
    assert (0, 1) not in [(step.cycle, step.step) for step in executed_steps(log)]


def test_views_are_split_in_order():
    image = np.repeat(np.arange(3, dtype=np.uint8), 4)[:, None, None] * np.ones(
        (1, 5, 3), np.uint8
    )
    assert [int(view.mean()) for view in split_views(image, 3)] == [0, 1, 2]


def test_rollout_pictures_pair_real_and_imagined(tmp_path):
    real = np.stack([stitched(step) for step in range(5)])
    picture = rollout_picture(real, real, views=default_layout().views, title='x', tile_height=48)
    assert save_png(picture, tmp_path / 'a' / 'b.png').read_bytes() == png_bytes(picture)
    with pytest.raises(ValueError, match='two'):
        rollout_picture(real, real[:4], views=default_layout().views)


@pytest.mark.parametrize('views', [('front',), ('left', 'right', 'wrist', 'top')], ids=len)
def test_runs_of_one_and_of_four_views_are_drawn(views):
    """As many rows as there are views, each of them with what was seen, imagined and relevant."""
    count = len(views)
    shown = np.repeat(np.arange(40, 40 + 50 * count, 50, dtype=np.uint8), 24)[:, None, None]
    image = np.broadcast_to(shown, (24 * count, 40, 3)).copy()
    seen = [SeenFrame(0.2 * k, image, np.zeros(3), DOWN, 0.0, np.zeros(7)) for k in range(3)]
    maps = np.full((count, 6, 10), 0.5)
    plan = replace(plan_record(0, 0), predicted=np.stack([image] * 5), relevancy=maps)
    log = RunLog('move', views=views, seen=seen, plans=[plan])
    drawn = np.asarray(draw_run_frame(log, 2))
    three = np.asarray(draw_run_frame(run_log(), 2))
    row = TILE_HEIGHT + MARGIN
    assert drawn.shape[0] == three.shape[0] + (count - 3) * row
    top = HEADER + CAPTION + TILE_HEIGHT // 2
    for column in (0, 1):
        x = MARGIN + column * (TILE_WIDTH + MARGIN) + TILE_WIDTH // 2
        levels = [int(drawn[top + index * row, x, 0]) for index in range(count)]
        assert levels == [40 + 50 * index for index in range(count)]
    picture = rollout_picture(np.stack([image] * 3), np.stack([image] * 3), views=views)
    assert (2 * count - 1) * 120 < picture.height < (2 * count + 1) * 130


def test_relevancy_brightens_only_what_is_relevant():
    image = np.full((20, 30, 3), 100, np.uint8)
    relevancy = np.full((4, 6), 0.5)
    relevancy[1, 1] = 1.0
    shown = overlay_relevancy(image, relevancy)
    assert shown[7, 7].sum() > 300 > shown[19, 29].sum()
    assert heat_colours(np.array([[0.0, 1.0]])).shape == (1, 2, 3)


def test_paths_are_drawn_to_one_scale():
    plane = Plane(across=1, up=0, low=(-1.0, 0.0), high=(1.0, 1.0), flip=True)
    points = np.array([[0.5, 0.0, 9.0], [0.5, 0.5, 9.0], [1.0, 0.0, 9.0]])
    centre, left, top = plane.pixels(points, (200, 200))
    assert centre == pytest.approx((100, 100))
    assert left == pytest.approx((50, 100))
    assert top == pytest.approx((100, 50))


def test_long_words_are_cut():
    assert fit('short', 200, 14) == 'short'
    cut = fit('a very long instruction ' * 5, 120, 14)
    assert cut.endswith('...')
    assert font(14).getlength(cut) <= 120
