# SPDX-License-Identifier: Apache-2.0
"""Streaming metrics agree with torchmetrics and torch-uncertainty, and merge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from vidplan_core.heads.distribution.bins import Bins
from vidplan_core.metrics.calibration import ErrorCalibration, Reliability
from vidplan_core.metrics.episode_sums import EpisodeMeans, EpisodeSums
from vidplan_core.metrics.ranking import (
    RankCorrelation,
    Separation,
    Sparsification,
    error_edges,
    unit_edges,
)
from vidplan_core.models.torchvision_shim import ensure_torchvision

ensure_torchvision()  # torchmetrics imports torchvision where it is installed


def between(values: np.ndarray) -> np.ndarray:
    """Edges between all distinct values, so that each has a bin of its own."""
    distinct = np.unique(values)
    return 0.5 * (distinct[1:] + distinct[:-1])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_calibration_error_agrees_with_torchmetrics() -> None:
    oracle = pytest.importorskip('torchmetrics.functional.classification', exc_type=ImportError)
    torch.manual_seed(0)
    predicted = torch.rand(500).double()
    outcome = (torch.rand(500) < predicted**2).long()
    streaming = Reliability()
    for episode, rows in enumerate(torch.arange(500).split(100)):
        streaming.add(episode, predicted[rows], outcome[rows])
    wanted = oracle.binary_calibration_error(predicted, outcome, n_bins=20, norm='l1').item()
    assert streaming.error().value == pytest.approx(wanted, abs=1e-6)


def test_top_label_error_and_log_score_agree_with_torchmetrics() -> None:
    oracle = pytest.importorskip('torchmetrics.functional.classification', exc_type=ImportError)
    torch.manual_seed(0)
    bins = Bins('uniform', 6, 3.0)
    logits, errors = torch.randn(400, 6).double(), 3.0 * torch.rand(400).double()
    streaming = ErrorCalibration(bins)
    streaming.add(0, logits, errors)
    found, label = streaming.result(), bins.index(errors)
    wanted = oracle.multiclass_calibration_error(logits, label, 6, n_bins=20, norm='l1').item()
    assert found['top_label_ece'].value == pytest.approx(wanted, abs=1e-6)
    nll = torch.nn.functional.cross_entropy(logits, label).item()
    assert found['nll'].value == pytest.approx(nll, abs=1e-9)
    assert found['nll_density'].value == pytest.approx(nll + np.log(0.5), abs=1e-9)
    # Thresholds: the binary calibration error at every inner edge, averaged.
    below = logits.softmax(-1).cumsum(-1)[:, :-1]
    each = [
        oracle.binary_calibration_error(
            below[:, k], (errors < bins.edges[k + 1]).long(), n_bins=20, norm='l1'
        ).item()
        for k in range(5)
    ]
    assert found['threshold_ece'].value == pytest.approx(np.mean(each), abs=1e-6)


def test_rank_correlation_agrees_with_torchmetrics(rng: np.random.Generator) -> None:
    oracle = pytest.importorskip('torchmetrics.functional', exc_type=ImportError)
    first = rng.integers(0, 30, 300) / 30.0  # with ties
    second = first + rng.normal(size=300)
    streaming = RankCorrelation(between(first), between(second))
    streaming.add(0, first, second)
    wanted = oracle.spearman_corrcoef(torch.tensor(first), torch.tensor(second)).item()
    assert streaming.correlation().value == pytest.approx(wanted, abs=1e-6)
    coarse = RankCorrelation(unit_edges(128), error_edges(128))
    exact = RankCorrelation(between(first), between(np.abs(second)))
    for correlation in (coarse, exact):
        correlation.add(0, first, np.abs(second))
    difference = coarse.correlation().value - exact.correlation().value
    assert abs(difference) < 0.01


def test_separation_agrees_with_torchmetrics(rng: np.random.Generator) -> None:
    oracle = pytest.importorskip('torchmetrics.functional.classification', exc_type=ImportError)
    scores = rng.integers(0, 1000, 200) / 1000.0 + 0.0005
    labels = rng.random(200) < scores
    streaming = Separation(0.0, 1.0)
    streaming.add(0, scores[labels], positive=True)
    streaming.add(1, scores[~labels], positive=False)
    wanted = oracle.binary_auroc(torch.tensor(scores), torch.tensor(labels).long()).item()
    assert streaming.area().value == pytest.approx(wanted, abs=1e-6)


def test_sparsification_agrees_with_torch_uncertainty(rng: np.random.Generator) -> None:
    oracle = pytest.importorskip('torch_uncertainty.metrics', exc_type=ImportError)
    error = rng.random(400)
    uncertainty = error + 0.3 * rng.random(400)
    streaming = Sparsification(between(uncertainty), between(error))
    streaming.add(0, uncertainty, error)
    metric = oracle.AUSE()
    metric.update(torch.tensor(uncertainty), torch.tensor(error))
    # Theirs is the same curve, sampled once per value, over the same mean error.
    curve, best = metric.partial_compute()
    ours = streaming.curves(points=400)
    np.testing.assert_allclose(ours['uncertainty'], curve, atol=1e-6)
    np.testing.assert_allclose(ours['oracle'], best, atol=1e-6)
    assert streaming.area().value == pytest.approx(metric.compute().item(), abs=2e-3)


def test_sparsification_knows_the_oracle_and_chance(rng: np.random.Generator) -> None:
    error = rng.random(5000)
    for uncertainty, share in ((error, 0.0), (rng.random(5000), 1.0)):
        streaming = Sparsification(between(uncertainty), between(error))
        streaming.add(0, uncertainty, error)
        area, chance = streaming.area().value, streaming.random_area().value
        assert area == pytest.approx(share * chance, abs=0.02)
        assert chance == pytest.approx(0.5, abs=0.02)  # errors even in [0, 1]: curve 1 - x


def laplace_logits(bins: Bins, scale: torch.Tensor) -> torch.Tensor:
    """Exact distribution of |error| of a Laplace law with the given scales, (samples, bins)."""
    below = 1.0 - torch.exp(-bins.edges / scale[:, None])
    below[:, -1] = 1.0
    return below.diff(dim=-1).clamp_min(1e-30).log()


def test_true_distributions_are_calibrated_and_wrong_ones_are_not() -> None:
    generator, bins = torch.Generator().manual_seed(0), Bins('power')
    sound, bold = ErrorCalibration(bins), ErrorCalibration(bins)
    for episode in range(20):
        scale = 0.05 + torch.rand(400, generator=generator).double()
        errors = -scale * torch.log(1.0 - torch.rand(400, generator=generator).double())
        sound.add(episode, laplace_logits(bins, scale), errors)
        bold.add(episode, laplace_logits(bins, 0.5 * scale), errors)
    true, false = sound.result(), bold.result()
    assert true['threshold_ece'].value < 0.02 < false['threshold_ece'].value
    assert true['coverage_80'].low < 0.8 < true['coverage_80'].high
    assert false['coverage_80'].high < 0.77
    assert true['nll_gain'].low > 0.0
    assert true['nll'].value < false['nll'].value
    assert sound.thresholds.informative_error().value >= true['threshold_ece'].value


def make_all() -> list[object]:
    edges = unit_edges(16)
    return [
        ErrorCalibration(Bins()), Reliability(), RankCorrelation(edges, edges),
        Separation(0.0, 1.0, 50), Sparsification(edges, edges), EpisodeMeans(['a', 'b']),
    ]  # fmt: skip


def feed(metrics: list, episode: int) -> None:
    rng = np.random.default_rng(episode)
    first, second = rng.random(30), rng.random(30)
    calibration, reliability, rank, separation, sparse, means = metrics
    logits = torch.from_numpy(rng.normal(size=(30, 30)))
    calibration.add(episode, logits, torch.from_numpy(3.0 * first))
    reliability.add(episode, torch.from_numpy(first), torch.from_numpy(second))
    rank.add(episode, first, second)
    separation.add(episode, first, positive=episode % 2 == 0)
    sparse.add(episode, first, second)
    means.add(episode, a=first, b=np.where(second > 0.9, np.nan, second))


def readings(metrics: list) -> list[object]:
    calibration, reliability, rank, separation, sparse, means = metrics
    return [
        *calibration.result().values(), reliability.error(), rank.correlation(),
        separation.area(), sparse.area(), means.mean('a'), means.mean('b'),
    ]  # fmt: skip


def test_merged_workers_are_one_worker() -> None:
    whole, first, second = make_all(), make_all(), make_all()
    for episode in range(6):
        feed(whole, episode)
        feed(first if episode < 2 else second, episode)
    for mine, other in zip(first, second):
        mine.merge(other)  # type: ignore[attr-defined]
    for merged, wanted in zip(readings(first), readings(whole)):
        np.testing.assert_allclose(
            [merged.value, merged.low, merged.high],  # type: ignore[attr-defined]
            [wanted.value, wanted.low, wanted.high],  # type: ignore[attr-defined]
            rtol=1e-9,
        )


def test_only_what_fits_is_merged_or_added() -> None:
    with pytest.raises(ValueError, match='merge'):
        EpisodeSums((2,)).merge(EpisodeSums((3,)))
    with pytest.raises(ValueError, match='cannot take'):
        EpisodeSums((2,)).add(0, np.zeros(3))


def test_intervals_are_those_of_a_bootstrap_over_episodes(rng: np.random.Generator) -> None:
    means = EpisodeMeans(['x'])
    values = rng.normal(size=100)
    for episode, value in enumerate(values):
        means.add(episode, x=np.full(10, value))  # ten frames are not ten episodes
    found = means.mean('x')
    assert found.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / 10.0
    assert found.high - found.low == pytest.approx(2 * half, rel=0.25)


@pytest.mark.parametrize(
    'reading',
    [
        lambda: EpisodeMeans(['x']).mean('x').value,
        lambda: RankCorrelation(unit_edges(4), unit_edges(4)).correlation().value,
        lambda: Separation(0.0, 1.0).area().value,
    ],
)
def test_nothing_counted_is_not_a_number(reading: Callable[[], float]) -> None:
    assert np.isnan(reading())
