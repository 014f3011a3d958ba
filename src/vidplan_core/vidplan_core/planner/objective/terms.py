# SPDX-License-Identifier: Apache-2.0
"""Terms by name, and the list of them that a configuration weighs."""

from __future__ import annotations

from collections.abc import Callable

from vidplan_core.errors import ConfigError
from vidplan_core.planner.objective.centring import CentringTerm
from vidplan_core.planner.objective.distance import DistanceTerm
from vidplan_core.planner.objective.relevancy import RelevancyTerm
from vidplan_core.planner.objective.term import Term
from vidplan_core.planner.objective.value import ValueTerm
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.registry import Registry

TERMS: Registry[type[Term]] = Registry(
    'term',
    {
        'relevancy': RelevancyTerm,
        'centring': CentringTerm,
        'distance': DistanceTerm,
        'value': ValueTerm,
    },
)


def build_terms(parts: PlannerParts) -> dict[str, Term]:
    """Every term that has a weight and that these models can say, ours first.

    Raises:
        ConfigError: an unknown term, or none is left.
    """
    weights = parts.config.weights
    ours = [name for name in TERMS if name in weights]
    names = [*ours, *sorted(weights.keys() - set(ours))]
    terms = {name: _term(name)(weights[name], parts) for name in names}
    found = {name: term for name, term in terms.items() if term is not None}
    if not found:
        raise ConfigError(f'weights is {dict(weights)}: no term is left that these models can say')
    return found


def _term(name: str) -> Callable[[float, PlannerParts], Term | None]:
    found = TERMS.find(name)
    if not (isinstance(found, type) and issubclass(found, Term)):
        raise ConfigError(f"term '{name}' is {found!r}; it must be a subclass of {Term.__name__}")
    return found.build
