"""Paths of patches and `--set` flags as istioctl reads them, such as `spec.containers.[name:istiod].env`, and writing.

Source: istio 1.15.7 to 1.30.3: operator/pkg/tpath/tree.go, operator/pkg/util/path.go, which patches use in every
release, and `--set` up to 1.23.
"""

import json
import posixpath
import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, TypeAlias

from extcp_manifests import yaml
from extcp_manifests.documents.dropped import MISSING, Change
from extcp_manifests.documents.lookup import at, copied
from extcp_manifests.errors import InvalidInput, Path
from extcp_manifests.istio.rules import go_regex
from extcp_manifests.patterns import pattern
from extcp_manifests.records import Record


class PatchError(Exception):
    """A patch that istioctl cannot apply; the text is the sentence."""


# ---------------------------------------------------------------------------------------------------- paths and values

SELECTOR = pattern(r"\[.*\]", re.DOTALL)
KEY_AND_VALUE = pattern(r"([A-Za-z0-9_-]+):((?:[^:\\]|\\.)*)", re.DOTALL)


def split_path(path: str) -> list[str]:
    """Return the pieces of a path: keys, and selectors in brackets.

    As in istioctl the path is cleaned like a file's first (`//`, `x/../`), `\\.` is a dot that does not split, and one
    selector may follow a key directly.
    """
    if not path:
        return []
    cleaned = posixpath.normpath(re.sub("^//+", "/", path)).removeprefix(".")
    if cleaned.endswith(".") and not cleaned.endswith("\\."):
        cleaned = cleaned[:-1]
    pieces: list[str] = []
    for escaped in re.split(r"(?<!\\)\.", cleaned):
        piece = escaped.replace("\\.", ".")
        bracket = piece.find("[")
        if bracket > 0 and piece.endswith("]"):
            pieces += [piece[:bracket], piece[bracket:]]
        elif piece:
            pieces.append(piece)
    return pieces


def index_of(piece: str) -> int | None:
    """Return the number of a selector such as `[100]` or `[-1]`, or None for any other piece."""
    number = re.fullmatch(r"\[([-+]?[0-9]{1,18})\]", piece)
    return int(number[1]) if number else None


def matches_pattern(selector: str, item: Any) -> bool:
    """Return whether a selector that is a pattern selects an item. Raises PatchError for a mapping."""
    pattern = selector.removeprefix(":")
    if isinstance(item, dict) or not pattern:
        raise PatchError(f"has the selector [{selector}], which selects no mapping: use key:value or a number")
    try:
        found = go_regex.finds(pattern, go_text(item))
    except go_regex.RegexError as error:
        raise PatchError(f"has the pattern {pattern!r}, but {error}") from None
    if found is None:
        problem = "cannot be tried here: install extcp-manifests[re2], or use a text without operators or a number"
        raise PatchError(f"has the pattern {pattern!r}, which {problem}")
    return found


def go_text(value: Any) -> str:
    """Return a value as Go prints it."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return "<nil>"
        case float() if value.is_integer():
            return str(int(value))
        case list():
            return f"[{' '.join(map(go_text, value))}]"
        case _:
            return str(value)


def interpret(value: Any) -> Any:
    """Return what istioctl takes a value for: text that reads as a YAML mapping, but not as JSON, is that mapping."""
    if not isinstance(value, str):
        return value
    looks_like_a_map = ":" in value if "\n" in value else ": " in value
    if not looks_like_a_map or _is_json_object(value):
        return value
    try:
        read, _ = yaml.load_first(value)
    except yaml.NotYaml:
        return value
    except InvalidInput as error:
        problem = f"reads as YAML that istioctl takes in its own way ({error}): give a mapping instead of text"
        raise PatchError(f"has a value that {problem}") from None
    if read is None:
        return {}
    return read if isinstance(read, dict) else value


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


# ------------------------------------------------------------------------------------------------------------- writing


class _Place(Record):
    """How far a path was followed."""

    node: Any
    path: Path
    """The node's place."""
    above: Any = None
    """The node that this one is in."""


