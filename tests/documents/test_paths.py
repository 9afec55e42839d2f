"""Paths in plain data."""

from typing import Any

import pytest

from extcp_manifests.documents.paths import before_lists, leaves, parsed_path
from extcp_manifests.errors import Path, path_text

TREE: dict[str, Any] = {"a": {"b.c": [1, {"d": None}]}, "e": {}, "f": [], "g": ()}


def test_leaves() -> None:
    """Scalars are leaves, and so are mappings and lists with nothing in them."""
    assert dict(leaves(TREE)) == {
        ("a", "b.c", 0): 1,
        ("a", "b.c", 1, "d"): None,
        ("e",): {},
        ("f",): [],
        ("g",): (),
    }
    assert list(leaves({})) == [((), {})]
    assert list(leaves(5, ("a",))) == [(("a",), 5)]


def test_lists_as_leaves() -> None:
    """With `whole_lists` a list is a leaf, whatever it holds."""
    assert dict(leaves(TREE, whole_lists=True)) == {
        ("a", "b.c"): [1, {"d": None}],
        ("e",): {},
        ("f",): [],
        ("g",): (),
    }


@pytest.mark.parametrize("path", [path for path, _ in leaves(TREE)] + [(), ("",), ('"', "[", "]", "\\", 10)])
def test_text_and_back(path: Path) -> None:
    """The text of a path reads as the path."""
    assert parsed_path(path_text(path)) == path


@pytest.mark.parametrize("text", ["[", "a[", "a[x]", 'a["x]', ".", "a..b", "[-1]", '["\\q"]', f"[{'1' * 5000}]"])
def test_what_is_not_the_text_of_a_path(text: str) -> None:
    """Any other text is refused."""
    with pytest.raises(KeyError):
        parsed_path(text)


def test_before_lists() -> None:
    """A path goes as far as it goes through mappings alone."""
    assert before_lists(("a", "b", 0, "c")) == ("a", "b")
    assert before_lists(("a",)) == ("a",)
    assert before_lists((0, "a")) == ()
