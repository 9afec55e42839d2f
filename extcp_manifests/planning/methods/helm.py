"""Installation with Helm and Istio's charts."""

from collections.abc import Sequence
from typing import ClassVar

from extcp_manifests.builders import gateways
from extcp_manifests.planning.methods.method import Installation
from extcp_manifests.planning.stage import Stage
from extcp_manifests.planning.tools.helm import InstallChart
from extcp_manifests.topology import parts


class ByHelm:
    """Values of charts, which Helm installs.

    Releases have the names of Istio's own documentation. `base` is installed once in each cluster: in the external one
    with the shared gateway, in remote clusters from 1.24 on; before, the chart istiod-remote has all.
    """

    default_validator: ClassVar[bool] = True

    def shared_gateway(self, stage: Stage) -> Sequence[Installation]:
        topology = stage.topology
        namespace = topology.gateway.namespace
        return [
            Installation(
                "istio-base.values.yaml",
                _chart(stage, "base", "istio-base", namespace).with_(create_namespace=True),
                parts.shared_base(topology),
                why="Istio's definitions, for the gateway's own mesh and for the control plane.",
            ),
            Installation(
                "istiod.values.yaml",
                _chart(stage, "istiod", "istiod", namespace, wait=True),
                parts.shared_istiod(topology),
                why="The istiod of the gateway, which must run before its pods are injected.",
            ),
            self.gateway_in_front_of_istiod(stage),
        ]

    def gateway_in_front_of_istiod(self, stage: Stage) -> Installation:
        """Return the shared gateway alone, without what it needs."""
        gateway = stage.topology.gateway
        chart = _chart(stage, "gateway", gateway.name, gateway.namespace)
        return Installation(f"{gateway.name}.values.yaml", chart, parts.shared_gateway(stage.topology))

    def config_cluster(self, stage: Stage) -> Sequence[Installation]:
        return [
            *self._base(stage),
            Installation(
                "remote-config-cluster.values.yaml", self._remote_chart(stage), parts.config_cluster(stage.topology)
            ),
        ]

    def external_istiod(self, stage: Stage) -> Sequence[Installation]:
        chart = _chart(stage, "istiod", "istiod", stage.topology.namespace)
        return [Installation("external-istiod.values.yaml", chart, parts.external_istiod(stage.topology))]

    def remote_cluster(self, stage: Stage) -> Sequence[Installation]:
        document = parts.remote_cluster(stage.topology, stage.cluster)
        return [
            *self._base(stage),
            Installation("remote-cluster.values.yaml", self._remote_chart(stage), document),
        ]

    def cni(self, stage: Stage) -> Sequence[Installation]:
        chart = _chart(stage, "cni", "istio-cni", parts.namespace_of_cni(stage.topology))
        return [Installation("istio-cni.values.yaml", chart, parts.cni(stage.topology))]

    def ingress_gateway(self, stage: Stage) -> Sequence[Installation]:
        document = parts.ingress_gateway(stage.topology, stage.cluster)
        return [Installation(f"{gateways.INGRESS}.values.yaml", _mesh_gateway(stage, gateways.INGRESS), document)]

    def egress_gateway(self, stage: Stage) -> Sequence[Installation]:
        document = parts.egress_gateway(stage.topology, stage.cluster)
        return [Installation(f"{gateways.EGRESS}.values.yaml", _mesh_gateway(stage, gateways.EGRESS), document)]

    def east_west_gateway(self, stage: Stage) -> Sequence[Installation]:
        document = parts.east_west_gateway(stage.topology, stage.cluster)
        return [
            Installation(
                f"{gateways.EAST_WEST}.values.yaml",
                _chart(stage, "gateway", gateways.EAST_WEST, stage.topology.namespace),
                document,
            )
        ]

    def _base(self, stage: Stage) -> Sequence[Installation]:
        if stage.resolved.release.has_istiod_remote_chart:
            return []
        return [
            Installation(
                "istio-base.values.yaml",
                _chart(stage, "base", "istio-base", stage.topology.namespace),
                parts.base_of_remote(stage.topology, stage.cluster),
                why="Istio's definitions, and the account by which istiod reads this cluster.",
            )
        ]

    def _remote_chart(self, stage: Stage) -> InstallChart:
        chart = "istiod-remote" if stage.resolved.release.has_istiod_remote_chart else "istiod"
        return _chart(stage, chart, chart, stage.topology.namespace)


def _mesh_gateway(stage: Stage, name: str) -> InstallChart:
    return _chart(stage, "gateway", name, parts.namespace_of_gateways(stage.topology, stage.cluster))


def _chart(stage: Stage, chart: str, release_name: str, namespace: str, *, wait: bool = False) -> InstallChart:
    topology = stage.topology
    return InstallChart(release_name, namespace, topology.chart_repository, topology.release, chart=chart, wait=wait)
