"""Paths in plain data, as tuples of keys and indices, and as text: `spec.servers[1].port`."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from extcp_manifests.errors import Path

_SIMPLE_KEY = re.compile(r'[^.\["\]]+')
_PART = re.compile(rf"\.?({_SIMPLE_KEY.pattern})|\[([0-9]+)\]|\[(\"(?:[^\"\\]|\\.)*\")\]")


def parsed_path(text: str) -> Path:
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            raise KeyError(text)
        position = part.end()
        key, index, quoted = part.groups()
        try:
            parts.append(key if key is not None else int(index) if index is not None else json.loads(quoted))
        except ValueError:
            raise KeyError(text) from None
    return tuple(parts)


def before_lists(path: Path) -> Path:
    """Return a path as far as it goes through mappings alone."""
    for number, part in enumerate(path):
        if isinstance(part, int):
            return path[:number]
    return path


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield each value that is not a list or mapping with something in it, and its path."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value
