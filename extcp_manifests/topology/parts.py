"""The documents that install the parts of a topology, with the settings and overrides that belong to each."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from extcp_manifests import yaml
from extcp_manifests.builders import (
    ConfigCluster,
    ControlPlaneGateway,
    EastWestGateway,
    EastWestGatewayValues,
    EgressGateway,
    EgressGatewayValues,
    ExternalIstiod,
    IngressGateway,
    IngressGatewayValues,
    RemoteCluster,
)
from extcp_manifests.builders.builder import Builder
from extcp_manifests.builders.charts import BaseChart, GatewayChart, IstiodChart, SharedIstiodChart
from extcp_manifests.builders.cni import CNI, CNIChart
from extcp_manifests.builders.overrides import WithOverrides
from extcp_manifests.builders.private_root import gateway_templates
from extcp_manifests.builders.sail import IstioCNIResource, IstioResource
from extcp_manifests.documents.helm import BaseChartValues, IstiodChartValues
from extcp_manifests.documents.istio_operator import IstioOperator
from extcp_manifests.documents.lookup import mapping_of
from extcp_manifests.documents.model import Model
from extcp_manifests.documents.paths import leaves
from extcp_manifests.documents.sail import Istio
from extcp_manifests.errors import path_text
from extcp_manifests.istio.operator.merging import overlay
from extcp_manifests.patterns import pattern
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import MeshCluster
from extcp_manifests.topology.inputs import Place, place_of
from extcp_manifests.topology.model import Topology

if TYPE_CHECKING:
    from extcp_manifests.istio.mesh.merging import MeshConfigMerge

Document = TypeVar("Document", bound=Model)


def method_of_gateways(topology: Topology, cluster: MeshCluster) -> str:
    """Return what installs the ingress and the egress gateway of a remote cluster."""
    return cluster.gateways.install or _method_of_other_gateways(topology)


def _method_of_other_gateways(topology: Topology) -> str:
    """Return what installs gateways where nothing is said of them; the Sail Operator has none."""
    return "helm" if topology.install == "sail" else topology.install


def shared_gateway(topology: Topology) -> Builder[Any]:
    """Return the ingress gateway of the external cluster."""
    if _method_of_other_gateways(topology) == "helm":
        return _with(GatewayChart(operator=_shared_gateway(topology)), {}, topology.gateway.overrides)
    gateway = topology.gateway
    return _with(_plain_shared_gateway(topology), _settings_of_gateway(topology), gateway.overrides)


def _shared_gateway(topology: Topology) -> Builder[IstioOperator]:
    """Return the IstioOperator of the shared gateway with its settings alone."""
    return _with(_plain_shared_gateway(topology), _settings_of_gateway(topology), {})


def _plain_shared_gateway(topology: Topology) -> Builder[IstioOperator]:
    gateway = topology.gateway
    return ControlPlaneGateway(
        release=topology.istio,
        name=gateway.name,
        namespace=gateway.namespace,
        hub=gateway.hub or topology.hub,
        webhook_port=gateway.webhook_port,
    )


def _settings_of_gateway(topology: Topology) -> dict[str, Any]:
    tag = topology.gateway.tag or topology.tag
    return overlay(_for_all_pods(topology, tag), topology.gateway.settings())


def shared_base(topology: Topology) -> Builder[BaseChartValues]:
    """Return the chart base of the external cluster."""
    return BaseChart(operator=_shared_gateway(topology))


def shared_istiod(topology: Topology) -> Builder[IstiodChartValues]:
    """Return the chart of the istiod that the shared gateway has for itself."""
    return SharedIstiodChart(operator=_shared_gateway(topology), namespace=topology.gateway.namespace)


def shared_istio_resource(topology: Topology) -> Builder[Istio]:
    """Return the same as a resource of the Sail Operator."""
    gateway = topology.gateway
    return IstioResource(
        values=shared_istiod(topology),
        name="default",
        namespace=gateway.namespace,
        version=sail_version(topology, gateway.tag or topology.tag),
        hub=gateway.hub or topology.hub,
    )


def external_istiod(topology: Topology) -> Builder[Any]:
    """Return the istiod of the external cluster."""
    of_pods = overlay(_for_all_pods(topology, topology.tag), topology.istiod.settings())
    settings = overlay(of_pods, _injection_for_cni(topology))
    return _by_method(topology, _plain_external_istiod(topology), settings, topology.istiod.overrides)


def _injection_for_cni(topology: Topology) -> dict[str, Any]:
    """Return the value by which istiod injects pods of all clusters for nodes with the CNI plugin."""
    if topology.cni is None:
        return {}
    piece: Any = True
    for key in reversed(topology.istio.cni_value):
        piece = {key: piece}
    settings: dict[str, Any] = piece
    return settings


def _plain_external_istiod(topology: Topology) -> Builder[IstioOperator]:
    cluster = topology.config_cluster
    return ExternalIstiod(
        release=topology.istio,
        address=topology.reached_at,
        mesh_id=topology.mesh_id,
        cluster=cluster.name,
        network=cluster.network,
        namespace=topology.namespace,
        revision=topology.revision,
        mesh_config=topology.mesh_config,
        hub=topology.hub,
    )


def mesh_config_of_istiod(topology: Topology) -> Mapping[str, Any]:
    """Return the mesh config of the external istiod's own file, as the topology has it."""
    plain: dict[str, Any] = _plain_external_istiod(topology).build().plain()
    return mapping_of(plain, "spec", "meshConfig")


