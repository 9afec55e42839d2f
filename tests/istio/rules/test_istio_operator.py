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
from extcp_manifests.istio.schema.tables import read_schema

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


def kubernetes_type(raw: Any) -> str | None:
    """The name that our schema has for a Kubernetes type in the shape of protobuf."""
    return f"proto.{raw.rpartition('.')[2]}" if str(raw).startswith("k8s.io") else None


def test_the_schema_of_values_is_the_one_of_istio(guide: Path) -> None:
    """Our form of the schema has every field, spelling, range and Kubernetes type of the facts it was made from."""
    facts = json.loads((guide.parent / "reference/schema/values.json").read_text())
    schema = read_schema("values")
    included = read_schema("kubernetes").messages.keys() | read_schema("kubernetes_proto").messages.keys()
    assert schema.messages.keys() - included == facts["messages"].keys()
    order = list(RELEASES)
    for name, message in facts["messages"].items():
        expected = []
        for field in message["fields"]:
            raws = field.get("raw")
            spans = raws if isinstance(raws, list) else [[field["since"], raws]]
            ends = [order[order.index(since) - 1] for since, _ in spans[1:]] + [field["until"] or "1.31"]
            expected += [
                (field["json"], field.get("proto", field["json"]), since, until, kubernetes_type(raw))
                for (since, raw), until in zip(spans, ends, strict=True)
            ]
        assert [
            (field.name, field.proto, field.since, field.until, field.type.rpartition("message:")[2])
            if "message:proto." in field.type
            else (field.name, field.proto, field.since, field.until, None)
            for field in schema.messages[name]
        ] == expected, name


def test_the_kubernetes_types_are_those_of_istio(guide: Path) -> None:
    """Those of operator.proto and of Kubernetes' protobuf have every field and range of the facts, in one spelling."""
    for file, schema, last, prefix in (
        ("istio_operator", read_schema("istio_operator"), "1.23", ""),
        ("k8s_types", read_schema("kubernetes_proto"), "1.28", "proto."),
    ):
        facts = json.loads((guide.parent / f"reference/schema/{file}.json").read_text())
        for name, message in facts["messages"].items():
            short = prefix + name.rpartition(".")[2]
            if short[0].islower() or short == "IstioOperator":
                continue
            fields = [field for field in schema.messages[short] if field.known_in(RELEASES[last])] + [
                field for field in schema.messages[short] if field.until != "1.31"
            ]
            assert sorted((field.name, field.proto, field.since, field.until) for field in fields) == sorted(
                (field["json"], field["json"], field["since"], "1.31" if field["until"] == last else field["until"])
                for field in message["fields"]
            ), name


@pytest.mark.parametrize("name", ["istio_operator", "values"])
def test_every_message_of_a_schema_is_there(name: str) -> None:
    """No type names a message that neither the file nor what it includes has."""
    schema = read_schema(name)
    types = {field.type for fields in schema.messages.values() for field in fields}
    assert {text.rpartition("message:")[2] for text in types if "message:" in text} <= schema.messages.keys()


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
