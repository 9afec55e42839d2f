"""Installation with the Sail Operator, which OpenShift Service Mesh 3 is built on."""

from collections.abc import Sequence
from typing import ClassVar

from extcp_manifests.builders import ReaderServiceAccount, SystemNamespace
from extcp_manifests.planning.methods.helm import ByHelm
from extcp_manifests.planning.methods.method import Installation
from extcp_manifests.planning.stage import Place, Stage
from extcp_manifests.planning.step import Check
from extcp_manifests.planning.tools.kubectl import Apply
from extcp_manifests.topology import parts


class BySail(ByHelm):
    """Istio resources, which the operator of each cluster installs; gateways are charts, since it has none.

    The operator makes what a resource says some time after it was applied, so that checks must be repeated. By host
    name its resources of remote clusters never become ready, since it only probes webhooks that name a Service
    (sail-operator main: controllers/webhook/webhook_controller.go), so nothing waits for that.
    """

    default_validator: ClassVar[bool] = False

    def shared_gateway(self, stage: Stage) -> Sequence[Installation]:
        topology, place = stage.topology, stage.external
        namespace = topology.gateway.namespace
        return [
            Installation(
                "gateway-namespace.yaml",
                Apply(),
                SystemNamespace(name=namespace),
                why="The namespace of the gateway and of its own istiod.",
            ),
            Installation(
                "istio.yaml",
                Apply(),
                parts.shared_istio_resource(topology),
                why="The istiod of the gateway, which must run before its pods are injected.",
                verify=(place.wait_for("istiod", namespace),),
            ),
            self.gateway_in_front_of_istiod(stage),
        ]

    def config_cluster(self, stage: Stage) -> Sequence[Installation]:
        account = stage.resolved.names.istiod
        return [
            Installation(
                "remote-config-cluster.yaml",
                Apply(),
                parts.config_cluster(stage.topology),
                verify=(_account(stage.remote, account, stage.topology.namespace),),
            )
        ]

    def external_istiod(self, stage: Stage) -> Sequence[Installation]:
        return [Installation("external-istiod.yaml", Apply(), parts.external_istiod(stage.topology))]

    def remote_cluster(self, stage: Stage) -> Sequence[Installation]:
        topology = stage.topology
        return [
            Installation(
                "reader-account.yaml",
                Apply(),
                ReaderServiceAccount(namespace=topology.namespace),
                why="The account by which istiod reads this cluster, which the operator does not make.",
            ),
            Installation("remote-cluster.yaml", Apply(), parts.remote_cluster(topology, stage.cluster)),
        ]

    def cni(self, stage: Stage) -> Sequence[Installation]:
        return [Installation("istio-cni.yaml", Apply(), parts.cni(stage.topology))]


def _account(place: Place, account: str, namespace: str) -> Check:
    """Return a check for the account of which the next steps make a token."""
    expect = f"the ServiceAccount {account}; repeat this while it is missing, since the operator takes a while"
    return place.check(expect, "get", "serviceaccount", account, "-n", namespace)
