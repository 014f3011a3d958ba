# SPDX-License-Identifier: Apache-2.0
"""The parser of the command line: it says in one line what was wrong."""

from __future__ import annotations

import argparse
import re
import sys
from difflib import get_close_matches
from typing import NoReturn

EXIT_USAGE = 2


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with the nearest right word."""

    def error(self, message: str) -> NoReturn:
        """Tell the error and leave with status 2."""
        words = ' '.join(message.split())
        words = _shorter(words) + self._hint(words)
        print(f'{self.prog}: {words} (see {self.prog} --help)', file=sys.stderr)
        raise SystemExit(EXIT_USAGE)

    def parse_args(  # type: ignore[override]
        self, args: list[str], namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse; the command says what is left over."""
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            self._deepest(args).error(f'unrecognized arguments: {" ".join(rest)}')
        return found

    def _deepest(self, words: list[str]) -> OneLineParser:
        """Return the parser of the command and its action that the words name."""
        parser: OneLineParser = self
        for word in words:
            parser = parser._commands().get(word, parser)
        return parser

    def _commands(self) -> dict[str, OneLineParser]:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return dict(action.choices)
        return {}

    def _hint(self, message: str) -> str:
        """Name the known word that is nearest to the unknown one."""
        unknown = re.search(r"invalid choice: '([^']*)'|unrecognized arguments: (\S+)", message)
        if unknown is None:
            return ''
        word = (unknown[1] or unknown[2] or '').partition('=')[0]
        known = [*self._option_string_actions, *self._commands()]
        known += [str(c) for action in self._actions for c in action.choices or ()]
        near = get_close_matches(word, known, 1)
        return f'; did you mean {near[0]}?' if near else ''


def _shorter(message: str) -> str:
    """Take the quotes out of a list of choices, which is long enough."""
    head, listed, choices = message.partition('(choose from ')
    return head + listed + choices.replace("'", '')
