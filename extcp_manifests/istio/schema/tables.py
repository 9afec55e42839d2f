"""The strict reader of the schemas by release, which are JSON files beside this module.

A file is a JSON Schema (draft 2020-12) whose `$defs` are messages and enums, with one line for each field and value.
What holds for some releases only has x-istio-since and x-istio-until (the first and the last one); what has neither
holds as long as the message or enum around it. No row names the newest release, so that open ends stay open.

    x-istio-decoding        of a file: `protobuf`, whose keys have a second spelling; `json`, whose keys have one; `crd`
    x-istio-notes           of a file: its sources, and what it leaves out
    x-istio-by-hand         of a message: not made from upstream's files, and kept by tests/istio/schema/generate.py
    anyOf                   of a field: its records, where its type changed
    x-istio-proto-name      the second spelling, unless it is the JSON name in snake case
    x-istio-oneof           the group of fields of which a message has one; in a CRD two of them are refused
    x-istio-required-since  the first release whose CRD refuses a message without the field
    x-istio-wrapper         a scalar that protobuf wraps, since unset is not its zero there
    x-istio-number          the number of an enum's value
    format                  int32, uint32, int64, uint64, double, go-duration (`1m30s`), go-duration-from-1ms

Fields are in the order of decoding. An integer or number with a format may be written as text in protobuf; without one
it is JSON's, within its minimum and maximum. A type that is left out takes anything.
"""

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

from extcp_manifests.istio.releases import EVERY_RELEASE, RELEASES, ReleaseRange
from extcp_manifests.istio.schema.model import EnumValue, Field, Schema

SCHEMAS = (
    "istio_operator",
    "kubernetes",
    "kubernetes_operator",
    "kubernetes_proto",
    "mesh_config",
    "networking",
    "values",
)


class SchemaDataError(ValueError):
    """A schema file is wrong; the text names the file and the place in it."""


@cache
def read_schema(name: str) -> Schema:
    """Return the schema in `NAME.json`, with the messages of the files that it refers to."""
    return parse_schema(resources.files(__package__).joinpath(f"{name}.json").read_text("utf-8"), f"{name}.json")


def parse_schema(text: str, file: str) -> Schema:
    """Return the schema that a file holds. Raises SchemaDataError."""
    try:
        data = json.loads(text, object_pairs_hook=_without_duplicates)
    except ValueError as error:
        raise SchemaDataError(f"{file}: {error}") from error
    return _Reader(file, data).schema()


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice: keep one")
    return result


_DECODING = ("protobuf", "json", "crd")
_RANGE_KEYWORDS = frozenset({"x-istio-since", "x-istio-until"})
_FILE_KEYWORDS = frozenset({"$schema", "title", "x-istio-notes", "x-istio-decoding", "$defs"})
_MESSAGE_KEYWORDS = frozenset({"type", "properties", "x-istio-by-hand"}) | _RANGE_KEYWORDS
_ENUM_KEYWORDS = frozenset({"oneOf", "x-istio-by-hand"}) | _RANGE_KEYWORDS
_VALUE_KEYWORDS = frozenset({"const", "x-istio-number"}) | _RANGE_KEYWORDS
_FIELD_KEYWORDS = frozenset({"x-istio-proto-name", "x-istio-oneof", "x-istio-required-since"}) | _RANGE_KEYWORDS
# The keywords of a type, by the value of its keyword `type`, or by the keyword that it has instead; then of a field.
_TYPE_KEYWORDS: Mapping[str, frozenset[str]] = {
    "string": frozenset({"type", "format"}),
    "boolean": frozenset({"type", "x-istio-wrapper"}),
    "integer": frozenset({"type", "format", "minimum", "maximum", "x-istio-wrapper"}),
    "number": frozenset({"type", "format", "minimum", "maximum", "x-istio-wrapper"}),
    "array": frozenset({"type", "items"}),
    "object": frozenset({"type", "additionalProperties"}),
    "$ref": frozenset({"$ref"}),
    "x-kubernetes-int-or-string": frozenset({"x-kubernetes-int-or-string"}),
    "anything": frozenset(),
}
_FIELD_TYPE_KEYWORDS = {kind: keywords | _FIELD_KEYWORDS for kind, keywords in _TYPE_KEYWORDS.items()}
_JSON_TYPES = ("string", "boolean", "integer", "number", "array", "object")
_FORMATS: Mapping[Any, Mapping[str, str]] = {
    "string": {"go-duration": "duration", "go-duration-from-1ms": "interval"},
    "integer": {each: each for each in ("int32", "uint32", "int64", "uint64")},
    "number": {each: each for each in ("float", "double")},
}
_ORDER = {name: index for index, name in enumerate(RELEASES)}
_FIRST = next(iter(RELEASES))