def merged_mesh_config(topology: Topology) -> "MeshConfigMerge | None":
    """Return the mesh config that istiod runs with, of the operator's and the mesh admin's; None without the latter."""
    admins = topology.config_cluster.mesh_config
    if not admins:
        return None
    from extcp_manifests.istio.mesh.merging import merge_mesh_config  # only for topologies that have one

    return merge_mesh_config(shared=admins, local=mesh_config_of_istiod(topology), release=topology.istio)


def config_cluster(topology: Topology) -> Builder[Any]:
    """Return the installation of the config cluster."""
    cluster = topology.config_cluster
    settings = _platform(topology)
    if cluster.mesh_config:
        settings["meshConfig"] = cluster.mesh_config
    builder = _plain_remote(topology, cluster)
    return _by_method(topology, builder, settings, cluster.overrides, validation_policy=_validation_policy(topology))


def remote_cluster(topology: Topology, cluster: MeshCluster) -> Builder[Any]:
    """Return the installation of a further remote cluster."""
    return _by_method(topology, _plain_remote(topology, cluster), _platform(topology), cluster.overrides)


def base_of_remote(topology: Topology, cluster: MeshCluster) -> Builder[BaseChartValues]:
    """Return the chart base of a remote cluster."""
    policy = _validation_policy(topology) if cluster == topology.config_cluster else None
    return BaseChart(operator=_plain_remote(topology, cluster), validation_policy=policy)


def _validation_policy(topology: Topology) -> str | None:
    """Return what becomes of configuration in the config cluster while istiod is away, where only Helm can say it.

    By IP address istiod decides. By host name charts write `Ignore` into the first installation alone, and after an
    upgrade the API server would refuse all configuration (istio 1.30.3: validatingwebhookconfiguration.yaml).
    """
    is_left_open = topology.exposure.needs_credential and topology.private_ca is None
    is_for_helm = topology.install == "helm" and topology.istio.forgets_validation_policy
    return "Ignore" if is_for_helm and is_left_open else None


def _plain_remote(topology: Topology, cluster: MeshCluster) -> Builder[IstioOperator]:
    kind = ConfigCluster if cluster == topology.config_cluster else RemoteCluster
    return kind(
        release=topology.istio,
        address=topology.reached_at,
        cluster=cluster.name,
        network=cluster.network,
        namespace=topology.namespace,
        revision=topology.revision,
    )


def ingress_gateway(topology: Topology, cluster: MeshCluster) -> Builder[Any]:
    """Return the ingress gateway of a remote cluster, for what installs it."""
    overrides = cluster.gateways.overrides.ingress
    return _mesh_gateway(topology, cluster, IngressGateway, IngressGatewayValues, overrides)


def egress_gateway(topology: Topology, cluster: MeshCluster) -> Builder[Any]:
    """Return the egress gateway of a remote cluster, for what installs it."""
    overrides = cluster.gateways.overrides.egress
    return _mesh_gateway(topology, cluster, EgressGateway, EgressGatewayValues, overrides)


def _mesh_gateway(
    topology: Topology,
    cluster: MeshCluster,
    by_istioctl: type[IngressGateway | EgressGateway],
    by_chart: type[IngressGatewayValues | EgressGatewayValues],
    overrides: Mapping[str, Any],
) -> Builder[Any]:
    templates = _templates(topology)
    if method_of_gateways(topology, cluster) == "helm":
        values = by_chart(revision=topology.revision, templates=templates)
        return _with(values, _platform_of_chart(topology), overrides)
    builder = by_istioctl(
        namespace=topology.namespace,
        gateway_namespace=cluster.gateways.namespace,
        revision=topology.revision,
        templates=templates,
    )
    return _with(builder, _platform(topology), overrides)


