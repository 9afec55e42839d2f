"""How requests from outside reach istiod through a Gateway of Kubernetes' Gateway API.

No document or test of Istio has such routes to istiod. Source: istio 1.24.6 to 1.31: pilot/pkg/config/kube/gateway.
"""

from typing import Literal

from extcp_manifests.builders.address import Address, Hostname, parse_address
from extcp_manifests.builders.builder import Builder
from extcp_manifests.builders.exposure import HTTPS_PORT, XDS_PORT, exposure_of
from extcp_manifests.documents.gateway_api import (
    BackendReference,
    ParentReference,
    Route,
    RouteRule,
    RouteSpec,
)
from extcp_manifests.documents.kubernetes import ObjectMeta
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.object_names import Names
from extcp_manifests.istio.releases import RELEASES, Release, find_release


class IstiodRoute(Builder[Route]):
    """The route to istiod from one listener of a Gateway: an HTTPRoute, or a TLSRoute where istiod ends TLS."""

    release: Release | str
    address: Address | str
    gateway: str
    gateway_namespace: str
    serves: Literal["xds", "webhook"]
    """What the listener is for: xDS and certificates on 15012, or webhooks on 15017 or the address's other port."""
    namespace: str = "external-istiod"
    revision: str | None = None

    def _document(self) -> Route:
        address, release = parse_address(self.address), find_release(self.release)
        if reason := why_no_routes(release, address):
            raise InvalidInput([Problem(("address",), f"can have no route: {reason}; use IstiodGateway instead")])
        exposure = exposure_of(address)
        port, port_of_istiod = (XDS_PORT, XDS_PORT) if self.serves == "xds" else (exposure.webhook_port, HTTPS_PORT)
        service = Names(namespace=self.namespace, revision=self.revision).istiod
        spec = RouteSpec(
            parentRefs=(ParentReference(name=self.gateway, namespace=self.gateway_namespace, port=port),),
            hostnames=exposure.hosts,
            rules=(RouteRule(backendRefs=(BackendReference(name=service, port=port_of_istiod),)),),
        )
        kind, row = _kind(address)
        return Route(
            apiVersion=getattr(release, row),
            kind=kind,
            metadata=ObjectMeta(name=f"external-istiod-{self.serves}", namespace=self.namespace),
            spec=spec,
        )


def why_no_routes(release: Release, address: Address) -> str | None:
    """Return why no route of the Gateway API can lead to istiod, or None."""
    if not isinstance(address, Hostname):
        return "routes of the Gateway API are for host names alone"
    kind, row = _kind(address)
    if getattr(release, row) is not None:
        return None
    first = next(each.name for each in RELEASES.values() if getattr(each, row) is not None)
    return f"istiod of Istio {release} reads no {kind} by itself, as from {first} on"


def _kind(address: Address) -> tuple[Literal["HTTPRoute", "TLSRoute"], str]:
    """Return the kind of route for an address, and the row of its apiVersion."""
    if exposure_of(address).needs_credential:
        return "HTTPRoute", "http_route_api_version"
    return "TLSRoute", "tls_route_api_version"
