"""What the kind of address decides: a host name with a certificate at the gateway, or a bare IP address.

By host name the gateway ends TLS with its own certificate and opens TLS again to istiod; webhooks call a URL. By IP
address the gateway passes TLS through to istiod; webhooks call a Service of the remote cluster that points at the
address, and istiod patches its own CA into them.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from extcp_manifests import injection
from extcp_manifests.builders.address import WEBHOOK_PORT, Address, Hostname, IPAddress, PrivateRoot
from extcp_manifests.builders.private_root import ROOT_FILE, ca_bundle
from extcp_manifests.documents.istio_operator import BaseValues, IstiodRemoteValues
from extcp_manifests.documents.networking import (
    HTTPMatchRequest,
    HTTPRoute,
    RouteDestination,
    TLSMatchAttributes,
    TLSRoute,
    VirtualServiceSpec,
)
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.object_names import Names
from extcp_manifests.istio.releases import Release, first_release_with
from extcp_manifests.records import Record

XDS_PORT = 15012
"""The port on which istiod serves configuration and certificates to proxies, at the gateway and in its pod."""


HTTPS_PORT = 443
"""The port of the Service istiod behind which webhooks are served; it leads to 15017 of the pod."""


class WebhookNames(NamedTuple):
    """The webhook configurations into which istiod patches its CA; istiod leaves those with an empty name alone."""

    injector: str
    """INJECTION_WEBHOOK_CONFIG_NAME"""
    validator: str
    """VALIDATION_WEBHOOK_CONFIG_NAME"""


class PortRoute(Record):
    """Where requests for a port of the gateway go."""

    port: int
    destination: RouteDestination


class ByHostname(Record):
    """Remote clusters reach istiod by a host name.

    These are the guide's own files, the same in every release. Istio never tested this way itself; its tests use IP
    addresses.
    """

    address: Hostname

    needs_credential: ClassVar[bool] = True
    """Whether the gateway needs a TLS secret, and opens TLS to istiod by itself."""
    protocol: ClassVar[str] = "https"
    """Protocol of the gateway's servers, and the first half of their names."""
    tls_mode: ClassVar[str] = "SIMPLE"
    """TLS mode of the gateway's servers."""
    sharing: ClassVar[str] = "other control planes may share it, each with a host name of its own"
    """Whether other control planes may use the same gateway, in words."""
    shares_gateway: ClassVar[bool] = True
    """Whether other control planes may use the same gateway."""

    @property
    def proxy_metadata(self) -> Mapping[str, str] | None:
        """Which root certificates proxies trust when they connect to istiod; None for those of the mesh."""
        file = "/etc/ssl/certs/ca-certificates.crt" if self.private_root is None else ROOT_FILE
        return {"XDS_ROOT_CA": file, "CA_ROOT_CA": file}

    @property
    def private_root(self) -> PrivateRoot | None:
        """What the gateway's certificate is trusted by, where no public authority vouches for it."""
        return self.address.private_root

    @property
    def webhook_port(self) -> int:
        """The port of the gateway at which API servers reach webhooks."""
        return self.address.webhook_port

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of the Gateway and the VirtualService."""
        return (self.address.text,)

    def virtual_service(self, gateways: tuple[str, ...], routes: Sequence[PortRoute]) -> VirtualServiceSpec:
        """Return a VirtualService for gateways that have ended TLS, so that its routes are HTTP."""
        http = [HTTPRoute(match=(HTTPMatchRequest(port=each.port),), route=(each.destination,)) for each in routes]
        return VirtualServiceSpec(hosts=self.hosts, gateways=gateways, http=tuple(http))

    def webhook_names(self, _names: Names) -> WebhookNames:
        """Return empty names: webhooks trust the gateway's public certificate, and istiod need not patch them."""
        return WebhookNames(injector="", validator="")

    @property
    def ca_address(self) -> str:
        """The value `global.caAddress`, where istiod signs certificates."""
        return self.address.authority(XDS_PORT)

    @property
    def remote_pilot_address(self) -> str | None:
        """None: remote clusters resolve the host name by themselves."""
        return None

    def istiod_remote(self, cluster: str, network: str) -> IstiodRemoteValues:
        """Return how the injection webhook of a remote cluster reaches istiod: by a URL."""
        url = injection.url(self.address.authority(self.webhook_port), cluster=cluster, network=network)
        return IstiodRemoteValues(injectionURL=url, injectionCABundle=self._ca_bundle)

    @property
    def variables(self) -> Mapping[str, str]:
        """Further variables of istiod: none."""
        return {}

    @property
    def base(self) -> BaseValues | None:
        """How the validation webhooks of the config cluster reach istiod: by a URL."""
        url = f"https://{self.address.authority(self.webhook_port)}/validate"
        return BaseValues(validationURL=url, validationCABundle=self._ca_bundle)

    @property
    def _ca_bundle(self) -> str | None:
        return None if self.private_root is None else ca_bundle(self.private_root)

    def why_not_nameable(self, _name: str) -> str | None:
        """Return None: a URL can carry every cluster and network name that can be encoded."""
        return None

    def why_not_in(self, release: Release) -> str | None:
        """Return why webhooks of a release cannot carry the root certificates that there are, or None."""
        if self.private_root is None or release.ca_bundles:
            return None
        return why_not_private_root(release)

    def why_no_revision(self, _release: Release) -> str | None:
        """Return None: every release works with a host name and a revision."""
        return None

    def why_not_credential(self, credential_name: str | None) -> str | None:
        """Return why the gateway cannot do with this TLS secret, or with none, or None if it can."""
        if credential_name is not None:
            return None
        return (
            "is required with a host name: name the TLS secret of its certificate in the gateway's namespace; where a "
            "load balancer has a host name without a public certificate, give an IP address or a DNS name of your own"
        )


