"""Usual YAML is read line by line, and to the same values as by the parser."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extcp_manifests.yaml.events import documents_of_events
from extcp_manifests.yaml.usual_lines import usual_documents

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("", []),
        ("# nothing\n\n", []),
        ("---\n", [None]),
        ("---\n---\n# no more\n", [None, None]),
        ("a: 1\n---\nb: yes\n---\n", [{"a": 1}, {"b": True}, None]),
        ("a:\n", [{"a": None}]),
        (
            "a:\n  b: c d\n\n  # a comment\n  e: \"f: 'g'\"\nh: 'i # j'\n",
            [{"a": {"b": "c d", "e": "f: 'g'"}, "h": "i # j"}],
        ),
        ("a:\n- b\n- c: d\n  e:\n  - f\ng: h", [{"a": ["b", {"c": "d", "e": ["f"]}], "g": "h"}]),
        ("a:\n    -   b: 1\n        c: 2\n", [{"a": [{"b": 1, "c": 2}]}]),
        ("- - - a\n    - b\n  - - c\n- d:\n", [[[["a", "b"], ["c"]], {"d": None}]]),
        ("  - a\n  - b\n", [["a", "b"]]),
        ("a: {}\nb:\n- []\n- {}\n", [{"a": {}, "b": [[], {}]}]),
        ("a: |\n  b: c\n\n    d # e\n   \n\nf: g\n", [{"a": "b: c\n\n  d # e\n \n", "f": "g"}]),
        ("- |-\n a\n---\nb: |\n  c\n", [["a"], {"b": "c\n"}]),
        ("a: -1\nb: 0x1f\nc: 1e3\nd: 1.24\ne: 10Mi\n", [{"a": -1, "b": 31, "c": 1000.0, "d": 1.24, "e": "10Mi"}]),
    ],
)
def test_usual_texts(text: str, documents: list[Any]) -> None:
    """These are read as the parser reads them, types and order of keys included."""
    assert repr(usual_documents(text)) == repr(documents) == repr(documents_of_events(text))


@pytest.mark.parametrize(
    "text",
    [
        "a: b # c\n",
        "a: b\n  c\n",
        "a:\n  b\n",
        "a: b: c\n",
        "a: b:\n",
        "a: [b]\n",
        "a: {b: c}\n",
        "a: &b c\n",
        "a: *b\n",
        "a: !c d\n",
        'a: "b\\n"\n',
        "a: 'b''c'\n",
        'a: "b" c\n',
        "a: >\n  b\n",
        "a: |+\n  b\n",
        "a: |\n\n  b\n",
        "a: |\n",
        "a: |",
        "a: |\nb: c\n",
        "a: |\n  b",  # has no line break at its end, whatever `|` says
        "a: |\n  b\tc\n",
        "a: |\n    b\n  c: d\n",
        "a: .inf\n",
        "on: a\n",
        "<<: a\n",
        "1: a\n",
        "? a\n",
        "a\n",
        "-\n",
        "-a\n",
        "--- a\n",
        "...\n",
        "%YAML 1.1\n",
        "a:\tb\n",
        "a: b\r\n",
        "a: b \n",
        "a: \n",
        "a : b\n",
        "a: é\n",
        "a: ~\n",
        "a: b#c\n",
        "# \x07\n",
        "a: 1\na: 2\n",
        "a: 1\n- b\n",
        "- a\nb: c\n",
        "- a\n - b\n",
        "  a: 1\nb: 2\n",
        "a:\n    b: 1\n  c: 2\n",
        "- " * 60 + "a\n",
    ],
)
def test_what_is_left_to_the_parser(text: str) -> None:
    """What is written in another way, or is wrong, has no answer here."""
    assert usual_documents(text) is None


KEYS = st.sampled_from(["a", "b", "c", "a.b/c", "on", "null", "1", "<<", "a b", '"a"', "?", "a:b"])
VALUES = st.sampled_from(
    [
        *(
            "1",
            "a",
            '"x"',
            "'y'",
            "{}",
            "[]",
            "|",
            "|-",
            ">",
            "a b",
            "a: b",
            "a #b",
            "a#b",
            "http://x:80/y",
            "-1",
            "- a",
        ),
        *("- a", "-", "--", "---", "...", ".5", ".inf", "~", "y", "1e3", "*", "&a", "!t", '"a', "a:", "[a]", "x\\y"),
        *('"\\n"', "a  b", "a ", '"a" b', "'it''s'", '""', "", "a | b", "?", "a :b", "a - b", "a\tb", "é", "# a"),
    ]
)
LINES = st.builds(
    lambda indent, dashes, key, value: " " * indent + dashes + key + value,
    st.integers(0, 6),
    st.sampled_from(["", "", "- ", "- - ", "-   ", "-"]),
    st.one_of(st.just(""), KEYS.map(lambda key: f"{key}: "), KEYS.map(lambda key: f"{key}:")),
    VALUES | st.just(""),
) | st.sampled_from(["---", "", "  ", "# a", "  # a", "...", "    text"])
TEXTS = st.lists(LINES, max_size=8).map("\n".join)


def same_as_by_the_parser(text: str) -> None:
    """Compare what a text is read as, where there is an answer, with what the parser's events give."""
    found = usual_documents(text)
    if found is not None:
        assert repr(found) == repr(documents_of_events(text))


