"""The input: everything about one external control plane, from Python or from a file.

A Topology is checked as a whole when it is made. InvalidInput then has every problem, its place spelled as the input
is: `remote_clusters[1].network` in Python, `spec.remoteClusters[1].network` in a file.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    GetPydanticSchema,
    ModelWrapValidatorHandler,
    StrictStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from extcp_manifests.builders.address import (
    Address,
    IPAddress,
    PrivateRoot,
    TLSTermination,
    address_of,
    parse_address,
)
from extcp_manifests.builders.exposure import Exposure, exposure_of
from extcp_manifests.documents.name_forms import why_not_dns_subdomain, why_placeholder
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.object_names import Names
from extcp_manifests.istio.releases import RELEASES, Release, find_release
from extcp_manifests.topology.clusters import ExternalCluster, MeshCluster
from extcp_manifests.topology.inputs import (
    CONFIG,
    FROM_FILE,
    Place,
    matching,
    parsed,
    place_of,
    places_of,
    problems_of,
)
from extcp_manifests.topology.names import (
    DEFAULT_NAMESPACE,
    GatewayName,
    NamespaceName,
    why_not_charts,
    why_not_hub,
    why_not_mesh_id,
    why_not_revision,
    why_not_tag,
)
from extcp_manifests.topology.partial import read_draft
from extcp_manifests.topology.rules_between_values import Violation, ending_registries, unconnected_networks, violations
from extcp_manifests.topology.trust import PrivateCA, SecretStore
from extcp_manifests.topology.workloads import CNIPlugin, Istiod, Plain, SharedGateway


class Topology(BaseModel, frozen=True):
    """One external control plane: its release, its address and its clusters."""

    model_config = CONFIG

    name: Annotated[GatewayName | None, Field(description="Name of the installation; metadata.name in a file.")] = None
    release: Annotated[
        StrictStr,
        matching(partial(why_placeholder, what="release")),
        parsed(find_release),
        Field(description="The Istio minor, in quotes.", json_schema_extra={"enum": list(RELEASES)}),
    ]
    install: Annotated[
        Literal["istioctl", "helm", "sail"],
        Field(
            description="What installs the control plane and sets up clusters: istioctl, Helm from Istio 1.19, or the "
            "Sail Operator from Istio 1.24, with a revision; gateways are charts then."
        ),
    ] = "istioctl"
    mesh_id: Annotated[StrictStr, matching(why_not_mesh_id), Field(description="ID of the mesh.")]
    namespace: Annotated[
        NamespaceName, Field(description="Namespace of the control plane, in the external and every remote cluster.")
    ] = DEFAULT_NAMESPACE
    revision: Annotated[
        Annotated[StrictStr, matching(why_not_revision)] | None,
        Field(description="Revision of the control plane; every name that carries it follows."),
    ] = None
    address: Annotated[
        StrictStr,
        parsed(parse_address),
        Field(description="Where remote clusters reach the gateway: a host name, an IPv4 or an IPv6 address."),
    ]
    tls_termination: Annotated[
        TLSTermination | None,
        Field(
            description="Who ends TLS for a host name: the gateway (if left out) with the certificate of "
            "credentialName, or istiod with one of its own, whose CA it patches into webhooks; then leave "
            "credentialName out."
        ),
    ] = None
    credential_name: Annotated[
        Annotated[StrictStr, matching(why_not_dns_subdomain)] | None,
        Field(description="TLS secret for the host name, in the gateway's namespace; not for an IP address."),
    ] = None
    private_ca: Annotated[
        PrivateCA | None,
        Field(description="Who signed the gateway's certificate, where that is not trusted anyway; from Istio 1.22."),
    ] = None
    secret_store: Annotated[
        SecretStore | None,
        Field(
            description="Where the External Secrets Operator of the external cluster finds the kubeconfigs of remote "
            "clusters; without it the runbook makes the Secrets, or they are made of credentials."
        ),
    ] = None
    gateway: Annotated[SharedGateway, Field(description="The external cluster's gateway.")] = Field(
        default_factory=SharedGateway
    )
    hub: Annotated[
        Annotated[StrictStr, matching(why_not_hub)] | None,
        Field(description="Registry of Istio's images, such as a mirror; docker.io/istio if left out."),
    ] = None
    charts: Annotated[
        Annotated[StrictStr, matching(why_not_charts)] | None,
        Field(description="Repository of Istio's charts, such as a mirror; Istio's own if left out."),
    ] = None
    tag: Annotated[
        Annotated[StrictStr, matching(why_not_tag)] | None,
        Field(description="Tag of Istio's images; that of the istioctl that installs them if left out."),
    ] = None
    pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None, Field(description="When nodes pull Istio's images.")
    ] = None
    pull_secrets: Annotated[
        Sequence[GatewayName],
        GetPydanticSchema(lambda _source, handler: handler(tuple[GatewayName, ...])),
        Field(description="Secrets for the registry, which must be in every namespace whose pods pull from it."),
    ] = ()
    platform: Annotated[
        Literal["gke", "k3d", "k3s", "microk8s", "minikube", "openshift"] | None,
        Field(description="Kubernetes of a kind that Istio's charts have settings for, from Istio 1.24."),
    ] = None
    cni: Annotated[
        CNIPlugin | None,
        Field(description="Istio's CNI plugin in every remote cluster, instead of privileged init containers."),
    ] = None
    istiod: Annotated[Istiod, Field(description="How the external istiod is run.")] = Field(default_factory=Istiod)
    external_cluster: Annotated[ExternalCluster, Field(description="Where istiod runs.")] = ExternalCluster()
    config_cluster: Annotated[
        MeshCluster, Field(description="The first remote cluster, from which istiod reads its configuration.")
    ]
    remote_clusters: Annotated[
        Sequence[MeshCluster],
        GetPydanticSchema(lambda _source, handler: handler(tuple[MeshCluster, ...])),
        Field(description="Further remote clusters."),
    ] = ()
    mesh_config: Annotated[
        Plain, Field(description="The operator's own mesh config, merged into the external istiod's.")
    ] = {}

    # These are not cached: `model_copy(update=...)` would copy the cached values too, and they would be those of the
    # old fields. Planning reads each of them once.
    @property
    def istio(self) -> Release:
        """The record of the release."""
        return find_release(self.release)

    @property
    def reached_at(self) -> Address:
        """The address, with who ends TLS there, and how webhooks and proxies reach and trust it."""
        return _reached(self.address, self.tls_termination, self.gateway.webhook_port, self.private_ca).address

    @property
    def exposure(self) -> Exposure:
        """What the kind of address decides."""
        return _reached(self.address, self.tls_termination, self.gateway.webhook_port, self.private_ca)

    @property
    def names(self) -> Names:
        """The names of the control plane's objects."""
        return Names(namespace=self.namespace, revision=self.revision)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is allowed and most likely not meant; paths are spelled as in a file."""
        found = (
            *ending_registries(self.hub, self.charts),
            *unconnected_networks(self.config_cluster, self.remote_clusters),
        )
        return tuple(_problem(violation, from_file=True) for violation in found)

    def key_in_store(self, cluster: str) -> str:
        """Return where the kubeconfig of a cluster is in the store of Secrets."""
        store = self.secret_store
        prefix = f"{self.mesh_id}/" if store is None or store.prefix is None else store.prefix
        return f"{prefix}{cluster}"

    @property
    def chart_repository(self) -> str:
        """The URL of the repository of Istio's charts."""
        if self.charts is None:
            return self.istio.charts
        return self.charts

    @property
    def mesh_clusters(self) -> tuple[MeshCluster, ...]:
        """Every remote cluster, the config cluster first."""
        return (self.config_cluster, *self.remote_clusters)

    def with_(self, **changes: Any) -> Self:
        """Return the topology with other values in some fields, checked as a whole again.

        Raises InvalidInput with every problem.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**values, **changes})

    @model_validator(mode="wrap")
    @classmethod
    def _whole(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """Report the problems of single values and those between values at once; pydantic alone takes two turns."""
        from_file = info.context == FROM_FILE
        topology: Self | None = None
        problems: list[Problem] = []
        try:
            topology = handler(data)
        except ValidationError as error:
            start = _START_IN_FILE if from_file else ()
            problems += problems_of(error, cls, from_file=from_file, start=start)
            draft = read_draft(data, places_of(error), from_file=from_file)
        else:
            draft = read_draft(topology, (), from_file=False)
        problems += [_problem(violation, from_file=from_file) for violation in violations(draft)]
        if topology is None or problems:
            raise InvalidInput(problems)
        return topology


@lru_cache(maxsize=64)  # every step of every cluster asks
def _reached(text: str, termination: TLSTermination | None, webhook_port: int, private: PrivateCA | None) -> Exposure:
    """Return the exposure of an address, with who ends TLS there, and how webhooks and proxies reach and trust it."""
    address = address_of(text, termination)
    if isinstance(address, IPAddress):
        return exposure_of(address)
    root = None if private is None else PrivateRoot(private.certificates, private.config_map)
    return exposure_of(address.with_(webhook_port=webhook_port, private_root=root))


def placed_clusters(topology: Topology) -> Iterator[tuple[Place, MeshCluster]]:
    """Yield every remote cluster with its place in words of Python, the config cluster first."""
    yield ("config_cluster",), topology.config_cluster
    for index, cluster in enumerate(topology.remote_clusters):
        yield ("remote_clusters", index), cluster


_START_IN_FILE = ("spec",)
"""Where a topology file has all fields but the name."""


def _problem(violation: Violation, *, from_file: bool) -> Problem:
    """Return the problem of a violation, with its path spelled as the input is."""
    start = _START_IN_FILE if from_file else ()
    return Problem(place_of(violation.place, from_file=from_file, start=start), violation.message)