def east_west_gateway(topology: Topology, cluster: MeshCluster) -> Builder[Any]:
    """Return the gateway by which other networks reach a remote cluster's services."""
    overrides = cluster.gateways.overrides.east_west
    if _method_of_other_gateways(topology) == "helm":
        values = EastWestGatewayValues(
            network=cluster.network, revision=topology.revision, templates=_templates(topology)
        )
        return _with(values, _platform_of_chart(topology), overrides)
    builder = EastWestGateway(
        network=cluster.network,
        namespace=topology.namespace,
        revision=topology.revision,
        templates=_templates(topology),
    )
    return _with(builder, _platform(topology), overrides)


def _templates(topology: Topology) -> str:
    """Return the templates by which pods of the mesh's gateways are injected."""
    return gateway_templates(topology.exposure.private_root)


def _by_method(
    topology: Topology,
    builder: Builder[IstioOperator],
    settings: Mapping[str, Any],
    overrides: Mapping[str, Any],
    *,
    validation_policy: str | None = None,
) -> Builder[Any]:
    """Return an installation of istiod or of a remote cluster for what installs it."""
    if topology.install == "istioctl":
        return _with(builder, settings, overrides)
    operator = _with(builder, settings, {})
    values = IstiodChart(release=topology.istio, operator=operator, validation_policy=validation_policy)
    if topology.install == "helm":
        return _with(values, {}, overrides)
    resource = _istio_resource(topology, values, topology.names.default_revision, topology.namespace)
    return _with(resource, {}, overrides)


def _istio_resource(
    topology: Topology, values: Builder[IstiodChartValues], name: str, namespace: str
) -> Builder[Istio]:
    version = sail_version(topology, topology.tag)
    return IstioResource(values=values, name=name, namespace=namespace, version=version, hub=topology.hub)


def sail_version(topology: Topology, tag: str | None) -> str:
    """Return the version that the Sail Operator installs: a patch where the tag is one, else the newest one it has."""
    return f"v{tag}" if _is_sail_version(tag) else f"v{topology.release}-latest"


def _is_sail_version(tag: str | None) -> bool:
    return tag is not None and _PATCH.fullmatch(tag) is not None


_PATCH = pattern(r"\d+\.\d+\.\d+")


