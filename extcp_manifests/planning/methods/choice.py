"""Which method installs what."""

from collections.abc import Mapping

from extcp_manifests.planning.methods.helm import ByHelm
from extcp_manifests.planning.methods.istioctl import ByIstioctl
from extcp_manifests.planning.methods.method import Method
from extcp_manifests.planning.methods.sail import BySail
from extcp_manifests.topology.clusters import MeshCluster
from extcp_manifests.topology.model import Topology
from extcp_manifests.topology.parts import method_of_gateways

_METHODS: Mapping[str, Method] = {"istioctl": ByIstioctl(), "helm": ByHelm(), "sail": BySail()}


def method_of(topology: Topology) -> Method:
    """Return the method that installs the control plane and sets up remote clusters."""
    return _METHODS[topology.install]


def method_of_mesh_gateways(topology: Topology, cluster: MeshCluster) -> Method:
    """Return the method that installs the ingress and the egress gateway of a remote cluster."""
    return _METHODS[method_of_gateways(topology, cluster)]
