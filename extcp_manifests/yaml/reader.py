"""The reader: YAML text into plain data, strictly.

PyYAML's C parser splits the text into events; what they mean is decided here, as Go's parser decides it. Text that two
parsers could read differently is refused, and so is text that would cost too much: tags, duplicate keys, keys that are
not text, deep nesting, and aliases that grow beyond measure once they are written out.

`Lines` finds the line of a value afterwards. It parses the text a second time, so that reading a good text does not pay
for what only problems need.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import yaml as pyyaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from extcp_manifests.errors import InvalidInput, Path, Problem, require
from extcp_manifests.patterns import pattern
from extcp_manifests.yaml.emitter import MAX_DEPTH
from extcp_manifests.yaml.scalars import resolve

MAX_BYTES = 16 * 1024 * 1024
"""The longest text that is read."""

MAX_NODES = 2_000_000
"""The most values of a text, with every alias written out."""


class NotYaml(InvalidInput):
    """A text that no YAML parser reads, in contrast to YAML that this reader refuses."""


def load(text: str | bytes) -> Any:
    """Return the one document of a YAML text as plain data; an empty text is None.

    Raises InvalidInput, whose problems name the line, for text that is not YAML or has more than one document, for
    tags, duplicate keys and keys that are not text, and for anything beyond 16 MiB, 100 levels or 2,000,000 values with
    every alias written out.
    """
    documents = load_all(text)
    if len(documents) > 1:
        raise InvalidInput([Problem((), f"{len(documents)} documents where one is expected: keep the first")])
    return documents[0] if documents else None


def load_all(text: str | bytes) -> list[Any]:
    """Return every document of a YAML text as plain data; limits and errors as in `load`."""
    with _refusals():
        reader = _Reader(text)
        documents = []
        while reader.begins_document():
            documents.append(reader.document())
        return documents


def load_first(text: str | bytes) -> tuple[Any, bool]:
    """Return the first document of a YAML text, and whether anything follows it.

    What follows is not read, so it may be another document or not YAML at all. Limits and errors as in `load`; an empty
    text is None.
    """
    with _refusals():
        reader = _Reader(text)
        if not reader.begins_document():
            return None, False
        first = reader.document()
    try:
        with _refusals():
            return first, reader.begins_document()
    except NotYaml:
        return first, True


_PARSER: Any = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)  # some builds of PyYAML lack the C parser


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise NotYaml for what PyYAML's parser refuses."""
    try:
        yield
    except pyyaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise NotYaml([Problem((), f"not YAML: {error.problem or error.context}", line=line)]) from None
    except (pyyaml.YAMLError, UnicodeError):
        raise NotYaml([Problem((), "not YAML: it holds bytes or characters that YAML does not allow")]) from None


class _Anchored(NamedTuple):
    """A value with an anchor, which aliases repeat."""

    value: Any
    nodes: int
    """How many values it consists of, itself included."""


class _Reader:
    """Turns the events of a text into plain data, document by document.

    Much time is spent here. So the type of an event is compared and not asked for, scalars go a short way, and what
    unquoted ones mean is remembered.
    """

    def __init__(self, text: str | bytes) -> None:
        """Raise InvalidInput for text that is too long."""
        require(text, str | bytes, ("text",), "text or bytes")
        size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
        if size > MAX_BYTES:
            problem = f"{size} bytes are more than the {MAX_BYTES} that are read: split the file"
            raise InvalidInput([Problem((), problem)])
        self._next: Callable[[], Any] = _PARSER(text).get_event
        self._start: Any = None  # the event of the current document's beginning
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0

    def begins_document(self) -> bool:
        """Go to the beginning of the next document, and return whether there is one."""
        while (event := self._next()) is not None:
            if type(event) is DocumentStartEvent:
                self._start = event
                return True
        return False

    def document(self) -> Any:
        """Return the document that begins here."""
        if self._start.version not in (None, (1, 1)):
            raise _problem(self._start, "Go's parser refuses the directive %YAML unless it is 1.1: leave it out")
        self._anchors = {}
        return self._node(self._next(), 0)

    def _node(self, event: Any, depth: int) -> Any:
        """Return the value that begins with an event; `depth` is the number of collections around it."""
        kind = type(event)
        if kind is ScalarEvent and event.tag is None and event.anchor is None:
            self._nodes += 1
            if self._nodes > MAX_NODES:
                self._count(event, 0)
            return _unquoted(event) if event.implicit[0] else event.value
        return self._alias(event) if kind is AliasEvent else self._other_node(event, depth)

    def _other_node(self, event: Any, depth: int) -> Any:
        """Return a value that is a collection, or has an anchor."""
        if depth >= MAX_DEPTH and isinstance(event, CollectionStartEvent):
            raise _problem(event, f"nested deeper than {MAX_DEPTH} levels: flatten it")
        nodes_before = self._nodes
        self._count(event, 1)
        if event.tag is not None:
            raise _problem(event, f"the tag {event.tag!r} is not allowed: leave it out")
        value: Any
        if type(event) is MappingStartEvent:
            value = self._mapping(depth + 1)
        elif type(event) is SequenceStartEvent:
            value = self._sequence(depth + 1)
        else:
            value = _unquoted(event) if event.implicit[0] else event.value
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(value, self._nodes - nodes_before)
        return value

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise _problem(event, f"the alias '*{event.anchor}' points to nothing before it: write the value out")
        anchored = self._anchors[event.anchor]
        self._count(event, anchored.nodes)
        return anchored.value

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _problem(event, f"more than {MAX_NODES} values with every alias written out: split the file")

    def _sequence(self, depth: int) -> list[Any]:
        items = []
        while type(event := self._next()) is not SequenceEndEvent:
            items.append(self._node(event, depth))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: dict[str, Any] | None = None
        while type(event := self._next()) is not MappingEndEvent:
            key = self._node(event, depth)
            if key == "<<" and type(event) is ScalarEvent and event.implicit[0]:
                if merged is not None:
                    raise _problem(event, "'<<' stands twice in one mapping: give it a list of mappings")
                merged = self._merged(event, mapping, depth)
                continue
            if type(key) is not str:
                raise _problem(event, "the key is no text: put it in quotes")
            if key in mapping:
                raise _problem(event, f"the key {key!r} stands twice in one mapping: remove one")
            mapping[key] = self._node(self._next(), depth)
        return {**merged, **mapping} if merged else mapping

    def _merged(self, merge_key: Any, before: dict[str, Any], depth: int) -> dict[str, Any]:
        """Return what the merge key `<<` brings into a mapping; `before` are the keys that appear above it.

        Of several mappings the first one wins, as YAML 1.1 has it. Go's parser lets `<<` win over the keys before it,
        other parsers do not, so none of those may be among the merged ones.
        """
        event = self._next()
        value = self._node(event, depth)
        sources = value if isinstance(value, list) else [value]
        merged: dict[str, Any] = {}
        for source in reversed(sources):
            if not isinstance(source, dict):
                raise _problem(event, "only a mapping or a list of mappings can be merged with '<<'")
            merged.update(source)
        for key in merged:
            if key in before:
                raise _problem(merge_key, f"'<<' stands behind {key!r}, which it beats in Go alone: write it first")
        return merged


