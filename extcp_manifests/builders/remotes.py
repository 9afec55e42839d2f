"""The installation of a remote cluster: webhooks and permissions, no istiod."""

from dataclasses import dataclass

from extcp_manifests.builders.address import Address, parse_address
from extcp_manifests.builders.base import Builder
from extcp_manifests.builders.exposure import exposure_of, refuse_misfits
from extcp_manifests.documents.istio_operator import (
    BaseValues,
    GlobalValues,
    IstioOperator,
    IstioOperatorSpec,
    PilotValues,
    Values,
)
from extcp_manifests.documents.kubernetes import ObjectMeta
from extcp_manifests.istio.object_names import Names
from extcp_manifests.istio.releases import Release, find_release


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigCluster(Builder[IstioOperator]):
    """The config cluster: also the API server from which istiod reads the mesh's configuration."""

    release: Release | str
    address: Address | str
    cluster: str
    network: str
    namespace: str = "external-istiod"
    revision: str | None = None

    def _document(self) -> IstioOperator:
        address = parse_address(self.address)
        return _remote(
            "remote-config-cluster",
            self,
            default_revision=Names(namespace=self.namespace, revision=self.revision).default_revision,
            config_cluster=True,
            pilot=PilotValues(configMap=True),
            base=exposure_of(address).base(address),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteCluster(Builder[IstioOperator]):
    """A further remote cluster, which only runs workloads."""

    release: Release | str
    address: Address | str
    cluster: str
    network: str
    namespace: str = "external-istiod"
    revision: str | None = None

    def _document(self) -> IstioOperator:
        return _remote("remote-cluster", self)


def _remote(
    name: str,
    inputs: ConfigCluster | RemoteCluster,
    *,
    default_revision: str | None = None,
    config_cluster: bool | None = None,
    pilot: PilotValues | None = None,
    base: BaseValues | None = None,
) -> IstioOperator:
    release, address = find_release(inputs.release), parse_address(inputs.address)
    exposure = exposure_of(address)
    refuse_misfits(release, address, inputs.revision)
    return IstioOperator(
        metadata=ObjectMeta(name=name, namespace=inputs.namespace),
        spec=IstioOperatorSpec(
            revision=inputs.revision,
            profile=release.remote_profile,
            values=Values(
                defaultRevision=default_revision,
                global_=GlobalValues(
                    istioNamespace=inputs.namespace,
                    remotePilotAddress=exposure.remote_pilot_address(address),
                    configCluster=config_cluster,
                ),
                pilot=pilot,
                istiodRemote=exposure.istiod_remote(address, inputs.cluster, inputs.network),
                base=base,
            ),
        ),
    )
