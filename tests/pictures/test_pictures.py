"""Pictures of topologies."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import MeshCluster, Topology, load, load_fleet
from extcp_manifests.pictures.mermaid import fleet_mermaid, mermaid
from extcp_manifests.pictures.scene import Scene
from extcp_manifests.pictures.svg import fleet_svg, svg
from extcp_manifests.topology.clusters import MeshGateways

ROOT = Path(__file__).parents[2]
GUIDE = load(ROOT / "examples/guide.yaml")
FLEET = load_fleet(ROOT / "examples/fleet.yaml")


def texts(picture: str) -> list[str]:
    """The texts of an SVG, whole ones instead of shortened ones."""
    found = []
    for element in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314 - our own picture
        whole = element.find("{http://www.w3.org/2000/svg}title")
        found.append(str(element.text if whole is None else whole.text))
    return found


def test_what_the_guides_picture_says() -> None:
    """Every cluster, network and gateway is there, and each way of requests with its address and port."""
    assert texts(svg(GUIDE)) == [
        "mesh1",
        "Istio 1.24, external control plane at myhost.example.com",
        "external cluster external",
        "istio-ingressgateway",
        "namespace istio-system",
        "ends TLS with myhost-example-credential",
        "15012 to 15012, 15017 to 443",
        "new TLS",
        "istiod",
        "namespace external-istiod",
        "mesh mesh1",
        "remote clusters",
        "proxies: xDS and certificates",
        "myhost.example.com",
        "port 15012",
        "API servers: webhooks",
        "myhost.example.com",
        "port 15017",
        "istiod: services and pods",
        "by remote secrets",
        "istiod: configuration",
        "by istio-kubeconfig",
        "network network1",
        "cluster1",
        "config cluster",
        "ingress, egress, east-west",
        "network network2",
        "cluster2",
        "east-west gateway",
        "requests between networks: by east-west gateways, 15443",
    ]


@pytest.mark.parametrize(
    ("example", "there", "not_there"),
    [
        ("tests/topologies/ip", "passes TLS through, for this istiod alone", "new TLS"),
        ("tests/topologies/ipv6", "2001:DB8::10", "new TLS"),
        ("tests/topologies/private_ca", "port 443", "the same TLS"),
        ("examples/own_certificate", "ends TLS, with a certificate of its own", "new TLS"),
        ("examples/existing_gateway", "an existing gateway", "east-west gateway"),
    ],
)
def test_ways_in_look_different(example: str, there: str, not_there: str) -> None:
    """By what one sees, it is clear who ends TLS, and where webhooks go."""
    shown = texts(svg(load(ROOT / f"{example}.yaml")))
    assert there in shown
    assert not_there not in shown


def test_no_remote_secret_where_there_is_no_further_cluster() -> None:
    """With the config cluster alone, istiod asks no other API server, and the picture does not say so."""
    assert "by remote secrets" not in texts(svg(many(1, 1)))
    assert "remote secrets" not in mermaid(many(1, 1))
    assert "remote secrets" in mermaid(many(2, 1))


def many(clusters: int, networks: int) -> Topology:
    """The guide's topology with so many clusters in so many networks."""
    gateways = MeshGateways(east_west=True)
    further = [
        MeshCluster(name=f"cluster{number}", network=f"network{number % networks}", gateways=gateways)
        for number in range(2, clusters + 1)
    ]
    return GUIDE.with_(remote_clusters=further)