def _unquoted(event: Any) -> Any:
    """Return what a scalar means that is written without quotes, and not as a block."""
    text = event.value
    if text in _VALUES:
        return _VALUES[text]
    value = resolve(text)
    if isinstance(value, float) and not math.isfinite(value):
        raise _problem(event, f"the number {text} has no JSON form: put it in quotes or choose another")
    if len(_VALUES) < 4096 and len(text) < 64:
        _VALUES[text] = value
    return value


_VALUES: dict[str, Any] = {}
"""What the first few thousand short ones mean, of which most are in every document again."""


def _problem(event: Any, message: str) -> InvalidInput:
    return InvalidInput([Problem((), message, line=_line_of(event))])


def _line_of(event: Any) -> int:
    line: int = event.start_mark.line + 1
    return line


# --------------------------------------------------------------------------------------------------------------- lines


class Lines:
    """The lines of a YAML text, by the places of its values; the text is one that `load_all` has read."""

    def __init__(self, text: str | bytes) -> None:
        events = pyyaml.parse(text, Loader=_PARSER)
        self._documents: list[_Outline] = []
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self._documents.append(_outline(events, next(events), {}))

    def line(self, place: Path, document: int = 0) -> int | None:
        """Return the line, from 1, at which the value at a place such as `("spec", "servers", 0)` begins.

        Where the text goes no further along the place, as for a key that is missing, it is the line of the last value
        on the way; None only for a document that is not there.
        """
        if not 0 <= document < len(self._documents):
            return None
        value = self._documents[document]
        line = value.line
        for part in place:
            if isinstance(part, str) and part in value.entries:
                line, value = value.entries[part]
            elif isinstance(part, int) and part < len(value.items):
                value = value.items[part]
                line = value.line
            else:
                break
        return line


def begins_block(line: str) -> bool:
    """Return whether a line of YAML ends with the sign of a block, so that a text begins in the line below."""
    return _BLOCK.search(line) is not None


_BLOCK = pattern(r"[|>][-+0-9]*\s*(?:#.*)?$")


class _Outline:
    """A value of a text: the line at which it begins, and what is in it."""

    __slots__ = ("entries", "items", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.entries: dict[str, _Entry] = {}
        """What a mapping holds, by its keys."""
        self.items: list[_Outline] = []
        """What a list holds."""


class _Entry(NamedTuple):
    """An entry of a mapping; its line is that of the key, which is where people look for it."""

    line: int
    value: _Outline


def _outline(events: Iterator[Any], event: Any, anchors: dict[str, _Outline]) -> _Outline:
    """Return the outline of the value that begins with an event; takes the events of what is in it."""
    if isinstance(event, AliasEvent):
        return anchors[str(event.anchor)]
    outline = _Outline(_line_of(event))
    if isinstance(event, MappingStartEvent):
        _outline_entries(outline, events, anchors)
    elif isinstance(event, SequenceStartEvent):
        _outline_items(outline, events, anchors)
    if event.anchor:
        anchors[event.anchor] = outline
    return outline


def _outline_entries(mapping: _Outline, events: Iterator[Any], anchors: dict[str, _Outline]) -> None:
    key = next(events)
    while not isinstance(key, MappingEndEvent):
        _outline(events, key, anchors)  # a key may have an anchor, and one that is not a scalar has further events
        value = _outline(events, next(events), anchors)
        if isinstance(key, ScalarEvent):
            mapping.entries[key.value] = _Entry(_line_of(key), value)
        key = next(events)


def _outline_items(sequence: _Outline, events: Iterator[Any], anchors: dict[str, _Outline]) -> None:
    event = next(events)
    while not isinstance(event, SequenceEndEvent):
        sequence.items.append(_outline(events, event, anchors))
        event = next(events)
