# SPDX-License-Identifier: Apache-2.0
"""Measures the engine: milliseconds, arithmetic, memory, recompilations, waits for the GPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from math import prod
from time import process_time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from vidplan_core.metrics.intervals import bootstrap_interval
from vidplan_eval.speed.engine import Engine
from vidplan_eval.speed.timing import Effort, Stage, measure, peak_memory_mb, wait

Row = dict[str, Any]
OnStage = Callable[[str, Row, Row], None]


def bench_engine(
    engine: Engine,
    effort: Effort,
    prepare: Callable[[], None],
    report: OnStage,
    only: tuple[str, ...] = (),
) -> Row:
    """Measure every stage.

    Args:
        engine: with the model as it is loaded.
        effort: per stage.
        prepare: changes the model before anything is timed, for example compiles it.
        report: called with the name and the row of every stage that is done, and with all that
            is measured so far.
        only: names of stages, all where empty.
    """
    chosen = [(path, stage) for path, stage in engine.stages() if not only or path[0] in only]
    # Arithmetic is counted on the modules as they are: compiled ones hide it.
    tflop = {path: _counted(stage) for path, stage in chosen}
    prepare()
    result: Row = {'recompilations': 0}
    for path, stage in chosen:
        row = _row(stage, effort, engine.device, tflop[path])
        result['recompilations'] += row.pop('recompilations', 0)
        _place(result, path, row)
        result['peak_memory_mb'] = peak_memory_mb(engine.device)
        report('.'.join(path), row, result)
    return result


def share_of_reference(engine: Engine, batch: int, runs: int) -> Row:
    """Processor time of a batch as it is planned, of that of the plain loop, on one thread.

    One after the other, again and again, so that a machine that grows busy slows both down.

    Args:
        engine: with a reference loop, on a CPU.
        batch: candidates.
        runs: pairs, after one that is not counted.
    """
    pairs = [
        (_processor_s(partial(engine.as_planned, batch)), _processor_s(engine.one_by_reference))
        for _ in range(runs + 1)
    ][1:]
    shares = [planned / (batch * plain) for planned, plain in pairs]
    return {'share': sum(shares) / runs, 'interval': bootstrap_interval(shares), 'runs': runs}


def _processor_s(stage: Stage) -> float:
    began = process_time()
    stage()
    return process_time() - began


def _counted(stage: Stage) -> float | None:
    """A stage's arithmetic; None where there is too little memory for it."""
    try:
        return count_tflop(stage)
    except torch.OutOfMemoryError:
        return None


def _row(stage: Stage, effort: Effort, device: torch.device, tflop: float | None) -> Row:
    """A stage's row, which says so where the device's memory does not suffice."""
    try:
        if tflop is None:
            raise torch.OutOfMemoryError
        row = _measure(stage, effort, device)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return {'error': 'out of memory'}
    return {**row, 'tflop': tflop, 'tflop_per_s': 1e3 * tflop / row['ms_p50']}


def count_tflop(stage: Stage) -> float:
    """Multiplications and additions of one run of a stage, in 10^12."""
    with FlopCounterMode(display=False, custom_mapping=_CPU_ATTENTION) as counter:
        stage()
    return float(counter.get_total_flops()) / 1e12


def graphs_compiled() -> int:
    """Number of graphs that torch.compile has made in this process so far."""
    from torch._dynamo.utils import counters

    return int(counters['stats'].get('unique_graphs', 0))


def waits_for_device(stage: Stage, device: torch.device) -> int | None:
    """How often one run of a stage makes the host wait for the GPU; None on a CPU."""
    if device.type != 'cuda':
        return None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            stage()
        finally:
            torch.cuda.set_sync_debug_mode('default')
    return sum('synchroniz' in str(warning.message) for warning in caught)


def _measure(stage: Stage, effort: Effort, device: torch.device) -> Row:
    """Times, and how many graphs were compiled after the warm-up."""
    for _ in range(effort.warm_up):
        stage()
    wait(device)
    waits = waits_for_device(stage, device)
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
    before = graphs_compiled()
    seconds = measure(stage, Effort(effort.repeats, 0, effort.limit_s), device)
    row: Row = {
        'ms_p50': 1e3 * seconds['p50_s'],
        'ms_p99': 1e3 * seconds['p99_s'],
        'count': seconds['count'],
        'recompilations': graphs_compiled() - before,
    }
    if device.type == 'cuda':
        row['peak_memory_mb'] = torch.cuda.max_memory_allocated(device) / 1e6
        row['waits_for_device'] = waits
    return row


def _place(result: Row, path: tuple[str, ...], row: Row) -> None:
    for name in path[:-1]:
        result = result.setdefault(name, {})
    result[path[-1]] = row


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """Of softmax(q k) v, shapes (batch, heads, tokens, width): two products."""
    *batch, queries, width = query
    return 2 * prod(batch) * queries * key[-2] * (width + value[-1])


def _attention_backward(_: Any, query: Any, key: Any, value: Any, *__: Any, **___: Any) -> int:
    """Five products: the scores again, and the gradients of scores, values, queries, keys."""
    *batch, queries, width = query
    return 2 * prod(batch) * queries * key[-2] * (3 * width + 2 * value[-1])


# PyTorch counts the attention kernels of GPUs only.
_ATEN = torch.ops.aten
_CPU_ATTENTION = {
    _ATEN._scaled_dot_product_flash_attention_for_cpu: _attention,
    _ATEN._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}
