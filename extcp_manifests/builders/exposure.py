"""What the kind of address decides: a host name with a certificate at the gateway, or a bare IP address.

By host name the gateway ends TLS with its own certificate and speaks TLS again to istiod; webhooks call a URL. By IP
address the gateway passes TLS through to istiod; webhooks call a Service of the remote cluster that points at the
address, and istiod patches its own CA into them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from extcp_manifests import injection
from extcp_manifests.builders.address import Address
from extcp_manifests.documents.istio_operator import BaseValues, IstiodRemoteValues
from extcp_manifests.documents.networking import (
    HTTPMatchRequest,
    HTTPRoute,
    RouteDestination,
    TLSMatchAttributes,
    TLSRoute,
)
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.object_names import Names
from extcp_manifests.istio.releases import Release, first_release_with

XDS_PORT = 15012


WEBHOOK_PORT = 15017


HTTPS_PORT = 443
"""The port of the Service istiod behind which webhooks are served; it leads to 15017 of the pod."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """How an address kind shapes the documents; one field a difference."""

    needs_credential: bool
    """Whether the gateway needs a TLS secret, and speaks TLS to istiod by itself."""
    protocol: str
    """Protocol of the gateway's servers, and the first half of their names."""
    tls_mode: str
    sharing: str
    """Whether other control planes may use the same gateway."""
    hosts: Callable[[Address], tuple[str, ...]]
    """Hosts of the Gateway and the VirtualService."""
    http: Callable[[int, RouteDestination], HTTPRoute] | None
    """The route for a port of the gateway, where routes are HTTP."""
    tls: Callable[[int, RouteDestination], TLSRoute] | None
    """The route for a port of the gateway, where routes are TLS."""
    proxy_metadata: Mapping[str, str] | None
    """Which root certificates proxies trust when they connect to istiod."""
    webhook_names: Callable[[Names], tuple[str, str]]
    """INJECTION_WEBHOOK_CONFIG_NAME and VALIDATION_WEBHOOK_CONFIG_NAME; empty, istiod leaves the webhooks alone."""
    ca_address: Callable[[Address], str]
    """`global.caAddress`, where istiod signs certificates."""
    remote_pilot_address: Callable[[Address], str | None]
    istiod_remote: Callable[[Address, str, str], IstiodRemoteValues]
    """How a remote cluster's injection webhook reaches istiod, from the address, the cluster and the network."""
    base: Callable[[Address], BaseValues | None]
    """How the config cluster's validation webhooks reach istiod."""
    why_not_nameable: Callable[[str], str | None]
    """Why an encodable cluster or network name cannot be used with this kind of address, or None."""
    why_not_in: Callable[[Release], str | None]
    """Why a release cannot do with this kind of address, or None."""
    why_no_revision: Callable[[Release], str | None]
    """Why a release cannot do with this kind of address and a revision, or None."""


def _http_route(port: int, destination: RouteDestination) -> HTTPRoute:
    return HTTPRoute(match=(HTTPMatchRequest(port=port),), route=(destination,))


def _tls_route(port: int, destination: RouteDestination) -> TLSRoute:
    return TLSRoute(match=(TLSMatchAttributes(port=port, sniHosts=("*",)),), route=(destination,))


# The guide's own files, the same in every release. Istio never tested this way itself; its tests use IP addresses.
BY_HOSTNAME = Exposure(
    needs_credential=True,
    protocol="https",
    tls_mode="SIMPLE",
    sharing="other control planes may share it, each with a host name of its own",
    hosts=lambda address: (str(address),),
    http=_http_route,
    tls=None,
    proxy_metadata={
        "XDS_ROOT_CA": "/etc/ssl/certs/ca-certificates.crt",
        "CA_ROOT_CA": "/etc/ssl/certs/ca-certificates.crt",
    },
    webhook_names=lambda names: ("", ""),
    ca_address=lambda address: address.authority(XDS_PORT),
    remote_pilot_address=lambda address: None,
    istiod_remote=lambda address, cluster, network: IstiodRemoteValues(
        injectionURL=injection.url(address.authority(WEBHOOK_PORT), cluster=cluster, network=network)
    ),
    base=lambda address: BaseValues(validationURL=f"https://{address.authority(WEBHOOK_PORT)}/validate"),
    why_not_nameable=lambda name: None,
    why_not_in=lambda release: None,
    why_no_revision=lambda release: None,
)


