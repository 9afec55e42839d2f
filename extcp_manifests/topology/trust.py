"""Who vouches for the gateway, and where the Secrets with tokens come from."""

from typing import Annotated, Literal

from pydantic import Field, StrictStr

from extcp_manifests.documents.name_forms import why_not_dns_subdomain
from extcp_manifests.topology.inputs import Part, matching
from extcp_manifests.topology.names import Text, why_not_pem


class PrivateCA(Part):
    """The authority that signed the gateway's certificate, where API servers and proxies do not trust it anyway."""

    certificates: Annotated[StrictStr, matching(why_not_pem), Field(description="Its root certificates, as PEM.")]
    config_map: Annotated[
        StrictStr,
        matching(why_not_dns_subdomain),
        Field(
            description="ConfigMap with them below the key ca.crt, in every namespace whose pods are injected; the "
            "control plane's own and that of the sample get it."
        ),
    ] = "istiod-root"


class SecretStore(Part):
    """A store of the External Secrets Operator, from which the external cluster takes the Secrets with tokens."""

    name: Annotated[StrictStr, matching(why_not_dns_subdomain), Field(description="Name of the store.")]
    kind: Annotated[
        Literal["ClusterSecretStore", "SecretStore"],
        Field(description="SecretStore for one in the control plane's namespace."),
    ] = "ClusterSecretStore"
    prefix: Annotated[
        Text | None,
        Field(
            description="What comes before a cluster's name in the key of its kubeconfig; the mesh's ID and / if left "
            "out."
        ),
    ] = None
