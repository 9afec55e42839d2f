"""Durations as protobuf writes them in JSON: `1.5s`."""

import re
from collections.abc import Iterator
from functools import lru_cache

MILLISECOND = 10**6


SECOND = 10**9


HOUR = 3600 * SECOND


_DURATION = re.compile(r"([-+]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+|0)")


_LONGEST_DURATION = 1000


_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


@lru_cache(maxsize=1024)
def parse_duration(text: str) -> int | None:
    """Return the nanoseconds of a duration as Go's time.ParseDuration reads it, or None."""
    whole = _DURATION.fullmatch(text) if len(text) <= _LONGEST_DURATION else None
    if whole is None:
        return None
    total = sum(_nanoseconds(number, unit) for number, unit in _parts(whole[2]))
    total = -total if whole[1] == "-" else total
    return total if -(2**63) <= total < 2**63 else None


def _parts(text: str) -> Iterator[tuple[str, str]]:
    for part in re.finditer(r"([0-9.]+)(ns|us|µs|μs|ms|s|m|h)", text):
        yield part[1], part[2]


def _nanoseconds(number: str, unit: str) -> int:
    whole, _, fraction = number.partition(".")
    scale: int = 10 ** len(fraction)
    return int(whole or 0) * _UNITS[unit] + int(fraction or 0) * _UNITS[unit] // scale
