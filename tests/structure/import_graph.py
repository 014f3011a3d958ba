# SPDX-License-Identifier: Apache-2.0
"""Who imports whom, read from the sources: by module, and by the rooms that modules live in.

Every import counts, wherever it stands. One inside a function runs later than the others, and one
under TYPE_CHECKING never, yet both say that the importer knows the imported: a reader who follows
them walks in a circle all the same. Modules that are named by strings alone do not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.structure.tree import parse

# Dotted names and the dotted names that they import.
Graph = dict[str, set[str]]

# Rooms of a package from the lowest level to the highest; those of one level are apart.
Levels = Sequence[Sequence[str]]


def sources(packages: Mapping[str, Path]) -> dict[str, Path]:
    """Dotted name and file of every module of packages; a package's name is its `__init__`."""
    found = {}
    for package, folder in packages.items():
        for path in sorted(folder.rglob('*.py')):
            parts = (package, *path.relative_to(folder).with_suffix('').parts)
            found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Dotted names that a file imports, wherever in the file it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = '.' * node.level + (node.module or '')
            yield from (f'{prefix}.{alias.name}' for alias in node.names)


def import_graph(packages: Mapping[str, Path]) -> Graph:
    """Imports among the modules of packages."""
    files = sources(packages)
    graph: Graph = {}
    for module, path in files.items():
        found = (_module_of(name, files) for name in imported_names(parse(path)))
        graph[module] = {name for name in found if name is not None and name != module}
    return graph


def rooms(graph: Graph, folder: str) -> Graph:
    """Imports among what lies in a folder: its modules, and its folders as wholes."""
    inside: Graph = {}
    for module, imported in graph.items():
        room = room_of(module, folder)
        if room is None:
            continue
        others = {room_of(name, folder) for name in imported} - {None, room}
        inside.setdefault(room, set()).update(str(other) for other in others)
    return inside


def room_of(module: str, folder: str) -> str | None:
    """What lies in a folder and holds a module; None for modules elsewhere."""
    if not module.startswith(f'{folder}.'):
        return None
    return f'{folder}.{module.removeprefix(f"{folder}.").partition(".")[0]}'


def folders(graph: Graph) -> list[str]:
    """All that holds modules, packages first."""
    found = {module.rpartition('.')[0] for module in graph} - {''}
    parents = {name.rpartition('.')[0] for name in found} - {''}
    return sorted(found | parents)


def cycles(graph: Graph) -> list[list[str]]:
    """Names that reach each other, sorted; a circle of any length makes one entry."""
    reach = {name: _reachable(name, graph) for name in graph}
    circles = {
        tuple(sorted(other for other in reach[name] if name in reach.get(other, ())))
        for name in graph
        if name in reach[name]
    }
    return sorted(list(circle) for circle in circles)


def arrows(graph: Graph, importing: str, imported: str) -> list[str]:
    """The imports by which one room knows another, in words."""
    return [
        f'{module} imports {name}'
        for module, names in sorted(graph.items())
        for name in sorted(names)
        if f'{module}.'.startswith(f'{importing}.') and f'{name}.'.startswith(f'{imported}.')
    ]


def room_circles(graph: Graph) -> list[str]:
    """Circles among the rooms of every folder, with the imports that close them."""
    found = []
    for folder in folders(graph):
        inside = rooms(graph, folder)
        for circle in cycles(inside):
            among = [arrow for a in circle for b in circle if a != b for arrow in
                     arrows(graph, a, b)]  # fmt: skip
            found.append(f'{" <-> ".join(circle)}: {"; ".join(among)}')
    return found


def upward(graph: Graph, package: str, levels: Levels) -> list[str]:
    """Imports of a package from a room to one that is not below it, or that has no level."""
    heights = {f'{package}.{room}': i for i, level in enumerate(levels) for room in level}
    found = []
    for room, others in sorted(rooms(graph, package).items()):
        if room not in heights:
            found.append(f'{room} has no level: give it one in LEVELS')
            continue
        for other in sorted(others):
            if heights.get(other, -1) >= heights[room]:
                found += arrows(graph, room, other)
    return found


def _module_of(name: str, files: Mapping[str, Path]) -> str | None:
    """The module that a dotted name belongs to; None for what is not ours."""
    while name and name not in files:
        name = name.rpartition('.')[0]
    return name or None


def _reachable(start: str, graph: Graph) -> set[str]:
    """All that can be reached from a name along imports, itself only in a circle."""
    found: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph.get(name, ())
    return found
