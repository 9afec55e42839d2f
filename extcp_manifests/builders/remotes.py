"""The installation of a remote cluster: webhooks and permissions, no istiod."""

from extcp_manifests.builders.address import Address, parse_address
from extcp_manifests.builders.builder import Builder
from extcp_manifests.builders.exposure import Exposure, supported_exposure
from extcp_manifests.documents.istio_operator import (
    GlobalValues,
    IstioOperator,
    IstioOperatorSpec,
    PilotValues,
    Values,
)
from extcp_manifests.documents.kubernetes import ObjectMeta
from extcp_manifests.istio.object_names import Names
from extcp_manifests.istio.releases import Release, find_release


class _Installation(Builder[IstioOperator]):
    """The inputs of every remote cluster's installation, and the document around its values."""

    release: Release | str
    address: Address | str
    cluster: str
    network: str
    namespace: str = "external-istiod"
    revision: str | None = None

    def _exposure(self) -> Exposure:
        return supported_exposure(find_release(self.release), parse_address(self.address), self.revision)

    def _operator(self, name: str, values: Values) -> IstioOperator:
        profile = find_release(self.release).remote_profile
        return IstioOperator(
            metadata=ObjectMeta(name=name, namespace=self.namespace),
            spec=IstioOperatorSpec(revision=self.revision, profile=profile, values=values),
        )


class ConfigCluster(_Installation):
    """The config cluster: also the API server from which istiod reads the mesh's configuration."""

    def _document(self) -> IstioOperator:
        exposure = self._exposure()
        values = Values(
            defaultRevision=Names(namespace=self.namespace, revision=self.revision).default_revision,
            global_=GlobalValues(
                istioNamespace=self.namespace,
                remotePilotAddress=exposure.remote_pilot_address,
                configCluster=True,
            ),
            pilot=PilotValues(configMap=True),
            istiodRemote=exposure.istiod_remote(self.cluster, self.network),
            base=exposure.base,
        )
        return self._operator("remote-config-cluster", values)


class RemoteCluster(_Installation):
    """A further remote cluster, which only runs workloads."""

    def _document(self) -> IstioOperator:
        exposure = self._exposure()
        values = Values(
            global_=GlobalValues(
                istioNamespace=self.namespace,
                remotePilotAddress=exposure.remote_pilot_address,
            ),
            istiodRemote=exposure.istiod_remote(self.cluster, self.network),
        )
        return self._operator("remote-cluster", values)
