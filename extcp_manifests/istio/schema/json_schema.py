"""Plain JSON Schemas (draft 2020-12) of one release, for editors and for validators that know nothing of Istio.

They accept what Istio accepts in that release: both spellings of a key, numbers as text, null for what is left out. A
key that Istio refuses or ignores is refused.

They are stricter than Istio where it ignores something: the less preferred of two spellings, and an enum's number
without a name. They are less strict in lengths of durations and of numbers in text.
"""

from collections.abc import Mapping
from typing import Any

from extcp_manifests.istio.kinds import served_versions
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.istio.schema.model import Field, Schema
from extcp_manifests.istio.schema.tables import read_schema
from extcp_manifests.records import Record

JSONSchema = dict[str, Any]


class _Root(Record):
    """What a schema for editors is made of."""

    schema: str
    message: str
    kind: str | None = None
    """The kind of a whole document."""
    parts: Mapping[str, tuple[str, str]] | None = None
    """Free mappings of a message, as `Message.field`, that other schemas describe: the schema and its message."""


def _crd(kind: str) -> _Root:
    return _Root("networking", "Networking", kind, {"Networking.spec": ("networking", f"{kind}Spec")})


_MESH_CONFIG = ("mesh_config", "MeshConfig")
_OF_OPERATOR = {"Spec.meshConfig": _MESH_CONFIG, "Spec.values": ("values", "Values"), "Values.meshConfig": _MESH_CONFIG}
_ROOTS = {
    "mesh-config": _Root("mesh_config", "MeshConfig"),
    "istio-operator": _Root("istio_operator", "IstioOperator", "IstioOperator", _OF_OPERATOR),
    "values": _Root("values", "Values", parts={"Values.meshConfig": _MESH_CONFIG}),
    "gateway": _crd("Gateway"),
    "virtual-service": _crd("VirtualService"),
    "destination-rule": _crd("DestinationRule"),
}

EDITOR_SCHEMAS = tuple(_ROOTS)
"""The names of the JSON Schemas for editors."""


def editor_schema(name: str, *, release: Release | str) -> JSONSchema:
    """Return the JSON Schema of that name for a release. Raises InvalidInput for an unknown release."""
    root = _ROOTS[name]
    return _Writer(root, find_release(release)).write(name)


class _Writer:
    """Gathers the messages that a root reaches, each once."""

    def __init__(self, root: _Root, release: Release) -> None:
        self._root = root
        self._parts = root.parts or {}
        self._release = release
        self._definitions: JSONSchema = {}

    def write(self, name: str) -> JSONSchema:
        reference = self._message(self._root.schema, self._root.message)
        written: JSONSchema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"{name} of Istio {self._release}",
            **reference,
            "type": "object",
        }
        if self._root.kind is not None:
            kind = self._root.kind
            versions = list(served_versions(kind, self._release))
            written["properties"] = {"apiVersion": {"enum": versions}, "kind": {"const": kind}}
            written["required"] = ["apiVersion", "kind"]
        written["$defs"] = dict(sorted(self._definitions.items()))
        return written

    # -------------------------------------------------------------------------------------------------------- messages

    def _message(self, schema_name: str, message: str) -> JSONSchema:
        """Return the reference to a message, which is written if it was not yet."""
        key = self._key(schema_name, message)
        if key not in self._definitions:
            self._definitions[key] = {}  # messages may hold themselves
            self._definitions[key] = self._definition(schema_name, message)
        return {"$ref": f"#/$defs/{key}"}

    def _key(self, schema_name: str, name: str) -> str:
        """Return the name of a definition; those of other schemas than the root's carry the schema's."""
        return name if schema_name == self._root.schema else f"{schema_name}.{name}"

    def _definition(self, schema_name: str, message: str) -> JSONSchema:
        schema = read_schema(schema_name)
        required = schema.required(message, self._release)
        properties: JSONSchema = {}
        for spelling, field in _by_spelling(schema, message, self._release):
            part = self._parts.get(f"{message}.{field.name}")
            if part is not None:
                properties[spelling] = self._message(*part)
            elif field.name in required:
                properties[spelling] = _without_null(self._type(schema_name, field.type))
            else:
                properties[spelling] = self._type(schema_name, field.type)
        definition: JSONSchema = {"type": ["object", "null"], "properties": properties, "additionalProperties": False}
        if required:
            definition["required"] = list(required)
        if schema.crd:
            definition |= _exclusions(schema.fields(message, self._release))
        return definition

    # ----------------------------------------------------------------------------------------------------------- types

    def _type(self, schema_name: str, type_: str) -> JSONSchema:
        """Return a type, which takes null as absent."""
        schema = read_schema(schema_name)
        kind, _, inner = type_.partition(":")
        match kind:
            case "list":
                item = self._type(schema_name, inner)
                return {"type": ["array", "null"], "items": _without_null(item) if schema.crd else item}
            case "map":
                return {"type": ["object", "null"], "additionalProperties": self._type(schema_name, inner)}
            case "message":
                return self._message(schema_name, inner)
            case "enum":
                return self._enum(schema_name, inner)
            case "wrapper":
                return self._type(schema_name, inner)
            case "integer" | "number":
                return {"type": [kind, "null"], **_bounds(inner)}
            case _ if kind in _JSON_TYPES:
                return _JSON_TYPES[kind]
            case _ if schema.crd:
                return {"type": ["integer", "null"], **_BOUNDS[kind]}
            case _:
                return self._number_or_text(kind)

    def _enum(self, schema_name: str, name: str) -> JSONSchema:
        schema = read_schema(schema_name)
        values = schema.values(name, self._release)
        numbers = [] if schema.crd else list(values.values())
        self._definitions[self._key(schema_name, name)] = {"enum": [*values, *numbers, None]}
        return {"$ref": f"#/$defs/{self._key(schema_name, name)}"}

    def _number_or_text(self, kind: str) -> JSONSchema:
        """Return the reference to a number of protobuf, which may be text too."""
        self._definitions[kind] = _NUMBERS_OR_TEXT[kind]
        return {"$ref": f"#/$defs/{kind}"}


