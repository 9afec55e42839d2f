"""First topology files."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, load, yaml
from extcp_manifests.topology.starting import FirstCluster, FirstTopology

TWO = (FirstCluster("prod-eu", "eu"), FirstCluster("prod-us", "us"))


@pytest.mark.parametrize("install", ["istioctl", "helm", "sail"])
@pytest.mark.parametrize("address", ["istiod.example.com", "192.0.2.1", "2001:db8::1"])
def test_a_first_file_is_right(install: str, address: str) -> None:
    """What a first file says is a topology without warnings, by every method and at every kind of address."""
    first = FirstTopology(release="1.31", address=address, clusters=TWO, install=install, revision="canary")
    topology = load(first.text())
    assert (topology.install, topology.address, topology.name, topology.revision) == (
        install,
        address,
        "mesh1",
        "canary",
    )
    assert [(each.name, each.network) for each in topology.mesh_clusters] == [("prod-eu", "eu"), ("prod-us", "us")]
    assert topology.warnings == ()


TEXT = st.text(max_size=20) | st.sampled_from(["1e3", "null", "a: b", "#", "no", "- x"])


@given(name=TEXT, address=TEXT, cluster=TEXT, network=TEXT)
def test_no_text_breaks_the_file(name: str, address: str, cluster: str, network: str) -> None:
    """Whatever is given, the file says just that, or a text that no YAML file can hold is refused."""
    first = FirstTopology(release="1.31", address=address, clusters=[FirstCluster(cluster, network)], name=name)
    try:
        content: Any = yaml.load(first.text())
    except InvalidInput:
        return
    assert content["metadata"]["name"] == name
    assert content["spec"]["address"] == address
    config = content["spec"]["configCluster"]
    assert (config["name"], config["context"], config["network"]) == (cluster, cluster, network)
