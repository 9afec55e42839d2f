"""What is printed for people."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests.documents.name_forms import why_not_printable
from extcp_manifests.errors import Problem, visible


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
    """Line breaks, control characters, and what has no width or turns the direction are written as escapes."""
    assert visible(text) == shown


@given(st.text())
def test_one_line_that_a_reader_sees(text: str) -> None:
    """Whatever is shown is one line without control and format characters, and what was visible stays."""
    shown = visible(text)
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in shown)
    assert shown == text or not text.isprintable()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ctx", None),
        ("", "has 0 characters: use 1 to 253"),
        ("a\tb", "'a\\tb' has a control character: leave it out"),
        ("ctx\u202etxt", "'ctx\\u202etxt' has the character \\u202e, which a reader does not see: leave it out"),
    ],
)
def test_names_that_a_reader_can_see(text: str, problem: str | None) -> None:
    """Names of contexts, clusters and meshes have no character that hides or moves others."""
    assert why_not_printable(text) == problem


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
    ],
)
def test_a_problem_is_one_line(problem: Problem, text: str) -> None:
    """A problem names file, line and path as far as they are known, in one line."""
    assert str(problem) == text
