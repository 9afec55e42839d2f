"""The mesh's own gateways, in remote clusters; their pods are injected, so istiod must run before them."""

from typing import ClassVar

from extcp_manifests.builders.builder import Builder
from extcp_manifests.documents.istio_operator import (
    EGRESS_INSTALLATION,
    INGRESS_INSTALLATION,
    Components,
    GatewayChartService,
    GatewayChartValues,
    GatewayComponent,
    GlobalValues,
    IstioOperator,
    IstioOperatorSpec,
    KubernetesResources,
    Values,
)
from extcp_manifests.documents.kubernetes import EnvVar, ObjectMeta, ServicePort, ServiceSpec
from extcp_manifests.documents.networking import Gateway, GatewaySpec, Port, Server, ServerTLSSettings
from extcp_manifests.istio.object_names import gateway_labels
from extcp_manifests.istio.releases import Release, find_release

INGRESS = "istio-ingressgateway"


EGRESS = "istio-egressgateway"


EAST_WEST = "istio-eastwestgateway"


def _injected(templates: str) -> dict[str, str]:
    """Return the values by which istiod injects the whole proxy into the gateway's pod, by templates of its own."""
    return {"injectionTemplate": templates}


class IngressGateway(Builder[IstioOperator]):
    """An ingress gateway of the mesh, installed with istioctl."""

    operator_name: ClassVar[str] = INGRESS_INSTALLATION
    namespace: str = "external-istiod"
    gateway_namespace: str | None = None
    """The namespace of its pods; None for that of the control plane."""
    revision: str | None = None
    templates: str = "gateway"
    """The templates by which istiod injects the pod, with commas between them."""

    def _document(self) -> IstioOperator:
        components = Components(ingressGateways=(_component(INGRESS, self.gateway_namespace or self.namespace),))
        return _installation(self, INGRESS, components)


class EgressGateway(Builder[IstioOperator]):
    """An egress gateway of the mesh, installed with istioctl."""

    operator_name: ClassVar[str] = EGRESS_INSTALLATION
    namespace: str = "external-istiod"
    gateway_namespace: str | None = None
    """The namespace of its pods; None for that of the control plane."""
    revision: str | None = None
    templates: str = "gateway"
    """The templates by which istiod injects the pod, with commas between them."""

    def _document(self) -> IstioOperator:
        components = Components(egressGateways=(_component(EGRESS, self.gateway_namespace or self.namespace),))
        return _installation(self, EGRESS, components)


def _component(gateway: str, namespace: str) -> GatewayComponent:
    return GatewayComponent(name=gateway, namespace=namespace, enabled=True)


def _installation(builder: IngressGateway | EgressGateway, gateway: str, components: Components) -> IstioOperator:
    """Install one gateway, and nothing else.

    Without `operatorManageWebhooks` istioctl install would make the default revision tag too, own it by this name, and
    switch the cluster's own injection webhooks off; whoever removes the gateway would then end injection in the whole
    cluster. The namespace is a part of the name by which istioctl knows what it installed: two control planes may have
    gateways in one cluster. Source: istio 1.15.7: operator/cmd/mesh/install.go; 1.30.3: operator/pkg/webhook,
    operator/pkg/install/install.go.
    """
    return IstioOperator(
        metadata=ObjectMeta(name=builder.operator_name, namespace=builder.namespace),
        spec=IstioOperatorSpec(
            revision=builder.revision,
            profile="empty",
            components=components,
            values=Values(
                gateways={gateway: _injected(builder.templates)},
                global_=GlobalValues(istioNamespace=builder.namespace, operatorManageWebhooks=True),
            ),
        ),
    )


class IngressGatewayValues(Builder[GatewayChartValues]):
    """The same ingress gateway as values of the Helm chart istio/gateway, release `istio-ingressgateway`."""

    revision: str | None = None
    templates: str = "gateway"
    """The templates by which istiod injects the pod, with commas between them."""

    def _document(self) -> GatewayChartValues:
        return _chart_values(self.revision, self.templates, service_type="LoadBalancer")


