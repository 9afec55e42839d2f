"""Gateway, VirtualService and DestinationRule; what this library does not set itself is carried as given."""

from collections.abc import Mapping
from typing import Literal

from extcp_manifests.documents.kubernetes import ObjectMeta
from extcp_manifests.documents.model import Model

NetworkingVersion = Literal["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"]


class Port(Model, further_keys=True):
    """A port of a server."""

    number: int
    name: str
    protocol: str


class ServerTLSSettings(Model, further_keys=True):
    """How a server speaks TLS, and the Secret with its certificate."""

    mode: str | None = None
    credentialName: str | None = None


class Server(Model, further_keys=True):
    """A port of a gateway, and the hosts that clients ask for there."""

    port: Port
    tls: ServerTLSSettings | None = None
    hosts: tuple[str, ...]


class GatewaySpec(Model, further_keys=True):
    """The servers of the pods that a selector chooses."""

    selector: Mapping[str, str]
    servers: tuple[Server, ...]


class Gateway(Model):
    """What a proxy at the edge listens on; VirtualServices say where its traffic goes."""

    apiVersion: NetworkingVersion
    kind: Literal["Gateway"] = "Gateway"
    metadata: ObjectMeta
    spec: GatewaySpec


class StringMatch(Model):
    """A condition on a text, in one of three ways."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class PortSelector(Model):
    """A port by its number."""

    number: int


class Destination(Model, further_keys=True):
    """A host, and a port of it."""

    host: str
    port: PortSelector | None = None


class RouteDestination(Model, further_keys=True):
    """Where a route leads."""

    destination: Destination


class HTTPMatchRequest(Model, further_keys=True):
    """A condition on HTTP requests."""

    port: int | None = None
    uri: StringMatch | None = None


class HTTPRoute(Model, further_keys=True):
    """Where HTTP requests go."""

    match: tuple[HTTPMatchRequest, ...] | None = None
    route: tuple[RouteDestination, ...] | None = None


class TLSMatchAttributes(Model, further_keys=True):
    """A condition on TLS connections: the host that the client names (SNI)."""

    port: int | None = None
    sniHosts: tuple[str, ...]


class TLSRoute(Model, further_keys=True):
    """Where TLS connections go, which are not ended here."""

    match: tuple[TLSMatchAttributes, ...]
    route: tuple[RouteDestination, ...]


class VirtualServiceSpec(Model, further_keys=True):
    """The routes of hosts, at gateways or inside the mesh."""

    hosts: tuple[str, ...]
    gateways: tuple[str, ...] | None = None
    http: tuple[HTTPRoute, ...] | None = None
    tls: tuple[TLSRoute, ...] | None = None


class VirtualService(Model):
    """Where the traffic for hosts goes."""

    apiVersion: NetworkingVersion
    kind: Literal["VirtualService"] = "VirtualService"
    metadata: ObjectMeta
    spec: VirtualServiceSpec


class ClientTLSSettings(Model, further_keys=True):
    """How the proxy speaks TLS with a destination."""

    mode: str


class HTTPSettings(Model, further_keys=True):
    """Settings of HTTP connections."""

    h2UpgradePolicy: str | None = None


class ConnectionPoolSettings(Model, further_keys=True):
    """Settings of connections to a destination."""

    http: HTTPSettings | None = None


class PortTrafficPolicy(Model, further_keys=True):
    """How traffic for one port of a destination is sent."""

    port: PortSelector
    tls: ClientTLSSettings | None = None
    connectionPool: ConnectionPoolSettings | None = None


class TrafficPolicy(Model, further_keys=True):
    """How traffic for a destination is sent."""

    portLevelSettings: tuple[PortTrafficPolicy, ...] | None = None


class DestinationRuleSpec(Model, further_keys=True):
    """A host, and how traffic for it is sent."""

    host: str
    trafficPolicy: TrafficPolicy | None = None


class DestinationRule(Model):
    """How traffic is sent once a VirtualService has chosen its destination."""

    apiVersion: NetworkingVersion
    kind: Literal["DestinationRule"] = "DestinationRule"
    metadata: ObjectMeta
    spec: DestinationRuleSpec
