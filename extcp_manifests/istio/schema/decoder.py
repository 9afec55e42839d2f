"""Decoding of plain data by Istio's typed schemas, as its protobuf-JSON decoder does it, by release.

Source of the rules: github.com/golang/protobuf 1.5.2 to 1.5.4: jsonpb/decode.go, confirmed by running it.
"""

import math
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from extcp_manifests.istio.durations import parse_duration
from extcp_manifests.istio.releases import Release
from extcp_manifests.istio.schema.tables import _ORDER, Field, Schema

# ------------------------------------------------------------------------------------------------------------- decoding


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a value: where it stands, and what there is to say."""

    path: tuple[str | int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message by its JSON names, what could not be decoded, and what nobody will read."""

    value: dict[str, Any]
    errors: list[Finding]
    unknown: list[Finding]
    lost: list[Finding]
    """Keys that are known and beaten by another key beside them."""


def decode(schema: Schema, message: str, data: Any, release: Release) -> Decoded:
    """Decode plain data into a message.

    null is absent; of two spellings the JSON name wins; of a oneof the last member in the order of decoding stays, but
    in a CRD two are an error, as is the lack of a required key. Fields come in the order of decoding. A value that
    cannot be decoded is left out and told among the errors.
    """
    decoder = _Decoder(schema, release)
    value = decoder.message(message, data, ())
    return Decoded(value, decoder.errors, decoder.unknown, decoder.lost)


