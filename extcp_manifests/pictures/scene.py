"""What a picture of a control plane shows, in words and before any layout."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from extcp_manifests.builders.address import IPAddress
from extcp_manifests.builders.exposure import XDS_PORT
from extcp_manifests.builders.secrets import CONFIG_SECRET
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import MeshCluster
from extcp_manifests.topology.model import Topology

if TYPE_CHECKING:
    from extcp_manifests.topology.fleet import Fleet

CROSS_NETWORK_PORT = 15443
"""The port of east-west gateways for services of other networks."""


Lines = tuple[str, ...]
"""What stands in a box, or beside an arrow, line by line."""


class Card(Record):
    """A remote cluster."""

    name: str
    is_config_cluster: bool
    gateways: tuple[str, ...]
    """Its gateways of the mesh, in words."""


class Network(Record):
    """Remote clusters whose pods reach each other directly."""

    name: str
    cards: tuple[Card, ...]
    more: int
    """How many clusters it has besides those that are shown."""
    is_reached: bool
    """Whether other networks reach its services, by an east-west gateway."""


class Scene(Record, kw_only=True):
    """A control plane with its clusters."""

    name: str
    release: str
    address: str
    external: str
    """The name of the external cluster."""
    gateway: Lines | None
    """What stands in the gateway's box, line by line; None where remote clusters reach istiod without one."""
    istiod: Lines
    """What stands in istiod's box."""
    inward: Lines
    """How connections go from the gateway to istiod."""
    networks: tuple[Network, ...]
    more_networks: int
    """How many networks there are besides those that are shown."""
    to_istiod: tuple[Lines, Lines]
    """What proxies ask for, and where; and what API servers ask for, and where."""
    to_api_servers: tuple[Lines, Lines]
    """What istiod asks API servers of further clusters, if any, and the config cluster's, for, with the Secrets."""

    @classmethod
    def of(cls, topology: Topology, *, most_clusters: int, most_networks: int) -> "Scene":
        """Return what a picture of a topology shows, with so many clusters a network, and so many networks."""
        exposure = topology.exposure
        shown: dict[str, _Members] = {}
        others: set[str] = set()
        for cluster in topology.mesh_clusters:
            if cluster.network in shown or len(shown) < most_networks:
                shown.setdefault(cluster.network, _Members()).add(cluster, most_clusters)
            else:
                others.add(cluster.network)
        webhook_port = exposure.webhook_port
        return cls(
            name=topology.name or topology.mesh_id,
            release=topology.release,
            address=topology.address,
            external=topology.external_cluster.name,
            gateway=None if topology.istiod.service is not None else _gateway(topology),
            istiod=_istiod(topology),
            inward=_inward(topology, webhook_port),
            networks=tuple(members.network(topology, name) for name, members in shown.items()),
            more_networks=len(others),
            to_istiod=(
                ("proxies: xDS and certificates", topology.address, f"port {XDS_PORT}"),
                ("API servers: webhooks", topology.address, f"port {webhook_port}"),
            ),
            to_api_servers=(
                ("istiod: services and pods", "by remote secrets") if topology.remote_clusters else (),
                ("istiod: configuration", f"by {CONFIG_SECRET}"),
            ),
        )

    @property
    def connects_networks(self) -> bool:
        """Whether requests cross networks."""
        return len(self.networks) + self.more_networks > 1 and any(each.is_reached for each in self.networks)


class _Members:
    """The first clusters of a network, and how many there are."""

    def __init__(self) -> None:
        self._first: list[MeshCluster] = []
        self._number = 0
        self._is_reached = False

    def add(self, cluster: MeshCluster, most: int) -> None:
        """Count a cluster, and keep it as long as it is shown."""
        if self._number < most:
            self._first.append(cluster)
        self._number += 1
        self._is_reached = self._is_reached or cluster.gateways.east_west

    def network(self, topology: Topology, name: str) -> Network:
        """Return what is shown of the network."""
        cards = tuple(_card(topology, cluster) for cluster in self._first)
        return Network(name, cards, self._number - len(cards), self._is_reached)


def _gateway(topology: Topology) -> Lines:
    gateway = topology.gateway
    if topology.exposure.needs_credential:
        tls = f"ends TLS with {topology.credential_name}"
    elif isinstance(topology.reached_at, IPAddress):
        tls = "passes TLS through, for this istiod alone"
    else:
        tls = f"passes TLS for {topology.address} through"
    there = ("an existing gateway",) if gateway.install == "none" else ()
    return (gateway.name, f"namespace {gateway.namespace}", tls, *there)


def _istiod(topology: Topology) -> Lines:
    ends_tls = () if topology.exposure.needs_credential else ("ends TLS, with a certificate of its own",)
    return (topology.names.istiod, f"namespace {topology.namespace}", f"mesh {topology.mesh_id}", *ends_tls)


def _inward(topology: Topology, webhook_port: int) -> Lines:
    again = "new TLS" if topology.exposure.needs_credential else "the same TLS"
    return (f"{XDS_PORT} to {XDS_PORT}, {webhook_port} to 443", again)


def _card(topology: Topology, cluster: MeshCluster) -> Card:
    wanted = cluster.gateways
    words = [("ingress", wanted.ingress), ("egress", wanted.egress), ("east-west", wanted.east_west)]
    return Card(
        name=cluster.name,
        is_config_cluster=cluster is topology.config_cluster,
        gateways=tuple(word for word, is_there in words if is_there),
    )


def by_external_cluster(fleet: "Fleet") -> dict[str, list[Topology]]:
    """Return the control planes of a fleet by the names of their external clusters."""
    clusters: dict[str, list[Topology]] = {}
    for topology in fleet.control_planes:
        clusters.setdefault(topology.external_cluster.name, []).append(topology)
    return clusters


def count(things: Collection[object], word: str) -> str:
    """Return how many things there are, in words: `1 cluster`, `2 clusters`."""
    return f"{len(things)} {word}" if len(things) == 1 else f"{len(things)} {word}s"