def _why_no_revision_by_ip(release: Release) -> str | None:
    if release.revision_by_ip:
        return None
    return (
        f"a revision works with an IP address from Istio {first_release_with('revision_by_ip')}, since webhooks of "
        f"{release} call a Service that its charts do not make: use a host name or leave the revision out"
    )


def _why_no_ipv6(release: Release) -> str | None:
    if release.ipv6:
        return None
    return (
        f"IPv6 works from Istio {first_release_with('ipv6')}, since the charts of {release} take it for a host name: "
        "use a host name or an IPv4 address"
    )


# What the guide's edits make of those files, the same in every release.
BY_IPV4 = Exposure(
    needs_credential=False,
    protocol="tls",
    tls_mode="PASSTHROUGH",
    sharing="no other control plane can share it, since by IP address one takes all of 15012 and 15017",
    hosts=lambda address: ("*",),
    http=None,
    tls=_tls_route,
    proxy_metadata=None,
    webhook_names=lambda names: (names.injector_webhook, names.validator_webhook),
    ca_address=lambda address: address.authority(XDS_PORT),
    remote_pilot_address=str,
    istiod_remote=lambda address, cluster, network: IstiodRemoteValues(
        injectionPath=injection.service_path(cluster=cluster, network=network)
    ),
    base=lambda address: None,
    why_not_nameable=injection.why_no_service_path,
    why_not_in=lambda release: None,
    why_no_revision=_why_no_revision_by_ip,
)


# As by IPv4, but for two things. The injection templates write caAddress without quotes, and an address that begins
# with a bracket is broken YAML there; with quotes of its own every template reads it right (istio 1.31, branch
# release-1.31: istio-discovery/files/*.yaml; injection was run both ways with the sidecar template of that branch).
BY_IPV6 = replace(
    BY_IPV4,
    ca_address=lambda address: f"'{address.authority(XDS_PORT)}'",
    why_not_in=_why_no_ipv6,
)


_BY_VERSION: Mapping[int | None, Exposure] = {None: BY_HOSTNAME, 4: BY_IPV4, 6: BY_IPV6}


def exposure_of(address: Address) -> Exposure:
    """The exposure that belongs to an address."""
    return _BY_VERSION[address.version]


def why_no_credential(exposure: Exposure, credential_name: str | None) -> str | None:
    """Why a TLS secret is missing or has no use, or None."""
    if exposure.needs_credential and credential_name is None:
        return (
            "is required with a host name: name the TLS secret of its certificate in the gateway's namespace; where a "
            "load balancer has a host name without a public certificate, give an IP address or a DNS name of your own"
        )
    if not exposure.needs_credential and credential_name is not None:
        return "has no use with an IP address, where istiod ends TLS itself: leave it out"
    return None


def why_not_in_release(release: Release, address: Address, revision: str | None) -> Iterator[tuple[str, str]]:
    """What an address needs that a release does not have: the name of the input, and the sentence."""
    exposure = exposure_of(address)
    if problem := exposure.why_not_in(release):
        yield "address", problem
    if revision and (problem := exposure.why_no_revision(release)):
        yield "revision", problem


def refuse_misfits(release: Release, address: Address, revision: str | None) -> None:
    """Raise InvalidInput for what `why_not_in_release` tells of."""
    if problems := [Problem((name,), problem) for name, problem in why_not_in_release(release, address, revision)]:
        raise InvalidInput(problems)
