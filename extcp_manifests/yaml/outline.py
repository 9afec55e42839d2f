"""The outline of a YAML text: where its values begin."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml as pyyaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from extcp_manifests.yaml.events import PARSER, line_of


def outlines_of(text: str | bytes) -> list["Outline"]:
    """Return the outlines of all documents of a text."""
    events = pyyaml.parse(text, Loader=PARSER)
    return [_outline(events, next(events), {}) for event in events if isinstance(event, DocumentStartEvent)]


class Outline:
    """A value of a text: the line at which it begins, and what is in it."""

    __slots__ = ("entries", "items", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.entries: dict[str, Entry] = {}
        """What a mapping holds, by its keys."""
        self.items: list[Outline] = []
        """What a list holds."""


class Entry(NamedTuple):
    """An entry of a mapping; its line is that of the key, which is where people look for it."""

    line: int
    value: Outline


def _outline(events: Iterator[Any], event: Any, anchors: dict[str, Outline]) -> Outline:
    """Return the outline of the value that begins with an event; takes the events of what is in it."""
    if isinstance(event, AliasEvent):
        return anchors[str(event.anchor)]
    outline = Outline(line_of(event))
    if isinstance(event, MappingStartEvent):
        _add_entries(outline, events, anchors)
    elif isinstance(event, SequenceStartEvent):
        _add_items(outline, events, anchors)
    if event.anchor:
        anchors[event.anchor] = outline
    return outline


def _add_entries(mapping: Outline, events: Iterator[Any], anchors: dict[str, Outline]) -> None:
    key = next(events)
    while not isinstance(key, MappingEndEvent):
        _outline(events, key, anchors)  # a key may have an anchor, and one that is not a scalar has further events
        value = _outline(events, next(events), anchors)
        if isinstance(key, ScalarEvent):
            mapping.entries[key.value] = Entry(line_of(key), value)
        key = next(events)


def _add_items(sequence: Outline, events: Iterator[Any], anchors: dict[str, Outline]) -> None:
    event = next(events)
    while not isinstance(event, SequenceEndEvent):
        sequence.items.append(_outline(events, event, anchors))
        event = next(events)
