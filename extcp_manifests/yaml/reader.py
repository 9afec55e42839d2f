"""YAML for plain data: an emitter whose text every parser reads back alike, and a loader that trusts nobody.

The emitter keeps key order, folds nothing, uses no anchors and writes text of several lines as a block. A string is
left unquoted only where neither YAML 1.1 (PyYAML), YAML 1.2 (ruamel.yaml) nor Go's parser can take it for something
else. The loader reads scalars as Go's parser does, so that a value means what it will mean in the cluster.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml as pyyaml

from extcp_manifests.errors import InvalidInput, Path, Problem, require
from extcp_manifests.yaml.emitter import MAX_DEPTH
from extcp_manifests.yaml.scalars import resolve

MAX_BYTES = 16 * 1024 * 1024


MAX_NODES = 2_000_000


class NotYaml(InvalidInput):
    """A text that no YAML parser reads, in contrast to one that is refused."""


# ---------------------------------------------------------------------------------------------------------------- load


def load(text: str | bytes) -> Any:
    """The one document of a YAML text as plain data; an empty text is None.

    Raises InvalidInput, whose problems name the line, for text that is not YAML or more than one document, tags,
    duplicate keys, keys that are no text, and anything beyond 16 MiB, 100 levels or 2,000,000 values with every alias
    written out.
    """
    documents = load_all(text)
    if len(documents) > 1:
        raise InvalidInput([Problem((), f"{len(documents)} documents where one is expected: keep the first")])
    return documents[0] if documents else None


def load_all(text: str | bytes) -> list[Any]:
    """Every document of a YAML text as plain data; limits and errors as in `load`."""
    return list(_documents(text))


def load_first(text: str | bytes) -> tuple[Any, bool]:
    """The first document of a YAML text, and whether another one begins; that one is not read.

    Limits and errors as in `load`; an empty text is None.
    """
    documents = _documents(text)
    first = next(documents, None)
    try:
        return first, next(documents, documents) is not documents
    except InvalidInput:
        return first, True


def _documents(text: str | bytes) -> Iterator[Any]:
    require(text, str | bytes, ("text",), "text or bytes")
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise InvalidInput([Problem((), f"{size} bytes are more than the {MAX_BYTES} that are read: split the file")])
    try:
        yield from _Reader(pyyaml.parse(text, Loader=_PARSER)).documents()
    except pyyaml.MarkedYAMLError as error:
        problem = f"not YAML: {error.problem or error.context}"
        raise NotYaml([_at(error.problem_mark or error.context_mark, problem)]) from None
    except (pyyaml.YAMLError, UnicodeError):
        raise NotYaml([Problem((), "not YAML: it holds bytes or characters that YAML does not allow")]) from None


class Lines:
    """The lines of a YAML text, by the places of its values; the text is one that `load_all` has read."""

    def __init__(self, text: str | bytes) -> None:
        events = pyyaml.parse(text, Loader=_PARSER)
        self._documents = [
            _outline(events, next(events), {}) for event in events if isinstance(event, pyyaml.DocumentStartEvent)
        ]

    def line(self, place: Path, document: int = 0) -> int | None:
        """Return the line, from 1, at which the value at a place such as `("spec", "servers", 0)` begins.

        Where the text goes no further along the place, as for a key that is missing, it is the line of the last value
        on the way; None only for a document that is not there.
        """
        if not 0 <= document < len(self._documents):
            return None
        node = self._documents[document]
        line = node.line
        for part in place:
            if isinstance(part, str) and part in node.keys:
                line, node = node.keys[part]
            elif isinstance(part, int) and part < len(node.items):
                node = node.items[part]
                line = node.line
            else:
                break
        return line


def begins_block(line: str) -> bool:
    """Return whether a line of YAML ends with the sign of a block, so that a text begins in the line below."""
    return _BLOCK.search(line) is not None


_BLOCK = re.compile(r"[|>][-+0-9]*\s*(?:#.*)?$")


@dataclass(frozen=True, slots=True)
class _Outline:
    """A value of a text: its line, and what is in it."""

    line: int
    keys: Mapping[str, tuple[int, "_Outline"]]
    """The values of a mapping, each with the line of its key."""
    items: Sequence["_Outline"]


def _outline(events: Iterator[Any], event: Any, anchors: dict[str, _Outline]) -> _Outline:
    if isinstance(event, pyyaml.AliasEvent):
        return anchors[str(event.anchor)]
    keys: dict[str, tuple[int, _Outline]] = {}
    items: list[_Outline] = []
    outline = _Outline(_line_number(event), keys, items)
    if isinstance(event, pyyaml.MappingStartEvent):
        while not isinstance(key := next(events), pyyaml.MappingEndEvent):
            _outline(events, key, anchors)  # a key that is no scalar has events of its own
            value = _outline(events, next(events), anchors)
            if isinstance(key, pyyaml.ScalarEvent):
                keys[key.value] = _line_number(key), value
    elif isinstance(event, pyyaml.SequenceStartEvent):
        while not isinstance(item := next(events), pyyaml.SequenceEndEvent):
            items.append(_outline(events, item, anchors))
    if event.anchor:
        anchors[event.anchor] = outline
    return outline


def _line_number(event: Any) -> int:
    line: int = event.start_mark.line + 1
    return line


_PARSER: Any = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)


class _Reader:
    """Turns parser events into plain data, strictly."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def documents(self) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, pyyaml.DocumentStartEvent):
                if event.version not in (None, (1, 1)):
                    raise _problem(event, "Go's parser refuses the directive %YAML unless it is 1.1: leave it out")
                self._anchors = {}
                yield self._node(next(self._events), 0)

    def _node(self, event: Any, depth: int) -> Any:
        if depth >= MAX_DEPTH and isinstance(event, pyyaml.CollectionStartEvent):
            raise _problem(event, f"nested deeper than {MAX_DEPTH} levels: flatten it")
        if isinstance(event, pyyaml.AliasEvent):
            return self._alias(event)
        before = self._nodes
        self._count(event, 1)
        self._refuse_tag(event)
        if isinstance(event, pyyaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, pyyaml.SequenceStartEvent):
            value = [self._node(item, depth + 1) for item in self._until(pyyaml.SequenceEndEvent)]
        else:
            value = self._mapping(depth)
        if event.anchor:
            self._anchors[event.anchor] = value, self._nodes - before
        return value

    def _mapping(self, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: dict[str, Any] | None = None
        for event in self._until(pyyaml.MappingEndEvent):
            if _is_merge(event):
                if merged is not None:
                    raise _problem(event, "'<<' stands twice in one mapping: give it a list of mappings")
                merged = self._merge(next(self._events), depth)
                if taken := next((key for key in merged if key in mapping), None):
                    raise _problem(event, f"'<<' stands behind {taken!r}, which it beats in Go alone: write it first")
                continue
            key = self._node(event, depth + 1)
            if not isinstance(key, str):
                raise _problem(event, "the key is no text: put it in quotes")
            if key in mapping:
                raise _problem(event, f"the key {key!r} stands twice in one mapping: remove one")
            mapping[key] = self._node(next(self._events), depth + 1)
        return {**merged, **mapping} if merged else mapping

    def _merge(self, event: Any, depth: int) -> dict[str, Any]:
        value = self._node(event, depth + 1)
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise _problem(event, "only a mapping or a list of mappings can be merged with '<<'")
        return {key: item for source in reversed(sources) for key, item in source.items()}

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise _problem(event, f"the alias '*{event.anchor}' points to nothing before it: write the value out")
        value, nodes = self._anchors[event.anchor]
        self._count(event, nodes)
        return value

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _problem(event, f"more than {MAX_NODES} values with every alias written out: split the file")

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            raise _problem(event, f"the tag {event.tag!r} is not allowed: leave it out")

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event


def _is_merge(event: Any) -> bool:
    return isinstance(event, pyyaml.ScalarEvent) and event.value == "<<" and event.implicit[0]


def _scalar(event: Any) -> Any:
    if not event.implicit[0]:
        return event.value
    value = resolve(event.value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _problem(event, f"the number {event.value} has no JSON form: put it in quotes or choose another")
    return value


def _problem(event: Any, message: str) -> InvalidInput:
    return InvalidInput([_at(event.start_mark, message)])


def _at(mark: Any, message: str) -> Problem:
    return Problem((), message, line=mark.line + 1 if mark else None)
