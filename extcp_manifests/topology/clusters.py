"""The clusters of a topology."""

import re
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictStr

from extcp_manifests.builders.address import why_not_api_server
from extcp_manifests.documents.name_forms import DNS_SUBDOMAIN, stand_in, why_not_label_value
from extcp_manifests.topology.inputs import CONFIG, matching
from extcp_manifests.topology.names import GatewayName, NamespaceName, Text, why_not_cluster_name

SAMPLE_NAMESPACE = "sample"
"""The namespace of helloworld and its client in Istio's guide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedGateway:
    """The ingress gateway of the external cluster, through which remote clusters reach istiod."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    namespace: Annotated[NamespaceName, Field(description="Namespace of the gateway and of its own istiod.")] = (
        "istio-system"
    )
    name: Annotated[GatewayName, Field(description="Name of the gateway.")] = "istio-ingressgateway"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalCluster:
    """The cluster where istiod runs."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    name: Annotated[Text, Field(description="Name of the cluster.")] = "external"
    context: Annotated[
        Text | None, Field(description="Its context in the kubeconfig; the cluster's name if left out.")
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshGateways:
    """Which gateways of the mesh a remote cluster gets."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    ingress: Annotated[StrictBool, Field(description="Whether requests from outside enter the mesh here.")] = False
    egress: Annotated[StrictBool, Field(description="Whether requests leave the mesh here.")] = False
    east_west: Annotated[StrictBool, Field(description="Whether other networks reach this cluster's services.")] = False
    install: Annotated[
        Literal["istioctl", "helm"],
        Field(description="What installs the ingress and egress gateway; the east-west gateway is istioctl's."),
    ] = "istioctl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Istio's helloworld and a client, to try the mesh."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    version: Annotated[Literal["v1", "v2"], Field(description="The version of helloworld in this cluster.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshCluster:
    """A remote cluster: one with workloads of the mesh and without istiod."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    name: Annotated[
        StrictStr,
        matching(why_not_cluster_name),
        Field(description="Name of the cluster, as istiod and its metrics know it."),
    ]
    context: Annotated[
        Text | None, Field(description="Its context in the kubeconfig; the cluster's name if left out.")
    ] = None
    network: Annotated[
        StrictStr,
        matching(why_not_label_value),
        Field(description="The cluster's network; pods of one network reach each other directly."),
    ]
    gateways: Annotated[MeshGateways, Field(description="The mesh's gateways in this cluster.")] = field(
        default_factory=MeshGateways
    )
    sample: Annotated[Sample | None, Field(description="The sample workload, where one is wanted.")] = None
    api_server: Annotated[
        Annotated[StrictStr, matching(why_not_api_server)] | None,
        Field(
            description="URL of its API server as istiod reaches it from the external cluster; the one of the context "
            "in the kubeconfig if left out."
        ),
    ] = None


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
_FOLDER = re.compile(
    rf"(?=.{{1,100}}\Z)(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)|runbook\.md\Z|overlays\Z){DNS_SUBDOMAIN.pattern}"
)
