"""The guide's own documents against ours, parsed, for every release of each stage of the guide."""

from pathlib import Path
from typing import Any

import pytest

from extcp_manifests import load, plan, yaml
from extcp_manifests.istio.releases import RELEASES, since

ROOT = Path(__file__).parents[1]
STAGES = {
    "1.15": ["1.15"],
    "1.16": ["1.16", "1.17", "1.18"],
    "1.19": ["1.19", "1.20", "1.21", "1.22", "1.23"],
    "1.24": [name for name, release in RELEASES.items() if release in since("1.24")],
}
TOPOLOGIES = {"hostname": ROOT / "examples/guide.yaml", "ip": ROOT / "tests/topologies/ip.yaml"}
FILES = {
    "controlplane-gateway.yaml": "external/controlplane-gateway.yaml",
    "external-istiod.yaml": "external/external-istiod.yaml",
    "external-istiod-gw.yaml": "external/external-istiod-gw.yaml",
    "remote-config-cluster.yaml": "cluster1/remote-config-cluster.yaml",
    "istio-ingressgateway.yaml": "cluster1/istio-ingressgateway.yaml",
    "istio-egressgateway.yaml": "cluster1/istio-egressgateway.yaml",
    "second-remote-cluster.yaml": "cluster2/remote-cluster.yaml",
}
NAMESPACE = {"values": {"global": {"istioNamespace": "external-istiod"}}}
# What the guide passes as flags beside its files.
FLAGS: dict[str, dict[str, Any]] = {
    "remote-config-cluster.yaml": {"values": {"defaultRevision": "default"}},
    "istio-ingressgateway.yaml": NAMESPACE,
    "istio-egressgateway.yaml": NAMESPACE,
}
# What ours has on purpose and the guide has not: a gateway's installation must leave the cluster's webhooks alone, and
# is known to istioctl by its namespace too.
ON_PURPOSE: dict[str, dict[str, Any]] = {
    file: {
        "metadata": {"namespace": "external-istiod"},
        "spec": {"values": {"global": {"operatorManageWebhooks": True}}},
    }
    for file in ("istio-ingressgateway.yaml", "istio-egressgateway.yaml")
}
# Images of 1.30 come by themselves from a registry that ends.
HUB = {"spec": {"hub": "docker.io/istio"}}
# From 1.19 istiod's mounts are values, where the guide patches the Deployment.
MOUNTS = {
    "volumes": [
        {"name": "config-volume", "configMap": {"name": "istio"}},
        {"name": "inject-volume", "configMap": {"name": "istio-sidecar-injector"}},
    ],
    "volumeMounts": [
        {"name": "config-volume", "mountPath": "/etc/istio/config"},
        {"name": "inject-volume", "mountPath": "/var/lib/istio/inject"},
    ],
}
IN_ORDER = [release for releases in STAGES.values() for release in releases]


def ours(kind: str, release: str) -> dict[str, list[Any]]:
    """Return our documents for the guide's values, by path."""
    text = TOPOLOGIES[kind].read_text().replace("  meshConfig: {accessLogFile: /dev/stdout}\n", "")
    return {path: yaml.load_all(content) for path, content in plan(load(text, release=release)).files()}


def merged(document: Any, change: Any) -> Any:
    if not isinstance(document, dict) or not isinstance(change, dict):
        return change
    return {**document, **{key: merged(document.get(key), value) for key, value in change.items()}}


def without_name(document: dict[str, Any]) -> dict[str, Any]:
    """Return an IstioOperator without its name, which the guide often leaves out; other documents as they are."""
    if document["kind"] != "IstioOperator":
        return document
    metadata = {key: value for key, value in document.get("metadata", {}).items() if key != "name"}
    return {**document, "metadata": metadata}


def test_every_release_belongs_to_a_stage() -> None:
    """No release is left out of the comparison."""
    assert list(RELEASES) == IN_ORDER


@pytest.mark.parametrize("kind", TOPOLOGIES)
@pytest.mark.parametrize(("stage", "release"), [(stage, release) for stage in STAGES for release in STAGES[stage]])
def test_installation(guide: Path, kind: str, stage: str, release: str) -> None:
    """Each document of the installation equals the guide's, with its flags applied, key for key."""
    mine = ours(kind, release)
    for theirs, path in FILES.items():
        flags = {"spec": FLAGS[theirs]} if theirs in FLAGS else {}
        documents = yaml.load_all((guide / stage / kind / theirs).read_bytes())
        expected = [merged(document, flags) for document in documents if document]
        if theirs == "external-istiod.yaml" and release == "1.18":  # Istio began to need these in 1.18
            told = {"multiCluster": {"clusterName": "cluster1"}, "network": "network1"}
            expected = [merged(document, {"spec": {"values": {"global": told}}}) for document in expected]
        expected = [on_purpose(document, theirs, release) for document in expected]
        assert [without_name(document) for document in mine[path]] == [without_name(each) for each in expected], path


