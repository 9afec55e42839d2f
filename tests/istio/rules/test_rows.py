"""Rules as rows: the five shapes, where rows look, and what they leave alone."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from extcp_manifests.documents.findings import Found, Rule, error
from extcp_manifests.documents.lookup import EACH
from extcp_manifests.istio.durations import SECOND
from extcp_manifests.istio.releases import find_release, since
from extcp_manifests.istio.rules.rows import (
    EVERYTHING,
    Duration,
    Excludes,
    OneOf,
    Range,
    Required,
    RuleRow,
    RuleTree,
    rows_at,
    rows_of,
)


def reported(found: Iterator[Found]) -> list[str]:
    """Findings as lines, with their levels."""
    return [f"{each.level} {each.problem}" for each in found]


@pytest.mark.parametrize(
    ("shape", "settings", "lines"),
    [
        (Required("a"), {}, ["error a: is required: add it"]),
        (Required("a", "is empty: add b"), {"a": []}, ["error a: is empty: add b"]),
        (Required("a"), {"a": {}}, []),
        (OneOf(("a", "b"), "add a or b"), {"a": "", "c": 1}, ["error add a or b"]),
        (OneOf(("a", "b"), "add a or b"), {"b": 0}, []),
        (Excludes(("a", "b", "c")), {"a": 1, "c": {}}, ["error has a and c, which exclude each other: keep one"]),
        (
            Excludes(("a", "b"), is_warning=True),
            {"a": 1, "b": 2},
            ["warning has a and b, which exclude each other: keep one"],
        ),
        (Excludes(("a", "b")), {"a": 1, "b": None}, []),
        (Range("a", 1, 3), {"a": 4}, ["error a: is 4: use 1 to 3"]),
        (Range("a", 1), {"a": 0}, ["error a: is 0: use 1 or more"]),
        (Range("a", 1, 3), {}, []),
        (Range("a", 1, 9, missing=0, what="port"), {}, ["error a: is 0, which is not a valid port: use 1 to 9"]),
        (Duration("a"), {"a": "1.5ms"}, ["error a: is '1.5ms': use whole milliseconds from 1ms, as in 5s"]),
        (Duration("a"), {"a": 5}, ["error a: is 5: use whole milliseconds from 1ms, as in 5s"]),
        (Duration("a", or_zero=True), {"a": "0s"}, []),
        (Duration("a", least=None), {"a": "-1s"}, []),
        (Duration("a", missing="0s", use="1s or more"), {}, ["error a: is '0s': use 1s or more"]),
        (Duration("a", most=SECOND, use="at most 1s"), {"a": "2s"}, ["error a: is '2s': use at most 1s"]),
    ],
)
def test_shapes(shape: Rule, settings: dict[str, Any], lines: list[str]) -> None:
    """Each shape reports a mapping that does not have it, with the way out."""
    assert reported(iter(shape(settings))) == lines


def is_looked_at(_: Mapping[str, Any]) -> Iterator[Found]:
    """A rule that reports every mapping that it gets."""
    yield error(("a",), "looked at")


def test_places() -> None:
    """A rule gets the mapping at each of its places, and its findings have the whole place and the rule's id."""
    document = {"x": [{"y": {}}, {}, {"y": 5}, {"y": {}}], "z": {"y": {}}}
    found = list(RuleTree([RuleRow("i", is_looked_at, at=("x", EACH, "y"))]).run(document))
    assert [each.problem.path for each in found] == ["x[0].y.a", "x[3].y.a"]
    assert {each.rule for each in found} == {"i"}


def test_rows_of_a_part() -> None:
    """Rows of a part hold below its place, with another id if wanted, and only in their releases."""
    rows = rows_at(("x",), [RuleRow("i", is_looked_at), RuleRow("j", is_looked_at, at=("y",), releases=since("1.24"))])
    assert [row.at for row in rows] == [("x",), ("x", "y")]
    assert [row.id for row in rows_at((), rows, rule_id="k")] == ["k", "k"]
    assert [row.id for row in rows_of(rows, find_release("1.23"))] == ["i"]
    assert [row.id for row in rows_of(rows, find_release("1.24"))] == ["i", "j"]


@pytest.mark.parametrize(
    ("needs", "wrong", "paths"),
    [
        ((), [], ["x[0].a", "x[1].a"]),
        ((), [("x", 0, "b")], ["x[0].a", "x[1].a"]),
        ((), [("x", 0, "a")], ["x[1].a"]),
        ((), [("x", 0)], ["x[1].a"]),
        ((("b",),), [("x", 0, "b")], ["x[1].a"]),
        ((("b",),), [("x", 0, "b", "c")], ["x[0].a", "x[1].a"]),
        ((("b", EVERYTHING),), [("x", 0, "b", "c")], ["x[1].a"]),
        ((("b", EACH),), [("x", 1, "b", 7)], ["x[0].a"]),
    ],
)
def test_wrong_values(needs: Any, wrong: Any, paths: list[str]) -> None:
    """Nothing is reported at the place of a wrong value, nor by a rule that needs one."""
    row = RuleRow("i", is_looked_at, at=("x", EACH), needs=needs)
    assert [each.problem.path for each in RuleTree([row]).run({"x": [{}, {}]}, wrong)] == paths


def test_a_choice_needs_its_keys() -> None:
    """Where one key of a choice was left out as wrong, the choice is not reported as empty."""
    row = RuleRow("i", OneOf(("a", "b"), "add a or b"))
    assert [str(each.problem) for each in RuleTree([row]).run({}, [("c",)])] == ["add a or b"]
    assert list(RuleTree([row]).run({}, [("b",)])) == []
