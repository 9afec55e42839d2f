"""One builder for each document: frozen inputs in, `build()` returns the typed document. Each works alone.

Releases and addresses may be given as text (`release="1.24"`) or parsed. An input of a wrong type, and a name that
cannot be used where the document needs it, raise InvalidInput from `build()`.
"""

from typing import TYPE_CHECKING

from extcp_manifests.lazy import handing_on

if TYPE_CHECKING:
    from extcp_manifests.builders.gateway_api import IstiodRoute
    from extcp_manifests.builders.gateways import (
        EastWestGateway,
        EastWestGatewayValues,
        EgressGateway,
        EgressGatewayValues,
        ExposeServices,
        IngressGateway,
        IngressGatewayValues,
    )
    from extcp_manifests.builders.istiod import ControlPlaneGateway, ExternalIstiod
    from extcp_manifests.builders.namespaces import (
        LegacyServiceAccount,
        ReaderServiceAccount,
        SampleNamespace,
        SystemNamespace,
    )
    from extcp_manifests.builders.remotes import ConfigCluster, RemoteCluster
    from extcp_manifests.builders.routing import (
        IstiodDestinationRule,
        IstiodGateway,
        IstiodService,
        IstiodVirtualService,
    )
    from extcp_manifests.builders.sample import (
        ClientDeployment,
        ClientService,
        ClientServiceAccount,
        HelloworldDeployment,
        HelloworldGateway,
        HelloworldService,
        HelloworldVirtualService,
    )
    from extcp_manifests.builders.secrets import ExternalRemoteSecret, RemoteSecret, ServiceAccountToken

__all__ = [
    "ClientDeployment",
    "ClientService",
    "ClientServiceAccount",
    "ConfigCluster",
    "ControlPlaneGateway",
    "EastWestGateway",
    "EastWestGatewayValues",
    "EgressGateway",
    "EgressGatewayValues",
    "ExposeServices",
    "ExternalIstiod",
    "ExternalRemoteSecret",
    "HelloworldDeployment",
    "HelloworldGateway",
    "HelloworldService",
    "HelloworldVirtualService",
    "IngressGateway",
    "IngressGatewayValues",
    "IstiodDestinationRule",
    "IstiodGateway",
    "IstiodRoute",
    "IstiodService",
    "IstiodVirtualService",
    "LegacyServiceAccount",
    "ReaderServiceAccount",
    "RemoteCluster",
    "RemoteSecret",
    "SampleNamespace",
    "ServiceAccountToken",
    "SystemNamespace",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = handing_on(
        __name__,
        {
            "ClientDeployment": "sample",
            "ClientService": "sample",
            "ClientServiceAccount": "sample",
            "ConfigCluster": "remotes",
            "ControlPlaneGateway": "istiod",
            "EastWestGateway": "gateways",
            "EastWestGatewayValues": "gateways",
            "EgressGateway": "gateways",
            "EgressGatewayValues": "gateways",
            "ExposeServices": "gateways",
            "ExternalIstiod": "istiod",
            "ExternalRemoteSecret": "secrets",
            "HelloworldDeployment": "sample",
            "HelloworldGateway": "sample",
            "HelloworldService": "sample",
            "HelloworldVirtualService": "sample",
            "IngressGateway": "gateways",
            "IngressGatewayValues": "gateways",
            "IstiodDestinationRule": "routing",
            "IstiodGateway": "routing",
            "IstiodRoute": "gateway_api",
            "IstiodService": "routing",
            "IstiodVirtualService": "routing",
            "LegacyServiceAccount": "namespaces",
            "ReaderServiceAccount": "namespaces",
            "RemoteCluster": "remotes",
            "RemoteSecret": "secrets",
            "SampleNamespace": "namespaces",
            "ServiceAccountToken": "secrets",
            "SystemNamespace": "namespaces",
        },
    )
