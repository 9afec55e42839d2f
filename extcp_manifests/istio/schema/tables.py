"""The schema tables: which fields a message has, by release."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from extcp_manifests.istio.releases import RELEASES, Release

_ORDER = {name: index for index, name in enumerate(RELEASES)}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message, for a range of releases."""

    name: str
    """Its JSON name."""
    type: str
    proto: str
    """The other spelling that is accepted."""
    index: int
    """Its place in the order of decoding."""
    oneof: str | None
    since: str
    until: str
    required: str | None
    """The first release whose CRD refuses a message without it."""

    def known_in(self, release: Release) -> bool:
        return _ORDER[self.since] <= _ORDER[release.name] <= _ORDER[self.until]

    def required_in(self, release: Release) -> bool:
        return self.required is not None and _ORDER[self.required] <= _ORDER[release.name]

    @property
    def releases(self) -> str:
        """The releases that know the field, in words."""
        first, last = next(iter(RELEASES)), list(RELEASES)[-1]
        if self.until == last:
            return "every release" if self.since == first else f"Istio from {self.since}"
        return f"Istio {self.since} to {self.until}" if self.since != first else f"Istio to {self.until}"


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """Messages and enums by their names; there is one of each."""

    messages: Mapping[str, tuple[Field, ...]]
    enums: Mapping[str, tuple[Field, ...]]
    """An enum's values as fields whose type is their number."""
    crd: bool
    """Of a CRD: a key has one spelling, null is no item, no number stands for a word and no text for a number, and the
    members of a oneof exclude each other."""

    def values(self, enum: str, release: Release) -> Mapping[str, int]:
        """The names of an enum's values in a release, with their numbers."""
        return _values(self, enum, release)

    def fields(self, message: str, release: Release) -> Mapping[str, Field]:
        """The fields of a message in a release, by both spellings."""
        return _fields(self, message, release)


@cache
def _values(schema: Schema, enum: str, release: Release) -> Mapping[str, int]:
    return {field.name: int(field.type) for field in schema.enums[enum] if field.known_in(release)}


@cache
def _fields(schema: Schema, message: str, release: Release) -> Mapping[str, Field]:
    known = [field for field in schema.messages[message] if field.known_in(release)]
    return {field.proto: field for field in known} | {field.name: field for field in known}


@cache
def read_schema(name: str) -> Schema:
    """The schema in `schemas/NAME.txt`, whose head says how to read it."""
    kinds: dict[str, dict[str, list[Field]]] = {"message": {}, "enum": {}}
    text = resources.files("extcp_manifests.istio.schema").joinpath(f"{name}.txt").read_text("utf-8")
    members: list[Field] = []
    included: dict[str, tuple[Field, ...]] = {}
    crd = exact = False
    for line in text.splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words in (["crd"], ["exact"]):
            crd, exact = crd or words == ["crd"], True
        elif words[0] == "include":
            included |= read_schema(words[1]).messages
        elif line.startswith(" "):
            members.append(_field(words, len(members), exact))
        else:
            members = kinds[words[0]].setdefault(words[1], [])
    messages, enums = ({name: tuple(fields) for name, fields in kind.items()} for kind in kinds.values())
    return Schema(included | messages, enums, crd)


def _field(words: list[str], index: int, exact: bool) -> Field:
    name, type_, *rest = words
    options = dict(word.split("=") for word in rest)
    snake = name if exact else re.sub(r"(?<=[a-z0-9])[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
    return Field(
        name=name,
        type=type_,
        proto=options.get("proto", snake),
        index=index,
        oneof=options.get("oneof"),
        since=options.get("since", next(iter(RELEASES))),
        until=options.get("until", list(RELEASES)[-1]),
        required=options.get("required"),
    )
