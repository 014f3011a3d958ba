# SPDX-License-Identifier: Apache-2.0
"""Independent pieces of work over processes of this machine or of a Ray cluster.

What a process needs is loaded once, by a `start` that travels to it; results come back as they
are ready, and every piece is computed in the same way wherever it runs.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from vidplan_core.errors import ConfigError, VidPlanError

Piece = TypeVar('Piece')
Result = TypeVar('Result')
Start = Callable[[], Callable[[Piece], Result]]

_work: Callable[[Any], Any] | None = None


class WorkerDiedError(VidPlanError):
    """A process of an evaluation was killed."""

    code = 'WORKER_DIED'


def share_out(
    start: Start[Piece, Result], pieces: Sequence[Piece], workers: int, ray: str = ''
) -> Iterator[Result]:
    """Yield the result of every piece, in the order in which they are ready.

    Args:
        start: called once in every process; returns what computes a piece. Must be picklable,
            as all pieces and results.
        pieces: of work.
        workers: processes; 1 works in this one.
        ray: address of a Ray cluster, 'auto' or 'local'; '' for processes of this machine.

    Raises:
        ConfigError: Ray is asked for and not installed, or does not answer.
        WorkerDiedError: a process was killed.
    """
    if ray:
        return _on_ray(start, pieces, workers, ray)
    if workers == 1:
        return map(start(), pieces)
    return _in_processes(start, pieces, workers)


def _in_processes(
    start: Start[Piece, Result], pieces: Sequence[Piece], workers: int
) -> Iterator[Result]:
    context = multiprocessing.get_context('spawn')
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(start,))
    try:
        for future in as_completed([pool.submit(_compute, piece) for piece in pieces]):
            yield future.result()
    except BrokenProcessPool as error:
        raise WorkerDiedError(
            f'a process could not start or was killed, for example for memory: see above, or use '
            f'fewer than {workers} workers'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(start: Start[Any, Any]) -> None:
    global _work
    import torch

    torch.set_num_threads(1)
    _work = start()


def _compute(piece: Any) -> Any:
    assert _work is not None
    return _work(piece)


class _RayWorker:
    """A process of the cluster."""

    def __init__(self, start: Start[Any, Any]) -> None:
        _begin(start)

    def compute(self, piece: Any) -> Any:
        return _compute(piece)


def _on_ray(
    start: Start[Piece, Result], pieces: Sequence[Piece], workers: int, address: str
) -> Iterator[Result]:
    try:
        import ray
        from ray.util import ActorPool
    except ImportError as error:
        raise ConfigError(
            f'--ray needs the package ray, which cannot be imported ({error}): install it on this '
            'machine and on the cluster, or leave --ray out and use --workers'
        ) from None
    try:
        ray.init(address=address, log_to_driver=False, ignore_reinit_error=True)
    except Exception as error:  # Ray has no class of its own for this
        raise ConfigError(f"no Ray cluster answers at '{address}': {error}") from None
    try:
        actor = ray.remote(_RayWorker)
        pool = ActorPool([actor.remote(start) for _ in range(workers)])
        yield from pool.map_unordered(lambda one, piece: one.compute.remote(piece), pieces)
    except ray.exceptions.RayActorError as error:
        words = f"a worker of the Ray cluster at '{address}' died: {error}"
        raise WorkerDiedError(words) from error
    finally:
        ray.shutdown()