def on_purpose(document: dict[str, Any], file: str, release: str) -> dict[str, Any]:
    """Return a document of the guide with what ours has instead."""
    document = merged(document, ON_PURPOSE.get(file, {}))
    if document["kind"] == "IstioOperator" and file in ("controlplane-gateway.yaml", "external-istiod.yaml"):
        document = merged(document, HUB if release == "1.30" else {})
    if file == "external-istiod.yaml" and IN_ORDER.index(release) >= IN_ORDER.index("1.19"):
        validated = not IN_ORDER.index("1.22") <= IN_ORDER.index(release) <= IN_ORDER.index("1.28")
        document = merged(document, {"spec": {"values" if validated else "unvalidatedValues": {"pilot": MOUNTS}}})
        del document["spec"]["components"]["pilot"]["k8s"]["overlays"]
    return document


@pytest.mark.parametrize("stage", STAGES)
def test_samples(guide: Path, stage: str) -> None:
    """Each document of the samples equals Istio's; ours carry the namespace that the guide gives as a flag."""
    mine = ours("hostname", stage)
    folder = guide / stage / "samples"

    def theirs(file: str, namespace: str) -> list[Any]:
        documents = [document for document in yaml.load_all((folder / file).read_bytes()) if document]
        return [merged(document, {"metadata": {"namespace": namespace}}) for document in documents]

    def named(documents: list[Any], *names: str) -> list[Any]:
        return [document for document in documents if document["metadata"]["name"] in names]

    client = "curl" if stage == "1.24" else "sleep"
    helloworld = theirs("helloworld.yaml", "sample")
    assert mine["cluster1/sample/helloworld.yaml"] == named(helloworld, "helloworld", "helloworld-v1")
    assert mine["cluster2/sample/helloworld.yaml"] == named(helloworld, "helloworld", "helloworld-v2")
    assert mine[f"cluster1/sample/{client}.yaml"] == theirs(f"{client}.yaml", "sample")
    assert mine["cluster1/sample/helloworld-gateway.yaml"] == theirs("helloworld-gateway.yaml", "sample")
    assert mine["cluster1/expose-services.yaml"] == theirs("expose-services.yaml", "external-istiod")
    for number in (1, 2):
        gateway = yaml.load((folder / f"eastwest-gateway-{number}.yaml").read_bytes())
        assert mine[f"cluster{number}/eastwest-gateway.yaml"] == [merged(gateway, {"spec": NAMESPACE})]


def test_the_same_facts_without_the_guide() -> None:
    """The differences between the guide's stages and address kinds are listed, for a checkout without the guide."""
    facts = {
        kind: {
            release: _facts(ours(kind, release)) for release in ("1.15", "1.16", "1.17", "1.18", "1.23", "1.24", "1.31")
        }
        for kind in TOPOLOGIES
    }
    beta, alpha, one = (f"networking.istio.io/{version}" for version in ("v1beta1", "v1alpha3", "v1"))
    assert facts["hostname"] == {
        "1.15": ("external", [beta, beta, alpha], None, None, ["Namespace", "ServiceAccount"]),
        "1.16": ("remote", [beta, beta, alpha], None, None, ["Namespace", "ServiceAccount"]),
        "1.17": ("remote", [beta, beta, alpha], None, None, ["Namespace", "ServiceAccount"]),
        "1.18": ("remote", [beta, beta, alpha], None, "network1", ["Namespace", "ServiceAccount"]),
        "1.23": ("remote", [beta, beta, alpha], None, "network1", ["Namespace", "ServiceAccount"]),
        "1.24": ("remote", [one, one, one], True, "network1", ["Namespace"]),
        "1.31": ("remote", [one, one, one], True, "network1", ["Namespace"]),
    }
    assert facts["ip"] == {
        release: (profile, versions[:2], *rest) for release, (profile, versions, *rest) in facts["hostname"].items()
    }


def _facts(files: dict[str, list[Any]]) -> tuple[Any, ...]:
    values = files["external/external-istiod.yaml"][0]["spec"]["values"]["global"]
    return (
        files["cluster2/remote-cluster.yaml"][0]["spec"]["profile"],
        [document["apiVersion"] for document in files["external/external-istiod-gw.yaml"]],
        values.get("externalIstiod"),
        values.get("network"),
        [document["kind"] for document in files["external/namespace.yaml"]],
    )