@pytest.mark.parametrize(("clusters", "networks"), [(1, 1), (2, 2), (10, 3), (50, 7), (300, 1), (300, 100)])
def test_nothing_overlaps_or_leaves_the_page(clusters: int, networks: int) -> None:
    """Boxes of one kind do not overlap, and all are on the page, however many clusters there are."""
    root = ET.fromstring(svg(many(clusters, networks)))  # noqa: S314 - our own picture
    width, height = int(root.get("width", 0)), int(root.get("height", 0))
    boxes: dict[str, list[tuple[int, int, int, int]]] = {}
    for element in root.iter("{http://www.w3.org/2000/svg}rect"):
        kind = element.get("class", "").split()[0]
        x, y, w, h = (int(element.get(key, 0)) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        boxes.setdefault(kind, []).append((x, y, x + w, y + h))
    for kind in ("card", "network"):
        placed = sorted(boxes[kind])
        for index, (x1, y1, x2, y2) in enumerate(placed):
            for a1, b1, a2, b2 in placed[index + 1 :]:
                assert a1 >= x2 or x1 >= a2 or b1 >= y2 or y1 >= b2
    assert len(boxes["card"]) <= clusters


def test_how_many_are_left_out_is_said() -> None:
    """Where there are very many clusters or networks, the picture says how many it does not show."""
    assert "and 38 more clusters" in texts(svg(many(99, 1)))  # cluster1 is in a network of its own
    shown = texts(svg(many(300, 100)))
    assert [text for text in shown if text.endswith("more networks")] == ["and 60 more networks"]
    assert '"92 more networks"' in mermaid(many(300, 100))


NAMES = st.text(min_size=1, max_size=30)


@given(name=NAMES, gateway=NAMES, cluster=NAMES, network=NAMES)
def test_no_name_breaks_a_picture(name: str, gateway: str, cluster: str, network: str) -> None:
    """Whatever names hold, the SVG is well-formed, and Mermaid's text has only its own signs."""
    topology = _with_names(name, gateway, cluster, network)
    root = ET.fromstring(svg(topology))  # noqa: S314 - our own picture
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    lines = mermaid(topology).splitlines()
    assert lines[0] == "flowchart TB"
    assert len(lines) == 14
    assert all(line.count('"') in (0, 2) for line in lines)


def _with_names(name: str, gateway: str, cluster: str, network: str) -> Topology:
    """A topology with names that nothing has checked."""
    config = replace(GUIDE.config_cluster, gateways=MeshGateways())
    for key, value in (("name", cluster), ("network", network)):
        object.__setattr__(config, key, value)
    shared = replace(GUIDE.gateway)
    object.__setattr__(shared, "name", gateway)
    changes: dict[str, Any] = {"name": name, "gateway": shared, "config_cluster": config, "remote_clusters": ()}
    return GUIDE.model_copy(update=changes)


def test_fleets() -> None:
    """A fleet is a grid of control planes below their external clusters."""
    shown = texts(fleet_svg(FLEET))
    assert shown[:3] == [
        "fleet",
        "3 control planes in 2 external clusters",
        "external cluster hub: gateway istio-ingressgateway in istio-system",
    ]
    assert [text for text in shown if text in ("payments", "search", "lab")] == ["payments", "search", "lab"]
    assert fleet_mermaid(FLEET).count("subgraph") == 2


def test_the_command(tmp_path: Path) -> None:
    """The ending of the file, or --format, says what is written; without a file it goes to standard output."""
    guide = ROOT / "examples/guide.yaml"
    assert run("picture", guide, "-o", tmp_path / "a.svg").returncode == 0
    assert (tmp_path / "a.svg").read_text("utf-8") == svg(GUIDE)
    assert run("picture", guide, "-o", tmp_path / "a.mmd").returncode == 0
    assert (tmp_path / "a.mmd").read_text("utf-8") == mermaid(GUIDE)
    assert run("picture", ROOT / "examples/fleet.yaml", "--format", "mermaid").stdout == fleet_mermaid(FLEET)


def test_png(tmp_path: Path) -> None:
    """A PNG is drawn where resvg is installed."""
    pytest.importorskip("resvg_py", reason="resvg is not installed: pip install 'extcp-manifests[png]'")
    assert run("picture", ROOT / "examples/guide.yaml", "-o", tmp_path / "a.png").returncode == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_readmes_picture_is_the_guides() -> None:
    """The picture in the examples, which README shows, is what the command draws."""
    assert (ROOT / "examples/guide.svg").read_text("utf-8") == svg(GUIDE)


def test_a_scene_counts() -> None:
    """A scene says how many clusters and networks it leaves out."""
    scene = Scene.of(many(20, 4), most_clusters=2, most_networks=3)
    assert [len(network.cards) for network in scene.networks] == [2, 2, 2]
    assert scene.more_networks == len({cluster.network for cluster in many(20, 4).mesh_clusters}) - 3
