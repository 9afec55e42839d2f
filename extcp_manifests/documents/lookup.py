"""Reading of plain data whose shape nobody has checked: whatever is missing or has another type reads as nothing.

Rules ask here some hundred times for each document, so a `dict`, and a path of one key, go a short way.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests.errors import Path

MAPPING = (dict, Mapping)
"""What counts as a mapping: `dict` comes first, since asking an abstract class takes several times as long."""

EACH = "*"
"""In a path for `each_at`: every item of a list, and every value of a mapping."""


def at(value: Any, *path: str | int) -> Any:
    """Return the value at a path of keys and indices, or None where the data has another shape."""
    for key in path:
        if type(value) is dict and type(key) is str:  # as nearly always
            value = value.get(key)
        elif value is None:
            return None
        elif isinstance(key, str):
            value = value.get(key) if isinstance(value, MAPPING) else None
        else:
            items = items_of(value)
            value = items[key] if key < len(items) else None
    return value


def items_of(value: Any, *path: str | int) -> Sequence[Any]:
    """Return the list or tuple at a path, or an empty one."""
    for key in path:
        value = value.get(key) if type(value) is dict else at(value, key)
    return value if isinstance(value, list | tuple) else ()


def mapping_of(value: Any, *path: str | int) -> Mapping[str, Any]:
    """Return the mapping at a path, or an empty one."""
    for key in path:
        value = value.get(key) if type(value) is dict else at(value, key)
    if type(value) is dict:
        return value
    return value if value is not None and isinstance(value, MAPPING) else {}


def text_of(value: Any, *path: str | int) -> str:
    """Return the text at a path, or an empty one."""
    for key in path:
        value = value.get(key) if type(value) is dict else at(value, key)
    return value if isinstance(value, str) else ""


def copied(value: Any) -> Any:
    """Return a copy of plain data in which no mapping or list is at two places, as YAML's aliases would have it."""
    if isinstance(value, str | int):  # as most are
        return value
    if isinstance(value, MAPPING):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return tuple(map(copied, value)) if isinstance(value, tuple) else value


def each_at(value: Any, path: Path, place: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value at a path in which EACH may occur, with the place where it is; null is as good as missing.

    `place` is where the value itself is; the places begin with it.
    """
    for position, key in enumerate(path):
        if key == EACH:
            above, rest = (*place, *path[:position]), path[position + 1 :]
            for name, item in mapping_of(value).items():
                yield from each_at(item, rest, (*above, name))
            for index, item in enumerate(items_of(value)):
                yield from each_at(item, rest, (*above, index))
            return
        value = at(value, key)
        if value is None:
            return
    if value is not None:
        yield (*place, *path), value
