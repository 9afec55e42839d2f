"""Paths in plain data: read from text such as `spec.servers[1].port`, shortened, and listed.

A path is a tuple of keys and indices (`errors.Path`); `errors.path_text` writes it as text.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from extcp_manifests.errors import Path
from extcp_manifests.patterns import pattern

# One step of a path: a key, behind a dot unless it comes first, an index in brackets, or a quoted key in brackets.
_STEP = pattern(r'\.?(?P<key>[^.\["\]]+)|\[(?P<index>[0-9]+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]')


def parsed_path(text: str) -> Path:
    """Return the path that `errors.path_text` writes as this text. Raises KeyError for any other text."""
    path: list[str | int] = []
    position = 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise KeyError(text)
        try:
            path.append(_part(step))
        except ValueError:
            raise KeyError(text) from None
        position = step.end()
    return tuple(path)


def _part(step: re.Match[str]) -> str | int:
    """Return the key or index of a step. Raises ValueError for a quoted key that is not JSON, or an endless index."""
    if step["key"] is not None:
        return step["key"]
    if step["index"] is not None:
        return int(step["index"])
    key: str = json.loads(step["quoted"])
    return key


def before_lists(path: Path) -> Path:
    """Return a path as far as it goes through mappings alone."""
    for number, part in enumerate(path):
        if isinstance(part, int):
            return path[:number]
    return path


def leaves(value: Any, path: Path = (), *, whole_lists: bool = False) -> Iterator[tuple[Path, Any]]:
    """Yield each value that holds no others, and its path: scalars, and mappings and lists with nothing in them.

    With `whole_lists` a list is a leaf itself, whatever it holds. `path` is where the value is.
    """
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key), whole_lists=whole_lists)
    elif isinstance(value, list | tuple) and value and not whole_lists:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value
