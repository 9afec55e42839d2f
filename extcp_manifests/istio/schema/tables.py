"""The strict reader of the schemas by release, which are JSON files beside this module.

A file is a JSON Schema (draft 2020-12) whose `$defs` are messages and enums, with one line for each field and value.
What holds for some releases only has x-istio-since and x-istio-until (the first and the last one); what has neither
holds as long as the message or enum around it. No row names the newest release, so that open ends stay open.

    x-istio-decoding        of a file: `protobuf`, whose keys have a second spelling; `json`, whose keys have one; `crd`
    x-istio-notes           of a file: its sources, and what it leaves out
    x-istio-by-hand         of a message or field: not from Istio's files; tests/istio/schema/generate.py keeps it
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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pkgutil import get_data
from typing import Any, NoReturn, TypeAlias, TypeVar

from extcp_manifests.errors import nearest
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
    """Return the schema in `data/NAME.json`, with the messages of the files that it refers to.

    A message is read when it is first asked for, since most documents need few of the hundreds that there are.
    """
    return _Reader(f"{name}.json", json.loads(data_file(f"{name}.json"))).schema()


def data_file(name: str) -> bytes:
    """Return a file of the folder `data`, wherever the package is; importlib.resources takes longer to load."""
    content = get_data("extcp_manifests.istio.schema", f"data/{name}")
    if content is None:
        raise FileNotFoundError(name)
    return content


def parse_schema(text: str, file: str) -> Schema:
    """Return the schema that a file holds, read as a whole. Raises SchemaDataError."""
    try:
        data = json.loads(text, object_pairs_hook=_without_duplicates)
    except ValueError as error:
        raise SchemaDataError(f"{file}: {error}") from error
    schema = _Reader(file, data).schema()
    dict(schema.messages)
    dict(schema.enums)
    return schema


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
_FIELD_KEYWORDS = _RANGE_KEYWORDS | {
    "x-istio-by-hand",
    "x-istio-oneof",
    "x-istio-proto-name",
    "x-istio-required-since",
}
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
_FIRST, *_, _NEWEST = RELEASES


# Where something is: the file, then the keys below its `$defs`, or the keyword beside them.
Place: TypeAlias = tuple[str, ...]


class _Reader:
    """Reads one file, and what it refers to in others."""

    def __init__(self, file: str, data: Any) -> None:
        _require_object(data, _FILE_KEYWORDS, ("$defs", "x-istio-decoding"), (file,))
        _require_one_of(data["x-istio-decoding"], _DECODING, "value", (file, "x-istio-decoding"))
        self._file = file
        self._decoding = data["x-istio-decoding"]
        self._definitions: Mapping[str, Any] = data["$defs"]
        self._included: dict[str, Schema] = {}

    def schema(self) -> Schema:
        enums = [name for name, definition in self._definitions.items() if "oneOf" in definition]
        messages = [name for name in self._definitions if name not in enums]
        return Schema(
            _ReadWhenAsked(messages, self._message, lambda: [each.messages for each in self._included.values()]),
            _ReadWhenAsked(enums, self._enum, lambda: [each.enums for each in self._included.values()]),
            self._decoding == "crd",
        )

    def _enum(self, name: str) -> tuple[EnumValue, ...]:
        return _read_enum(self._definitions[name], (self._file, name))

    def _message(self, name: str) -> tuple[Field, ...]:
        definition, place = self._definitions[name], (self._file, name)
        _require_object(definition, _MESSAGE_KEYWORDS, ("type", "properties"), place)
        _require_one_of(definition["type"], ("object",), "type of a message", place)
        releases = _read_range(definition, EVERY_RELEASE, place)
        fields: list[Field] = []
        for name, node in definition["properties"].items():
            if "anyOf" in node:
                fields += self._variants(name, node, len(fields), releases, (*place, name))
            else:
                fields.append(self._field(name, node, len(fields), releases, (*place, name)))
        return tuple(fields)

    def _variants(self, name: str, node: Any, index: int, of_message: ReleaseRange, place: Place) -> list[Field]:
        """Return the records of a field that is not the same in all releases, in their order."""
        _require_object(node, frozenset({"anyOf"}), ("anyOf",), place)
        fields = []
        for offset, variant in enumerate(node["anyOf"]):
            fields.append(self._field(name, variant, index + offset, of_message, place))
        for earlier, later in pairwise(fields):
            if _end(earlier.releases.until) >= _begin(later.releases.since):
                _fail(place, f"has records for {earlier.releases} and for {later.releases}, which overlap")
        return fields

    def _field(self, name: str, node: Any, index: int, of_message: ReleaseRange, place: Place) -> Field:
        type_ = self._type(node, _FIELD_TYPE_KEYWORDS, place)
        required = node.get("x-istio-required-since")
        if required is not None:
            _require_release(required, place)
        default = snake_case(name) if self._decoding == "protobuf" else name
        return Field(
            name=name,
            type=type_,
            proto=node.get("x-istio-proto-name", default),
            index=index,
            oneof=node.get("x-istio-oneof"),
            releases=_read_range(node, of_message, place),
            required=None if required is None else _release_range(required, None),
        )

    def _type(self, node: Any, keywords: Mapping[str, frozenset[str]], place: Place) -> str:
        """Return a type as Field.type has it."""
        kind = _kind(node, place)
        _require_object(node, keywords[kind], (), place)
        match kind:
            case "$ref":
                return self._reference(node["$ref"], place)
            case "x-kubernetes-int-or-string":
                return "intOrString"
            case "anything":
                return "value"
            case "array":
                _require_object(node, keywords[kind], ("items",), place)
                return f"list:{self._type(node['items'], _TYPE_KEYWORDS, place)}"
            case "object" if "additionalProperties" in node:
                return f"map:{self._type(node['additionalProperties'], _TYPE_KEYWORDS, place)}"
            case "object":
                return "struct"
            case _:
                return _read_scalar(kind, node, place)

    def _reference(self, reference: str, place: Place) -> str:
        """Return the type that a reference is, in this file or another."""
        file, _, name = reference.partition("#/$defs/")
        if file:
            return self._reference_outside(file, name, place)
        if name not in self._definitions:
            _fail(place, f"refers to {name!r}, which is not in the file")
        return f"enum:{name}" if "oneOf" in self._definitions[name] else f"message:{name}"

    def _reference_outside(self, file: str, name: str, place: Place) -> str:
        _require_one_of(file, [f"{each}.json" for each in SCHEMAS], "file", place)
        included = self._included.setdefault(file, read_schema(file.removesuffix(".json")))
        if name in included.enums:
            return f"enum:{name}"
        if name not in included.messages:
            _fail(place, f"refers to {name!r}, which is not in {file}")
        return f"message:{name}"


Read = TypeVar("Read")


class _ReadWhenAsked(Mapping[str, Read]):
    """What a file defines, and the files that it refers to; each is read when it is first asked for."""

    def __init__(
        self, names: Iterable[str], read: Callable[[str], Read], included: Callable[[], list[Mapping[str, Read]]]
    ) -> None:
        self._names = dict.fromkeys(names)
        self._read = cache(read)
        self._included = included
        """The same of the files to which what was read so far refers."""

    def __getitem__(self, name: str) -> Read:
        if name in self._names:
            return self._read(name)
        for included in self._included():
            if name in included:
                return included[name]
        if name in dict.fromkeys(self):  # which reads everything, and so finds all other files
            return self[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names or any(name in included for included in self._included())

    def __iter__(self) -> Iterator[str]:
        for name in self._names:
            self._read(name)
        known = dict(self._names)
        for included in self._included():
            known |= dict.fromkeys(included)
        return iter(known)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _read_enum(definition: Any, place: Place) -> tuple[EnumValue, ...]:
    _require_object(definition, _ENUM_KEYWORDS, ("oneOf",), place)
    releases = _read_range(definition, EVERY_RELEASE, place)
    values = []
    for index, node in enumerate(definition["oneOf"]):
        _require_object(node, _VALUE_KEYWORDS, ("const",), place)
        # The values of a CRD's enum are words alone, and counted here.
        number = node.get("x-istio-number", index)
        values.append(EnumValue(node["const"], number, _read_range(node, releases, (*place, node["const"]))))
    return tuple(values)


def _kind(node: Any, place: Place) -> str:
    """Return which keywords a type has, as a key of _TYPE_KEYWORDS."""
    if not isinstance(node, dict):
        _fail(place, f"must be an object, not {node!r}")
    if "type" in node:
        kind: str = node["type"]
        if kind not in _JSON_TYPES:
            _require_one_of(kind, _JSON_TYPES, "type", place)
        return kind
    for keyword in ("$ref", "x-kubernetes-int-or-string"):
        if keyword in node:
            return keyword
    return "anything"


def _read_scalar(kind: str, node: Mapping[str, Any], place: Place) -> str:
    if "format" in node:
        formats = _FORMATS[kind]
        _require_one_of(node["format"], list(formats), "format", place)
        scalar = formats[node["format"]]
    elif "minimum" in node or "maximum" in node:
        scalar = f"{kind}:{node.get('minimum', '')}..{node.get('maximum', '')}"
    else:
        scalar = "bool" if kind == "boolean" else kind
    return f"wrapper:{scalar}" if node.get("x-istio-wrapper") else scalar


@cache
def snake_case(name: str) -> str:
    """Return the spelling that protobuf has for a key whose JSON name is as usual."""
    if name.islower():
        return name
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


# ------------------------------------------------------------------------------------------------------------- releases


def _read_range(node: Mapping[str, Any], outer: ReleaseRange, place: Place) -> ReleaseRange:
    """Return the range of a record; an end that is left out is that of the message or enum around it."""
    since, until = node.get("x-istio-since"), node.get("x-istio-until")
    if since is None and until is None:
        return outer
    for release in (since, until):
        if release is not None:
            _require_release(release, place)
    if since == _FIRST:
        _fail(place, f"is since {since}, which is the first release: leave x-istio-since out")
    if until == _NEWEST:
        _fail(place, f"is known until {until}, which is the newest release: leave x-istio-until out")
    since = outer.since if since is None else since
    until = outer.until if until is None else until
    if _begin(since) > _end(until):
        _fail(place, f"is known since {since}, after its end {until}")
    if _begin(since) < _begin(outer.since) or _end(until) > _end(outer.until):
        _fail(place, f"is for {_release_range(since, until)}, but what it is in is for {outer}")
    return _release_range(since, until)


def _require_release(release: Any, place: Place) -> None:
    if release not in _ORDER:
        _fail(place, f"{release!r} is not a known Istio release: known are {_FIRST} to {_NEWEST}")


def _begin(since: str | None) -> int:
    return 0 if since is None else _ORDER[since]


def _end(until: str | None) -> int:
    return len(_ORDER) if until is None else _ORDER[until]


@cache
def _release_range(since: str | None, until: str | None) -> ReleaseRange:
    return ReleaseRange(since, until)


# --------------------------------------------------------------------------------------------------------------- errors


def _require_object(node: Any, known: frozenset[str], needed: Sequence[str], place: Place) -> None:
    """Refuse what is not an object, has a keyword that is not known here, or lacks one that is needed."""
    if not isinstance(node, dict):
        _fail(place, f"must be an object, not {node!r}")
    for keyword in node.keys() - known:
        _require_one_of(keyword, sorted(known), "keyword here", place)
    for keyword in needed:
        if keyword not in node:
            _fail(place, f"lacks the keyword {keyword!r}")


def _require_one_of(value: Any, known: Sequence[str], what: str, place: Place) -> None:
    if value in known:
        return
    meant = nearest(str(value), known)
    hint = f"did you mean {meant!r}?" if meant else f"use {' or '.join(known)}"
    _fail(place, f"{value!r} is not a valid {what}: {hint}")


def _fail(place: Place, message: str) -> NoReturn:
    file, *keys = place
    raise SchemaDataError(": ".join(part for part in (file, ".".join(keys), message) if part))
