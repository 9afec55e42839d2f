"""The reader of all YAML that is not written in the usual way: the parser's events into plain data.

PyYAML's C parser splits the text into events; what they mean is decided here, as Go's parser decides it.
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

from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.yaml.emitter import MAX_DEPTH
from extcp_manifests.yaml.limits import MAX_NODES, NotYaml
from extcp_manifests.yaml.scalars import resolve


def documents_of_events(text: str | bytes) -> list[Any]:
    """Return every document of a text. Raises InvalidInput as `load_all`."""
    with _refusals():
        reader = _Reader(text)
        documents = []
        while reader.begins_document():
            documents.append(reader.document())
        return documents


def first_of_events(text: str | bytes) -> tuple[Any, bool]:
    """Return the first document of a text, and whether anything follows it. Raises InvalidInput as `load_first`."""
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


PARSER: Any = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)  # some builds of PyYAML lack the C parser


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise NotYaml for what PyYAML's parser refuses."""
    try:
        yield
    except pyyaml.MarkedYAMLError as error:
        raise NotYaml([_syntax_problem(error)]) from None
    except (pyyaml.YAMLError, UnicodeError):
        raise NotYaml([Problem((), "not YAML: it holds bytes or characters that YAML does not allow")]) from None


def _syntax_problem(error: pyyaml.MarkedYAMLError) -> Problem:
    """Return what the parser found, and where that begins in which it gave up, such as a quote that is not closed."""
    mark, start = error.problem_mark or error.context_mark, error.context_mark
    message = f"not YAML: {error.problem or error.context}"
    if mark is not None and start is not None and start.line < mark.line and error.problem:
        message = f"{message}, {error.context} that begins in line {start.line + 1}"
    if "cannot start any token" in message:
        message = f"{message}, such as a tab, @ or `: indent with spaces, and put text in quotes"
    return Problem((), message, line=mark.line + 1 if mark else None)


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
        self._next: Callable[[], Any] = PARSER(text).get_event
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
    return InvalidInput([Problem((), message, line=line_of(event))])


def line_of(event: Any) -> int:
    line: int = event.start_mark.line + 1
    return line
