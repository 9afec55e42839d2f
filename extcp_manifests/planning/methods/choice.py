"""Which method installs what; each is loaded where it is the method of some cluster."""

from functools import cache

from extcp_manifests.planning.methods.method import Method
from extcp_manifests.topology.clusters import MeshCluster
from extcp_manifests.topology.model import Topology
from extcp_manifests.topology.parts import method_of_gateways


def method_of(topology: Topology) -> Method:
    """Return the method that installs the control plane and sets up remote clusters."""
    return _method(topology.install)


def method_of_mesh_gateways(topology: Topology, cluster: MeshCluster) -> Method:
    """Return the method that installs the ingress and the egress gateway of a remote cluster."""
    return _method(method_of_gateways(topology, cluster))


@cache
def _method(name: str) -> Method:
    if name == "helm":
        from extcp_manifests.planning.methods.helm import ByHelm

        return ByHelm()
    if name == "sail":
        from extcp_manifests.planning.methods.sail import BySail

        return BySail()
    from extcp_manifests.planning.methods.istioctl import ByIstioctl

    return ByIstioctl()
