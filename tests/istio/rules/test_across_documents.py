"""Whether documents still fit each other after kustomize's transformers."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bases import built, the_plan
from goldens import TOPOLOGIES

from extcp_manifests import yaml
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.istio.rules.across_documents import check_agreement
from extcp_manifests.istio.validation import validate_text, validate_texts
from extcp_manifests.topology.document_check import TOPOLOGY_CHECKS

EXAMPLES = Path(__file__).parents[3] / "examples"


def reported(documents: Sequence[Any], release: str = "1.31") -> list[str]:
    results = validate_text("", yaml.dump_all(documents), release=release, more=TOPOLOGY_CHECKS)
    return [str(result.with_(line=None)) for result in results]


def transformed(kubectl: str, folder: Path, change: dict[str, Any]) -> list[Any]:
    """What kubectl makes of a base with a transformer."""
    file = folder / "kustomization.yaml"
    file.write_text(yaml.dump({**yaml.load(file.read_bytes()), **change}))
    return built(kubectl, folder)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", ["guide", "ip", "revision"])
def test_our_own_documents_agree(name: str, release: str) -> None:
    """What we write for a cluster fits together, in every release."""
    clusters: dict[str, list[Any]] = {}
    for path, content in the_plan(name, release).files():
        clusters.setdefault(path.split("/")[0], []).extend(yaml.load_all(content))
    for documents in clusters.values():
        found = [each for each in reported(documents, release) if "extensionProviders" not in each]
        assert found == []


def test_a_namespace_of_kustomize(kubectl: str, tmp_path: Path) -> None:
    """`namespace:` moves metadata alone; every host, value and mesh config that stayed behind is reported."""
    the_plan("guide", "1.31").kustomize().write(tmp_path)
    istiod = transformed(kubectl, tmp_path / "external/install/external-istiod", {"namespace": "other"})
    assert reported(istiod) == [
        "IstioOperator other/external-istiod error: spec.values.global.istioNamespace: is 'external-istiod', "
        "but metadata.namespace is 'other': give both the same",
        "IstioOperator other/external-istiod warning: spec.meshConfig.rootNamespace: is 'external-istiod', "
        "but metadata.namespace is 'other': check which of the two is meant",
    ]
    routing = transformed(kubectl, tmp_path / "external/start-the-control-plane-2", {"namespace": "other"})
    hosts = "is 'istiod.external-istiod.svc.cluster.local', but istiod is in this document's namespace 'other'"
    assert reported(routing) == [
        f"VirtualService other/external-istiod-vs error: spec.http[0].route[0].destination.host: {hosts}: "
        "write istiod.other.svc...",
        f"VirtualService other/external-istiod-vs error: spec.http[1].route[0].destination.host: {hosts}: "
        "write istiod.other.svc...",
        f"DestinationRule other/external-istiod-dr error: spec.host: {hosts}: write istiod.other.svc...",
    ]


def test_a_prefix_of_kustomize(kubectl: str, tmp_path: Path) -> None:
    """`namePrefix:` renames the Gateway and not what names it, and the Secret that istiod mounts."""
    the_plan("guide", "1.31").kustomize().write(tmp_path / "guide")
    routing = transformed(kubectl, tmp_path / "guide/external/start-the-control-plane-2", {"namePrefix": "my-"})
    assert reported(routing) == [
        "VirtualService external-istiod/my-external-istiod-vs error: spec.gateways[0]: is 'external-istiod-gw', "
        "but no Gateway here has that name: use my-external-istiod-gw, or add the Gateway"
    ]
    the_plan("hostile", "1.31").kustomize().write(tmp_path / "hostile")
    secret = next(path for path in tmp_path.glob("hostile/*/secrets/*/*.yaml") if "config: |" in path.read_text())
    assert reported(transformed(kubectl, secret.parent, {"namePrefix": "my-"})) == [
        "Secret n-12345/my-istio-kubeconfig error: metadata.name: is 'my-istio-kubeconfig', "
        "but istiod mounts 'istio-kubeconfig': give it this name"
    ]


def test_one_object_in_two_versions() -> None:
    """kustomize lets v1 and v1beta1 of one object pass, of which one would overwrite the other."""
    rule = {"kind": "DestinationRule", "metadata": {"name": "a", "namespace": "n"}, "spec": {"host": "a.b"}}
    both = [{"apiVersion": f"networking.istio.io/{version}", **rule} for version in ("v1beta1", "v1")]
    assert reported(both) == [
        "DestinationRule n/a error: metadata.name: is defined twice (networking.istio.io/v1beta1 and "
        "networking.istio.io/v1), and the last definition wins: leave one out"
    ]
    assert reported([both[0], both[0]]) == [
        "DestinationRule n/a error: metadata.name: is defined twice, and the last definition wins: leave one out"
    ]
    assert reported([both[0], {**both[1], "metadata": {"name": "b", "namespace": "n"}}]) == []


def test_topologies_of_the_tests_are_there() -> None:
    """The topologies that other tests share are the ones on disk."""
    assert all(path.is_file() for path in TOPOLOGIES.values())


def test_many_documents_take_time_in_proportion() -> None:
    """Each document is looked at once, however many there are."""
    metadata = [{"name": f"g{number}", "namespace": "n"} for number in range(4_000)]
    gateways = [{"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": each} for each in metadata]
    route = {"kind": "VirtualService", "metadata": metadata[0], "spec": {"gateways": ["g5", "none"]}}
    found = [each.problem.path for _, each in check_agreement([*gateways, *[route] * 1_000])]
    assert found == ["spec.gateways[1]"] * 1_000


def gateway_and_istiod(namespace: str, address: str, host: str) -> dict[str, str]:
    """A Gateway for an istiod and the istiod's IstioOperator, each in a file of its own."""
    tls = {"port": {"number": 15012, "name": "tls", "protocol": "TLS"}, "hosts": [host], "tls": {"mode": "PASSTHROUGH"}}
    gateway = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "gw", "namespace": namespace},
        "spec": {"selector": {"istio": "ingressgateway"}, "servers": [tls]},
    }
    istiod = {
        "apiVersion": "install.istio.io/v1alpha1",
        "kind": "IstioOperator",
        "metadata": {"name": "istiod", "namespace": namespace},
        "spec": {"meshConfig": {"defaultConfig": {"discoveryAddress": address}}},
    }
    return {f"{namespace}/gw.yaml": yaml.dump(gateway), f"{namespace}/istiod.yaml": yaml.dump(istiod)}


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (("192.0.2.1:15012", "*"), ("192.0.2.1:15012", "*"), True),
        (("'[2001:db8::1]:15012'", "*"), ("[2001:DB8:0::1]:15012", "*"), True),
        (("192.0.2.1:15012", "*"), ("192.0.2.2:15012", "*"), False),
        (("a.example.com:15012", "a.example.com"), ("a.example.com:15012", "a.example.com"), True),
        (("a.example.com:15012", "a.example.com"), ("b.example.com:15012", "b.example.com"), False),
    ],
)
def test_a_gateway_is_shared_across_files(one: tuple[str, str], other: tuple[str, str], shared: bool) -> None:
    """Files of two control planes are compared where they surely have one address, and not where they may not."""
    texts = gateway_and_istiod("n1", *one) | gateway_and_istiod("n2", *other)
    results = [
        result
        for result in validate_texts(texts, more=TOPOLOGY_CHECKS).results
        if result.rule == "agreement/shared-port"
    ]
    assert [str(result) for result in results] == [
        f"n2/gw.yaml:14 Gateway n2/gw error: spec.servers[0].hosts: has {other[1]!r} on port 15012, which Gateway "
        "n1/gw takes at the same gateway: give each its own host, or its own gateway"
    ] * shared


