"""What is lost where a later file takes the place of an earlier one's list or mapping.

A value that another one overrides is what people mean when they lay one file over another. Entries that go because
their list or mapping was replaced as a whole are not, so they are told.
"""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from extcp_manifests.errors import Path, Problem, path_text


@dataclass(frozen=True, slots=True)
class Dropped:
    """Entries of a list or a mapping that a later file or flag took away by replacing it."""

    place: Path
    """The list or the mapping."""
    kind: Literal["list", "mapping"]
    items: tuple[str, ...]
    """What was lost, in short: names where entries have names, and what an entry of the same name no longer has."""
    by: str
    """The file or the flag that replaced it."""
    of: tuple[str, ...]
    """The files, or the flags, that had said it."""
    line: int | None = None
    """The line in the later file, where that is a text."""

    @property
    def path(self) -> str:
        """The place as text."""
        return path_text(self.place)

    @property
    def problem(self) -> Problem:
        """What to tell people, with the way out."""
        shown = ", ".join(self.items[:_MOST_ITEMS])
        if len(self.items) > _MOST_ITEMS:
            shown = f"{shown} and {len(self.items) - _MOST_ITEMS} more"
        way_out = _WAYS_OUT.get(self.path, "repeat them where they are to stay")
        return Problem(
            self.place,
            f"replaces the {self.kind} of {' and '.join(self.of)} and drops {shown}: {way_out}",
            self.by,
            self.line,
        )

    def __str__(self) -> str:
        return str(self.problem)


_MOST_ITEMS = 10


# Settings of the same meaning that merge, since they are mappings.
_WAYS_OUT = {"spec.components.pilot.k8s.env": "use spec.values.pilot.env, or repeat them"}


@dataclass(frozen=True, slots=True)
class Loss:
    """A list or a mapping that lost entries, before it is known whose they were."""

    path: Path
    kind: Literal["list", "mapping"]
    items: tuple[str, ...]


def losses(before: Any, after: Any, over: Any = None, path: Path = ()) -> Iterator[Loss]:
    """Yield each list and mapping of `before` that has lost entries in `after`, which `over` was merged into.

    A scalar that `over` deletes with null is not lost, since nothing else can be meant.
    """
    if isinstance(before, Mapping) and before:
        if not isinstance(after, Mapping):
            yield Loss(path, "mapping", tuple(before))
            return
        gone = [key for key in before if key not in after and not _is_deleted(key, before, over)]
        if gone:
            yield Loss(path, "mapping", tuple(gone))
        for key, value in before.items():
            if key in after:
                yield from losses(value, after[key], _below(over, key), (*path, key))
    elif _is_list(before) and before:
        items = tuple(_lost_items(before, after if _is_list(after) else ()))
        if items:
            yield Loss(path, "list", items)


def _is_deleted(key: str, before: Mapping[str, Any], over: Any) -> bool:
    is_scalar = not (isinstance(before[key], Mapping) or _is_list(before[key]))
    return is_scalar and isinstance(over, Mapping) and key in over and over[key] is None


def _below(over: Any, key: str) -> Any:
    return over.get(key) if isinstance(over, Mapping) else None


def _lost_items(before: Sequence[Any], after: Sequence[Any]) -> Iterator[str]:
    """Yield what a list has lost; an entry that comes back equal is not lost."""
    there = {identity(item): item for item in after}
    for item in before:
        key = identity(item)
        if key not in there:
            yield _label(item)
        elif isinstance(item, Mapping) and item != there[key]:
            for lost in _lost_keys(item, there[key]):
                yield f"{_label(item)}.{lost}"


def _lost_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an entry no longer has, now that another one of its name stands there."""
    for key, value in before.items():
        other = after.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            for lost in _lost_keys(value, other):
                yield f"{key}.{lost}"
        elif _is_list(value) and _is_list(other):
            for lost in _lost_items(value, other):
                yield f"{key}[{lost}]"
        elif other is None and value is not None:
            yield key


# What people call the entries of a list by, the first that an entry has.
_NAMES = (("kind", "name"), ("mountPath",), ("name",), ("address",), ("secretName",))


def identity(item: Any) -> Hashable:
    """Return what makes an entry of a list the same one in another list: its name, or all of it."""
    if isinstance(item, Mapping):
        for keys in _NAMES:
            names = tuple(item.get(key) for key in keys)
            if all(isinstance(name, str) for name in names):
                return keys, names
    return json.dumps(item, sort_keys=True, default=_plain)


def _label(item: Any) -> str:
    """Return an entry in short."""
    if isinstance(item, str):
        return item
    if isinstance(item, Mapping):
        for keys in (*_NAMES, ("path",)):  # the patches of an overlay are told by their paths, which may stand twice
            if all(isinstance(item.get(key), str) for key in keys):
                return " ".join(item[key] for key in keys)
    text = json.dumps(item, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_LABEL else f"{text[:_LONGEST_LABEL]}..."


_LONGEST_LABEL = 40


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)
