"""Pieces that are laid over our documents."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests.documents.paths import leaves
from extcp_manifests.istio.operator.overrides import Replaced, overridden

OURS: dict[str, Any] = {
    "profile": "empty",
    "hub": "docker.io/istio",
    "components": {
        "pilot": {"enabled": True, "k8s": {"env": [{"name": "A", "value": "1"}], "overlays": [{"kind": "D"}]}}
    },
    "tags": ["a"],
}


def test_what_is_added_comes_behind_ours() -> None:
    """Keys, items with names and overlays are added behind ours; the same value again changes nothing."""
    piece = {
        "profile": "empty",
        "components": {
            "pilot": {"k8s": {"env": [{"name": "B"}, {"name": "A", "more": {}}], "overlays": [{"kind": "D"}]}},
            "cni": {"enabled": True},
        },
    }
    result = overridden(OURS, piece)
    assert result.problems == ()
    assert result.plain == {
        "profile": "empty",
        "hub": "docker.io/istio",
        "components": {
            "pilot": {
                "enabled": True,
                "k8s": {
                    "env": [{"name": "A", "value": "1", "more": {}}, {"name": "B"}],
                    "overlays": [{"kind": "D"}, {"kind": "D"}],
                },
            },
            "cni": {"enabled": True},
        },
        "tags": ["a"],
    }


def test_what_is_open_is_replaced_and_told() -> None:
    """Only a value at an open place is replaced, by one of its type, and both are told."""
    result = overridden(OURS, {"hub": "example.com/istio"}, open_places=[("hub",)])
    assert result.plain["hub"] == "example.com/istio"
    assert result.replaced == (Replaced(("hub",), "docker.io/istio", "example.com/istio"),)


@pytest.mark.parametrize(
    ("piece", "problem"),
    [
        ({"profile": "x"}, "profile: is set to empty here, and the installation needs that value: leave it out"),
        ({"hub": 5}, "hub: is set to docker.io/istio here, and the installation needs that value: leave it out"),
        ({"profile": None}, "profile: is set to empty here, and the installation needs that value: leave it out"),
        ({"values": {"a": [None]}}, "values.a[0]: is null, which no document of ours carries: leave it out"),
        ({"components": []}, "components: must be a mapping"),
        (
            {"components": {"pilot": {"k8s": {"env": [{"name": "A", "value": 1}]}}}},
            'components.pilot.k8s.env[0].value: is set to "1" here, and the installation needs that value: leave it '
            "out",
        ),
        (
            {"components": {"pilot": {"enabled": 1}}},
            "components.pilot.enabled: is set to true here, and the installation needs that value: leave it out",
        ),
        ({"components": {"pilot": {"k8s": {"env": {}}}}}, "components.pilot.k8s.env: must be a list"),
        ({"tags": ["b"]}, "tags: is a list that is set here: leave it out"),
        ({"tags": [{"name": "b"}]}, "tags: is a list that is set here: leave it out"),
    ],
)
def test_what_is_refused(piece: dict[str, Any], problem: str) -> None:
    """What would change or remove a value of ours is refused at its place in the piece, and ours stays."""
    result = overridden(OURS, piece, open_places=[("hub",)])
    assert list(map(str, result.problems)) == [problem]
    assert [leaf for leaf in leaves(OURS) if leaf not in list(leaves(result.plain))] == []


KEYS = st.sampled_from(
    ["profile", "hub", "components", "pilot", "k8s", "env", "overlays", "name", "value", "tags", "x"]
)
PIECES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["A", "1", "empty", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, PIECES), st.dictionaries(KEYS, PIECES))
def test_ours_always_stays(ours: dict[str, Any], piece: dict[str, Any]) -> None:
    """Whatever is laid over a document, every value of it is still there, and neither argument is changed."""
    before = deepcopy(ours), deepcopy(piece)
    result = overridden(ours, piece)
    assert (ours, piece) == before
    found = [(str(place), type(value), value) for place, value in leaves(result.plain)]
    for place, value in leaves(ours):
        if value not in ({}, []):
            assert (str(place), type(value), value) in found


@given(st.dictionaries(KEYS, PIECES))
def test_a_document_over_itself_changes_little(ours: dict[str, Any]) -> None:
    """A document without nulls over itself is refused nowhere, and only its overlays are there twice."""
    if any(value is None for _, value in leaves(ours)):
        return
    result = overridden(ours, ours)
    if "overlays" not in str(ours):
        assert result.problems == ()
        assert result.plain == ours
