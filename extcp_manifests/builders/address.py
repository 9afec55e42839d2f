"""The address at which remote clusters reach the external istiod: a host name or an IP address."""

import ipaddress
import re
from typing import Literal

from extcp_manifests.documents.name_forms import DNS_SUBDOMAIN, has_user, why_placeholder
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.patterns import pattern
from extcp_manifests.records import Record

TLSTermination = Literal["gateway", "istiod"]


WEBHOOK_PORT = 15017
"""The port on which istiod serves webhooks in its pod, and most gateways for it."""


class PrivateRoot(Record):
    """Root certificates that vouch for the gateway's certificate, where no public authority does."""

    certificates: str
    """The certificates as PEM."""
    config_map: str
    """The ConfigMap with them, below the key `ca.crt`, in every namespace whose pods are injected."""


class Hostname(Record):
    """A fully qualified host name, such as `myhost.example.com`."""

    text: str
    tls_termination: TLSTermination = "gateway"
    """Who ends TLS: the gateway with a certificate for the host name, or istiod with one of its own."""
    webhook_port: int = WEBHOOK_PORT
    """The port at which API servers reach webhooks there."""
    private_root: PrivateRoot | None = None
    """What the certificate of a gateway that ends TLS is trusted by; None for public authorities."""

    def authority(self, port: int) -> str:
        """Return host and port as a URL or an `address:port` setting writes them."""
        return f"{self.text}:{port}"

    def __str__(self) -> str:
        return self.text


class IPAddress(Record):
    """An IPv4 or IPv6 address in its canonical text, without brackets."""

    text: str
    version: Literal[4, 6]
    """The version of the Internet Protocol."""

    def authority(self, port: int) -> str:
        """Return address and port; an IPv6 address is put in brackets."""
        if self.version == 6:
            return f"[{self.text}]:{port}"
        return f"{self.text}:{port}"

    def __str__(self) -> str:
        return self.text


Address = Hostname | IPAddress


def address_of(text: str, tls_termination: TLSTermination | None) -> "Address":
    """Return the address of a text, with who ends TLS there; by IP address only istiod can. Raises InvalidInput."""
    address = parse_address(text)
    if isinstance(address, Hostname) and tls_termination is not None:
        return address.with_(tls_termination=tls_termination)
    return address


def parse_address(address: Address | str) -> Address:
    """Read a host name or an IP address; an address that is parsed already is returned as it is.

    Raises InvalidInput with path `address`.
    """
    if isinstance(address, Hostname | IPAddress):
        return address
    require(address, str, ("address",), "text, a host name or an IP address")
    if has_user(address):
        raise InvalidInput([Problem(("address",), f"has a user before '@': leave the user out{_and_write(address)}")])
    if problem := why_placeholder(address, "address"):
        raise InvalidInput([Problem(("address",), problem)])
    try:
        if len(address) > 253:
            raise ValueError("is not a valid address: it has more than 253 characters")
        _refuse_what_surrounds(address)
        if ":" in address or "[" in address or _LIKE_AN_IP.fullmatch(address):
            return _ip_address(address)
        return _hostname(address)
    except ValueError as error:
        raise InvalidInput([Problem(("address",), f"{address[:253]!r} {error}")]) from None


def _refuse_what_surrounds(text: str) -> None:
    """Refuse a URL, a prefix length and a port, by naming what to leave out."""
    scheme, separator, rest = text.partition("://")
    if separator:
        raise ValueError(f"is a URL: leave {f'{scheme}://'!r} and all that follows the host out{_and_write(rest)}")
    if "/" in text:
        raise ValueError(f"has a path or prefix length: leave {text[text.index('/') :]!r} out")
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.startswith("[")):
        raise ValueError(f"has a port: leave {colon + port!r} out, since the ports of istiod are fixed")


def _and_write(text: str) -> str:
    """Return the end of a sentence: the host of a URL, if it is an address by itself."""
    host = re.split("[/?#]", text.rpartition("@")[2])[0].lower()
    host = re.sub(r"(\A[^:]*|\]):[0-9]*\Z", r"\1", host)  # the port, which may be empty
    try:
        return f", and write {str(parse_address(host.strip('[].')))!r}"
    except InvalidInput:
        return ""


