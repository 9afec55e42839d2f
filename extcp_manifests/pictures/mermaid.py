"""Pictures in Mermaid's language, which code hosts and wikis draw.

Whatever names hold, they are text: every character that Mermaid could take for its own is an entity.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from extcp_manifests.pictures.scene import CROSS_NETWORK_PORT, Network, Scene, by_external_cluster, count
from extcp_manifests.topology.model import Topology

if TYPE_CHECKING:
    from extcp_manifests.topology.fleet import Fleet

_MOST_CLUSTERS = 8
_MOST_NETWORKS = 8


def mermaid(topology: Topology) -> str:
    """Return a flow chart of a topology, with the first clusters and networks where there are many."""
    scene = Scene.of(topology, most_clusters=_MOST_CLUSTERS, most_networks=_MOST_NETWORKS)
    return "".join(f"{line}\n" for line in _lines(scene))


def fleet_mermaid(fleet: "Fleet") -> str:
    """Return a flow chart of a fleet: its external clusters with their control planes."""
    lines = ["flowchart LR"]
    for number, (name, topologies) in enumerate(by_external_cluster(fleet).items(), start=1):
        lines.append(f'  subgraph external{number}["external cluster {_text(name)}"]')
        for index, topology in enumerate(topologies, start=1):
            about = (
                f"Istio {topology.release} in {topology.namespace}",
                topology.address,
                f"config cluster {topology.config_cluster.name}",
                count(topology.mesh_clusters, "cluster"),
            )
            lines.append(f"    plane{number}_{index}[{_label(str(topology.name), *about)}]")
        lines.append("  end")
    return "".join(f"{line}\n" for line in lines)


def _lines(scene: Scene) -> Iterator[str]:
    yield "flowchart TB"
    yield '  subgraph remotes["remote clusters"]'
    for number, network in enumerate(scene.networks, start=1):
        yield from _network(number, network)
    if scene.more_networks:
        yield f'    others["{scene.more_networks} more networks"]'
    if scene.connects_networks:
        reached = [f"network{n}" for n, each in enumerate(scene.networks, start=1) if each.is_reached]
        for before, after in pairwise(reached):
            yield f"    {before} <-->|{CROSS_NETWORK_PORT}| {after}"
    yield "  end"
    yield f'  subgraph external["external cluster {_text(scene.external)}"]'
    entrance = "istiod"
    if scene.gateway is not None:
        entrance = "gateway"
        yield f"    gateway[{_label(*scene.gateway)}]"
    yield f"    istiod[{_label(*scene.istiod)}]"
    if scene.gateway is not None:
        yield f"    gateway -->|{_label(*scene.inward)}| istiod"
    yield "  end"
    for words in scene.to_istiod:
        yield f"  remotes -->|{_label(*words)}| {entrance}"
    of_all, of_config = scene.to_api_servers
    if of_all:
        yield f"  istiod -.->|{_label(*of_all)}| remotes"
    config_cluster = _text(scene.networks[0].cards[0].name)
    what, secret = of_config
    yield f'  istiod -.->|"{_text(what)} of {config_cluster}<br>{_text(secret)}"| remotes'


def _network(number: int, network: Network) -> Iterator[str]:
    yield f'    subgraph network{number}["network {_text(network.name)}"]'
    for index, card in enumerate(network.cards, start=1):
        role = ("config cluster",) if card.is_config_cluster else ()
        gateways = (f"{', '.join(card.gateways)} gateway",) if card.gateways else ()
        yield f"      cluster{number}_{index}[{_label(card.name, *role, *gateways)}]"
    if network.more:
        yield f'      more{number}["{network.more} more clusters"]'
    yield "    end"


def _label(*lines: str) -> str:
    return '"' + "<br>".join(map(_text, lines)) + '"'


def _text(text: str) -> str:
    """Return a text with every sign that is not plain as an entity of Mermaid, which has numbers alone."""
    return "".join(sign if sign.isalnum() or sign in " .,-_:/" else f"#{ord(sign)};" for sign in text)
