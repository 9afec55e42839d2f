"""IstioOperator, what `istioctl -f` reads, and the values files of the Helm chart istio/gateway."""

from collections.abc import Mapping
from typing import Any, Literal

from extcp_manifests.documents.kubernetes import EnvVar, ObjectMeta, ServiceSpec, Volume, VolumeMount
from extcp_manifests.documents.mesh_config import MeshConfig
from extcp_manifests.documents.model import Model


class Patch(Model):
    """One change that istioctl makes to a rendered object; `value` is often YAML text."""

    path: str
    value: Any = None


class Overlay(Model):
    """Patches for one rendered object, found by kind and name."""

    apiVersion: str | None = None
    kind: str
    name: str
    patches: tuple[Patch, ...]


class KubernetesResources(Model, further_keys=True):
    """The `k8s` block of a component.

    istioctl accepts `volumes` and `volumeMounts` here and ignores them in every release; overlays do that work.
    """

    overlays: tuple[Overlay, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    service: ServiceSpec | None = None


class Component(Model):
    """A component that istioctl installs, such as istiod (`pilot`)."""

    enabled: bool | None = None
    namespace: str | None = None
    hub: str | None = None
    tag: str | None = None
    k8s: KubernetesResources | None = None


class GatewayComponent(Model):
    """One gateway; without `enabled` it is off up to 1.23 and on from 1.24, so always say it."""

    name: str | None = None
    namespace: str | None = None
    label: Mapping[str, str] | None = None
    enabled: bool | None = None
    hub: str | None = None
    tag: str | None = None
    k8s: KubernetesResources | None = None


GATEWAY_CHARTS = {"ingressGateways": "istio-ingressgateway", "egressGateways": "istio-egressgateway"}
"""The lists of gateways in `components`, each with the key of `values.gateways` that its chart reads."""


INGRESS_INSTALLATION = "ingress-install"
EGRESS_INSTALLATION = "egress-install"
"""The names of IstioOperators that install a gateway of the mesh in a remote cluster."""


class Components(Model):
    """Istio's components, each on or off, and lists of gateways."""

    base: Component | None = None
    pilot: Component | None = None
    cni: Component | None = None
    ztunnel: Component | None = None
    istiodRemote: Component | None = None
    ingressGateways: tuple[GatewayComponent, ...] | None = None
    egressGateways: tuple[GatewayComponent, ...] | None = None


class MultiCluster(Model, further_keys=True):
    """The name of the cluster among those of the mesh."""

    clusterName: str | None = None


class GlobalValues(Model, further_keys=True):
    """Values that all charts share."""

    istioNamespace: str | None = None
    remotePilotAddress: str | None = None
    configCluster: bool | None = None
    caAddress: str | None = None
    operatorManageWebhooks: bool | None = None
    configValidation: bool | None = None
    meshID: str | None = None
    externalIstiod: bool | None = None
    multiCluster: MultiCluster | None = None
    network: str | None = None


class PilotValues(Model, further_keys=True):
    """Values of istiod's chart."""

    configMap: bool | None = None
    volumes: tuple[Volume, ...] | None = None
    volumeMounts: tuple[VolumeMount, ...] | None = None


class IstiodRemoteValues(Model, further_keys=True):
    """How a cluster reaches an istiod elsewhere to have sidecars injected."""

    injectionURL: str | None = None
    injectionPath: str | None = None
    injectionCABundle: str | None = None


class BaseValues(Model, further_keys=True):
    """Values of the chart of Istio's definitions."""

    validationURL: str | None = None
    validationCABundle: str | None = None


class Values(Model, further_keys=True):
    """Values of the charts; `global_` is the key `global`."""

    defaultRevision: str | None = None
    gateways: Mapping[str, Any] | None = None
    global_: GlobalValues | None = None
    pilot: PilotValues | None = None
    istiodRemote: IstiodRemoteValues | None = None
    base: BaseValues | None = None
    sidecarInjectorWebhook: Mapping[str, Any] | None = None


class IstioOperatorSpec(Model):
    """What istioctl installs, and how."""

    revision: str | None = None
    profile: str | None = None
    installPackagePath: str | None = None
    hub: str | None = None
    tag: str | None = None
    namespace: str | None = None
    compatibilityVersion: str | None = None
    meshConfig: MeshConfig | None = None
    components: Components | None = None
    values: Values | None = None
    unvalidatedValues: Mapping[str, Any] | None = None


class IstioOperator(Model):
    """What `istioctl install -f` reads: profile, components, values of charts, and the mesh config."""

    apiVersion: Literal["install.istio.io/v1alpha1"] = "install.istio.io/v1alpha1"
    kind: Literal["IstioOperator"] = "IstioOperator"
    metadata: ObjectMeta
    spec: IstioOperatorSpec


class GatewayChartService(Model, further_keys=True):
    """The gateway's Service."""

    type: str | None = None


class GatewayChartValues(Model, further_keys=True):
    """Values of the Helm chart istio/gateway, whose release name is the gateway's name."""

    revision: str | None = None
    service: GatewayChartService | None = None
    podAnnotations: Mapping[str, str] | None = None
