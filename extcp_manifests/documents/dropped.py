"""What is lost where a later file replaces an earlier one's list or mapping.

People who lay one file over another mean a value to override another one. They seldom mean the entries that go because
their list or mapping is replaced as a whole, so these are reported.
"""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeGuard

from extcp_manifests.documents.lookup import at, items_of
from extcp_manifests.errors import Path, Problem, path_text
from extcp_manifests.records import Record


class Dropped(Record):
    """Entries of a list or a mapping that a later file or flag took away by replacing it."""

    place: Path
    """The list or the mapping."""
    kind: Literal["list", "mapping"]
    items: tuple[str, ...]
    """What was lost, in short: the names of entries that have names, and what an entry of the same name no longer has.
    """
    by: str
    """The file or the flag that replaced it."""
    of: tuple[str, ...]
    """The files or the flags that had set it."""
    line: int | None = None
    """The line in the later file, where that is a text."""

    @property
    def path(self) -> str:
        """The place as text."""
        return path_text(self.place)

    @property
    def problem(self) -> Problem:
        """The loss as a problem of the later file, with the way out."""
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


# Lists that have a mapping of the same meaning elsewhere, whose entries merge.
_WAYS_OUT = {"spec.components.pilot.k8s.env": "use spec.values.pilot.env, or repeat them"}


class Loss(Record):
    """A list or a mapping that lost entries; whose they were is found out by the caller."""

    path: Path
    kind: Literal["list", "mapping"]
    items: tuple[str, ...]


def losses(before: Any, after: Any, over: Any = None, path: Path = ()) -> Iterator[Loss]:
    """Yield each list and mapping of `before` that has lost entries in `after`.

    `over` is what was merged into `before` to make `after`. A scalar that it deletes with null is not lost, since
    nothing else can be meant.
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
                yield from losses(value, after[key], at(over, key), (*path, key))
    elif _is_list(before):
        items = tuple(_lost_items(before, items_of(after)))
        if items:
            yield Loss(path, "list", items)


MISSING: Any = object()
"""Stands for the value of a key or an index that is not there."""


class Change(Record):
    """A value of a tree that was set, replaced or removed in place."""

    place: Path
    before: Any
    """The value that was there, or MISSING."""


def losses_of_change(tree: Any, change: Change) -> Iterator[Loss]:
    """Yield what a tree lost by a change that was made last, without a look at the rest of the tree."""
    yield from losses(change.before, value_at(tree, change.place), path=change.place)


def value_at(tree: Any, place: Path) -> Any:
    """Return the value at a place of which all but the last part is there, or MISSING."""
    *above, last = place
    parent = at(tree, *above)
    if isinstance(parent, Mapping):
        return parent.get(last, MISSING)
    items = items_of(parent)
    return items[last] if isinstance(last, int) and last < len(items) else MISSING


def _is_deleted(key: str, before: Mapping[str, Any], over: Any) -> bool:
    """Return whether a scalar of `before` is null in `over`."""
    if isinstance(before[key], Mapping) or _is_list(before[key]):
        return False
    return isinstance(over, Mapping) and key in over and over[key] is None


def _lost_items(before: Sequence[Any], after: Sequence[Any]) -> Iterator[str]:
    """Yield what a list has lost: entries that are gone, and what is gone from entries of the same name."""
    kept = {identity(item): item for item in after}
    for item in before:
        key = identity(item)
        if key not in kept:
            yield _label(item)
        elif isinstance(item, Mapping) and item != kept[key]:
            for lost in _lost_keys(item, kept[key]):
                yield f"{_label(item)}.{lost}"


def _lost_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an entry no longer has, now that another one of its name is in its place."""
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


# The keys that people call the entries of a list by; the first that an entry has counts.
_NAMES = (("kind", "name"), ("mountPath",), ("name",), ("address",), ("secretName",))


def identity(item: Any) -> Hashable:
    """Return what an entry of a list has in common with the same entry of another list: its name, else all of it."""
    names = _names(item) if isinstance(item, Mapping) else None
    return json.dumps(item, sort_keys=True, default=_plain) if names is None else names


def _names(item: Mapping[str, Any]) -> Hashable:
    """Return the keys and the names that an entry is known by, or None."""
    for keys in _NAMES:
        names = tuple(item.get(key) for key in keys)
        if all(isinstance(name, str) for name in names):
            return keys, names
    return None


def _label(item: Any) -> str:
    """Return what to call an entry in a message."""
    if isinstance(item, str):
        return item
    if isinstance(item, Mapping):
        # Two patches of an overlay may have the same path, so that it is no identity, but people know them by it.
        for keys in (*_NAMES, ("path",)):
            if all(isinstance(item.get(key), str) for key in keys):
                return " ".join(item[key] for key in keys)
    text = json.dumps(item, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_LABEL else f"{text[:_LONGEST_LABEL]}..."


_LONGEST_LABEL = 40


def _plain(value: Any) -> Any:
    """Return what JSON cannot hold as something that it can."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)
