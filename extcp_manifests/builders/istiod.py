"""The two installations of the external cluster: the ingress gateway and the istiod behind it."""

from collections.abc import Mapping
from typing import Any

from extcp_manifests.builders.address import WEBHOOK_PORT, Address, parse_address
from extcp_manifests.builders.builder import Builder
from extcp_manifests.builders.exposure import XDS_PORT, Exposure, supported_exposure
from extcp_manifests.builders.gateways import gateway_port
from extcp_manifests.builders.private_root import injector_values
from extcp_manifests.documents.istio_operator import (
    Component,
    Components,
    GatewayComponent,
    GlobalValues,
    IstioOperator,
    IstioOperatorSpec,
    KubernetesResources,
    MultiCluster,
    Overlay,
    Patch,
    PilotValues,
    Values,
)
from extcp_manifests.documents.kubernetes import (
    ConfigMapVolumeSource,
    EnvVar,
    ObjectMeta,
    ServicePort,
    ServiceSpec,
    Volume,
    VolumeMount,
)
from extcp_manifests.documents.mesh_config import MeshConfig
from extcp_manifests.errors import InvalidInput
from extcp_manifests.istio.object_names import INJECTOR_FILES, MESH_CONFIG_FILES, ConfigFiles, Names, gateway_labels
from extcp_manifests.istio.operator.merging import overlay
from extcp_manifests.istio.releases import Release, find_release

DEFAULT_GATEWAY = "istio-ingressgateway"


DEFAULT_GATEWAY_NAMESPACE = "istio-system"


class ControlPlaneGateway(Builder[IstioOperator]):
    """The ingress gateway of the external cluster, with the ports of istiod and no others."""

    release: Release | str
    name: str = DEFAULT_GATEWAY
    namespace: str = DEFAULT_GATEWAY_NAMESPACE
    hub: str | None = None
    """The registry of the images; None for the one of the release."""
    webhook_port: int = WEBHOOK_PORT
    """The port of its Service at which API servers reach webhooks."""

    def _document(self) -> IstioOperator:
        return IstioOperator(
            metadata=ObjectMeta(name="controlplane-gateway", namespace=self.namespace),
            spec=IstioOperatorSpec(
                hub=find_release(self.release).hub(self.hub),
                components=Components(ingressGateways=(self._gateway(), *self._without_default())),
                values=self._values(),
            ),
        )

    def _gateway(self) -> GatewayComponent:
        return GatewayComponent(
            name=self.name,
            label=None if self.name == DEFAULT_GATEWAY else gateway_labels(self.name),
            enabled=True,
            k8s=KubernetesResources(
                service=ServiceSpec(
                    ports=(
                        gateway_port("status-port", 15021),
                        gateway_port("tls-xds", XDS_PORT),
                        ServicePort(name="tls-webhook", port=self.webhook_port, targetPort=WEBHOOK_PORT),
                    )
                )
            ),
        )

    def _without_default(self) -> tuple[GatewayComponent, ...]:
        """Switch the profile's own gateway off where this one has another name (up to 1.23 both would be made)."""
        if self.name == DEFAULT_GATEWAY:
            return ()
        return (GatewayComponent(name=DEFAULT_GATEWAY, enabled=False),)

    def _values(self) -> Values | None:
        """Return the value that decides, and not metadata.namespace, where the gateway goes."""
        if self.namespace == DEFAULT_GATEWAY_NAMESPACE:
            return None
        return Values(global_=GlobalValues(istioNamespace=self.namespace))


