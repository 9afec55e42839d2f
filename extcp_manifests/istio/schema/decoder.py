"""Decoding of plain data by Istio's typed schemas, as its protobuf-JSON decoder does it, by release.

Source of the rules: github.com/golang/protobuf 1.5.2 to 1.5.4: jsonpb/decode.go, confirmed by running it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from extcp_manifests.documents.lookup import MAPPING
from extcp_manifests.errors import nearest
from extcp_manifests.istio.releases import Release
from extcp_manifests.istio.schema.model import Field, Schema
from extcp_manifests.istio.schema.scalars import (
    WrongValueError,
    decode_scalar,
    integer_of_width,
    wrong,
    wrong_text,
    zero,
)
from extcp_manifests.istio.schema.unknown_keys import why_unknown
from extcp_manifests.records import Record

Path: TypeAlias = tuple[str | int, ...]


class Finding(Record):
    """Something about a value: where it is, and what there is to say."""

    path: Path
    message: str


class Decoded(Record):
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
    cannot be decoded is left out and reported among the errors.
    """
    decoder = _Decoder(schema, release)
    value = decoder.message(message, data, ())
    return Decoded(value, decoder.errors, decoder.unknown, decoder.lost)


class _GivenField(NamedTuple):
    """A field that is given: the spelling that counts, its type in two parts, and the spelling that is lost."""

    key: str
    name: str
    is_simple: bool
    """Whether text is its value as it is, and nothing is lost."""
    field: Field
    kind: str
    inner: str
    lost: str | None


class _Given(NamedTuple):
    """What the keys of a mapping are in a message."""

    fields: tuple[_GivenField, ...]
    """In the order of decoding."""
    unknown: tuple[tuple[str, str], ...]
    """Keys that the release does not know, each with the reason."""
    not_text: tuple[Any, ...]
    is_complete: bool
    """Whether a CRD takes these keys, where none of them is null."""


_Remembered = dict[tuple[Any, ...], _Given]
"""What is in messages, by the message and its keys."""


@cache
def _remembered(_schema: Schema, _release: Release) -> _Remembered:
    """Return what was looked up before; documents of a kind have the same keys."""
    return {}


def _looked_up(schema: Schema, message: str, release: Release, keys: tuple[Any, ...]) -> _Given:
    """Return what keys are in a message; of two spellings the JSON name counts."""
    fields = schema.fields(message, release)
    given: dict[str, _GivenField] = {}
    unknown: list[tuple[str, str]] = []
    for key in keys:
        field = fields.get(key) if isinstance(key, str) else None
        if field is not None and (field.name not in given or key == field.name):
            kind, inner = _parts(field.type)
            lost = field.proto if key != field.proto and field.proto in keys else None
            is_simple = kind == "string" and field.oneof is None and lost is None
            given[field.name] = _GivenField(key, field.name, is_simple, field, kind, inner, lost)
        elif field is None and isinstance(key, str):
            unknown.append((key, why_unknown(schema, message, key, release)))
    ordered = sorted(given.values(), key=lambda each: each.field.index)
    not_text = tuple(key for key in keys if not isinstance(key, str))
    oneofs = [each.field.oneof for each in ordered if each.field.oneof is not None]
    is_complete = len(set(oneofs)) == len(oneofs) and given.keys() >= set(schema.required(message, release))
    return _Given(tuple(ordered), tuple(unknown), not_text, is_complete)


@cache
def _parts(type_: str) -> tuple[str, str]:
    """Return a type's kind, and what it is of."""
    kind, _, inner = type_.partition(":")
    return kind, inner


_MOST_REMEMBERED = 1024


