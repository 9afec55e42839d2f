"""Gateway, VirtualService and DestinationRule; what this library does not set itself is carried as given."""

from collections.abc import Mapping
from typing import Literal

from extcp_manifests.documents.kubernetes import Model, ObjectMeta

NetworkingVersion = Literal["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"]


class Port(Model, extra="allow"):
    number: int
    name: str
    protocol: str


class ServerTLSSettings(Model, extra="allow"):
    mode: str | None = None
    credentialName: str | None = None


class Server(Model, extra="allow"):
    port: Port
    tls: ServerTLSSettings | None = None
    hosts: tuple[str, ...]


class GatewaySpec(Model, extra="allow"):
    selector: Mapping[str, str]
    servers: tuple[Server, ...]


class Gateway(Model):
    apiVersion: NetworkingVersion
    kind: Literal["Gateway"] = "Gateway"
    metadata: ObjectMeta
    spec: GatewaySpec


class StringMatch(Model):
    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class PortSelector(Model):
    number: int


class Destination(Model, extra="allow"):
    host: str
    port: PortSelector | None = None


class RouteDestination(Model, extra="allow"):
    destination: Destination


class HTTPMatchRequest(Model, extra="allow"):
    port: int | None = None
    uri: StringMatch | None = None


class HTTPRoute(Model, extra="allow"):
    match: tuple[HTTPMatchRequest, ...] | None = None
    route: tuple[RouteDestination, ...] | None = None


class TLSMatchAttributes(Model, extra="allow"):
    port: int | None = None
    sniHosts: tuple[str, ...]


class TLSRoute(Model, extra="allow"):
    match: tuple[TLSMatchAttributes, ...]
    route: tuple[RouteDestination, ...]


class VirtualServiceSpec(Model, extra="allow"):
    hosts: tuple[str, ...]
    gateways: tuple[str, ...] | None = None
    http: tuple[HTTPRoute, ...] | None = None
    tls: tuple[TLSRoute, ...] | None = None


class VirtualService(Model):
    apiVersion: NetworkingVersion
    kind: Literal["VirtualService"] = "VirtualService"
    metadata: ObjectMeta
    spec: VirtualServiceSpec


class ClientTLSSettings(Model, extra="allow"):
    mode: str


class HTTPSettings(Model, extra="allow"):
    h2UpgradePolicy: str | None = None


class ConnectionPoolSettings(Model, extra="allow"):
    http: HTTPSettings | None = None


class PortTrafficPolicy(Model, extra="allow"):
    port: PortSelector
    tls: ClientTLSSettings | None = None
    connectionPool: ConnectionPoolSettings | None = None


class TrafficPolicy(Model, extra="allow"):
    portLevelSettings: tuple[PortTrafficPolicy, ...] | None = None


class DestinationRuleSpec(Model, extra="allow"):
    host: str
    trafficPolicy: TrafficPolicy | None = None


class DestinationRule(Model):
    apiVersion: NetworkingVersion
    kind: Literal["DestinationRule"] = "DestinationRule"
    metadata: ObjectMeta
    spec: DestinationRuleSpec
