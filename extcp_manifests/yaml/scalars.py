"""The types of unquoted scalars, as Go's YAML parser sees them.

YAML 1.1 and 1.2 disagree about words such as `yes` and `0o17`, and Go's parser follows neither of them throughout.
Kubernetes and Istio read YAML with that parser, so this library does as it does: a value means here what it will mean
in the cluster.
"""

import math
import re

from extcp_manifests.patterns import pattern


def resolve(text: str) -> str | int | float | bool | None:
    """Return the value of an unquoted scalar as Go's parser types it; dates stay text.

    Source: sigs.k8s.io/yaml 1.4.0 with its goyaml.v2.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    integer = _integer(digits)
    if integer is not None and -(2**63) <= integer < 2**63:
        return integer
    if integer is not None and 2**63 <= integer < 2**64:
        return float(integer)  # a uint64 in Go; as JSON, it becomes a float64
    if _FLOAT.fullmatch(digits):
        number = float(digits)
        if math.isfinite(number):
            return number
    return text


def _integer(digits: str) -> int | None:
    """Return the integer that is written here, or None for text of another form or of too many digits."""
    if len(digits) > _LONGEST_INTEGER:
        return None
    for base, form in _INTEGERS.items():
        if form.fullmatch(digits):
            return int(digits, base)
    return None


# 64 bits written in base 2; longer text is beyond 64 bits in every base, unless it begins with zeros.
_LONGEST_INTEGER = len("-0b") + 64

_INTEGERS = {
    10: pattern(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII),
    16: pattern(r"[-+]?0[xX][0-9a-fA-F]+"),
    2: pattern(r"[-+]?0[bB][01]+"),
    8: pattern(r"[-+]?0[oO]?[0-7]+"),
}

_FLOAT = pattern(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def _in_each_case(*words: str) -> list[str]:
    """Return each word as `yes`, `Yes` and `YES`, the only spellings that parsers know."""
    spellings: list[str] = []
    for word in words:
        spellings += [word, word.capitalize(), word.upper()]
    return spellings


_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(["", "~", *_in_each_case("null")], None),
    **dict.fromkeys(_in_each_case("y", "yes", "true", "on"), True),
    **dict.fromkeys(_in_each_case("n", "no", "false", "off"), False),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], math.inf),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], -math.inf),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], math.nan),
}