def test_a_file_given_twice_agrees_with_itself() -> None:
    """Copies of a document are no other one."""
    texts = gateway_and_istiod("n", "192.0.2.1:15012", "*")
    copies = {f"copy/{name}": text for name, text in texts.items()}
    results = validate_texts(texts | copies, more=TOPOLOGY_CHECKS).results
    assert [each for each in results if each.rule.startswith("agreement/")] == []


def test_an_ip_address_is_one_however_it_is_written() -> None:
    """Topologies are compared by the value of their IP addresses, in one text and across texts."""
    guide = (EXAMPLES / "guide.yaml").read_text("utf-8")
    one, other = (
        re.sub("^  address: .*$", f"  address: '{address}'", guide, flags=re.MULTILINE)
        for address in ("2001:db8::1", "2001:DB8:0::1")
    )
    other = re.sub("^  name: .*$", "  name: other", other, count=1, flags=re.MULTILINE)
    for texts in ({"a": one, "b": other}, {"a": f"{one}\n---\n{other}"}):
        found = [
            each
            for each in validate_texts(texts, more=TOPOLOGY_CHECKS).results
            if each.rule == "agreement/shared-address"
        ]
        assert [each.path for each in found] == ["spec.address"]


def test_gateways_of_other_namespaces() -> None:
    """A Gateway in another namespace needs that in its name; one in the route's own does not."""
    gateways = [
        {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "g", "namespace": namespace}}
        for namespace in ("a", "b")
    ]
    metadata = {"name": "v", "namespace": "a"}
    route = {"kind": "VirtualService", "metadata": metadata, "spec": {"gateways": ["g", "b/g", "c/g"]}}
    assert [str(found.problem) for _, found in check_agreement([*gateways, route])] == [
        "spec.gateways[2]: is 'c/g', but no Gateway here has that name: use g or b/g, or add the Gateway"
    ]
