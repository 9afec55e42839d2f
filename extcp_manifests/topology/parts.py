"""The documents that install the parts of a topology, with the settings and overrides that belong to each."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, TypeVar

from extcp_manifests.builders import (
    ConfigCluster,
    ControlPlaneGateway,
    EastWestGateway,
    EgressGateway,
    EgressGatewayValues,
    ExternalIstiod,
    IngressGateway,
    IngressGatewayValues,
    RemoteCluster,
)
from extcp_manifests.builders.builder import Builder
from extcp_manifests.builders.overrides import WithOverrides
from extcp_manifests.documents.istio_operator import GatewayChartValues, IstioOperator
from extcp_manifests.documents.model import Model
from extcp_manifests.istio.operator.merging import overlay
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import MeshCluster
from extcp_manifests.topology.inputs import Place
from extcp_manifests.topology.model import Topology

Document = TypeVar("Document", bound=Model)


def shared_gateway(topology: Topology) -> Builder[IstioOperator]:
    """Return the ingress gateway of the external cluster."""
    gateway = topology.gateway
    builder = ControlPlaneGateway(
        release=topology.istio, name=gateway.name, namespace=gateway.namespace, hub=topology.hub
    )
    return _with(builder, overlay(_images(topology), gateway.settings()), gateway.overrides)


def external_istiod(topology: Topology) -> Builder[IstioOperator]:
    """Return the istiod of the external cluster."""
    cluster = topology.config_cluster
    builder = ExternalIstiod(
        release=topology.istio,
        address=topology.reached_at,
        mesh_id=topology.mesh_id,
        cluster=cluster.name,
        network=cluster.network,
        namespace=topology.namespace,
        revision=topology.revision,
        mesh_config=topology.mesh_config,
        hub=topology.hub,
    )
    return _with(builder, overlay(_images(topology), topology.istiod.settings()), topology.istiod.overrides)


def config_cluster(topology: Topology) -> Builder[IstioOperator]:
    """Return the installation of the config cluster."""
    cluster = topology.config_cluster
    builder = ConfigCluster(
        release=topology.istio,
        address=topology.reached_at,
        cluster=cluster.name,
        network=cluster.network,
        namespace=topology.namespace,
        revision=topology.revision,
    )
    return _with(builder, {"meshConfig": cluster.mesh_config} if cluster.mesh_config else {}, cluster.overrides)


def remote_cluster(topology: Topology, cluster: MeshCluster) -> Builder[IstioOperator]:
    """Return the installation of a further remote cluster."""
    builder = RemoteCluster(
        release=topology.istio,
        address=topology.reached_at,
        cluster=cluster.name,
        network=cluster.network,
        namespace=topology.namespace,
        revision=topology.revision,
    )
    return _with(builder, {}, cluster.overrides)


def ingress_gateway(topology: Topology, cluster: MeshCluster) -> Builder[IstioOperator] | Builder[GatewayChartValues]:
    """Return the ingress gateway of a remote cluster, for what installs it."""
    overrides = cluster.gateways.overrides.ingress
    if cluster.gateways.install == "helm":
        return _with(IngressGatewayValues(revision=topology.revision), {}, overrides)
    return _with(IngressGateway(namespace=topology.namespace, revision=topology.revision), {}, overrides)


def egress_gateway(topology: Topology, cluster: MeshCluster) -> Builder[IstioOperator] | Builder[GatewayChartValues]:
    """Return the egress gateway of a remote cluster, for what installs it."""
    overrides = cluster.gateways.overrides.egress
    if cluster.gateways.install == "helm":
        return _with(EgressGatewayValues(revision=topology.revision), {}, overrides)
    return _with(EgressGateway(namespace=topology.namespace, revision=topology.revision), {}, overrides)


def east_west_gateway(topology: Topology, cluster: MeshCluster) -> Builder[IstioOperator]:
    """Return the gateway by which other networks reach a remote cluster's services."""
    builder = EastWestGateway(network=cluster.network, namespace=topology.namespace, revision=topology.revision)
    return _with(builder, {}, cluster.gateways.overrides.east_west)


def _with(builder: Builder[Document], settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> Builder[Document]:
    if not settings and not overrides:
        return builder
    return WithOverrides(builder=builder, settings=settings, overrides=overrides)


def _images(topology: Topology) -> dict[str, Any]:
    """Return where images come from; istiod hands the values on to the proxies that it injects."""
    piece: dict[str, Any] = {}
    if topology.tag is not None:
        piece["tag"] = topology.tag
    values: dict[str, Any] = {}
    if topology.pull_policy is not None:
        values["imagePullPolicy"] = topology.pull_policy
    if topology.pull_secrets:
        values["imagePullSecrets"] = list(topology.pull_secrets)
    if values:
        piece["values"] = {"global": values}
    return piece


class OverriddenPart(Record):
    """A part whose document people add to, and where they do."""

    place: Place
    builder: WithOverrides[Any]

    @cached_property
    def ours(self) -> Mapping[str, Any]:
        """The document without settings and overrides."""
        plain: dict[str, Any] = self.builder.builder.build().plain()
        return plain

    @cached_property
    def with_settings(self) -> Mapping[str, Any]:
        """The document with the settings alone."""
        return self.whole(self.builder.with_settings().plain)

    def whole(self, piece: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the document with another spec, or other values of a chart."""
        return {**self.ours, "spec": piece} if "spec" in self.ours else piece


def overridden_parts(topology: Topology) -> Iterator[OverriddenPart]:
    """Yield every part that has settings or overrides, with the place of its overrides in words of Python."""
    yield from _part(("gateway",), shared_gateway(topology))
    yield from _part(("istiod",), external_istiod(topology))
    yield from _part(("config_cluster",), config_cluster(topology))
    for index, cluster in enumerate(topology.remote_clusters):
        if cluster.overrides:
            yield from _part(("remote_clusters", index), remote_cluster(topology, cluster))
    places: list[Place] = [("config_cluster",)]
    places += [("remote_clusters", index) for index in range(len(topology.remote_clusters))]
    for place, cluster in zip(places, topology.mesh_clusters, strict=True):
        gateways, overrides = cluster.gateways, cluster.gateways.overrides
        if gateways.ingress and overrides.ingress:
            yield from _part((*place, "gateways"), ingress_gateway(topology, cluster), "ingress")
        if gateways.egress and overrides.egress:
            yield from _part((*place, "gateways"), egress_gateway(topology, cluster), "egress")
        if gateways.east_west and overrides.east_west:
            yield from _part((*place, "gateways"), east_west_gateway(topology, cluster), "east_west")


def _part(place: Place, builder: Builder[Any], *below: str) -> Iterator[OverriddenPart]:
    if isinstance(builder, WithOverrides):
        yield OverriddenPart((*place, "overrides", *below), builder)