class ByHostnameToIstiod(ByHostname):
    """Remote clusters reach istiod by a host name, and istiod ends TLS with a certificate of its own.

    The gateway passes TLS through by the name that clients ask for (SNI), which API servers and proxies do; istiod
    patches its CA into the webhooks, and proxies trust the mesh's root. No guide describes this. Source: istio 1.15.7
    and 1.30.3: pkg/istio-agent/xds_proxy.go, pkg/webhooks/webhookpatch.go, pilot/pkg/bootstrap/server.go; read.
    """

    needs_credential: ClassVar[bool] = False
    protocol: ClassVar[str] = "tls"
    tls_mode: ClassVar[str] = "PASSTHROUGH"

    @property
    def proxy_metadata(self) -> Mapping[str, str] | None:
        """None: proxies trust the root certificates of the mesh."""
        return None

    def virtual_service(self, gateways: tuple[str, ...], routes: Sequence[PortRoute]) -> VirtualServiceSpec:
        """Return a VirtualService for gateways that pass TLS for the host name through."""
        return _passed_through(self.hosts, gateways, routes)

    def webhook_names(self, names: Names) -> WebhookNames:
        """Return the webhook configurations into which istiod patches its own CA, which signed its certificate."""
        return WebhookNames(injector=names.injector_webhook, validator=names.validator_webhook)

    @property
    def variables(self) -> Mapping[str, str]:
        """The variable by which the host name becomes a name in istiod's certificate."""
        return {"ISTIOD_CUSTOM_HOST": self.address.text}

    def why_not_credential(self, credential_name: str | None) -> str | None:
        """Return why the gateway cannot do with this TLS secret, or None."""
        if credential_name is None:
            return None
        return "has no use where istiod ends TLS itself: leave it out, or leave tlsTermination out"


def _passed_through(
    hosts: tuple[str, ...], gateways: tuple[str, ...], routes: Sequence[PortRoute]
) -> VirtualServiceSpec:
    """Return a VirtualService whose routes go by the name that TLS asks for."""
    tls = [
        TLSRoute(match=(TLSMatchAttributes(port=each.port, sniHosts=hosts),), route=(each.destination,))
        for each in routes
    ]
    return VirtualServiceSpec(hosts=hosts, gateways=gateways, tls=tuple(tls))


