"""Validation of Gateways, VirtualServices and DestinationRules."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, load, plan, yaml
from extcp_manifests.networking_validation import validate_networking
from extcp_manifests.release import RELEASES

TESTS = Path(__file__).parent
KINDS = {"gateway": "Gateway", "virtual_service": "VirtualService", "destination_rule": "DestinationRule"}
TOPOLOGIES = ["examples/guide", "tests/topologies/ip", "tests/topologies/revision"]


def cases(name: str) -> list[Any]:
    suite = yaml.load((TESTS / f"cases/networking/{name}.yaml").read_bytes())
    return [
        pytest.param(
            suite.get("base"), case, release, id=f"{release}-{json.dumps(case.get('change', case.get('spec')))}"
        )
        for case in suite["cases"]
        for release in case["releases"]
    ]


def check(document: dict[str, Any], case: Any, release: str, start: str) -> None:
    """The document has exactly the errors and warnings of the case."""
    found = validate_networking(document, release=release)
    assert [str(problem) for problem in found.errors] == [f"{start}{each}" for each in case.get("errors", [])]
    assert [str(problem) for problem in found.warnings] == [f"{start}{each}" for each in case.get("warnings", [])]


@pytest.mark.parametrize(("base", "case", "release"), cases("gateway"))
def test_gateways(base: Any, case: Any, release: str) -> None:
    """Hosts, ports, protocols and TLS of the second of two servers, by release."""
    server = {**base, **case["change"]}
    for key in ("port", "tls"):
        change = case["change"].get(key, {})
        server[key] = None if change is None else {**base[key], **change}
    other = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    metadata = {"name": "g", "namespace": "ns"}
    document = {"kind": "Gateway", "metadata": metadata, "spec": {"servers": [other, server]}}
    check(document, case, release, "spec.servers[1].")


@pytest.mark.parametrize("name", ["virtual_service", "destination_rule"])
def test_specs(name: str) -> None:
    """Routes, destinations, policies and subsets, by release."""
    for parameters in cases(name):
        _, case, release = parameters.values
        document = {"kind": KINDS[name], "metadata": {"name": "x", "namespace": "ns"}, "spec": case["spec"]}
        check(document, case, release, "")


def test_gateways_as_a_whole() -> None:
    """Names, missing servers and port names that stand twice; a null server is refused before all that."""
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    document = {"kind": "Gateway", "metadata": {"name": "a.b"}, "spec": {"servers": [server, server]}}
    assert [str(problem) for problem in validate_networking(document, release="1.24").errors] == [
        "metadata.name: is 'a.b', which is no DNS label: use letters, digits and inner '-'",
        "spec.servers[1].port.name: is 'http' like another server's: choose another",
    ]
    null = {"kind": "Gateway", "metadata": {"name": 5}, "spec": {"servers": [server, None]}}
    assert [str(problem) for problem in validate_networking(null, release="1.24").errors] == [
        "metadata.name: must be text, not the number 5: put it in quotes",
        "spec.servers[1]: is null: leave it out",
    ]
    empty = {"kind": "Gateway", "metadata": {"name": "a"}}
    assert [str(problem) for problem in validate_networking(empty, release="1.24").errors] == [
        "spec.servers: is empty: add a server"
    ]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_our_own_documents(topology: str, release: str) -> None:
    """Every networking document that we write has neither errors nor warnings, in every release."""
    seen = set()
    for step in plan(load(TESTS.parent / f"{topology}.yaml", release=release)).steps:
        for document in step.documents:
            if (kind := document.plain().get("kind")) in KINDS.values():
                found = validate_networking(document, release=release)
                assert (found.errors, found.warnings) == ((), ()), step.path
                seen.add(kind)
    assert {"Gateway", "VirtualService"} <= seen


@cache
def facts(path: Path) -> Any:
    return json.loads(path.read_text())


@cache
def validator(path: Path, release: str, version: str) -> jsonschema.Draft202012Validator:
    """What checks documents by a CRD's schema."""
    key = facts(path)["releases"][release]["schemas"][version]
    return jsonschema.Draft202012Validator(facts(path)["schemas"][key])


@pytest.mark.parametrize("release", RELEASES)
def test_the_schema_of_the_crds_agrees(guide: Path, release: str) -> None:
    """The API server's schema for the version that we write accepts our documents."""
    for topology in TOPOLOGIES:
        for step in plan(load(TESTS.parent / f"{topology}.yaml", release=release)).steps:
            for document in step.documents:
                plain = document.plain()
                name = {kind: name for name, kind in KINDS.items()}.get(plain.get("kind", ""))
                if name is not None:
                    folder, version = guide.parent / "reference/schema/crds", plain["apiVersion"].split("/")[1]
                    assert list(validator(folder / f"{name}.json", release, version).iter_errors(plain)) == []


@pytest.mark.parametrize("document", [{}, {"kind": "Namespace"}, {"kind": None}])
def test_other_kinds(document: Any) -> None:
    """A document of another kind is refused."""
    with pytest.raises(InvalidInput, match=r"give a Gateway, VirtualService or DestinationRule$"):
        validate_networking(document, release="1.24")


@given(
    st.sampled_from(list(KINDS.values())),
    st.dictionaries(
        st.sampled_from(["hosts", "http", "tls", "tcp", "servers", "trafficPolicy", "subsets", "exportTo", "gateways"]),
        st.none()
        | st.lists(st.none() | st.just("*") | st.dictionaries(st.sampled_from(["match", "route"]), st.none())),
    ),
    st.sampled_from(list(RELEASES)),
)
def test_validation_ends_for_strange_specs(kind: str, spec: Any, release: str) -> None:
    """Empty and missing parts, wherever they are, are told or let pass, and never crash."""
    spec.pop("trafficPolicy", None)
    validate_networking({"kind": kind, "metadata": None, "spec": spec}, release=release)
