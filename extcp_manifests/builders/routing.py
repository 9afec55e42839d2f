"""How requests from outside reach istiod through the external cluster's ingress gateway."""

from collections.abc import Mapping
from typing import Any, Literal

from extcp_manifests.builders.address import WEBHOOK_PORT, Address, parse_address
from extcp_manifests.builders.builder import Builder
from extcp_manifests.builders.exposure import (
    HTTPS_PORT,
    XDS_PORT,
    Exposure,
    PortRoute,
    exposure_of,
    supported_exposure,
)
from extcp_manifests.builders.istiod import DEFAULT_GATEWAY
from extcp_manifests.documents.kubernetes import ObjectMeta, Service, ServicePort, ServiceSpec
from extcp_manifests.documents.networking import (
    ClientTLSSettings,
    ConnectionPoolSettings,
    Destination,
    DestinationRule,
    DestinationRuleSpec,
    Gateway,
    GatewaySpec,
    HTTPSettings,
    Port,
    PortSelector,
    PortTrafficPolicy,
    RouteDestination,
    Server,
    ServerTLSSettings,
    TrafficPolicy,
    VirtualService,
)
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.object_names import Names, gateway_labels
from extcp_manifests.istio.releases import Release, find_release

_GATEWAY = "external-istiod-gw"


class IstiodGateway(Builder[Gateway]):
    """The Gateway on ports 15012 and 15017, or another one for webhooks."""

    release: Release | str
    address: Address | str
    credential_name: str | None = None
    """The TLS secret beside the gateway's pods; needed for a host name alone."""
    namespace: str = "external-istiod"
    gateway: str = DEFAULT_GATEWAY
    selector: Mapping[str, str] = {}
    """The labels of the gateway's pods, where they do not follow from its name."""

    def _document(self) -> Gateway:
        address = parse_address(self.address)
        release = find_release(self.release)
        exposure = supported_exposure(release, address, None)
        if problem := exposure.why_not_credential(self.credential_name):
            raise InvalidInput([Problem(("credential_name",), problem)])
        return Gateway(
            apiVersion=release.routing_api_version,
            metadata=ObjectMeta(name=_GATEWAY, namespace=self.namespace),
            spec=GatewaySpec(
                selector=self.selector or {"istio": gateway_labels(self.gateway)["istio"]},
                servers=(
                    self._server(exposure, XDS_PORT, "XDS"),
                    self._server(exposure, exposure.webhook_port, "WEBHOOK"),
                ),
            ),
        )

    def _server(self, exposure: Exposure, port: int, name: str) -> Server:
        return Server(
            port=Port(number=port, protocol=exposure.protocol, name=f"{exposure.protocol}-{name}"),
            tls=ServerTLSSettings(mode=exposure.tls_mode, credentialName=self.credential_name),
            hosts=exposure.hosts,
        )


class IstiodVirtualService(Builder[VirtualService]):
    """The routes from the gateway's ports to the Service istiod."""

    release: Release | str
    address: Address | str
    namespace: str = "external-istiod"
    revision: str | None = None

    def _document(self) -> VirtualService:
        exposure = exposure_of(parse_address(self.address))
        host = Names(namespace=self.namespace, revision=self.revision).istiod_host
        routes = (
            PortRoute(XDS_PORT, _destination(host, XDS_PORT)),
            PortRoute(exposure.webhook_port, _destination(host, HTTPS_PORT)),
        )
        return VirtualService(
            apiVersion=find_release(self.release).routing_api_version,
            metadata=ObjectMeta(name="external-istiod-vs", namespace=self.namespace),
            spec=exposure.virtual_service((_GATEWAY,), routes),
        )


class IstiodDestinationRule(Builder[DestinationRule]):
    """TLS from the gateway to istiod; only a gateway that ends TLS itself, by host name, needs it."""

    release: Release | str
    namespace: str = "external-istiod"
    revision: str | None = None

    def _document(self) -> DestinationRule:
        simple = ClientTLSSettings(mode="SIMPLE")
        return DestinationRule(
            apiVersion=find_release(self.release).destination_rule_api_version,
            metadata=ObjectMeta(name="external-istiod-dr", namespace=self.namespace),
            spec=DestinationRuleSpec(
                host=Names(namespace=self.namespace, revision=self.revision).istiod_host,
                trafficPolicy=TrafficPolicy(
                    portLevelSettings=(
                        PortTrafficPolicy(
                            port=PortSelector(number=XDS_PORT),
                            tls=simple,
                            connectionPool=ConnectionPoolSettings(http=HTTPSettings(h2UpgradePolicy="UPGRADE")),
                        ),
                        PortTrafficPolicy(port=PortSelector(number=HTTPS_PORT), tls=simple),
                    )
                ),
            ),
        )


class IstiodService(Builder[Service]):
    """A Service by which remote clusters reach istiod without a gateway: ports 15012 and 15017, and no others.

    The Service of istiod's own chart also has 15010, where istiod serves configuration without TLS. The labels of its
    pods were seen in what istioctl 1.18.7, 1.20.8 and 1.31 render.
    """

    namespace: str = "external-istiod"
    revision: str | None = None
    service_type: Literal["LoadBalancer", "NodePort", "ClusterIP"] = "LoadBalancer"
    annotations: Mapping[str, str] = {}
    settings: Mapping[str, Any] = {}
    """Further keys of the Service's spec, such as `externalTrafficPolicy`."""

    @property
    def name(self) -> str:
        """The Service's name."""
        return f"{Names(namespace=self.namespace, revision=self.revision).istiod}-exposed"

    def _document(self) -> Service:
        own = {"istio": "pilot"} if self.revision is None else {"istio.io/rev": self.revision}
        return Service(
            metadata=ObjectMeta(name=self.name, namespace=self.namespace, annotations=self.annotations or None),
            spec=ServiceSpec(
                type=self.service_type,
                ports=(
                    ServicePort(name="tls-xds", port=XDS_PORT, targetPort=XDS_PORT),
                    ServicePort(name="tls-webhook", port=WEBHOOK_PORT, targetPort=WEBHOOK_PORT),
                ),
                selector={"app": "istiod", **own},
                **self.settings,
            ),
        )


def _destination(host: str, port: int) -> RouteDestination:
    return RouteDestination(destination=Destination(host=host, port=PortSelector(number=port)))
