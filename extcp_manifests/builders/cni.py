"""The CNI plugin of a cluster's nodes, which takes the place of privileged init containers."""

from extcp_manifests.builders.builder import Builder
from extcp_manifests.documents.helm import CNIChartValues
from extcp_manifests.documents.istio_operator import Component, Components, IstioOperator, IstioOperatorSpec
from extcp_manifests.documents.kubernetes import ObjectMeta
from extcp_manifests.istio.releases import Release, find_release


class CNI(Builder[IstioOperator]):
    """The CNI plugin of a cluster, and nothing else."""

    release: Release | str
    namespace: str = "kube-system"
    hub: str | None = None
    """The registry of the images; None for the one of the release."""

    def _document(self) -> IstioOperator:
        return IstioOperator(
            metadata=ObjectMeta(name="istio-cni"),
            spec=IstioOperatorSpec(
                profile="empty",
                hub=find_release(self.release).hub(self.hub),
                components=Components(cni=Component(enabled=True, namespace=self.namespace)),
            ),
        )


class CNIChart(Builder[CNIChartValues]):
    """Values of the chart cni that install what an IstioOperator does."""

    operator: Builder[IstioOperator]

    def _document(self) -> CNIChartValues:
        spec = self.operator.build().plain()["spec"]
        shared = {**spec.get("values", {}).get("global", {})}
        shared |= {key: spec[key] for key in ("hub", "tag") if key in spec}
        return CNIChartValues.from_plain({"global": shared} if shared else {})
