# SPDX-License-Identifier: Apache-2.0
"""Services that always answer: with what was asked for, or with a code and the reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from vidplan.ros.diagnostics import DurationMeter

ResponseT = TypeVar('ResponseT', bound=Any)


class ServiceError(Exception):
    """A request that cannot be answered; `code` is one of the service's error codes."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def answer(
    response: ResponseT,
    work: Callable[[], None],
    codes: Mapping[type[Exception], int],
    meter: DurationMeter,
    logger: Any,
) -> ResponseT:
    """Fill a response by `work`; what it raises becomes error_code and error_msg.

    Args:
        response: with error_code, error_msg and duration_s, and the codes NONE and INTERNAL.
        work: fills the rest; may raise ServiceError with a code of its own.
        codes: code of every other kind of error that is to be expected; INTERNAL for the rest.
        meter: counts requests that were answered, and their seconds.
        logger: of the node, for errors that nobody expected.
    """
    started_s, kind = time.monotonic(), type(response)
    try:
        work()
    except ServiceError as error:
        response.error_code, response.error_msg = error.code, str(error)
    except tuple(codes) as error:
        response.error_code = next(codes[known] for known in codes if isinstance(error, known))
        response.error_msg = str(error)
    except Exception as error:  # a service must always answer
        response.error_code = kind.INTERNAL
        response.error_msg = f'{type(error).__name__}: {error}'
        logger.error(f'{work.__name__}: {response.error_msg}')
    response.duration_s = time.monotonic() - started_s
    if response.error_code == kind.NONE:
        meter.add(response.duration_s)
    return response
