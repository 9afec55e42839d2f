"""Problems, the places they have, and what is printed for people."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests.documents.paths import parsed_path
from extcp_manifests.errors import InvalidInput, OutputError, Path, Problem, path_text, require, visible, why_not_text


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem(("a", "b"), "is wrong", "mesh.yaml", 3), "mesh.yaml:3: a.b: is wrong"),
        (Problem(("a", "b"), "is wrong", "mesh.yaml"), "mesh.yaml: a.b: is wrong"),
        (Problem(("a", "b"), "is wrong", line=3), "line 3: a.b: is wrong"),
        (Problem((), "is wrong", "mesh.yaml", 3), "mesh.yaml:3: is wrong"),
        (Problem(("a",), "x\ny"), "a: x\\ny"),
        (Problem((0, "a"), "is wrong").under("spec", "servers"), "spec.servers[0].a: is wrong"),
        (Problem(("a",), "is wrong").under(), "a: is wrong"),
        (Problem((), "is wrong").under("spec"), "spec: is wrong"),
        (Problem((), "x" * 2000), f"{'x' * 1000}..."),
    ],
)
def test_a_problem_is_one_line(problem: Problem, text: str) -> None:
    """A problem names file, line and path as far as they are known, in one line that is not too long."""
    assert str(problem) == text


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((), ""),
        (("spec", "servers", 0, "port"), "spec.servers[0].port"),
        (("proxyMetadata", "a.b"), 'proxyMetadata["a.b"]'),
        ((0, "a"), "[0].a"),
        (("", 'q"'), '[""]["q\\""]'),
    ],
)
def test_places_as_text(place: Path, text: str) -> None:
    """Keys that could be misread are quoted, and indices are in brackets."""
    assert path_text(place) == text


@given(st.lists(st.text() | st.integers(min_value=0)))
def test_every_place_can_be_read_back(place: list[str | int]) -> None:
    """The text of a place leads to the same place again."""
    assert parsed_path(path_text(tuple(place))) == tuple(place)


def test_an_error_has_every_problem() -> None:
    """The text of an error has a line for each problem, and its path is that of the first."""
    wrong = InvalidInput([Problem(("a", 0), "is wrong"), Problem(("b",), "is missing")])
    assert (wrong.path, str(wrong)) == ("a[0]", "a[0]: is wrong\nb: is missing")
    unwritten = OutputError("out", "is a link", Problem((), "was edited", "out/a"))
    assert (unwritten.path, str(unwritten)) == ("out", "out: is a link\nout/a: was edited")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "empty"),
        (True, "a boolean"),
        (5, "a number"),
        (1.5, "a number"),
        ({"token": "hush"}, "a mapping"),
        (["hush"], "a list"),
        (b"hush", "a bytes"),
    ],
)
def test_arguments_of_another_type(value: Any, kind: str) -> None:
    """An argument of another type is refused by its name and type, without its value."""
    with pytest.raises(InvalidInput) as caught:
        require(value, str, ("name",), "text")
    assert str(caught.value) == f"name: must be text, not {kind}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mesh é 漢", "mesh é 漢"),
        ("a\n::error file=x::no", "a\\n::error file=x::no"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("ctx\u202etxt", "ctx\\u202etxt"),
        ("a\u200bb\u00a0c", "a\\u200bb\\xa0c"),
        ("\ud800 \U000e0041", "\\ud800 \\U000e0041"),
    ],
)
def test_invisible_characters_are_escaped(text: str, shown: str) -> None:
    """Line breaks, control characters, and what has no width or changes the direction are written as escapes."""
    assert visible(text) == shown


@given(st.text())
def test_one_line_that_a_reader_sees(text: str) -> None:
    """Whatever is shown is one line without control and format characters, and what was visible stays."""
    shown = visible(text)
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in shown)
    assert shown == text or not text.isprintable()


@given(st.text(st.characters(codec=None)))
def test_text_that_a_file_can_hold(text: str) -> None:
    """Text is valid exactly where UTF-8 can encode it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        assert why_not_text(text) == "is not valid text, since it has half of a surrogate pair: correct it"
    else:
        assert why_not_text(text) is None
