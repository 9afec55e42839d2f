"""Namespaces, and ServiceAccounts beside them."""

from extcp_manifests.builders.builder import Builder
from extcp_manifests.builders.secrets import READER
from extcp_manifests.documents.kubernetes import Namespace, ObjectMeta, ServiceAccount
from extcp_manifests.istio.object_names import Names


class SystemNamespace(Builder[Namespace]):
    """The control plane's namespace, in the external cluster and in every remote cluster."""

    name: str = "external-istiod"
    network: str | None = None
    """The cluster's network; None for the external cluster."""
    control_plane_cluster: str | None = None
    """The config cluster, whose istiod is to lead in this cluster; None for the config cluster itself."""

    def _document(self) -> Namespace:
        lead = self.control_plane_cluster
        return Namespace(
            metadata=ObjectMeta(
                name=self.name,
                labels=None if self.network is None else {"topology.istio.io/network": self.network},
                annotations=None if lead is None else {"topology.istio.io/controlPlaneClusters": lead},
            )
        )


class LegacyServiceAccount(Builder[ServiceAccount]):
    """The account `istiod-service-account` of the guide up to 1.23; istiod itself runs as another one."""

    namespace: str = "external-istiod"

    def _document(self) -> ServiceAccount:
        return ServiceAccount(metadata=ObjectMeta(name="istiod-service-account", namespace=self.namespace))


class ReaderServiceAccount(Builder[ServiceAccount]):
    """The account by which istiod reads a further remote cluster, where nothing else makes it."""

    namespace: str = "external-istiod"

    def _document(self) -> ServiceAccount:
        return ServiceAccount(metadata=ObjectMeta(name=READER, namespace=self.namespace))


class SampleNamespace(Builder[Namespace]):
    """The namespace of the samples, labelled so that its pods get a sidecar."""

    name: str = "sample"
    revision: str | None = None

    def _document(self) -> Namespace:
        label = Names(namespace=self.name, revision=self.revision).injection_label
        return Namespace(metadata=ObjectMeta(name=self.name, labels=label))