# What looks like an IP address to the charts is treated as one here too, so that a mistyped address never becomes a
# host name (istio 1.30.3: istio-discovery/templates/remote-istiod-service.yaml). Brackets and zones are caught as well.
_LIKE_AN_IP = pattern(r"(?:[0-9]*\.){3}[0-9]*")


def _ip_address(text: str) -> IPAddress:
    if "[" in text or "%" in text:
        raise ValueError("has brackets or a zone: write the IP address alone")
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(
            "is not a valid IP address: write it as in 192.0.2.10 or 2001:db8::10, without a port"
        ) from None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        raise ValueError(f"is an IPv4 address in IPv6 form: write {ip.ipv4_mapped}")
    # kubernetes: pkg/apis/core/validation/validation.go refuses these as the address of an endpoint.
    if ip.is_unspecified or ip.is_loopback or ip.is_link_local or ip.is_multicast:
        raise ValueError("cannot be reached from another cluster: give the address of the ingress gateway")
    # istio 1.31: istio-discovery/templates/remote-istiod-slices.yaml has the address without quotes in a YAML list.
    if ip.compressed.endswith(":"):
        raise ValueError("ends in a colon, of which Istio's charts make a key: give the gateway another address")
    return IPAddress(ip.compressed, ip.version)


def _hostname(text: str) -> Hostname:
    right = text.lower().removesuffix(".")
    if problem := _why_not_hostname(right):
        raise ValueError(problem)
    if text.endswith("."):
        raise ValueError(f"ends in a dot: write {right!r}")
    if text != right:
        raise ValueError(f"has upper-case letters: write {right!r}")
    return Hostname(text)


def _why_not_hostname(text: str) -> str | None:
    """Return why a text in lower case is not a fully qualified host name, or None."""
    labels = text.split(".")
    if len(labels) < 2:
        return "is not fully qualified: give a host name with a dot that remote clusters can resolve"
    if labels[-1].isdigit():
        return "ends in a number, so it is neither a host name nor an IP address"
    if not DNS_SUBDOMAIN.fullmatch(text) or max(map(len, labels)) > 63:
        return "is not a valid host name: use a-z, 0-9 and '-' between dots, at most 63 characters each"
    return None


def why_not_api_server(text: str) -> str | None:
    """Return why the text is not the URL of an API server that istiod can reach from another cluster, or None.

    The sentence does not show the text, which may be a part of credentials.
    """
    if has_user(text):
        return "has something before an '@': leave user and password out, since istiod has a token for it"
    if why_placeholder(text):
        return "is a placeholder: put the URL in (envsubst) before"
    server = _API_SERVER.fullmatch(text)
    if server is None:
        return "is not the URL of an API server: write it as in https://192.0.2.20:6443"
    if server["port"] and not 1 <= int(server["port"]) <= 65535:
        return "has a port that is not from 1 to 65535: write it as in https://192.0.2.20:6443"
    if problem := _why_not_server_host(server["host"]):
        return problem
    if _is_this_machine(server["host"].strip("[]").lower().rstrip(".")):
        return (
            "is an address that leads each machine to itself, so istiod in another cluster cannot reach it: give the "
            "API server's address in the network, as `kind get kubeconfig --internal` shows it"
        )
    return None


_API_SERVER = pattern(
    r"https://(?P<host>\[[0-9a-fA-F:.%]+\]|[^\s/?#@:\[\]\x00-\x1f\x7f]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[^\s?#\x00-\x1f\x7f]*)?"
)


# Resolvers read each of these as an IPv4 address: 127.1, 2130706433, 0x7f.1.
_NUMERIC_HOST = pattern(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?", re.ASCII)


# Docker Desktop writes the second one.
_LOOPBACK_NAMES = ("localhost", "kubernetes.docker.internal")


def _why_not_server_host(host: str) -> str | None:
    """Return why the host of a URL looks like an IP address and is not one, or None."""
    try:
        if host.startswith("["):
            ipaddress.IPv6Address(host.strip("[]"))
        elif _NUMERIC_HOST.fullmatch(host):
            ipaddress.IPv4Address(host)
    except ValueError:
        return (
            "has a host that is not a valid IP address: write it as in https://192.0.2.20:6443 or "
            "https://[2001:db8::20]:6443"
        )
    return None


def _is_this_machine(host: str) -> bool:
    """Return whether a host is a loopback address, or a name for one that local clusters write into kubeconfigs."""
    if host in _LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_loopback or ip.is_unspecified