def _by_spelling(schema: Schema, message: str, release: Release) -> list[tuple[str, Field]]:
    """Return the fields by all that they may be called: first all JSON names, then the other spellings."""
    fields = schema.fields(message, release)
    names = [(spelling, field) for spelling, field in fields.items() if spelling == field.name]
    others = [(spelling, field) for spelling, field in fields.items() if spelling != field.name]
    names.sort(key=lambda pair: pair[1].index)
    return names + others


def _exclusions(fields: Mapping[str, Field]) -> JSONSchema:
    """Return that of each oneof's members there is one or none."""
    groups: dict[str, list[str]] = {}
    for name, field in fields.items():
        if field.oneof is not None:
            groups.setdefault(field.oneof, []).append(name)
    exclusive = []
    for names in groups.values():
        alone = [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in names]
        exclusive.append({"oneOf": [{"not": {"anyOf": alone}}, *alone]})
    return {"allOf": exclusive} if exclusive else {}


def _without_null(type_: JSONSchema) -> JSONSchema:
    if "type" in type_:
        [kind] = [each for each in type_["type"] if each != "null"]
        return {**type_, "type": kind}
    return {**type_, "not": {"type": "null"}}


def _bounds(text: str) -> JSONSchema:
    """Return the bounds that a type such as `integer:0..100` has behind its colon."""
    low, _, high = text.partition("..")
    bounds = {}
    if low:
        bounds["minimum"] = int(low)
    if high:
        bounds["maximum"] = int(high)
    return bounds


# What Go's time.ParseDuration reads, without the check that it fits into 64 bits.
_DURATION = r"^[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$"
_POSITIVE_DURATION = _DURATION.replace("[-+]?", r"\+?")
_JSON_TYPES: Mapping[str, JSONSchema] = {
    "value": {},
    "struct": {"type": ["object", "null"]},
    "string": {"type": ["string", "null"]},
    "bool": {"type": ["boolean", "null"]},
    "duration": {"type": ["string", "null"], "pattern": _DURATION},
    "interval": {"type": ["string", "null"], "pattern": _POSITIVE_DURATION},
}
_BOUNDS: Mapping[str, JSONSchema] = {
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "uint32": {"minimum": 0, "maximum": 2**32 - 1},
    "int64": {"minimum": -(2**63), "maximum": 2**63 - 1},
    "uint64": {"minimum": 0, "maximum": 2**64 - 1},
}
_SIGNED_TEXT = "^-?(?:0|[1-9][0-9]{0,19})$"
_UNSIGNED_TEXT = "^(?:0|[1-9][0-9]{0,19})$"
_FLOAT_TEXT = r"^(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|NaN|-?Infinity)$"
_INTEGER_OR_TEXT: JSONSchema = {"type": ["integer", "string", "null"]}
_NUMBER_OR_TEXT: JSONSchema = {"type": ["number", "string", "null"], "pattern": _FLOAT_TEXT}
_NUMBERS_OR_TEXT: Mapping[str, JSONSchema] = {
    "int32": {**_INTEGER_OR_TEXT, **_BOUNDS["int32"], "pattern": _SIGNED_TEXT},
    "uint32": {**_INTEGER_OR_TEXT, **_BOUNDS["uint32"], "pattern": _UNSIGNED_TEXT},
    "int64": {**_INTEGER_OR_TEXT, **_BOUNDS["int64"], "pattern": _SIGNED_TEXT},
    "uint64": {**_INTEGER_OR_TEXT, **_BOUNDS["uint64"], "pattern": _UNSIGNED_TEXT},
    "float": _NUMBER_OR_TEXT,
    "double": _NUMBER_OR_TEXT,
    "intOrString": {**_INTEGER_OR_TEXT, **_BOUNDS["int32"]},
}