class _Decoder:
    def __init__(self, schema: Schema, release: Release) -> None:
        self._schema = schema
        self._release = release
        self.errors: list[Finding] = []
        self.unknown: list[Finding] = []
        self.lost: list[Finding] = []

    def message(self, name: str, data: Any, path: tuple[str | int, ...]) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self._wrong(path, "must be a mapping", data)
            return {}
        fields = self._schema.fields(name, self._release)
        given: dict[str, tuple[Field, str]] = {}
        for key in data:
            field = fields.get(key)
            if not isinstance(key, str):
                self._no_text(key, path)
            elif field is None:
                self.unknown.append(Finding((*path, key), self._unknown(name, key, fields)))
            elif field.name not in given or key == field.name:
                given[field.name] = field, key
        if self._schema.crd:
            self._beside(fields, {name for name, (_, key) in given.items() if data[key] is not None}, path)
        result: dict[str, Any] = {}
        chosen: dict[str, str] = {}
        for field, key in sorted(given.values(), key=lambda pair: pair[0].index):
            if key != field.proto and field.proto in data:
                self._lose((*path, field.proto), key)
            if data[key] is None:
                continue
            failed = len(self.errors)
            value = self._value(field.type, data[key], (*path, key))
            if len(self.errors) > failed and not isinstance(value, dict | list):
                continue
            if field.oneof is not None:
                if field.oneof in chosen:
                    del result[chosen[field.oneof]]
                    self._lose((*path, chosen[field.oneof]), key)
                chosen[field.oneof] = field.name
            result[field.name] = value
        return result

    def _beside(self, fields: Mapping[str, Field], given: set[str], path: tuple[str | int, ...]) -> None:
        """The keys that a CRD misses in a message, and those that it does not take together."""
        groups: dict[str, list[str]] = {}
        for name, field in fields.items():
            if name in given and field.oneof is not None:
                groups.setdefault(field.oneof, []).append(name)
            elif name not in given and field.required_in(self._release):
                self.errors.append(Finding((*path, name), "is required: add it"))
        for names in groups.values():
            if len(names) > 1:
                self.errors.append(Finding(path, f"has {' and '.join(names)}, which exclude each other: keep one"))

    def _value(self, type_: str, data: Any, path: tuple[str | int, ...]) -> Any:
        kind, _, inner = type_.partition(":")
        match kind:
            case "list":
                return self._list(inner, data, path)
            case "map":
                return self._map(inner, data, path)
            case "message":
                return self.message(inner, data, path)
            case "enum":
                return self._enum(inner, data, path)
            case "wrapper":
                return self._scalar(inner, data, path)
            case "value":
                return deepcopy(data)
            case "intOrString":
                return data if isinstance(data, str) else self._integer("int32", data, path)
            case "integer" | "number":
                return self._number(kind, inner, data, path)
            case "struct":
                return deepcopy(data) if isinstance(data, Mapping) else self._wrong(path, "must be a mapping", data)
            case _:
                return self._scalar(kind, data, path)

    def _list(self, inner: str, data: Any, path: tuple[str | int, ...]) -> list[Any]:
        if not isinstance(data, list | tuple):
            self._wrong(path, "must be a list", data)
            return []
        return [self._item(inner, item, (*path, index)) for index, item in enumerate(data)]

    def _map(self, inner: str, data: Any, path: tuple[str | int, ...]) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self._wrong(path, "must be a mapping", data)
            return {}
        for key in data:
            if not isinstance(key, str):
                self._no_text(key, path)
        texts = {key: item for key, item in data.items() if isinstance(key, str)}
        if self._schema.crd:  # k8s.io/apiextensions-apiserver drops nulls, but not from lists
            texts = {key: item for key, item in texts.items() if item is not None}
        return {key: self._item(inner, item, (*path, key)) for key, item in texts.items()}

    def _item(self, inner: str, data: Any, path: tuple[str | int, ...]) -> Any:
        """An item of a list or map, where null is the type's zero value, if it is one at all."""
        if data is None and self._schema.crd:
            self.errors.append(Finding(path, "is null: leave it out"))
        return self._zero(inner) if data is None else self._value(inner, data, path)

    def _zero(self, type_: str) -> Any:
        kind, _, inner = type_.partition(":")
        if kind == "enum":
            return self._enum(inner, 0, ())
        return {"string": "", "bool": False, "message": {}, "map": {}, "list": []}.get(kind, 0)

    def _enum(self, name: str, data: Any, path: tuple[str | int, ...]) -> Any:
        values = self._schema.values(name, self._release)
        if isinstance(data, str) and data in values:
            return data
        if isinstance(data, int | float) and not isinstance(data, bool) and not self._schema.crd:
            known = self._integer("int32", data, path)
            return next((text for text, number in values.items() if number == known), known)
        elsewhere = [value.releases for value in self._schema.enums[name] if value.name == data]
        nearest = get_close_matches(data.upper(), list(values), n=1) if isinstance(data, str) else []
        hint = f": it is known to {elsewhere[0]}" if elsewhere else f": did you mean {nearest[0]}?" if nearest else ""
        hint = ": put it in quotes" if isinstance(data, bool) else hint
        return self._wrong(path, f"must be {_either(values)}", data, hint)

    def _scalar(self, type_: str, data: Any, path: tuple[str | int, ...]) -> Any:
        match type_:
            case "string":
                return data if isinstance(data, str) else self._wrong(path, "must be text", data, ": put it in quotes")
            case "bool":
                hint = ": leave the quotes out" if data in ("true", "false") else ""
                return data if isinstance(data, bool) else self._wrong(path, "must be true or false", data, hint)
            case "duration":
                valid = isinstance(data, str) and parse_duration(data) is not None
                return data if valid else self._wrong(path, "must be a duration such as 10s or 1m30s", data)
            case "double" | "float":
                return self._float(data, path)
            case "interval":
                return self._interval(data, path)
            case _ if self._schema.crd:
                return self._number("integer", "{}..{}".format(*_WIDTHS[type_]), data, path)
            case _:
                return self._integer(type_, data, path)

    def _interval(self, data: Any, path: tuple[str | int, ...]) -> Any:
        """A duration of at least a millisecond."""
        text = self._scalar("string", data, path)
        if text is not None and (parse_duration(text) or 0) < 10**6:
            self.errors.append(Finding(path, f"is {text!r}: use whole milliseconds from 1ms, as in 5s"))
        return text

    def _number(self, kind: str, bounds: str, data: Any, path: tuple[str | int, ...]) -> Any:
        """A number of JSON, where 443.0 is whole, within bounds."""
        whole = kind == "integer"
        number = int(data) if whole and isinstance(data, float) and data.is_integer() else data
        if isinstance(number, bool) or not isinstance(number, int if whole else int | float):
            return self._wrong(path, "must be a whole number" if whole else "must be a number", data)
        low, _, high = bounds.partition("..")
        if (low and number < int(low)) or (high and number > int(high)):
            self.errors.append(Finding(path, f"is {number}: use {low} {f'to {high}' if high else 'or more'}"))
        elif whole and not -(2**63) <= number < 2**63:
            return self._wrong(path, "must be a whole number of 64 bits", data)
        return number

    def _float(self, data: Any, path: tuple[str | int, ...]) -> Any:
        if data in ("NaN", "Infinity", "-Infinity"):
            return data
        if isinstance(data, str) and _NUMBER.fullmatch(data) and math.isfinite(float(data)):
            return float(data)
        if isinstance(data, int | float) and not isinstance(data, bool):
            return data
        return self._wrong(path, "must be a number", data)

    def _integer(self, type_: str, data: Any, path: tuple[str | int, ...]) -> Any:
        number = data
        if isinstance(data, str) and re.fullmatch(r"-?(?:0|[1-9][0-9]{0,19})", data):
            number = int(data)
        if isinstance(data, float) and data.is_integer():
            number = int(data)
        low, high = _WIDTHS[type_]
        if isinstance(number, int) and not isinstance(number, bool) and low <= number <= high:
            return number
        return self._wrong(path, f"must be a whole number from {low} to {high}", data)

    def _lose(self, path: tuple[str | int, ...], key: str) -> None:
        self.lost.append(Finding(path, f"is beaten by {key} beside it: keep one"))

    def _no_text(self, key: Any, path: tuple[str | int, ...]) -> None:
        self.errors.append(Finding(path, f"the key {key!r} is no text: write it as a string"))

    def _wrong(self, path: tuple[str | int, ...], must: str, data: Any, hint: str = "") -> None:
        self.errors.append(Finding(path, f"{must}, not {_shown(data)}{hint}"))

    def _unknown(self, message: str, key: str, fields: Mapping[str, Field]) -> str:
        """What is known of a key that the release does not know."""
        for holder in _EMBEDDED & fields.keys():
            if key in self._schema.fields(fields[holder].type.partition(":")[2], self._release):
                return f"is unknown to Istio: did you mean '{holder}.{key}'?"
        elsewhere = _joined(field for field in self._schema.messages[message] if key in (field.name, field.proto))
        if elsewhere:
            return f"is known to {' and '.join(field.releases for field in elsewhere)}, not to {self._release}"
        if key in _EMBEDDED:
            return "is unknown to Istio here: write what it holds in its place"
        names = sorted({field.name for field in fields.values()})
        nearest = get_close_matches(key, names, n=1) or [n for n in names if n.lower() == key.lower()]
        return f"is unknown to Istio: did you mean {nearest[0]!r}?" if nearest else "is unknown to Istio: leave it out"


# Kubernetes' types have what these hold in the place of them; protobuf has them as fields.
_EMBEDDED = frozenset({"localObjectReference", "volumeSource"})


def _joined(fields: Iterable[Field]) -> list[Field]:
    """Records of a field, in the order of releases, with one in the place of those that follow each other."""
    result: list[Field] = []
    for field in fields:
        if result and _ORDER[field.since] == _ORDER[result[-1].until] + 1:
            field = replace(result.pop(), until=field.until)
        result.append(field)
    return result


_WIDTHS = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def _either(names: Mapping[str, int]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _shown(data: Any) -> str:
    match data:
        case bool():
            return f"the boolean {str(data).lower()}"
        case int() | float():
            return f"the number {data}"
        case str():
            return repr(data)
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return f"a {type(data).__name__}"
