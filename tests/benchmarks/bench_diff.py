"""Comparing documents: the time as the input doubles, and the exponent by which it grows.

Run: python tests/benchmarks/bench_diff.py
"""

from collections.abc import Callable
from math import log2
from time import perf_counter
from typing import Any

from extcp_manifests.documents.compare import compare_documents

Documents = list[dict[str, Any]]


def _unnamed(count: int, shift: int) -> Documents:
    return [{"kind": "A", "v": number + shift, "w": {"x": [number]}} for number in range(count)]


def _named_items(count: int, shift: int) -> Documents:
    items = [{"name": f"n{number}", "value": number + shift} for number in range(count)]
    return [{"kind": "A", "items": items}]


def _alternating(count: int, shift: int) -> Documents:
    """Every second item of a list without names is another one."""
    return [{"kind": "A", "items": [number + shift * (number % 2) * 10**6 for number in range(count)]}]


def _two_values(count: int, shift: int) -> Documents:
    return [{"kind": "A", "items": [number * (number + 3 * shift) // 3 % 2 for number in range(count)]}]


CASES: dict[str, Callable[[int, int], Documents]] = {
    "unnamed documents": _unnamed,
    "named items": _named_items,
    "alternating items": _alternating,
    "items of two values": _two_values,
}


def main() -> None:
    """Print the times and the exponents."""
    for name, documents in CASES.items():
        times = [_seconds(documents(count, 0), documents(count, 1)) for count in (5_000, 10_000, 20_000)]
        shown = "  ".join(f"{seconds:.3f} s" for seconds in times)
        print(f"{name:20}  5,000 to 20,000: {shown}  exponent {log2(times[-1] / times[0]) / 2:.2f}")


def _seconds(old: Documents, new: Documents) -> float:
    start = perf_counter()
    for _ in compare_documents(old, new):
        pass
    return perf_counter() - start


if __name__ == "__main__":
    main()
