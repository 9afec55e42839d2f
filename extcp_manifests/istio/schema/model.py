"""A schema: which fields a message has, and which values an enum, by release."""

from collections.abc import Mapping
from functools import cache

from extcp_manifests.istio.releases import Release, ReleaseRange
from extcp_manifests.records import Record


class Field(Record):
    """A field of a message, for a range of releases; it has another record where its type is another."""

    name: str
    """Its JSON name."""
    type: str
    """Such as `int32`, `wrapper:bool`, `integer:0..100`, `list:string`, `map:message:Network` or `enum:Resource`."""
    proto: str
    """The other spelling that is accepted."""
    index: int
    """Its place in the order of decoding."""
    oneof: str | None
    """The group of fields of which a message has one."""
    releases: ReleaseRange
    required: ReleaseRange | None
    """The releases whose CRD refuses a message without it."""

    def known_in(self, release: Release) -> bool:
        """Return whether a release knows the field, by this record."""
        return release in self.releases

    def required_in(self, release: Release) -> bool:
        """Return whether a release refuses a message without the field."""
        return self.required is not None and release in self.required


class EnumValue(Record):
    """A value of an enum, for a range of releases."""

    name: str
    number: int
    releases: ReleaseRange


class Schema(Record, eq=False):
    """Messages and enums by their names; there is one of each schema."""

    messages: Mapping[str, tuple[Field, ...]]
    enums: Mapping[str, tuple[EnumValue, ...]]
    crd: bool
    """Of a CRD: a key has one spelling, null is no item, no number stands for a word and no text for a number, and the
    members of a oneof exclude each other."""

    def values(self, enum: str, release: Release) -> Mapping[str, int]:
        """Return the names of an enum's values in a release, with their numbers."""
        return _values(self, enum, release)

    def fields(self, message: str, release: Release) -> Mapping[str, Field]:
        """Return the fields of a message in a release, by both spellings."""
        return _fields(self, message, release)

    def required(self, message: str, release: Release) -> tuple[str, ...]:
        """Return the names of the fields without which a release refuses a message."""
        return _required(self, message, release)


@cache
def _values(schema: Schema, enum: str, release: Release) -> Mapping[str, int]:
    return {value.name: value.number for value in schema.enums[enum] if release in value.releases}


@cache
def _fields(schema: Schema, message: str, release: Release) -> Mapping[str, Field]:
    known = [field for field in schema.messages[message] if field.known_in(release)]
    return {field.proto: field for field in known} | {field.name: field for field in known}


@cache
def _required(schema: Schema, message: str, release: Release) -> tuple[str, ...]:
    fields = schema.messages[message]
    return tuple(field.name for field in fields if field.known_in(release) and field.required_in(release))
