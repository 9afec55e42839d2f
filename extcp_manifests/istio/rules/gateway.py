"""What istiod's webhook reports of a Gateway."""

from collections.abc import Iterator, Mapping
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, error, warning
from extcp_manifests.documents.lookup import EACH, at, items_of, text_of
from extcp_manifests.errors import Path
from extcp_manifests.istio.releases import since, until
from extcp_manifests.istio.rules.rows import Required, RuleRow
from extcp_manifests.istio.rules.shared_checks import LABEL, check_name, check_port, is_ip, is_wildcard_domain

# ---------------------------------------------------------------------------------------------------- ports and binding

# istio 1.30.3: pkg/config/protocol; by what a server makes of TLS.
_HTTP = ("http", "http2", "http_proxy", "grpc", "grpc-web")


_TLS = ("https", "tls")


_PROTOCOLS = (*_HTTP, *_TLS, "tcp", "udp", "mongo", "redis", "mysql")


def _port_names(document: Mapping[str, Any]) -> Iterator[Found]:
    taken: set[str] = set()
    for index, server in enumerate(items_of(document, "spec", "servers")):
        place = ("spec", "servers", index, "port", "name")
        name = text_of(server, "port", "name")
        if not name:
            yield error(place, "is required: name the port")
        elif name in taken:
            yield error(place, f"is {name!r} like another server's: choose another")
        taken.add(name)


def _protocol(server: Mapping[str, Any]) -> Iterator[Found]:
    protocol = text_of(server, "port", "protocol")
    if "port" in server and protocol.lower() not in _PROTOCOLS:
        problem = f"is {protocol!r}: use HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, ..."
        yield error(("port", "protocol"), problem)


def _port_number(*, may_be_zero: bool) -> Rule:
    """Return the rule for the number of a port, which is 0 beside a unix socket."""

    def rule(server: Mapping[str, Any]) -> Iterator[Found]:
        if "port" not in server:
            return
        number = at(server, "port", "number") or 0
        is_socket = text_of(server, "bind").startswith("unix://")
        if number != 0 or not (may_be_zero or is_socket):
            yield from check_port(("port", "number"), number)

    return rule


def _target_port(port: Mapping[str, Any]) -> Iterator[Found]:
    if port.get("targetPort", 0) > 0:
        yield error(("targetPort",), "has no meaning in a Gateway: leave it out")


def _bind(server: Mapping[str, Any]) -> Iterator[Found]:
    bind = text_of(server, "bind")
    if bind.startswith("unix://"):
        if not bind.removeprefix("unix://").startswith(("/", "@")):
            yield error(("bind",), f"is {bind!r}: give an absolute path, or a name that begins with '@'")
        if at(server, "port", "number"):
            yield error(("port", "number"), "must be 0 beside a socket: leave it out")
    elif bind and not is_ip(bind):
        yield error(("bind",), f"is {bind!r}, which is not a valid IP address: correct it")


# ---------------------------------------------------------------------------------------------------------------- hosts


def _hosts(server: Mapping[str, Any]) -> Iterator[Found]:
    for index, host in enumerate(map(str, items_of(server, "hosts"))):
        namespace, slash, name = host.rpartition("/")
        if slash and namespace not in ("*", ".") and not LABEL.fullmatch(namespace):
            yield error(("hosts", index), f"has the namespace {namespace!r}: use '*', '.' or a name")
        if name != "*" and not ("." in name and (is_wildcard_domain(name) or is_ip(name))):
            problem = f"is {host!r}, which no client can name: use a host name with a dot, an IPv4 address or '*'"
            yield error(("hosts", index), problem)


def _wildcards(server: Mapping[str, Any]) -> Iterator[Found]:
    for index, host in enumerate(map(str, items_of(server, "hosts"))):
        name = host.rpartition("/")[2]
        if "*" in name and name != "*" and not name.startswith("*."):
            yield error(("hosts", index), f"is {host!r}: '*' may only be alone or before a dot")


# ------------------------------------------------------------------------------------------------------------------ TLS

_PASSING_ON = ("PASSTHROUGH", "AUTO_PASSTHROUGH")
"""The modes in which a server passes TLS on as it is, and so needs no certificate."""