class _Reader:
    """Reads one file; every place is a list of keys, and every error names it."""

    def __init__(self, file: str, data: Mapping[str, Any]) -> None:
        self._file = file
        self._data = data
        self._included: dict[str, Schema] = {}

    def schema(self) -> Schema:
        self._require_keywords(self._data, _FILE_KEYWORDS, ())
        decoding = self._data.get("x-istio-decoding")
        self._require_one_of(decoding, _DECODING, ("x-istio-decoding",))
        self._has_one_spelling = decoding != "protobuf"
        self._definitions: Mapping[str, Mapping[str, Any]] = self._data["$defs"]
        messages: dict[str, tuple[Field, ...]] = {}
        enums: dict[str, tuple[EnumValue, ...]] = {}
        for name, definition in self._definitions.items():
            if "oneOf" in definition:
                enums[name] = self._enum(definition, (name,))
            else:
                messages[name] = self._message(definition, (name,))
        for included in self._included.values():
            messages = {**included.messages, **messages}
            enums = {**included.enums, **enums}
        return Schema(messages, enums, decoding == "crd")

    # ------------------------------------------------------------------------------------------------------ definitions

    def _message(self, definition: Mapping[str, Any], place: Sequence[str]) -> tuple[Field, ...]:
        self._require_keywords(definition, _MESSAGE_KEYWORDS, place)
        if definition.get("type") != "object" or not isinstance(definition.get("properties"), dict):
            self._fail(place, "a message has the type 'object' and properties")
        releases = self._range(definition, EVERY_RELEASE, place)
        fields: list[Field] = []
        for name, node in definition["properties"].items():
            if "anyOf" in node:
                fields += self._variants(name, node, len(fields), releases, (*place, name))
            else:
                fields.append(self._field(name, node, len(fields), releases, (*place, name)))
        return tuple(fields)

    def _variants(
        self, name: str, node: Mapping[str, Any], index: int, of_message: ReleaseRange, place: Sequence[str]
    ) -> list[Field]:
        """Return the records of a field that is not the same in all releases, in their order."""
        self._require_keywords(node, frozenset({"anyOf"}), place)
        fields = []
        for offset, variant in enumerate(node["anyOf"]):
            fields.append(self._field(name, variant, index + offset, of_message, place))
        for earlier, later in pairwise(fields):
            if _end(earlier.releases.until) >= _begin(later.releases.since):
                self._fail(place, f"is known to {earlier.releases} and to {later.releases}, which overlap")
        return fields

    def _field(
        self, name: str, node: Mapping[str, Any], index: int, of_message: ReleaseRange, place: Sequence[str]
    ) -> Field:
        required = node.get("x-istio-required-since")
        if required is not None:
            self._require_release(required, place)
        default = name if self._has_one_spelling else _snake_case(name)
        return Field(
            name=name,
            type=self._type(node, _FIELD_TYPE_KEYWORDS, place),
            proto=node.get("x-istio-proto-name", default),
            index=index,
            oneof=node.get("x-istio-oneof"),
            releases=self._range(node, of_message, place),
            required=None if required is None else _release_range(required, None),
        )

    def _enum(self, definition: Mapping[str, Any], place: Sequence[str]) -> tuple[EnumValue, ...]:
        self._require_keywords(definition, _ENUM_KEYWORDS, place)
        releases = self._range(definition, EVERY_RELEASE, place)
        values = []
        for index, node in enumerate(definition["oneOf"]):
            below = (*place, str(node.get("const")))
            self._require_keywords(node, _VALUE_KEYWORDS, below)
            # The values of a CRD's enum are words alone, and counted here.
            number = node.get("x-istio-number", index)
            values.append(EnumValue(node["const"], number, self._range(node, releases, below)))
        return tuple(values)

    # ------------------------------------------------------------------------------------------------------------ types

    def _type(self, node: Mapping[str, Any], keywords: Mapping[str, frozenset[str]], place: Sequence[str]) -> str:
        """Return a type as Field.type has it."""
        kind = self._kind(node, place)
        self._require_keywords(node, keywords[kind], place)
        match kind:
            case "$ref":
                return self._reference(node["$ref"], place)
            case "x-kubernetes-int-or-string":
                return "intOrString"
            case "anything":
                return "value"
            case "array":
                return f"list:{self._type(node['items'], _TYPE_KEYWORDS, place)}"
            case "object" if "additionalProperties" in node:
                return f"map:{self._type(node['additionalProperties'], _TYPE_KEYWORDS, place)}"
            case "object":
                return "struct"
            case _:
                scalar = self._scalar(kind, node, place)
                return f"wrapper:{scalar}" if node.get("x-istio-wrapper") else scalar

    def _kind(self, node: Mapping[str, Any], place: Sequence[str]) -> str:
        """Return which keywords a type has, as a key of _TYPE_KEYWORDS."""
        if "type" in node:
            kind: str = node["type"]
            if kind not in _JSON_TYPES:
                self._require_one_of(kind, _JSON_TYPES, place, "type")
            return kind
        for keyword in ("$ref", "x-kubernetes-int-or-string"):
            if keyword in node:
                return keyword
        return "anything"

    def _scalar(self, kind: str, node: Mapping[str, Any], place: Sequence[str]) -> str:
        if "format" in node:
            formats = _FORMATS[kind]
            self._require_one_of(node["format"], tuple(formats), place)
            return formats[node["format"]]
        if "minimum" in node or "maximum" in node:
            return f"{kind}:{node.get('minimum', '')}..{node.get('maximum', '')}"
        return {"boolean": "bool"}.get(kind, kind)

    def _reference(self, reference: str, place: Sequence[str]) -> str:
        file, _, name = reference.partition("#/$defs/")
        definitions = self._definitions
        if file:
            return self._outside(file, name, reference, place)
        if name not in definitions:
            self._fail(place, f"refers to {reference!r}, which is not there")
        return f"enum:{name}" if "oneOf" in definitions[name] else f"message:{name}"

    def _outside(self, file: str, name: str, reference: str, place: Sequence[str]) -> str:
        known = [f"{each}.json" for each in SCHEMAS]
        self._require_one_of(file, known, place)
        included = self._included.setdefault(file, read_schema(file.removesuffix(".json")))
        if name in included.enums:
            return f"enum:{name}"
        if name not in included.messages:
            self._fail(place, f"refers to {reference!r}, which is not there")
        return f"message:{name}"

    # --------------------------------------------------------------------------------------------------------- releases

    def _range(self, node: Mapping[str, Any], outer: ReleaseRange, place: Sequence[str]) -> ReleaseRange:
        """Return the range of a record; an end that is left out is that of the message or enum that has it."""
        since, until = node.get("x-istio-since"), node.get("x-istio-until")
        if since is None and until is None:
            return outer
        for release in (since, until):
            if release is not None:
                self._require_release(release, place)
        if since == _FIRST:
            self._fail(place, f"since {since} is since ever: leave x-istio-since out")
        since = outer.since if since is None else since
        until = outer.until if until is None else until
        if since is not None and until is not None and _ORDER[since] > _ORDER[until]:
            self._fail(place, f"is since {since}, which is after its end {until}")
        if _begin(since) < _begin(outer.since) or _end(until) > _end(outer.until):
            self._fail(place, f"is known to {_release_range(since, until)}, and what holds it to {outer} alone")
        return _release_range(since, until)

    def _require_release(self, release: Any, place: Sequence[str]) -> None:
        if release not in _ORDER:
            self._fail(place, f"{release!r} is not a release that is known: known are {_FIRST} to {list(_ORDER)[-1]}")

    # ----------------------------------------------------------------------------------------------------------- errors

    def _require_keywords(self, node: Any, known: frozenset[str], place: Sequence[str]) -> None:
        for keyword in node.keys() - known:
            self._require_one_of(keyword, sorted(known), place, "keyword here")

    def _require_one_of(self, value: Any, known: Sequence[str], place: Sequence[str], what: str = "value here") -> None:
        if value in known:
            return
        nearest = get_close_matches(str(value), known, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
        self._fail(place, f"{value!r} is not a valid {what}: {hint}")

    def _fail(self, place: Sequence[str], message: str) -> Any:
        raise SchemaDataError(": ".join(part for part in (self._file, ".".join(place), message) if part))


def _begin(since: str | None) -> int:
    return 0 if since is None else _ORDER[since]


def _end(until: str | None) -> int:
    return len(_ORDER) if until is None else _ORDER[until]


@cache
def _release_range(since: str | None, until: str | None) -> ReleaseRange:
    return ReleaseRange(since, until)


@cache
def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
