# SPDX-License-Identifier: Apache-2.0
"""Numbers as words: no rate without its count and its exact interval."""

from __future__ import annotations

from vidplan_core.metrics.intervals import exact_interval

NOTHING = '-'


def rate_words(count: int, of: int) -> str:
    """A rate, such as '7 of 10: 70 % [35, 93]'; the brackets hold its exact 95 % interval."""
    if not of:
        return NOTHING
    low, high = exact_interval(count, of)
    return f'{count} of {of}: {count / of:.0%}'.replace('%', ' %') + _brackets(low, high)


def difference_words(difference: float, low: float, high: float) -> str:
    """A difference of rates in points, such as '+12 points [3, 21]'."""
    return f'{100 * difference:+.0f} points' + _brackets(low, high)


def p_words(p_value: float) -> str:
    """A p value, such as '0.031'; small ones as a bound."""
    return '< 0.0001' if p_value < 1e-4 else f'{p_value:.4f}'.rstrip('0').ljust(4, '0')


def number_words(value: float | None, unit: str = '', digits: int = 2) -> str:
    """A number with its unit; what nobody measured is a dash."""
    return NOTHING if value is None else f'{value:.{digits}f} {unit}'.rstrip()


def _brackets(low: float, high: float) -> str:
    return f' [{100 * low:.0f}, {100 * high:.0f}]'