class TreeWriter:
    """Writes values at paths of a tree, and notes each change as an operation of a JSON patch (RFC 6902).

    Mappings that a patch inserted are of another type in istioctl than those of the manifest, and follow other rules.
    """

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree
        self.operations: list[dict[str, Any]] = []
        self._changes: list[Change] = []
        self._has_removed = False
        self._nodes = Nodes(go_text)
        self._inserted: dict[int, Any] = {}
        """Inserted mappings by their ids, which stay their own as long as the mappings are kept here."""

    def start_overlay(self) -> None:
        """Go on to a further overlay, to which what the ones before it inserted is part of the manifest."""
        self._inserted = {}

    def start_anew(self, original: Mapping[str, Any]) -> None:
        """Go back to the tree as it was, of which `original` is another copy."""
        if self._has_removed:
            self.tree = copied(original)
            self._nodes = Nodes(go_text)
            self._has_removed = False
        else:
            self._undo()
        self.operations.clear()
        self._changes.clear()

    def treat_as_inserted(self, value: Any) -> None:
        """Treat a value's mappings, on every level, as inserted ones."""
        for mapping in _mappings_in(value):
            self._inserted[id(mapping)] = mapping

    def write_wholly(self, path: str, value: Any) -> list[Change]:
        """Write a value at a path, and return what that changed, in order.

        Raises PatchError for what istioctl cannot do, with the tree as it was.
        """
        self.operations.clear()
        self._changes.clear()
        try:
            self.write(path, value)
        except PatchError:
            self._undo()
            raise
        return list(self._changes)

    def _undo(self) -> None:
        """Take back all noted changes, the last one first; what was removed comes back at another place."""
        for change in reversed(self._changes):
            *above, last = change.place
            node = at(self.tree, *above)
            if isinstance(node, list) and change.before is MISSING:
                self._nodes.delete(node, len(node) - 1)
            elif isinstance(node, list):
                self._nodes.replace(node, int(last), change.before)
            elif change.before is MISSING:
                self._nodes.remove(node, str(last))
            else:
                self._nodes.set(node, str(last), change.before)

    def write(self, path: str, value: Any) -> None:
        """Write a value at a path, where null deletes. Raises PatchError for what istioctl cannot do."""
        pieces = split_path(path)
        if not pieces:
            return
        last = pieces[-1]
        place = _Place(self.tree, ())
        for piece, following in pairwise(pieces):
            if value is None and self._leads_to_nothing(place.node, piece):
                if index_of(last) is not None:
                    raise PatchError(_DELETES_NOTHING)
                return
            place = self._step(place, piece, following)
        if isinstance(place.node, dict):
            self._write_key(place.node, last, value, place.path)
        elif isinstance(place.node, list) and isinstance(place.above, list):
            raise PatchError("writes into a list inside a list, which istioctl cannot: set the whole list")
        elif isinstance(place.node, list):
            self._write_item(place.node, last, value, place.path)
        else:
            raise PatchError(f"goes through a value that is no mapping or list before {last!r}: shorten the path")

    def _step(self, place: _Place, piece: str, following: str) -> _Place:
        """Return the place below one piece of a path, made if it is missing; `following` is the next piece."""
        if isinstance(place.node, dict):
            return self._step_into_mapping(place, piece, following)
        if isinstance(place.node, list):
            return self._step_into_list(place, piece)
        raise PatchError(f"goes through a value that is no mapping or list at {piece!r}: shorten the path")

    def _step_into_mapping(self, place: _Place, key: str, following: str) -> _Place:
        node = place.node
        path = (*place.path, key)
        if node.get(key) is None:
            is_null = key in node
            if is_null and SELECTOR.fullmatch(following):
                raise PatchError(f"selects from {key!r}, which is null: set a list first")
            made = self._made_below(node, following)
            if is_null or self._is_inserted(node):
                self.treat_as_inserted(made)
            self._set(node, path, made)
        return _Place(node[key], path, above=node)

    def _made_below(self, node: dict[str, Any], following: str) -> Any:
        """Return what istioctl makes below a mapping: a list only in an inserted one, and only for an index."""
        index = index_of(following)
        if self._is_inserted(node) and index is not None and index >= -1:
            return []
        return {}

    def _step_into_list(self, place: _Place, selector: str) -> _Place:
        node = place.node
        position = self._nodes.position(node, selector)
        if position == len(node):
            self._append(node, place.path, {})
        return _Place(node[position], (*place.path, position), above=node)

    def _write_key(self, node: dict[str, Any], key: str, value: Any, path: Path) -> None:
        below = (*path, key)
        if value is None:
            if key in node:
                self._remove(node, below)
            return
        read = interpret(value)
        if self._is_inserted(node):
            self._write_inserted_key(node, key, value, read, path)
            return
        self._set(node, below, self._inserting(read))

    def _write_inserted_key(self, node: dict[str, Any], key: str, value: Any, read: Any, path: Path) -> None:
        """Write a value into an inserted mapping, where istioctl misplaces text that reads as a mapping, and lists.

        The first key of such a mapping takes the place of the key itself; a value for a list is appended to it.
        """
        below = (*path, key)
        if isinstance(value, str) and isinstance(read, dict):
            if key in node:
                self._remove(node, below)
            if read:
                first, content = next(iter(read.items()))
                self._set(node, (*path, first), self._inserting(content))
        elif isinstance(node.get(key), list):
            self._append(node[key], below, read)
        else:
            self._set(node, below, self._inserting(read))

    def _write_item(self, node: list[Any], piece: str, value: Any, path: Path) -> None:
        position = self._nodes.position(node, piece)
        if value is None:
            if position == len(node):
                raise PatchError(_DELETES_NOTHING)
            self._has_removed = True
            self._nodes.delete(node, position)
            self._note("remove", (*path, position))
            return
        read = interpret(value)
        if position == len(node):
            self._append(node, path, read)
        else:
            self._changes.append(Change((*path, position), node[position]))
            self._nodes.replace(node, position, self._inserting(read))
            self._note("replace", (*path, position), read)

    def _set(self, node: dict[str, Any], place: Path, value: Any) -> None:
        key = str(place[-1])
        self._changes.append(Change(place, node.get(key, MISSING)))
        self._nodes.set(node, key, value)
        self._note("add", place, value)

    def _append(self, items: list[Any], path: Path, item: Any) -> None:
        """Append an item, which is treated as inserted, to the list at a path."""
        self._changes.append(Change((*path, len(items)), MISSING))
        self._nodes.append(items, self._inserting(item))
        self._note("add", (*path, "-"), item)

    def _remove(self, node: dict[str, Any], place: Path) -> None:
        key = str(place[-1])
        self._has_removed = True
        self._changes.append(Change(place, node[key]))
        self._nodes.remove(node, key)
        self._note("remove", place)

    def _inserting(self, value: Any) -> Any:
        """Return a value that is about to be inserted, whose mappings are treated as inserted from now on."""
        self.treat_as_inserted(value)
        return value

    def _is_inserted(self, node: dict[str, Any]) -> bool:
        return id(node) in self._inserted

    def _leads_to_nothing(self, node: Any, piece: str) -> bool:
        """Return whether a path goes on behind the end of a list, or behind null."""
        if isinstance(node, dict):
            return piece in node and node[piece] is None
        return isinstance(node, list) and self._nodes.position(node, piece) == len(node)

    def _note(self, operation: str, place: Path, value: Any = None) -> None:
        noted = {"op": operation, "path": "".join(f"/{_escaped(str(part))}" for part in place)}
        if operation != "remove":
            noted["value"] = copied(value)
        self.operations.append(noted)


