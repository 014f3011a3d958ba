# SPDX-License-Identifier: Apache-2.0
"""Parts of the planner by name: ours by a word, anybody's by `package.module:attribute`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Generic, TypeVar, cast

from vidplan_core.errors import ConfigError

T = TypeVar('T')


@dataclass(frozen=True)
class Registry(Generic[T]):
    """What a configuration may name.

    Attributes:
        kind: what is registered, in the singular, for messages.
        known: by name, in the order in which they are listed and used.
    """

    kind: str
    known: Mapping[str, T]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def find(self, name: str) -> T:
        """Return what has a name.

        Raises:
            ConfigError: nothing has it, or what `module:attribute` names cannot be imported.
        """
        if name in self.known:
            return self.known[name]
        if ':' in name:
            return self._imported(name)
        near = difflib.get_close_matches(name, list(self.known), n=1, cutoff=0.0)
        raise ConfigError(
            f"no {self.kind} is named '{name}'; did you mean '{near[0]}'? known: "
            f'{", ".join(self.known)}; your own is named my_package.my_module:MyClass'
        )

    def _imported(self, name: str) -> T:
        module, _, attribute = name.partition(':')
        try:
            return cast(T, getattr(import_module(module), attribute))
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(
                f"{self.kind} '{name}' cannot be imported: {error}; the form is "
                'my_package.my_module:MyClass, and the package must be installed'
            ) from error
