"""Durations as protobuf writes them in JSON, and Go reads them: `1.5s`, `1h30m`."""

from functools import lru_cache

from extcp_manifests.patterns import pattern

MILLISECOND = 10**6
SECOND = 10**9
HOUR = 3600 * SECOND

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5, the micro sign
    "μs": 10**3,  # U+03BC, the Greek letter
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_UNIT = "|".join(_NANOSECONDS)
_DURATION = pattern(rf"([-+]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:{_UNIT}))+|0)")
_TERM = pattern(rf"([0-9.]+)({_UNIT})")
_LONGEST_TEXT = 1000


@lru_cache(maxsize=1024)
def parse_duration(text: str) -> int | None:
    """Return the nanoseconds of a duration as Go's time.ParseDuration reads it, or None for any other text."""
    if len(text) > _LONGEST_TEXT:
        return None
    duration = _DURATION.fullmatch(text)
    if duration is None:
        return None
    sign, terms = duration.groups()
    total = sum(_nanoseconds(number, unit) for number, unit in _TERM.findall(terms))
    if sign == "-":
        total = -total
    return total if -(2**63) <= total < 2**63 else None


def _nanoseconds(number: str, unit: str) -> int:
    """Return a number such as `1.5` of a unit in nanoseconds, cut off behind the last whole one."""
    whole, _, fraction = number.partition(".")
    scale: int = 10 ** len(fraction)
    return int(whole or 0) * _NANOSECONDS[unit] + int(fraction or 0) * _NANOSECONDS[unit] // scale
