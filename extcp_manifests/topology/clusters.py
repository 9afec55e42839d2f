"""The clusters of a topology."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictStr

from extcp_manifests.builders.address import why_not_api_server
from extcp_manifests.documents.name_forms import DNS_SUBDOMAIN, stand_in, why_not_label_value
from extcp_manifests.patterns import pattern
from extcp_manifests.topology.inputs import Part, matching
from extcp_manifests.topology.names import NamespaceName, Text, why_not_cluster_name, why_not_kubeconfig
from extcp_manifests.topology.workloads import OVERRIDES, Plain

_OF_A_GATEWAY = "A piece of the IstioOperator's spec, or of the chart's values where Helm installs the gateway."


SAMPLE_NAMESPACE = "sample"
"""The namespace of helloworld and its client in Istio's guide."""


class ExternalCluster(Part):
    """The cluster where istiod runs."""

    name: Annotated[Text, Field(description="Name of the cluster.")] = "external"
    context: Annotated[
        Text | None, Field(description="Its context in the kubeconfig; the cluster's name if left out.")
    ] = None
    kubeconfig: Annotated[
        Annotated[StrictStr, matching(why_not_kubeconfig)] | None,
        Field(description="The kubeconfig that has the context, as commands in the output folder find it."),
    ] = None


class GatewayOverrides(Part):
    """Pieces of the documents of a cluster's gateways, for all that has no key."""

    ingress: Annotated[Plain, Field(description=_OF_A_GATEWAY)] = {}
    egress: Annotated[Plain, Field(description=_OF_A_GATEWAY)] = {}
    east_west: Annotated[Plain, Field(description=_OF_A_GATEWAY)] = {}


class MeshGateways(Part):
    """Which gateways of the mesh a remote cluster gets."""

    ingress: Annotated[StrictBool, Field(description="Whether requests from outside enter the mesh here.")] = False
    egress: Annotated[StrictBool, Field(description="Whether requests leave the mesh here.")] = False
    east_west: Annotated[StrictBool, Field(description="Whether other networks reach this cluster's services.")] = False
    namespace: Annotated[
        NamespaceName | None,
        Field(description="Namespace of the ingress and the egress gateway; the control plane's if left out."),
    ] = None
    install: Annotated[
        Literal["istioctl", "helm"] | None,
        Field(description="What installs the ingress and egress gateway; what installs all else if left out."),
    ] = None
    overrides: Annotated[
        GatewayOverrides, Field(description="Pieces of the gateways' documents; they cannot undo what is set here.")
    ] = GatewayOverrides()


class Sample(Part):
    """Istio's helloworld and a client, to try the mesh."""

    version: Annotated[Literal["v1", "v2"], Field(description="The version of helloworld in this cluster.")]


class MeshCluster(Part):
    """A remote cluster: one with workloads of the mesh and without istiod."""

    name: Annotated[
        StrictStr,
        matching(why_not_cluster_name),
        Field(description="Name of the cluster, as istiod and its metrics know it."),
    ]
    context: Annotated[
        Text | None, Field(description="Its context in the kubeconfig; the cluster's name if left out.")
    ] = None
    kubeconfig: Annotated[
        Annotated[StrictStr, matching(why_not_kubeconfig)] | None,
        Field(description="The kubeconfig that has the context, as commands in the output folder find it."),
    ] = None
    network: Annotated[
        StrictStr,
        matching(why_not_label_value),
        Field(description="The cluster's network; pods of one network reach each other directly."),
    ]
    gateways: Annotated[MeshGateways, Field(description="The mesh's gateways in this cluster.")] = MeshGateways()
    sample: Annotated[Sample | None, Field(description="The sample workload, where one is wanted.")] = None
    api_server: Annotated[
        Annotated[StrictStr, matching(why_not_api_server)] | None,
        Field(
            description="URL of its API server as istiod reaches it from the external cluster; the one of the context "
            "in the kubeconfig if left out."
        ),
    ] = None
    mesh_config: Annotated[
        Plain,
        Field(description="The mesh admin's mesh config, in the config cluster alone; the operator's own beats it."),
    ] = {}
    overrides: Annotated[Plain, Field(description=OVERRIDES)] = {}


def context_of(cluster: ExternalCluster | MeshCluster) -> str:
    """Return the cluster's context in the kubeconfig."""
    if cluster.context is None:
        return cluster.name
    return cluster.context


def folder_of(name: str) -> str:
    """Return the folder of a cluster: its name, or a stand-in where not every system can have a folder of that name."""
    if _FOLDER.fullmatch(name):
        return name
    return stand_in(name)


# Lower case, since some file systems do not tell the cases apart; not what Windows keeps for devices; not the files
# that a plan writes beside the folders.
_FOLDER = pattern(
    rf"(?=.{{1,100}}\Z)(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)|runbook\.md\Z|overlays\Z){DNS_SUBDOMAIN.pattern}"
)