class _ByIP(Record):
    """What both kinds of IP address share: what the guide's edits make of its files, the same in every release."""

    address: IPAddress

    needs_credential: ClassVar[bool] = False
    """Whether the gateway needs a TLS secret, and opens TLS to istiod by itself."""
    protocol: ClassVar[str] = "tls"
    """Protocol of the gateway's servers, and the first half of their names."""
    tls_mode: ClassVar[str] = "PASSTHROUGH"
    """TLS mode of the gateway's servers."""
    sharing: ClassVar[str] = "no other control plane can share it, since by IP address one takes all of 15012 and 15017"
    """Whether other control planes may use the same gateway, in words."""
    shares_gateway: ClassVar[bool] = False
    """Whether other control planes may use the same gateway."""
    proxy_metadata: ClassVar[Mapping[str, str] | None] = None
    """Which root certificates proxies trust when they connect to istiod; None for those of the mesh."""
    private_root: ClassVar[PrivateRoot | None] = None
    """None: istiod ends TLS, with a certificate of its own."""
    webhook_port: ClassVar[int] = WEBHOOK_PORT
    """The port of the gateway at which API servers reach webhooks: the one to which Istio's charts point."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of the Gateway and the VirtualService: all, since TLS to an IP address names no host (SNI)."""
        return ("*",)

    def virtual_service(self, gateways: tuple[str, ...], routes: Sequence[PortRoute]) -> VirtualServiceSpec:
        """Return a VirtualService for gateways that pass TLS through, whatever host the TLS names."""
        return _passed_through(self.hosts, gateways, routes)

    def webhook_names(self, names: Names) -> WebhookNames:
        """Return the webhook configurations into which istiod patches its own CA, which signed its certificate."""
        return WebhookNames(injector=names.injector_webhook, validator=names.validator_webhook)

    @property
    def remote_pilot_address(self) -> str | None:
        """The value `global.remotePilotAddress`, to which the charts point a Service of the remote cluster."""
        return self.address.text

    def istiod_remote(self, cluster: str, network: str) -> IstiodRemoteValues:
        """Return how the injection webhook of a remote cluster reaches istiod: by a path of that Service."""
        return IstiodRemoteValues(injectionPath=injection.service_path(cluster=cluster, network=network))

    @property
    def variables(self) -> Mapping[str, str]:
        """Further variables of istiod: none."""
        return {}

    @property
    def base(self) -> BaseValues | None:
        """None: the validation webhooks of the config cluster call that Service, as they do by default."""
        return None

    def why_not_nameable(self, name: str) -> str | None:
        """Return why an encodable cluster or network name cannot be in the path of a Service, or None."""
        return injection.why_no_service_path(name)

    def why_no_revision(self, release: Release) -> str | None:
        """Return why a release does not work with an IP address and a revision, or None."""
        if release.revision_by_ip:
            return None
        return (
            f"a revision works with an IP address from Istio {first_release_with('revision_by_ip')}, since webhooks of "
            f"{release} call a Service that its charts do not make: use a host name or leave the revision out"
        )

    def why_not_credential(self, credential_name: str | None) -> str | None:
        """Return why the gateway cannot do with this TLS secret, or None."""
        if credential_name is None:
            return None
        return "has no use with an IP address, where istiod ends TLS itself: leave it out"


class ByIPv4(_ByIP):
    """Remote clusters reach istiod by an IPv4 address."""

    @property
    def ca_address(self) -> str:
        """The value `global.caAddress`, where istiod signs certificates."""
        return self.address.authority(XDS_PORT)

    def why_not_in(self, _release: Release) -> str | None:
        """Return None: every release works with an IPv4 address."""
        return None


class ByIPv6(_ByIP):
    """Remote clusters reach istiod by an IPv6 address."""

    @property
    def ca_address(self) -> str:
        """The value `global.caAddress`, where istiod signs certificates, in quotes of its own.

        The injection templates write it without quotes, and an address that begins with a bracket is broken YAML there;
        with its own quotes every template reads it right (istio 1.31, branch release-1.31:
        istio-discovery/files/*.yaml; injection was run both ways with the sidecar template of that branch).
        """
        return f"'{self.address.authority(XDS_PORT)}'"

    def why_not_in(self, release: Release) -> str | None:
        """Return why a release does not work with an IPv6 address, or None."""
        if release.ipv6:
            return None
        return (
            f"IPv6 works from Istio {first_release_with('ipv6')}, since the charts of {release} take it for a host "
            "name: use a host name or an IPv4 address"
        )


Exposure = ByHostname | ByIPv4 | ByIPv6
"""How an address shapes the documents; the classes have the same names of methods and attributes.

ByHostnameToIstiod is a kind of ByHostname.
"""


def why_not_private_root(release: Release) -> str:
    """Return why a release cannot be given root certificates."""
    first = first_release_with("ca_bundles")
    return (
        f"needs root certificates of its own, which the webhooks of Istio {release} cannot be given: use {first} or "
        "later, or a certificate that API servers and proxies already trust"
    )


def exposure_of(address: Address) -> Exposure:
    """Return the exposure that belongs to an address."""
    if isinstance(address, Hostname):
        return ByHostname(address) if address.tls_termination == "gateway" else ByHostnameToIstiod(address)
    if address.version == 6:
        return ByIPv6(address)
    return ByIPv4(address)


def supported_exposure(release: Release, address: Address, revision: str | None) -> Exposure:
    """Return the exposure that belongs to an address, where the release works with it and the revision.

    Raises InvalidInput with every reason why it does not.
    """
    exposure = exposure_of(address)
    problems = []
    if problem := exposure.why_not_in(release):
        problems.append(Problem(("address",), problem))
    if revision and (problem := exposure.why_no_revision(release)):
        problems.append(Problem(("revision",), problem))
    if problems:
        raise InvalidInput(problems)
    return exposure