_DEFAULT_MODE = "PASSTHROUGH"
"""The mode where none is given: protobuf's zero."""


def _protocol_and_tls(server: Mapping[str, Any]) -> Iterator[Found]:
    protocol, tls = text_of(server, "port", "protocol").lower(), server.get("tls")
    if tls is None:
        if protocol in _TLS:
            yield error(("tls",), f"is required with the protocol {protocol}: add it")
        return
    passes_on = tls.get("mode", _DEFAULT_MODE) in _PASSING_ON
    has_files = any(tls.get(key) for key in ("caCertificates", "privateKey", "serverCertificate"))
    if protocol in _HTTP and (has_files or not passes_on):
        yield error(("tls",), f"has no use with the protocol {protocol}: leave it out, or use HTTPS")
    elif protocol in _PROTOCOLS and protocol not in (*_HTTP, *_TLS):
        yield error(("tls",), f"has no use with the protocol {protocol}: leave it out, or use TLS")
    if tls.get("httpsRedirect") and protocol not in _HTTP:
        yield warning(("tls", "httpsRedirect"), "only works with HTTP: leave it out")


_CERTIFICATES = ("serverCertificate", "privateKey", "caCertificates", "credentialName")


_LATER_CERTIFICATES = (*_CERTIFICATES, "credentialNames", "tlsCertificates")
"""With the lists of certificates that 1.27 has besides."""


def _certificates(known: tuple[str, ...]) -> Rule:
    """Return the rule for the certificates that a mode needs, and those that it has no use for.

    `known` are the keys that name certificates in a release.
    """

    def rule(tls: Mapping[str, Any]) -> Iterator[Found]:
        mode = tls.get("mode", _DEFAULT_MODE)
        if mode == "ISTIO_MUTUAL":
            yield from _without_certificates(tls, known)
        elif mode in _PASSING_ON:
            yield from _unused_certificates(tls, known, mode)
        elif not any(tls.get(key) for key in ("credentialName", "credentialNames") if key in known):
            yield from _needed_certificates(tls, mode)

    return rule