class _Decoder:
    """Collects what there is to say while it walks down the data."""

    def __init__(self, schema: Schema, release: Release) -> None:
        self._schema = schema
        self._release = release
        self._remembered = _remembered(schema, release)
        self.errors: list[Finding] = []
        self.unknown: list[Finding] = []
        self.lost: list[Finding] = []

    def message(self, name: str, data: Any, path: Path) -> dict[str, Any]:
        """Return a message; what is wrong in it is left out."""
        if not isinstance(data, MAPPING):
            self._error(path, wrong_text("must be a mapping", data))
            return {}
        given = self._given(name, tuple(data))
        if given.not_text or given.unknown:
            self.errors += [Finding(path, _not_text(key)) for key in given.not_text]
            self.unknown += [Finding((*path, key), why) for key, why in given.unknown]
        if self._schema.crd and (not given.is_complete or None in data.values()):
            self._check_crd(name, [each.field for each in given.fields if data[each.key] is not None], path)
        result: dict[str, Any] = {}
        chosen: dict[str, str] = {}  # the member that is set, by the name of its oneof
        for key, own_name, is_simple, field, kind, inner, lost in given.fields:
            item = data[key]
            if is_simple and type(item) is str:  # as most are
                result[own_name] = item
                continue
            if lost is not None:
                self._lose((*path, lost), key)
            if item is None:
                continue
            failed = len(self.errors)
            value = self._value(kind, inner, field.type, item, (*path, key))
            if len(self.errors) > failed and not isinstance(value, dict | list):
                continue
            if field.oneof is not None:
                if field.oneof in chosen:
                    del result[chosen[field.oneof]]
                    self._lose((*path, chosen[field.oneof]), key)
                chosen[field.oneof] = own_name
            result[own_name] = value
        return result

    def _given(self, message: str, keys: tuple[Any, ...]) -> _Given:
        """Return what keys are in a message, remembered where all are known."""
        asked = (message, *keys)
        given = self._remembered.get(asked)
        if given is None:
            given = _looked_up(self._schema, message, self._release, keys)
            if not given.unknown and not given.not_text and len(self._remembered) < _MOST_REMEMBERED:
                self._remembered[asked] = given
        return given

    def _check_crd(self, message: str, given: list[Field], path: Path) -> None:
        """Report the keys that a CRD misses in a message, and those that it does not take together."""
        required = self._schema.required(message, self._release)
        oneofs = [field.oneof for field in given if field.oneof is not None]
        if not required and len(oneofs) < 2:
            return
        names = {field.name for field in given}
        for name in required:
            if name not in names:
                self._error((*path, name), "is required: add it")
        if len(set(oneofs)) == len(oneofs):
            return
        groups: dict[str, list[str]] = {}
        for name, field in self._schema.fields(message, self._release).items():
            if name in names and field.oneof is not None:
                groups.setdefault(field.oneof, []).append(name)
        for excluding in groups.values():
            if len(excluding) > 1:
                self._error(path, f"has {' and '.join(excluding)}, which exclude each other: keep one")

    def _value(self, kind: str, inner: str, type_: str, data: Any, path: Path) -> Any:
        """Return a value of any type; one that is wrong is reported, and mostly becomes None."""
        if kind == "list":
            return self._list(inner, data, path)
        if kind == "map":
            return self._map(inner, data, path)
        if kind == "message":
            return self.message(inner, data, path)
        try:
            if kind == "enum":
                return self._enum(inner, data)
            return decode_scalar(type_, data, crd=self._schema.crd)
        except WrongValueError as error:
            self._error(path, str(error))
            return error.kept

    def _list(self, inner: str, data: Any, path: Path) -> list[Any]:
        if not isinstance(data, list | tuple):
            self._error(path, wrong_text("must be a list", data))
            return []
        kind, name = _parts(inner)
        if kind == "string" and all(type(item) is str for item in data):
            return list(data)
        if kind == "message" and None not in data:
            return [self.message(name, item, (*path, index)) for index, item in enumerate(data)]
        return [self._item(inner, item, (*path, index)) for index, item in enumerate(data)]

    def _map(self, inner: str, data: Any, path: Path) -> dict[str, Any]:
        if not isinstance(data, MAPPING):
            self._error(path, wrong_text("must be a mapping", data))
            return {}
        for key in data:
            if not isinstance(key, str):
                self._error(path, _not_text(key))
        result = {}
        for key, item in data.items():
            # k8s.io/apiextensions-apiserver drops nulls from mappings, but not from lists
            is_dropped = item is None and self._schema.crd
            if inner == "string" and isinstance(key, str) and isinstance(item, str):
                result[key] = item
            elif isinstance(key, str) and not is_dropped:
                result[key] = self._item(inner, item, (*path, key))
        return result

    def _item(self, inner: str, data: Any, path: Path) -> Any:
        """Return an item of a list or map, where null is the type's zero value, if it is one at all."""
        kind, name = _parts(inner)
        if data is not None:
            return self._value(kind, name, inner, data, path)
        if self._schema.crd:
            self._error(path, "is null: leave it out")
        return self._enum(name, 0) if kind == "enum" else zero(inner)

    def _enum(self, name: str, data: Any) -> Any:
        """Return the name of an enum's value, or the number of one that has no name. Raises WrongValueError."""
        values = self._schema.values(name, self._release)
        if isinstance(data, str) and data in values:
            return data
        if isinstance(data, int | float) and not isinstance(data, bool) and not self._schema.crd:
            number = integer_of_width("int32", data)
            for text, known in values.items():
                if known == number:
                    return text
            return number
        raise wrong(f"must be {_either(values)}", data, self._hint_for_enum(name, data))

    def _hint_for_enum(self, name: str, data: Any) -> str:
        if isinstance(data, bool):
            return ": put it in quotes"
        for value in self._schema.enums[name]:
            if value.name == data:
                return f": it is known to {value.releases}"
        if isinstance(data, str):
            meant = nearest(data.upper(), self._schema.values(name, self._release))
            return f": did you mean {meant}?" if meant else ""
        return ""

    def _error(self, path: Path, message: str) -> None:
        self.errors.append(Finding(path, message))

    def _lose(self, path: Path, key: str) -> None:
        self.lost.append(Finding(path, f"is beaten by {key} beside it: keep one"))


def _not_text(key: Any) -> str:
    return f"the key {key!r} is no text: write it as a string"


def _either(names: Mapping[str, int]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
