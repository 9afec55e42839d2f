"""Decoding of scalar values, as protobuf's JSON decoder and the API server's validation of CRDs do it.

Source: github.com/golang/protobuf 1.5.2 to 1.5.4: jsonpb/decode.go, confirmed by running it; for CRDs
github.com/kubernetes/kube-openapi: pkg/validation/validate/values.go.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from extcp_manifests.documents.lookup import copied
from extcp_manifests.istio.durations import parse_duration
from extcp_manifests.patterns import pattern


class WrongValueError(Exception):
    """A value is not of its type; the text says what is wrong."""

    def __init__(self, message: str, kept: Any = None) -> None:
        super().__init__(message)
        self.kept = kept
        """What is left in the value's place in a list or map."""


def decode_scalar(type_: str, data: Any, *, crd: bool) -> Any:
    """Return a value of a type that is neither list, map, message nor enum. Raises WrongValueError."""
    kind, _, inner = type_.partition(":")
    match kind:
        case "wrapper":
            return decode_scalar(inner, data, crd=crd)
        case "value":
            return copied(data)
        case "struct":
            return _struct(data)
        case "string":
            return _string(data)
        case "bool":
            return _boolean(data)
        case "duration":
            return _duration(data)
        case "interval":
            return _interval(data)
        case "double" | "float":
            return _float(data)
        case "intOrString":
            return data if isinstance(data, str) else integer_of_width("int32", data)
        case "integer" | "number":
            return _json_number(kind, inner, data)
        case _ if crd:
            low, high = _WIDTHS[kind]
            return _json_number("integer", f"{low}..{high}", data)
        case _:
            return integer_of_width(kind, data)


def zero(type_: str) -> Any:
    """Return what protobuf takes null for in a list or map, for any type but an enum."""
    zeros: Mapping[str, Any] = {"string": "", "bool": False, "message": {}, "map": {}, "list": []}
    return zeros.get(type_.partition(":")[0], 0)


def integer_of_width(type_: str, data: Any) -> int:
    """Return an integer of protobuf, which may be written as text. Raises WrongValueError."""
    number = data
    if isinstance(data, str) and re.fullmatch(r"-?(?:0|[1-9][0-9]{0,19})", data):
        number = int(data)
    if isinstance(data, float) and data.is_integer():
        number = int(data)
    low, high = _WIDTHS[type_]
    if isinstance(number, int) and not isinstance(number, bool) and low <= number <= high:
        return number
    raise wrong(f"must be a whole number from {low} to {high}", data)


def wrong(must: str, data: Any, hint: str = "") -> WrongValueError:
    """Return the error for a value that must be something else."""
    return WrongValueError(wrong_text(must, data, hint))


def wrong_text(must: str, data: Any, hint: str = "") -> str:
    """Return what is wrong about a value that must be something else: `must be text, not a list`."""
    return f"{must}, not {_shown(data)}{hint}"


_WIDTHS = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}


def _string(data: Any) -> str:
    if isinstance(data, str):
        return data
    is_collection = isinstance(data, list | tuple | Mapping)
    raise wrong("must be text", data, ": write one text" if is_collection else ": put it in quotes")


def _boolean(data: Any) -> bool:
    if isinstance(data, bool):
        return data
    raise wrong("must be true or false", data, ": leave the quotes out" if data in ("true", "false") else "")


def _struct(data: Any) -> Mapping[str, Any]:
    if isinstance(data, Mapping):
        struct: Mapping[str, Any] = copied(data)
        return struct
    raise wrong("must be a mapping", data)


def _duration(data: Any) -> str:
    if isinstance(data, str) and parse_duration(data) is not None:
        return data
    raise wrong("must be a duration such as 10s or 1m30s", data)


def _interval(data: Any) -> str:
    """Return a duration of at least a millisecond."""
    text = _string(data)
    if (parse_duration(text) or 0) < 10**6:
        raise WrongValueError(f"is {text!r}: use whole milliseconds from 1ms, as in 5s", kept=text)
    return text


# A number of JSON or of YAML, in text.
_NUMBER = pattern(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def _float(data: Any) -> Any:
    """Return a floating-point number of protobuf, which may be written as text."""
    if data in ("NaN", "Infinity", "-Infinity"):
        return data
    if isinstance(data, str) and _NUMBER.fullmatch(data) and math.isfinite(float(data)):
        return float(data)
    if isinstance(data, int | float) and not isinstance(data, bool):
        return data
    raise wrong("must be a number", data)


def _json_number(kind: str, bounds: str, data: Any) -> Any:
    """Return a number of JSON, where 443.0 is whole, within bounds such as `0..100`, `1..` or none."""
    whole = kind == "integer"
    number = int(data) if whole and isinstance(data, float) and data.is_integer() else data
    if isinstance(number, bool) or not isinstance(number, int if whole else int | float):
        raise wrong("must be a whole number" if whole else "must be a number", data)
    low, _, high = bounds.partition("..")
    if (low and number < int(low)) or (high and number > int(high)):
        allowed = f"{low} to {high}" if high else f"{low} or more"
        raise WrongValueError(f"is {number}: use {allowed}", kept=number)
    if whole and not -(2**63) <= number < 2**63:
        raise wrong("must be a whole number of 64 bits", data)
    return number


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