def _without_certificates(tls: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[Found]:
    """In ISTIO_MUTUAL the certificates are Istio's own."""
    for key in known:
        if tls.get(key):
            yield error((key,), "must not be set beside ISTIO_MUTUAL: leave it out")


def _unused_certificates(tls: Mapping[str, Any], known: tuple[str, ...], mode: str) -> Iterator[Found]:
    for key in (*known, "caCrl"):
        if tls.get(key):
            yield warning((key,), f"has no use with {mode}: leave it out")


def _needed_certificates(tls: Mapping[str, Any], mode: str) -> Iterator[Found]:
    """A server that ends TLS, and names no Secret, needs files: one pair, or a list of pairs."""
    bundles = items_of(tls, "tlsCertificates")
    pairs: list[tuple[Path, Any]] = [(("tlsCertificates", index), bundle) for index, bundle in enumerate(bundles)]
    for place, pair in pairs or [((), tls)]:
        for key in ("serverCertificate", "privateKey"):
            if not at(pair, key):
                yield error((*place, key), f"is required with {mode}: add it, or name a Secret in credentialName")
    if mode in ("MUTUAL", "OPTIONAL_MUTUAL") and not tls.get("caCertificates"):
        yield error(("caCertificates",), f"is required with {mode}: add it, or set credentialName")
    if len(bundles) > 2:
        yield warning(("tlsCertificates",), "has more than two: istiod uses the first two")


def _one_certificate_source(tls: Mapping[str, Any]) -> Iterator[Found]:
    sources = [key for key in ("credentialName", "credentialNames", "tlsCertificates") if tls.get(key)]
    if tls.get("serverCertificate") and tls.get("privateKey"):
        sources.append("serverCertificate")
    if len(sources) > 1 and tls.get("mode") != "ISTIO_MUTUAL":
        yield error((), f"has {' and '.join(sources)}, which exclude each other: keep one")


def _revocation(tls: Mapping[str, Any]) -> Iterator[Found]:
    mode = tls.get("mode", _DEFAULT_MODE)
    if tls.get("caCrl") and tls.get("credentialName") and mode in _PASSING_ON:
        yield error(("caCrl",), "must not be set beside credentialName: leave it out")
    if tls.get("caCrl") and mode == "SIMPLE" and not tls.get("credentialName"):
        yield error(("caCrl",), "has no use with SIMPLE: leave it out, or use MUTUAL")


def _ciphers(tls: Mapping[str, Any]) -> Iterator[Found]:
    suites = [str(suite) for suite in items_of(tls, "cipherSuites")]
    version = tls.get("minProtocolVersion")
    if version in ("TLSV1_0", "TLSV1_1") and not suites:
        problem = f"is {version}, for which Envoy has no ciphers: add cipherSuites"
        yield warning(("minProtocolVersion",), problem)
    taken: set[str] = set()
    for index, suite in enumerate(suites):
        if suite in taken:
            yield warning(("cipherSuites", index), f"is {suite!r} a second time: leave it out")
        elif suite[:1].isalnum() and suite not in _CIPHERS:
            problem = f"is {suite!r}, which istiod leaves out: use a name of BoringSSL's"
            yield warning(("cipherSuites", index), problem)
        taken.add(suite)


# istio 1.24.6: pkg/config/security/security.go; what begins with a mark, as `-AES128-SHA`, is not looked at.
_CIPHERS = {
    "ALL",
    "DES-CBC3-SHA",
    *(f"ECDHE-{key}-CHACHA20-POLY1305" for key in ("ECDSA", "RSA")),
    *(
        f"{exchange}{cipher}"
        for exchange in ("ECDHE-ECDSA-", "ECDHE-RSA-", "")
        for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA")
    ),
}


_SERVER: Path = ("spec", "servers", EACH)


_SERVER_TLS: Path = (*_SERVER, "tls")


# What says which certificates a server has: a rule about these cannot judge where one of them was left out.
_TLS_KEYS: tuple[Path, ...] = (("mode",), ("credentialName",), ("credentialNames",), ("tlsCertificates",))


ROWS = (
    RuleRow("networking/name", check_name),
    RuleRow("networking/servers", Required("servers", "is empty: add a server"), at=("spec",)),
    RuleRow("networking/port", _port_names),
    RuleRow("networking/hosts", Required("hosts", "is empty: add a host, or '*'"), at=_SERVER),
    RuleRow("networking/hosts", _hosts, at=_SERVER),
    RuleRow("networking/hosts", _wildcards, at=_SERVER, releases=since("1.17")),  # istio 1.17.8
    RuleRow("networking/port", Required("port"), at=_SERVER),
    RuleRow("networking/port", _protocol, at=_SERVER),
    RuleRow("networking/port", _port_number(may_be_zero=True), at=_SERVER, releases=until("1.19")),  # istio 1.19.10
    RuleRow("networking/port", _port_number(may_be_zero=False), at=_SERVER, releases=since("1.20")),  # istio 1.20.8
    RuleRow("networking/port", _target_port, at=(*_SERVER, "port"), releases=since("1.20")),  # istio 1.20.8
    RuleRow("networking/bind", _bind, at=_SERVER),
    RuleRow("networking/tls", _protocol_and_tls, at=_SERVER, needs=(("port", "protocol"), ("tls", "mode"))),
    RuleRow("networking/tls", _certificates(_CERTIFICATES), at=_SERVER_TLS, releases=until("1.26"), needs=_TLS_KEYS),
    RuleRow(
        "networking/tls",
        _certificates(_LATER_CERTIFICATES),
        at=_SERVER_TLS,
        releases=since("1.27"),  # istio 1.27.9
        needs=_TLS_KEYS,
    ),
    RuleRow("networking/ciphers", _ciphers, at=_SERVER_TLS, needs=(("minProtocolVersion",), ("cipherSuites",))),
    RuleRow(
        "networking/tls",
        _one_certificate_source,
        at=_SERVER_TLS,
        releases=since("1.27"),  # istio 1.27.9
        needs=_TLS_KEYS,
    ),
    RuleRow("networking/tls", _revocation, at=_SERVER_TLS, releases=since("1.22"), needs=_TLS_KEYS),  # istio 1.22.8
)
"""The rules of Gateways, in the order of their findings."""