class ExternalIstiod(Builder[IstioOperator]):
    """The istiod of the external cluster, which serves the remote clusters and reads the config cluster."""

    release: Release | str
    address: Address | str
    mesh_id: str
    cluster: str
    """The config cluster's name."""
    network: str
    """The config cluster's network."""
    namespace: str = "external-istiod"
    revision: str | None = None
    mesh_config: Mapping[str, Any] = {}
    """The operator's own mesh config; `rootNamespace` and `defaultConfig.discoveryAddress` are set here."""
    hub: str | None = None
    """The registry of the images of istiod and of every proxy; None for the one of the release."""

    def _document(self) -> IstioOperator:
        release = find_release(self.release)
        exposure = supported_exposure(release, parse_address(self.address), self.revision)
        names = Names(namespace=self.namespace, revision=self.revision)
        pilot, unvalidated, overlays = None, None, None
        if release.mounting_values == "values":
            pilot = _mounting_values(names)
        elif release.mounting_values == "unvalidatedValues":
            unvalidated = {"pilot": _mounting_values(names).plain()}
        else:
            overlays = (_mounting_patches(names),)
        return IstioOperator(
            metadata=ObjectMeta(name="external-istiod", namespace=self.namespace),
            spec=IstioOperatorSpec(
                revision=self.revision,
                profile="empty",
                hub=release.hub(self.hub),
                meshConfig=self._mesh_config(exposure),
                components=Components(
                    pilot=Component(
                        enabled=True, k8s=KubernetesResources(overlays=overlays, env=self._env(names, exposure))
                    )
                ),
                values=Values(
                    global_=self._global(release, exposure),
                    pilot=pilot,
                    sidecarInjectorWebhook=self._injector(release, exposure),
                ),
                unvalidatedValues=unvalidated,
            ),
        )

    def _injector(self, release: Release, exposure: Exposure) -> Mapping[str, Any] | None:
        root = exposure.private_root
        return None if root is None else injector_values(root, release)

    def _mesh_config(self, exposure: Exposure) -> MeshConfig:
        metadata = exposure.proxy_metadata
        defaults = {"defaultConfig": {"proxyMetadata": metadata}} if metadata else {}
        ours = {
            "rootNamespace": self.namespace,
            "defaultConfig": {"discoveryAddress": exposure.address.authority(XDS_PORT)},
        }
        return _typed(overlay(overlay(defaults, self.mesh_config), ours))

    def _env(self, names: Names, exposure: Exposure) -> tuple[EnvVar, ...]:
        webhooks = exposure.webhook_names(names)
        return (
            EnvVar(name="INJECTION_WEBHOOK_CONFIG_NAME", value=webhooks.injector),
            EnvVar(name="VALIDATION_WEBHOOK_CONFIG_NAME", value=webhooks.validator),
            EnvVar(name="EXTERNAL_ISTIOD", value="true"),
            EnvVar(name="LOCAL_CLUSTER_SECRET_WATCHER", value="true"),
            EnvVar(name="CLUSTER_ID", value=self.cluster),
            EnvVar(name="SHARED_MESH_CONFIG", value=names.mesh_config_map),
            *(EnvVar(name=name, value=value) for name, value in exposure.variables.items()),
        )

    def _global(self, release: Release, exposure: Exposure) -> GlobalValues:
        told = release.istiod_is_told_its_cluster
        return GlobalValues(
            istioNamespace=self.namespace,
            caAddress=exposure.ca_address,
            operatorManageWebhooks=True,
            configValidation=False,
            meshID=self.mesh_id,
            externalIstiod=release.external_istiod_value,
            multiCluster=MultiCluster(clusterName=self.cluster) if told else None,
            network=self.network if told else None,
        )


def _typed(mesh_config: Mapping[str, Any]) -> MeshConfig:
    """Return a mesh config as a document; raises InvalidInput for values of other types."""
    try:
        return MeshConfig.from_plain(mesh_config)
    except InvalidInput as error:
        raise InvalidInput(each.under("mesh_config") for each in error.problems) from None


def _mounting_values(names: Names) -> PilotValues:
    """Mount both ConfigMaps by the values of the chart, which k8s.overlays of people do not touch."""
    mounts = ((MESH_CONFIG_FILES, names.mesh_config_map), (INJECTOR_FILES, names.injector_config_map))
    return PilotValues(
        volumes=tuple(
            Volume(name=files.volume, configMap=ConfigMapVolumeSource(name=config_map)) for files, config_map in mounts
        ),
        volumeMounts=tuple(VolumeMount(name=files.volume, mountPath=files.directory) for files, _ in mounts),
    )


def _mounting_patches(names: Names) -> Overlay:
    """Mount the ConfigMaps by patches of the rendered Deployment; istioctl ignores `k8s.volumes` in every release.

    An index beyond the end of a list appends. Source: istio 1.15.7: operator/pkg/tpath/tree.go.
    """
    pod, container = "spec.template.spec", "spec.template.spec.containers[0]"
    return Overlay(
        kind="Deployment",
        name=names.istiod,
        patches=(
            Patch(path=f"{pod}.volumes[100]", value=_volume(MESH_CONFIG_FILES, names.mesh_config_map)),
            Patch(path=f"{pod}.volumes[100]", value=_volume(INJECTOR_FILES, names.injector_config_map)),
            Patch(path=f"{container}.volumeMounts[100]", value=_mount(MESH_CONFIG_FILES)),
            Patch(path=f"{container}.volumeMounts[100]", value=_mount(INJECTOR_FILES)),
        ),
    )


def _volume(files: ConfigFiles, config_map: str) -> str:
    return f"name: {files.volume}\nconfigMap:\n  name: {config_map}"


def _mount(files: ConfigFiles) -> str:
    return f"name: {files.volume}\nmountPath: {files.directory}"
