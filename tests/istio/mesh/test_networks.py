"""Which meshNetworks istiod uses."""

from typing import Any

import pytest

from extcp_manifests import InvalidInput, yaml
from extcp_manifests.istio.mesh.networks import choose_mesh_networks
from extcp_manifests.istio.releases import RELEASES

SHARED = {
    "networks": {
        "n1": {"endpoints": [{"fromRegistry": "cluster1"}], "gateways": [{"address": "192.0.2.1", "port": 15443}]}
    }
}
LOCAL = {
    "networks": {
        "n2": {"endpoints": [{"fromCidr": "10.0.0.0/8"}], "gateways": [{"address": "gw.example.com", "port": 15443}]}
    }
}


@pytest.mark.parametrize("release", RELEASES)
def test_the_whole_document_by_release(release: str) -> None:
    """Up to 1.24 the local file alone is read, from 1.25 the shared document beats it; the other one is told."""
    old = int(release[2:]) <= 24
    choice = choose_mesh_networks(shared=SHARED, local=LOCAL, release=release)
    assert choice.networks == (LOCAL if old else SHARED)["networks"]
    assert (choice.source, choice.problems) == ("local" if old else "shared", ())
    assert [(each.source, each.path, each.message) for each in choice.ignored] == [
        (
            "shared" if old else "local",
            "networks",
            f"is not read, since istiod {release} uses the {choice.source} document alone",
        )
    ]


@pytest.mark.parametrize(
    ("shared", "local", "release", "source"),
    [
        (SHARED, None, "1.24", "defaults"),
        (SHARED, None, "1.25", "shared"),
        (None, LOCAL, "1.24", "local"),
        (None, LOCAL, "1.31", "local"),
        ({"networks": {}}, LOCAL, "1.31", "shared"),
        (None, None, "1.31", "defaults"),
    ],
)
def test_missing_documents(shared: Any, local: Any, release: str, source: str) -> None:
    """A document that is there is used though it is empty; without any there are no networks."""
    choice = choose_mesh_networks(shared=shared, local=local, release=release)
    assert choice.source == source
    assert choice.networks == {"shared": shared, "local": local}.get(source, {"networks": {}})["networks"]


def test_config_maps_and_texts() -> None:
    """A ConfigMap's key is meshNetworks; its mesh config is not looked at."""
    config_map = {"kind": "ConfigMap", "data": {"mesh": "a: [", "meshNetworks": yaml.dump(SHARED)}}
    assert choose_mesh_networks(shared=config_map, local=None, release="1.30").networks == SHARED["networks"]


def test_what_cannot_be_decoded() -> None:
    """A wrong value in the document that is used is refused with its line; in the other one nobody looks."""
    wrong = "networks:\n  n1:\n    gateways:\n    - port: x\n"
    assert choose_mesh_networks(shared=wrong, local=LOCAL, release="1.24").source == "local"
    with pytest.raises(InvalidInput) as caught:
        choose_mesh_networks(shared=wrong, local=LOCAL, release="1.25")
    assert str(caught.value) == (
        "shared:4: networks.n1.gateways[0].port: must be a whole number from 0 to 4294967295, not 'x'"
    )


def test_validation() -> None:
    """Ranges, names of clusters, services, addresses and ports are checked; unknown keys are told."""
    networks = {
        "networks": {
            "a.b": {
                "endpoints": [{"fromCidr": "10.0.0.0/33"}, {"fromRegistry": "gke_1"}, {"fromRegistry": "ok", "x": 1}],
                "gateways": [
                    {"registryServiceName": "gw_", "port": 1},
                    {"address": "1.2.3", "port": 70000},
                    {"address": "::1"},
                ],
            }
        }
    }
    choice = choose_mesh_networks(shared=None, local=networks, release="1.30")
    assert [str(problem) for problem in choice.problems] == [
        "networks[\"a.b\"].endpoints[0].fromCidr: is '10.0.0.0/33', which is not a valid range of addresses: "
        "write it as in 10.0.0.0/8",
        "networks[\"a.b\"].endpoints[1].fromRegistry: is 'gke_1', which is no DNS label: "
        "a cluster of such a name cannot stand here",
        "networks[\"a.b\"].gateways[0].registryServiceName: is 'gw_', which is not a valid host name: correct it",
        "networks[\"a.b\"].gateways[1].address: is '1.2.3', which is neither an IP address nor a host name: correct it",
        'networks["a.b"].gateways[1].port: is 70000, which is not a valid port: use 1 to 65535',
        'networks["a.b"].gateways[2].port: is 0, which is not a valid port: use 1 to 65535',
    ]
    assert [each.path for each in choice.ignored] == ['networks["a.b"].endpoints[2].x']


def test_a_config_map_without_networks_is_none() -> None:
    """A ConfigMap without the key is as good as none; one with an empty text is read, and has no networks."""
    local: dict[str, Any] = {"networks": {"n": {}}}
    without = {"kind": "ConfigMap", "data": {"mesh": "accessLogFile: /a"}}
    empty = {"kind": "ConfigMap", "data": {"meshNetworks": ""}}
    choice = choose_mesh_networks(shared=without, local=local, release="1.25")
    assert (choice.source, choice.networks, choice.ignored) == ("local", {"n": {}}, ())
    choice = choose_mesh_networks(shared=empty, local=local, release="1.25")
    assert (choice.source, choice.networks, [each.source for each in choice.ignored]) == ("shared", {}, ["local"])