@given(TEXTS, st.sampled_from(["", "\n"]))
@settings(max_examples=500)
def test_any_lines(text: str, end: str) -> None:
    """Whatever lines are put together, there is no answer or the parser's."""
    same_as_by_the_parser(text + end)


def usual_golden_files() -> list[str]:
    """Return the texts of goldens, of which most are written in the usual way."""
    texts = [path.read_text("utf-8") for path in sorted(GOLDEN.rglob("*.yaml"))]
    return [text for text in texts if usual_documents(text) is not None]


def test_most_of_what_we_write_is_usual() -> None:
    """Nine in ten of the goldens are read line by line, all of them as the parser reads them."""
    usual = usual_golden_files()
    assert len(usual) > 0.9 * len(list(GOLDEN.rglob("*.yaml")))
    for text in usual:
        same_as_by_the_parser(text)


def shifted(lines: list[str], at: int) -> list[str]:
    return [*lines[:at], f"  {lines[at]}", *lines[at + 1 :]]


def lifted(lines: list[str], at: int) -> list[str]:
    return [*lines[:at], lines[at].removeprefix("  "), *lines[at + 1 :]]


def without(lines: list[str], at: int) -> list[str]:
    return [*lines[:at], *lines[at + 1 :]]


def twice(lines: list[str], at: int) -> list[str]:
    return [*lines[: at + 1], *lines[at:]]


def cut(lines: list[str], at: int) -> list[str]:
    return [*lines[:at], lines[at][: len(lines[at]) // 2], *lines[at + 1 :]]


CHANGES: list[Callable[[list[str], int], list[str]]] = [shifted, lifted, without, twice, cut]


@given(st.data())
@settings(max_examples=300)
def test_changed_files(data: st.DataObject) -> None:
    """The same for goldens with some lines moved, missing, doubled or cut."""
    lines = data.draw(st.sampled_from(FILES)).splitlines()[:60]
    for _ in range(data.draw(st.integers(1, 4))):
        if lines:
            change = data.draw(st.sampled_from(CHANGES))
            lines = change(lines, data.draw(st.integers(0, len(lines) - 1)))
    same_as_by_the_parser("\n".join(lines) + "\n")


FILES = usual_golden_files()


@pytest.mark.parametrize("text", ["- a\n" * 700_000, "- " * 1_900_000 + "a\n"], ids=["many values", "many dashes"])
def test_limits_hold_for_usual_texts(text: str) -> None:
    """A text that may have too many values is left to the parser at once, and so is one that is too deep."""
    tracemalloc.start()
    assert usual_documents(text) is None
    assert tracemalloc.get_traced_memory()[1] < 3 * len(text)
    tracemalloc.stop()