class EgressGatewayValues(Builder[GatewayChartValues]):
    """The same egress gateway as values of the Helm chart istio/gateway, release `istio-egressgateway`."""

    revision: str | None = None
    templates: str = "gateway"
    """The templates by which istiod injects the pod, with commas between them."""

    def _document(self) -> GatewayChartValues:
        return _chart_values(self.revision, self.templates, service_type="ClusterIP")


def _chart_values(revision: str | None, templates: str, *, service_type: str) -> GatewayChartValues:
    return GatewayChartValues(
        revision=revision, service=GatewayChartService(type=service_type), podAnnotations=_annotations(templates)
    )


def _annotations(templates: str) -> dict[str, str] | None:
    """Return the annotation of the chart's pods for other templates than its own."""
    return None if templates == "gateway" else {"inject.istio.io/templates": templates}


class EastWestGateway(Builder[IstioOperator]):
    """The gateway through which other networks reach this cluster's services.

    Source: istio 1.15.7 to 1.30.3: samples/multicluster/gen-eastwest-gateway.sh, the same in every release.
    """

    network: str
    namespace: str = "external-istiod"
    revision: str | None = None
    templates: str = "gateway"
    """The templates by which istiod injects the pod, with commas between them."""

    def _document(self) -> IstioOperator:
        gateway = GatewayComponent(
            name=EAST_WEST,
            label={
                "istio": "eastwestgateway",
                "app": EAST_WEST,
                "topology.istio.io/network": self.network,
            },
            enabled=True,
            k8s=KubernetesResources(
                # istiod gives such a gateway the endpoints of its own network alone.
                env=(EnvVar(name="ISTIO_META_REQUESTED_NETWORK_VIEW", value=self.network),),
                service=ServiceSpec(ports=_EAST_WEST_PORTS),
            ),
        )
        return IstioOperator(
            metadata=ObjectMeta(name="eastwest"),
            spec=IstioOperatorSpec(
                revision=self.revision or "",
                profile="empty",
                components=Components(ingressGateways=(gateway,)),
                values=Values(
                    gateways={INGRESS: _injected(self.templates)},
                    global_=GlobalValues(istioNamespace=self.namespace, network=self.network),
                ),
            ),
        )


class EastWestGatewayValues(Builder[GatewayChartValues]):
    """The same gateway as values of the Helm chart istio/gateway, release `istio-eastwestgateway`.

    `networkGateway` gives it the ports of a gateway between networks, and the label of the network.
    """

    network: str
    revision: str | None = None
    templates: str = "gateway"
    """The templates by which istiod injects the pod, with commas between them."""

    def _document(self) -> GatewayChartValues:
        values = {
            "revision": self.revision,
            "networkGateway": self.network,
            "podAnnotations": _annotations(self.templates),
        }
        return GatewayChartValues.from_plain({key: value for key, value in values.items() if value is not None})


def gateway_port(name: str, number: int) -> ServicePort:
    """Return a port of a gateway's Service, which has the same number in the pod."""
    return ServicePort(name=name, port=number, targetPort=number)


_EAST_WEST_PORTS = (
    gateway_port("status-port", 15021),
    gateway_port("tls", 15443),
    gateway_port("tls-istiod", 15012),
    gateway_port("tls-webhook", 15017),
)


class ExposeServices(Builder[Gateway]):
    """Opens the east-west gateways of all clusters to the mesh's services."""

    release: Release | str
    namespace: str = "external-istiod"

    def _document(self) -> Gateway:
        return Gateway(
            apiVersion=find_release(self.release).sample_api_version,
            metadata=ObjectMeta(name="cross-network-gateway", namespace=self.namespace),
            spec=GatewaySpec(
                selector={"istio": gateway_labels(EAST_WEST)["istio"]},
                servers=(
                    Server(
                        # The gateway reads the name of the service from the TLS (SNI), and passes the TLS through.
                        port=Port(number=15443, name="tls", protocol="TLS"),
                        tls=ServerTLSSettings(mode="AUTO_PASSTHROUGH"),
                        hosts=("*.local",),
                    ),
                ),
            ),
        )
