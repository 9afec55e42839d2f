"""What a key of a topology does."""

import pytest

from extcp_manifests import InvalidInput, load
from extcp_manifests.topology.explain import explain
from extcp_manifests.topology.parts import additions
from extcp_manifests.topology.topology_file import schema


def test_a_key_with_keys_below() -> None:
    """A key is described with its type, what holds without it, and the keys below it."""
    assert str(explain("spec.externalCluster")) == "\n".join(
        [
            "spec.externalCluster  mapping",
            "  Where istiod runs.",
            "",
            "  name        text, external if left out",
            "                Name of the cluster.",
            "  context     text",
            "                Its context in the kubeconfig; the cluster's name if left out.",
            "  kubeconfig  text",
            "                The kubeconfig that has the context, as commands in the output folder find it.",
        ]
    )


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("", "mapping, required"),
        ("spec.release", "spec.release  1.15 to 1.32, required"),
        (
            "spec.remoteClusters[0].gateways.install",
            "spec.remoteClusters[0].gateways.install  istioctl or helm",
        ),
        ("spec.platform", "spec.platform  gke or k3d or k3s or microk8s or minikube or openshift"),
        ("spec.controlPlanes[0].release", "spec.controlPlanes[0].release  1.15 to 1.32"),
        ("spec.remoteClusters", "spec.remoteClusters  list of mapping"),
        ("spec.istiod.autoscaling.min", "spec.istiod.autoscaling.min  whole number, required"),
        (
            "spec.configCluster.gateways.ingress",
            "spec.configCluster.gateways.ingress  true or false, false if left out",
        ),
    ],
)
def test_the_first_line(path: str, first: str) -> None:
    """The first line has the path, the type and the default, also of items and of keys that hold none."""
    assert str(explain(path)).splitlines()[0] == first


def test_a_key_that_there_is_not() -> None:
    """A wrong path is refused with the key that was meant, and the place up to which it is right."""
    with pytest.raises(InvalidInput) as caught:
        explain("spec.gateway.nam")
    assert str(caught.value) == "spec.gateway: 'nam' is an unknown key: did you mean 'name'?"
    with pytest.raises(InvalidInput) as caught:
        explain("istiod")
    assert str(caught.value) == "'istiod' is an unknown key: did you mean 'spec.istiod'?"


def test_every_key_is_described() -> None:
    """Each key of the schema, at any depth, has a description."""
    waiting = ["spec"]
    while waiting:
        for key in explain(waiting.pop()).below:
            assert key.description, key.path
            if explain(key.path).below:
                waiting.append(key.path)


def test_defaults_are_words_of_files() -> None:
    """No default of the schema has a name of Python."""
    assert "_" not in str([key.get("default") for key in schema()["properties"]["spec"]["properties"].values()])


@pytest.mark.parametrize("install", ["istioctl", "helm"])
def test_what_settings_and_overrides_add(install: str) -> None:
    """Each value that a part's keys or overrides put into its document is shown, with the one that it replaces."""
    overrides = {"hub": "b.example.com/i"} if install == "istioctl" else {"global": {"logging": {"level": "a:debug"}}}
    topology = load(
        {
            "apiVersion": "extcp-manifests/v1",
            "kind": "ExternalControlPlane",
            "metadata": {"name": "m"},
            "spec": {
                "release": "1.30",
                "install": install,
                "meshID": "m",
                "address": "192.0.2.1",
                "hub": "a.example.com/i",
                "istiod": {"replicas": 2, "overrides": overrides},
                "configCluster": {"name": "c", "network": "n"},
            },
        }
    )
    lines = list(map(str, additions(topology)))
    if install == "istioctl":
        assert lines == [
            "spec.istiod  components.pilot.k8s.replicaCount: 2  (settings)",
            "spec.istiod  values.pilot.autoscaleEnabled: false  (settings)",
            "spec.istiod  hub: b.example.com/i  (overrides, instead of a.example.com/i)",
        ]
    else:
        assert lines == [
            "spec.istiod  components.pilot.k8s.replicaCount: 2  (settings)",
            "spec.istiod  values.pilot.autoscaleEnabled: false  (settings)",
            "spec.istiod  global.logging.level: a:debug  (overrides)",
        ]
