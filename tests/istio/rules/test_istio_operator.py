"""Validation of IstioOperators."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from extcp_manifests import InvalidInput, builders, load, plan, yaml
from extcp_manifests.documents.istio_operator import IstioOperator
from extcp_manifests.istio.operator.profiles import read_profile
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.istio.rules.istio_operator import validate_operator

TESTS = Path(__file__).parents[2]
CASES = yaml.load((Path(__file__).parent / "cases/istio_operator.yaml").read_bytes())["cases"]


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
    assert [str(problem) for problem in found.errors] == [
        each.replace("{release}", release) for each in case.get("errors", [])
    ]
    assert [str(problem) for problem in found.warnings] == [
        each.replace("{release}", release) for each in case.get("warnings", [])
    ]


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


WEBHOOKS = (
    "spec.values.global.operatorManageWebhooks: is not true, and `istioctl install` switches off the cluster's own "
    "injection webhooks: set it to true"
)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("builder", [builders.IngressGateway, builders.EgressGateway])
@pytest.mark.parametrize("value", [False, None])
def test_gateways_that_take_the_webhooks(builder: Any, value: bool | None, release: str) -> None:
    """Our gateways leave the webhooks of a remote cluster alone; taking that away is reported."""
    document = builder(namespace="mesh-control").build().plain()
    assert validate_operator(document, release=release).found == ()
    document["spec"]["values"]["global"]["operatorManageWebhooks"] = value
    found = validate_operator(document, release=release)
    assert ([str(problem) for problem in found.errors], found.warnings) == ([WEBHOOKS], ())
    assert [each.rule for each in found.found] == ["operator/webhooks"]
    document["metadata"]["name"] = "another"
    found = validate_operator(document, release=release)
    assert [str(problem) for problem in found.warnings] == [f"{WEBHOOKS}, unless istiod runs in this cluster"]
    assert found.errors == ()


GATEWAY: dict[str, Any] = {
    "profile": "empty",
    "components": {"ingressGateways": [{"name": "a", "enabled": True}]},
    "values": {"global": {"istioNamespace": "mesh-control"}},
}


@pytest.mark.parametrize(
    ("name", "namespace", "spec"),
    [
        pytest.param("x", "elsewhere", GATEWAY, id="namespaces of its own"),
        pytest.param("x", None, GATEWAY, id="no namespace"),
        pytest.param("ingress-install", "mesh-control", {**GATEWAY, "profile": "default"}, id="a whole Istio"),
        pytest.param(
            "ingress-install",
            "mesh-control",
            {**GATEWAY, "components": {**GATEWAY["components"], "cni": {"enabled": True}}},
            id="other components",
        ),
        pytest.param("ingress-install", "a", {**GATEWAY, "values": {}}, id="the namespace of a flag"),
        pytest.param(
            "ingress-install",
            "istio-system",
            {**GATEWAY, "values": {"global": {"istioNamespace": "istio-system"}}},
            id="a mesh in one cluster",
        ),
        pytest.param(
            "ingress-install",
            "mesh-control",
            {**GATEWAY, "unvalidatedValues": {"global": {"operatorManageWebhooks": True}}},
            id="set in unvalidatedValues",
        ),
        pytest.param(
            "x",
            "mesh-control",
            {
                **GATEWAY,
                "components": {
                    "ingressGateways": [{"name": "a", "enabled": True, "label": {"topology.istio.io/network": "n"}}]
                },
            },
            id="a gateway between networks, which is rendered",
        ),
    ],
)
def test_gateways_of_which_nothing_is_known(name: str, namespace: str | None, spec: Any) -> None:
    """Nothing is said where the istiod may be in the same cluster, or nothing is installed."""
    document = {"kind": "IstioOperator", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    assert validate_operator(document, release="1.31").found == ()


@pytest.mark.parametrize("document", [{}, {"kind": "Gateway"}, {"kind": "IstioOperator", "spec": []}])
def test_other_documents(document: Any) -> None:
    """Another kind is refused; a spec that is no mapping is an error."""
    if document.get("kind") == "IstioOperator":
        found = validate_operator(document, release="1.24")
        assert [str(problem) for problem in found.errors] == ["spec: must be a mapping, not a list"]
        return
    with pytest.raises(InvalidInput, match=r"give an IstioOperator$"):
        validate_operator(document, release="1.24")


@pytest.mark.parametrize("release", RELEASES)
def test_the_profiles_of_istio(release: str) -> None:
    """The profiles that Istio ships have neither errors nor warnings."""
    for name in ("default", "empty", "demo", "minimal", "remote", "external", "ambient", "openshift", "preview"):
        with suppress(InvalidInput):
            spec = read_profile(name, RELEASES[release])
            found = validate_operator({"kind": "IstioOperator", "spec": spec}, release=release)
            assert (found.errors, found.warnings) == ((), ()), name


def test_metadata_and_status() -> None:
    """From 1.24 metadata is that of Kubernetes alone; up to 1.23 there may be a status."""
    document = {"kind": "IstioOperator", "metadata": {"nmae": "x", "labels": {"a": 1}}, "status": {"status": "HEALTHY"}}
    assert [str(each) for each in validate_operator(document, release="1.24").errors] == [
        "metadata.labels.a: must be text, not the number 1: put it in quotes",
        "status: is known to Istio to 1.23, not to 1.24",
        "metadata.nmae: is unknown to Istio: did you mean 'name'?",
    ]
    assert validate_operator(document, release="1.23").errors == ()