_DELETES_NOTHING = "deletes an item that is not there, at which istioctl crashes: name one that is"


def _mappings_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield a value, if it is a mapping, and the mappings in it."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _mappings_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _mappings_in(item)


def _escaped(key: str) -> str:
    """Return a key as a part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


# ------------------------------------------------------------------------------------------------------ changing nodes


class Nodes:
    """Changes the mappings and lists of a tree, and finds in its lists what selectors select.

    Every change of the tree goes through here, so that a list need not be read again for every selector.
    `as_text` returns the text by which an item is selected for its value at a key, or None if it cannot be.
    """

    def __init__(self, as_text: "AsText") -> None:
        self._as_text = as_text
        self._indexes: dict[str, dict[int, _Index]] = {}
        """Indexes by the key that they are of, and by the id of their list."""
        self._having: dict[str, _Having] = {}
        """The indexes that have a mapping among their items, by the key and by the id of the mapping."""
        self._indexed_items = 0
        """The number of items in all indexes."""
        self._asked: set[tuple[str, int]] = set()
        """Keys and ids of lists that were asked for once, which is no reason yet to make an index."""

    def set(self, node: dict[str, Any], key: str, value: Any) -> None:
        """Set a value of a mapping."""
        node[key] = value
        self._note_change(node, key)

    def remove(self, node: dict[str, Any], key: str) -> None:
        del node[key]
        self._note_change(node, key)

    def _note_change(self, node: dict[str, Any], key: str) -> None:
        for index in list(self._having.get(key, {}).get(id(node), ())):
            index.changed(node)

    def append(self, items: list[Any], item: Any) -> None:
        items.append(item)
        for index in self._of(items):
            index.appended()

    def replace(self, items: list[Any], position: int, item: Any) -> None:
        for index in self._of(items):
            index.replaces(position, item)
        items[position] = item

    def delete(self, items: list[Any], position: int) -> None:
        for index in self._of(items):
            index.deletes(position)
        del items[position]

    def _of(self, items: list[Any]) -> Iterator["_Index"]:
        return (indexes[id(items)] for indexes in self._indexes.values() if id(items) in indexes)

    def position(self, items: list[Any], piece: str) -> int:
        """Return where in a list a selector points; the length of the list stands for a new item at its end."""
        if not SELECTOR.fullmatch(piece):
            raise PatchError(f"names the key {piece!r} of a list: select an item, as in [0] or [name:x]")
        number = index_of(piece)
        if number is not None:
            if number < -1:
                raise PatchError(f"has the index {number}: use -1 or a large number to append")
            is_inside = 0 <= number < len(items)
            return number if is_inside else len(items)
        found = self._selected(items, piece[1:-1])
        if found is None:
            raise PatchError(f"finds nothing with {piece}: an item that is selected by its content must be there")
        return found

    def _selected(self, items: list[Any], selector: str) -> int | None:
        """Return the first item that a selector selects by its content."""
        key_and_value = KEY_AND_VALUE.fullmatch(selector)
        if not key_and_value:
            for position, item in enumerate(items):
                if matches_pattern(selector, item):
                    return position
            return None
        key, value = key_and_value.groups()
        return self.first_with(items, key, value)

    def first_with(self, items: list[Any], key: str, text: str) -> int | None:
        """Return the position of the first item with a text at a key, or None."""
        if (key, id(items)) in self._asked:
            return self._index(items, key).first(text)
        self._asked.add((key, id(items)))
        for position, item in enumerate(items):
            if isinstance(item, dict) and key in item and self._as_text(item[key]) == text:
                return position
        return None

    def _index(self, items: list[Any], key: str) -> "_Index":
        """Return the index of a list by a key, made if it is not there yet."""
        made = self._indexes.get(key, {}).get(id(items))
        if made is not None:
            return made
        if self._indexed_items + len(items) > _MOST_INDEXED_ITEMS:
            self._indexes = {}
            self._having = {}
            self._indexed_items = 0
        self._indexed_items += len(items)
        index = _Index(items, key, self._as_text, self._having.setdefault(key, {}))
        self._indexes.setdefault(key, {})[id(items)] = index
        return index


AsText = Callable[[Any], str | None]


# The items in all indexes of a tree, after which they are begun anew, since for each further key they cost memory.
_MOST_INDEXED_ITEMS = 1_000_000


_Having: TypeAlias = dict[int, dict["_Index", None]]
"""The indexes of a key that have a mapping among their items, by its id."""


class _Index:
    """The items of a list by the text that they have at one key.

    Items are known by numbers that rise along the list and stay when others go. The index keeps the list and so its
    items alive, so that no other object gets the id of one of them.
    """

    def __init__(self, items: list[Any], key: str, as_text: AsText, having: _Having) -> None:
        self._items = items
        self._having = having
        self._key = key
        self._as_text = as_text
        self._numbers: list[int] = []
        self._texts: list[str | None] = []
        """For each item the text by which it is in `_by_text`; None where it is not."""
        self._by_text: dict[str, list[int]] = {}
        self._nested: list[int] = []
        """The numbers of items with a mapping or a list at the key, whose text may change with whatever is below."""
        self._by_id: dict[int, list[int]] = {}
        for item in items:
            self._add(item)

    def first(self, text: str) -> int | None:
        """Return the position of the first item with a text at the key."""
        candidates: list[int] = []
        if self._by_text.get(text):
            candidates.append(self._position(self._by_text[text][0]))
        for number in self._nested:
            position = self._position(number)
            if self._as_text(self._items[position][self._key]) == text:
                candidates.append(position)
                break
        return min(candidates, default=None)

    def appended(self) -> None:
        self._add(self._items[-1])

    def replaces(self, position: int, item: Any) -> None:
        """Note an item that takes the place of another, before it does."""
        self._forget(position)
        self._note(position, item)

    def deletes(self, position: int) -> None:
        """Note that an item goes, before it does."""
        self._forget(position)
        del self._numbers[position], self._texts[position]

    def changed(self, node: dict[str, Any]) -> None:
        """Note that the value at the key is another one in a mapping that may be an item."""
        for number in list(self._by_id.get(id(node), ())):
            position = self._position(number)
            self._forget(position)
            self._note(position, node)

    def _position(self, number: int) -> int:
        return bisect_left(self._numbers, number)

    def _add(self, item: Any) -> None:
        self._numbers.append(self._numbers[-1] + 1 if self._numbers else 0)
        self._texts.append(None)
        self._note(len(self._numbers) - 1, item)

    def _note(self, position: int, item: Any) -> None:
        if not isinstance(item, dict):
            return
        number = self._numbers[position]
        insort(self._by_id.setdefault(id(item), []), number)
        self._having.setdefault(id(item), {})[self] = None
        if self._key not in item:
            return
        value = item[self._key]
        if isinstance(value, dict | list):
            insort(self._nested, number)
        else:
            text = self._texts[position] = self._as_text(value)
            if text is not None:
                insort(self._by_text.setdefault(text, []), number)

    def _forget(self, position: int) -> None:
        number, text = self._numbers[position], self._texts[position]
        self._texts[position] = None
        self._forget_item(number, id(self._items[position]))
        _remove(number, self._nested)
        if text is not None:
            _remove(number, self._by_text[text])

    def _forget_item(self, number: int, item: int) -> None:
        numbers = self._by_id.get(item)
        if numbers is None:
            return
        _remove(number, numbers)
        if not numbers:
            del self._by_id[item]
            del self._having[item][self]


def _remove(number: int, numbers: list[int]) -> None:
    """Remove a number from ascending ones, if it is there."""
    place = bisect_left(numbers, number)
    if place < len(numbers) and numbers[place] == number:
        del numbers[place]
