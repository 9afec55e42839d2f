"""Reading of plain data whose shape nobody has checked."""

from collections.abc import Mapping, Sequence
from typing import Any


def list_at(value: Any, key: str) -> Sequence[Any]:
    """The items of a list of a mapping; a list that is missing or null has none."""
    return (value or {}).get(key) or () if isinstance(value, Mapping) else ()


def texts_at(value: Any, key: str) -> list[str]:
    """The texts of a list of a mapping, without what is not text, which is told elsewhere."""
    return [item for item in list_at(value, key) if isinstance(item, str)]


# ----------------------------------------------------------------------------------------------------------- plain data


def at(value: Any, *path: str | int) -> Any:
    """Return the value at a path of keys and indices, or None where the data has another shape."""
    for key in path:
        if isinstance(key, str):
            value = value.get(key) if isinstance(value, Mapping) else None
        else:
            items = items_of(value)
            value = items[key] if key < len(items) else None
    return value


def items_of(value: Any) -> Sequence[Any]:
    """Return a list or tuple as it is, and nothing for any other value."""
    return value if isinstance(value, list | tuple) else ()


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, and an empty one for any other value."""
    return value if isinstance(value, Mapping) else {}


def text_of(value: Any) -> str:
    """Return a text as it is, and the empty one for any other value."""
    return value if isinstance(value, str) else ""