def _with(builder: Builder[Document], settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> Builder[Document]:
    if not settings and not overrides:
        return builder
    return WithOverrides(builder=builder, settings=settings, overrides=overrides)


def _for_all_pods(topology: Topology, tag: str | None) -> dict[str, Any]:
    """Return the platform, and where images come from; istiod hands the values on to the proxies that it injects."""
    piece: dict[str, Any] = {}
    is_version = topology.install == "sail" and _is_sail_version(tag)
    if tag is not None and not is_version:
        piece["tag"] = tag
    values: dict[str, Any] = {}
    if topology.pull_policy is not None:
        values["imagePullPolicy"] = topology.pull_policy
    if topology.pull_secrets:
        values["imagePullSecrets"] = list(topology.pull_secrets)
    if values:
        piece["values"] = {"global": values}
    return overlay(piece, _platform(topology))


def _platform(topology: Topology) -> dict[str, Any]:
    """Return the kind of Kubernetes, as a piece of an IstioOperator's spec."""
    if topology.platform is None:
        return {}
    return {"values": {"global": {"platform": topology.platform}}}


def _platform_of_chart(topology: Topology) -> dict[str, Any]:
    """Return the same as a piece of the values of the chart gateway."""
    return {} if topology.platform is None else {"platform": topology.platform}


def namespace_of_cni(topology: Topology) -> str:
    """Return the namespace of the CNI plugin in remote clusters."""
    if topology.cni is not None and topology.cni.namespace is not None:
        return topology.cni.namespace
    return "istio-cni" if topology.install == "sail" else "kube-system"


def cni(topology: Topology) -> Builder[Any]:
    """Return the CNI plugin of a remote cluster."""
    namespace = namespace_of_cni(topology)
    builder = CNI(release=topology.istio, namespace=namespace, hub=topology.hub)
    operator = _with(builder, _for_all_pods(topology, topology.tag), {})
    if topology.install == "istioctl":
        return operator
    values = CNIChart(operator=operator)
    if topology.install == "helm":
        return values
    return IstioCNIResource(
        values=values, namespace=namespace, version=sail_version(topology, topology.tag), hub=topology.hub
    )


def namespace_of_gateways(topology: Topology, cluster: MeshCluster) -> str:
    """Return the namespace of the ingress and the egress gateway of a remote cluster."""
    return cluster.gateways.namespace or topology.namespace


class OverriddenPart(Record):
    """A part whose document people add to, and where they do."""

    place: Place
    builder: WithOverrides[Any]

    @cached_property
    def ours(self) -> Mapping[str, Any]:
        """The document without settings and overrides."""
        plain: dict[str, Any] = self.builder.builder.build().plain()
        return plain

    @cached_property
    def with_settings(self) -> Mapping[str, Any]:
        """The document with the settings alone."""
        return self.whole(self.builder.with_settings().plain)

    def whole(self, piece: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the document with another spec, or other values of a chart."""
        return {**self.ours, "spec": piece} if "spec" in self.ours else piece


def overridden_parts(topology: Topology) -> Iterator[OverriddenPart]:
    """Yield every part that has settings or overrides, with the place of its overrides in words of Python."""
    yield from _part(("gateway",), shared_gateway(topology))
    yield from _part(("istiod",), external_istiod(topology))
    yield from _part(("config_cluster",), config_cluster(topology))
    for index, cluster in enumerate(topology.remote_clusters):
        if cluster.overrides:
            yield from _part(("remote_clusters", index), remote_cluster(topology, cluster))
    places: list[Place] = [("config_cluster",)]
    places += [("remote_clusters", index) for index in range(len(topology.remote_clusters))]
    for place, cluster in zip(places, topology.mesh_clusters, strict=True):
        gateways, overrides = cluster.gateways, cluster.gateways.overrides
        if gateways.ingress and overrides.ingress:
            yield from _part((*place, "gateways"), ingress_gateway(topology, cluster), "ingress")
        if gateways.egress and overrides.egress:
            yield from _part((*place, "gateways"), egress_gateway(topology, cluster), "egress")
        if gateways.east_west and overrides.east_west:
            yield from _part((*place, "gateways"), east_west_gateway(topology, cluster), "east_west")


def _part(place: Place, builder: Builder[Any], *below: str) -> Iterator[OverriddenPart]:
    if isinstance(builder, IstioResource | IstiodChart | GatewayChart):
        builder = _operator_of(builder)
    elif isinstance(builder, WithOverrides) and isinstance(builder.builder, IstioResource | IstiodChart | GatewayChart):
        yield from _part(place, builder.builder, *below)
    if isinstance(builder, WithOverrides):
        yield OverriddenPart((*place, "overrides", *below), builder)


def _operator_of(builder: Builder[Any]) -> Builder[Any]:
    """Return the IstioOperator of which values are made, over which settings are laid."""
    if isinstance(builder, IstioResource):
        return _operator_of(builder.values)
    if isinstance(builder, IstiodChart | GatewayChart):
        return builder.operator
    return builder


class Addition(Record):
    """A value that settings or overrides of a part put into its document."""

    part: str
    """The key of the part, such as `spec.istiod`."""
    by: str
    """`overrides`, or `settings` for the keys of the part itself."""
    path: str
    """The place in the spec of the IstioOperator, or in the values of the chart."""
    value: Any
    replaced: Any = None
    """The value of ours that it replaces; None where there was none."""

    def __str__(self) -> str:
        """Return a line for people."""
        instead = "" if self.replaced is None else f", instead of {yaml.dump(self.replaced).rstrip()}"
        return f"{self.part}  {self.path}: {yaml.dump(self.value).rstrip()}  ({self.by}{instead})"


def additions(topology: Topology) -> Iterator[Addition]:
    """Yield what settings and overrides put into documents; keys of parts are spelled as in a file."""
    for part in overridden_parts(topology):
        key = path_text(place_of(part.place[: part.place.index("overrides")], from_file=True, start=("spec",)))
        before = dict(leaves(_piece(part.ours)))
        with_settings = dict(leaves(_piece(part.with_settings)))
        result = part.builder.overridden()
        replaced = {each.place: each.ours for each in result.replaced}
        for place, value in with_settings.items():
            if place not in before:
                yield Addition(key, "settings", path_text(place), value)
        for place, value in leaves(result.plain):
            if place not in with_settings or place in replaced:
                yield Addition(key, "overrides", path_text(place), value, replaced.get(place))


def _piece(document: Mapping[str, Any]) -> Mapping[str, Any]:
    piece: Mapping[str, Any] = document.get("spec", document)
    return piece
