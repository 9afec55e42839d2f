"""A topology with everything that the steps of a plan ask for worked out once."""

from collections.abc import Mapping

from extcp_manifests.builders.exposure import Exposure
from extcp_manifests.istio.object_names import Names
from extcp_manifests.istio.releases import Release
from extcp_manifests.planning.shapes import Shape, Shapes
from extcp_manifests.planning.step import Access
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import ExternalCluster, MeshCluster, context_of, folder_of
from extcp_manifests.topology.credentials import ClusterCredentials
from extcp_manifests.topology.model import Topology
from extcp_manifests.topology.parts import method_of_gateways


class Target(Record):
    """A cluster as the place where steps are run."""

    name: str
    access: Access
    """How commands reach it."""
    folder: str
    """The folder of its files in the output."""

    @classmethod
    def of(cls, cluster: ExternalCluster | MeshCluster) -> "Target":
        """Return a cluster's name, the way to it, and its folder."""
        return cls(cluster.name, Access(context_of(cluster), cluster.kubeconfig), folder_of(cluster.name))


class RemoteTarget(Record):
    """A remote cluster of the topology, and where its steps are run."""

    cluster: MeshCluster
    target: Target
    shape: Shape | None = None
    """Its shape, of which what is made for one cluster can be filled in for another."""


class Resolved(Record, kw_only=True, hidden=("credentials",)):
    """A topology, its release, kind of address, names and clusters, and the credentials that were given."""

    topology: Topology
    release: Release
    exposure: Exposure
    names: Names
    external: Target
    remotes: tuple[RemoteTarget, ...]
    """Every remote cluster, the config cluster first."""
    has_east_west: bool
    """Whether any cluster has an east-west gateway."""
    needs_helm: bool
    """Whether Helm installs a gateway of any cluster."""
    credentials: Mapping[str, ClusterCredentials]
    """By the clusters' names."""
    gateway_alone: bool = False
    """Whether there is nothing to do but to open the external cluster, for several control planes."""

    @classmethod
    def of(
        cls, topology: Topology, credentials: Mapping[str, ClusterCredentials], *, gateway_alone: bool = False
    ) -> "Resolved":
        """Work out everything for a topology."""
        clusters = topology.mesh_clusters
        config_cluster, *others = clusters
        shapes = Shapes(credentials)
        return cls(
            topology=topology,
            release=topology.istio,
            exposure=topology.exposure,
            names=topology.names,
            external=Target.of(topology.external_cluster),
            remotes=(
                RemoteTarget(config_cluster, Target.of(config_cluster)),
                *(RemoteTarget(cluster, Target.of(cluster), shapes.shape(cluster)) for cluster in others),
            ),
            has_east_west=any(cluster.gateways.east_west for cluster in clusters),
            needs_helm=_needs_helm(topology),
            credentials=credentials,
            gateway_alone=gateway_alone,
        )


def _needs_helm(topology: Topology) -> bool:
    if topology.install == "helm":
        return True
    if topology.install == "sail" and topology.gateway.install != "none" and topology.istiod.service is None:
        return True
    return any(
        (cluster.gateways.east_west and topology.install == "sail")
        or ((cluster.gateways.ingress or cluster.gateways.egress) and method_of_gateways(topology, cluster) == "helm")
        for cluster in topology.mesh_clusters
    )
