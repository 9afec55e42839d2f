"""Patterns of users: what Go takes of them, and where they are found."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import yaml
from extcp_manifests.istio.rules import go_regex

CASES = yaml.load((Path(__file__).parent / "cases/go_regex.yaml").read_bytes())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["pattern"])
def test_what_go_takes(case: Any) -> None:
    """A pattern is taken, or refused with its sentence."""
    if "reason" not in case:
        go_regex.check(case["pattern"])
        return
    with pytest.raises(go_regex.RegexError) as caught:
        go_regex.check(case["pattern"])
    assert str(caught.value) == case["reason"]


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("(?:", ")*"), ("(a|b", ")")])
def test_nesting(opening: str, closing: str) -> None:
    """A hundred groups inside each other are taken, 1,001 are refused, and a million crash nothing."""
    go_regex.check(opening * 100 + closing * 100)
    for levels in (1001, 100_000):
        with pytest.raises(go_regex.RegexError, match="it is nested deeper than 1000 levels: flatten it"):
            go_regex.check(opening * levels + closing * levels)


PIECES = st.sampled_from(
    ["a", "b", "é", ".", "^", "$", "|", "(", ")", "*", "+?", "{2}", "[ab]", "[^a]", "\\d", "\\.", "\\pL", "(?i)", "(?:"]
)


@given(st.lists(PIECES, max_size=8).map("".join), st.text("abAé1.\n", max_size=6))
def test_the_engine_takes_what_is_taken(pattern: str, text: str) -> None:
    """RE2 tries every pattern that is taken, and refuses each that is refused."""
    re2 = pytest.importorskip("re2", reason="the package google-re2 is not installed")
    options = re2.Options()
    options.log_errors = False
    try:
        expected = re2.compile(pattern, options).search(text) is not None
    except re2.error:
        with pytest.raises(go_regex.RegexError):
            go_regex.finds(pattern, text)
    else:
        assert go_regex.finds(pattern, text) == expected
