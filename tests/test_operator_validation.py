"""Validation of IstioOperators."""

import json
from pathlib import Path
from typing import Any

import pytest

from extcp_manifests import InvalidInput, load, plan, yaml
from extcp_manifests.istio_operator import IstioOperator
from extcp_manifests.operator_validation import validate_operator
from extcp_manifests.release import RELEASES
from extcp_manifests.schema import read_schema

TESTS = Path(__file__).parent
CASES = yaml.load((TESTS / "cases/operator/validation.yaml").read_bytes())["cases"]


@pytest.mark.parametrize(
    ("case", "release"),
    [
        pytest.param(case, release, id=f"{release}-{json.dumps(case['spec'])}")
        for case in CASES
        for release in case["releases"]
    ],
)
def test_specs(case: Any, release: str) -> None:
    """Keys, values, scalars, ports and ranges, by release: exactly these errors and warnings."""
    found = validate_operator({"kind": "IstioOperator", "spec": case["spec"]}, release=release)
    assert [str(problem) for problem in found.errors] == case.get("errors", [])
    assert [str(problem) for problem in found.warnings] == case.get("warnings", [])


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("topology", ["examples/guide", "tests/topologies/ip", "tests/topologies/hostile"])
def test_our_own_operators(topology: str, release: str) -> None:
    """Every IstioOperator that we write has neither errors nor warnings, in every release."""
    seen = 0
    for step in plan(load(TESTS.parent / f"{topology}.yaml", release=release)).steps:
        for document in step.documents:
            if isinstance(document, IstioOperator):
                found = validate_operator(document, release=release)
                assert (found.errors, found.warnings) == ((), ()), step.path
                seen += 1
    assert seen > 4


@pytest.mark.parametrize("document", [{}, {"kind": "Gateway"}, {"kind": "IstioOperator", "spec": []}])
def test_other_documents(document: Any) -> None:
    """Another kind is refused; a spec that is no mapping is an error."""
    if document.get("kind") == "IstioOperator":
        found = validate_operator(document, release="1.24")
        assert [str(problem) for problem in found.errors] == ["spec: must be a mapping, not a list"]
        return
    with pytest.raises(InvalidInput, match=r"give an IstioOperator$"):
        validate_operator(document, release="1.24")


def test_the_schema_of_values_is_the_one_of_istio(guide: Path) -> None:
    """Our form of the schema has every field, spelling and range of the facts it was made from."""
    facts = json.loads((guide.parent / "reference/schema/values.json").read_text())
    schema = read_schema("values")
    assert schema.messages.keys() == facts["messages"].keys()
    for name, message in facts["messages"].items():
        assert [(field.name, field.proto, field.since, field.until) for field in schema.messages[name]] == [
            (field["json"], field.get("proto", field["json"]), field["since"], field["until"] or "1.31")
            for field in message["fields"]
        ], name
