"""Merging of plain data, and of environment variables."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, yaml
from extcp_manifests.istio.operator.merging import merge_env, overlay

ENV = yaml.load((Path(__file__).parent / "cases/env/order.yaml").read_bytes())
KEYS = st.sampled_from(["a", "b", "c"])
MAPPINGS = st.dictionaries(
    KEYS,
    st.recursive(
        st.sampled_from([None, 0, "", "x", False]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=6,
    ),
)


@given(MAPPINGS, MAPPINGS)
def test_overlay_changes_no_argument_and_shares_nothing(base: Any, over: Any) -> None:
    """Both mappings stay as they are, also when the result is changed later."""
    before = deepcopy((base, over))
    result = overlay(base, over)
    for value in result.values():
        if isinstance(value, dict | list):
            value.clear()
    assert (base, over) == before


@given(MAPPINGS, MAPPINGS)
def test_overlay_laws(one: Any, two: Any) -> None:
    """Nothing is neutral, the same again changes nothing, the later value wins at every key of both."""
    assert overlay(one, {}) == one == overlay({}, one)
    assert overlay(one, one) == one
    result = overlay(one, two)
    assert overlay(result, two) == result
    assert result.keys() == one.keys() | two.keys()
    for key, value in two.items():
        if not (isinstance(value, dict) and isinstance(one.get(key), dict)):
            assert result[key] == value


@pytest.mark.parametrize(
    ("case", "release"),
    [
        pytest.param(case, release, id=f"{release}-{case['what']}")
        for case in ENV["cases"]
        for release in case["releases"]
    ],
)
def test_env(case: Any, release: str) -> None:
    """Variables merge by name, and come in istioctl's order."""
    before = deepcopy((ENV["chart"], case["patch"]))
    merged = merge_env(ENV["chart"], case["patch"], release=release)
    assert (ENV["chart"], case["patch"]) == before
    assert [entry["name"] for entry in merged.env] == case["names"]
    found = {entry["name"]: {key: value for key, value in entry.items() if key != "name"} for entry in merged.env}
    for name, fields in case.get("values", {}).items():
        assert found[name] == fields
    assert [str(problem) for problem in merged.problems] == case.get("problems", [])


def test_merged_variables_are_copies() -> None:
    """What somebody does to a merged variable is in none of the two lists that were merged."""
    chart, patch = ([{"name": name, "valueFrom": {"fieldRef": {"fieldPath": "a"}}}] for name in "AB")
    for variable in merge_env(chart, patch, release="1.30").env:
        variable["valueFrom"]["fieldRef"]["fieldPath"] = "b"
    assert [each["valueFrom"]["fieldRef"]["fieldPath"] for each in (*chart, *patch)] == ["a", "a"]  # type: ignore[index]


def test_env_without_names() -> None:
    """Every variable without a name is told."""
    with pytest.raises(InvalidInput) as caught:
        merge_env([], [{"value": "x"}, {"name": "A"}, {"name": ""}], release="1.24")
    assert str(caught.value).splitlines() == [
        "env[0].name: is required: name the variable",
        "env[2].name: is required: name the variable",
    ]


NAMES = st.lists(st.sampled_from("ABCDEF"), unique=True)


@given(NAMES, NAMES)
def test_env_order_laws(chart: list[str], patch: list[str]) -> None:
    """Every name comes once; the patch's names keep their order, and so do those that only the chart has."""
    merged = merge_env(
        [{"name": name, "value": "c"} for name in chart],
        [{"name": name, "value": "p"} for name in patch],
        release="1.24",
    )
    names = [entry["name"] for entry in merged.env]
    assert sorted(names) == sorted({*chart, *patch})
    assert [name for name in names if name in patch] == patch
    assert [name for name in names if name not in patch] == [name for name in chart if name not in patch]
    assert all(entry["value"] == ("p" if entry["name"] in patch else "c") for entry in merged.env)
