"""Installation with istioctl, as Istio's guide does it."""

from collections.abc import Sequence
from typing import ClassVar

from extcp_manifests.builders import gateways
from extcp_manifests.documents.istio_operator import EGRESS_INSTALLATION, INGRESS_INSTALLATION
from extcp_manifests.istio.object_names import Names
from extcp_manifests.planning.installed_objects import left_by_uninstall, made_by
from extcp_manifests.planning.methods.method import Installation
from extcp_manifests.planning.stage import Stage
from extcp_manifests.planning.step import Part
from extcp_manifests.planning.tools.istioctl import Install, RenderAndApply
from extcp_manifests.topology import parts


class ByIstioctl:
    """IstioOperators, which istioctl installs or renders."""

    default_validator: ClassVar[bool] = True

    def shared_gateway(self, stage: Stage) -> Sequence[Installation]:
        document = parts.shared_gateway(stage.topology)
        return [Installation("controlplane-gateway.yaml", _install_shared_gateway(stage), document)]

    def config_cluster(self, stage: Stage) -> Sequence[Installation]:
        document = parts.config_cluster(stage.topology)
        return [Installation("remote-config-cluster.yaml", _set_up_remote(stage, "config cluster"), document)]

    def external_istiod(self, stage: Stage) -> Sequence[Installation]:
        return [Installation("external-istiod.yaml", _install_istiod(stage), parts.external_istiod(stage.topology))]

    def remote_cluster(self, stage: Stage) -> Sequence[Installation]:
        document = parts.remote_cluster(stage.topology, stage.cluster)
        return [Installation("remote-cluster.yaml", _set_up_remote(stage, "remote cluster"), document)]

    def cni(self, stage: Stage) -> Sequence[Installation]:
        return [Installation("istio-cni.yaml", RenderAndApply("rendered"), parts.cni(stage.topology))]

    def ingress_gateway(self, stage: Stage) -> Sequence[Installation]:
        document = parts.ingress_gateway(stage.topology, stage.cluster)
        return [Installation(f"{gateways.INGRESS}.yaml", _install_gateway(stage, INGRESS_INSTALLATION), document)]

    def egress_gateway(self, stage: Stage) -> Sequence[Installation]:
        document = parts.egress_gateway(stage.topology, stage.cluster)
        return [Installation(f"{gateways.EGRESS}.yaml", _install_gateway(stage, EGRESS_INSTALLATION), document)]

    def east_west_gateway(self, stage: Stage) -> Sequence[Installation]:
        document = parts.east_west_gateway(stage.topology, stage.cluster)
        return [Installation("eastwest-gateway.yaml", RenderAndApply("rendered"), document)]


def _set_up_remote(stage: Stage, part: Part) -> RenderAndApply:
    """Return how a remote cluster is set up.

    From 1.24 the guide installs remote clusters with `istioctl install`, which also makes the default revision tag
    and switches off the webhooks that the cluster's own file renders (istio 1.24.6: operator/pkg/webhook, seen with
    1.30.3). Rendering and applying, as the guide does up to 1.23, makes what the file says and no more.
    """
    made = made_by(part, stage.resolved.release, stage.resolved.names)
    return RenderAndApply("objects", stage.topology.namespace, made)


def _install(stage: Stage, operator: str) -> Install:
    """Return how this release installs an IstioOperator of the control plane's namespace, without CRDs."""
    if stage.resolved.release.uninstall_by_owner:
        return Install("owner")
    return Install("rendered", stage.topology.namespace, state=_state(operator, stage.topology.revision))


def _install_istiod(stage: Stage) -> Install | RenderAndApply:
    """Return how this release installs the external istiod; without a gateway its cluster has no CRDs of Istio."""
    if stage.topology.istiod.service is not None and stage.resolved.release.saves_installed_state:
        return RenderAndApply("rendered")
    return _install(stage, "external-istiod")


def _install_gateway(stage: Stage, operator: str) -> Install | RenderAndApply:
    """Return how this release installs a gateway of the mesh; only the config cluster has Istio's CRDs."""
    without_crds = stage.cluster != stage.topology.config_cluster
    if without_crds and stage.resolved.release.saves_installed_state:
        return RenderAndApply("rendered")
    return _install(stage, operator)


def _install_shared_gateway(stage: Stage) -> Install:
    """Return how this release installs the external cluster's gateway, with an istiod of its own and Istio's CRDs."""
    gateway, release = stage.topology.gateway, stage.resolved.release
    names = Names(namespace=gateway.namespace)
    if release.uninstall_by_owner:
        return Install("owner", gateway.namespace, tuple(left_by_uninstall(release, names)))
    made = made_by("shared gateway", release, names, gateway=gateway.name)
    return Install("objects", gateway.namespace, made, _state("controlplane-gateway"))


def _state(operator: str, revision: str | None = None) -> str:
    """Return the object that `istioctl install` saves up to 1.20 (istio 1.15.7: operator/cmd/mesh/install.go)."""
    name = f"istiooperator/installed-state-{operator}"
    return name if revision is None else f"{name}-{revision}"
