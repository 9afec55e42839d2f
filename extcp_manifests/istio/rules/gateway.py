"""What istiod's webhook reports of a Gateway."""

from collections.abc import Iterator, Mapping
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, error, warning
from extcp_manifests.documents.lookup import list_at
from extcp_manifests.errors import Path
from extcp_manifests.istio.rules.checks import LABEL, check_port, is_ip, is_wildcard_domain, spec_of

# -------------------------------------------------------------------------------------------------------------- Gateway

_HTTP = ("http", "http2", "http_proxy", "grpc", "grpc-web")


_TLS = ("https", "tls")


_PROTOCOLS = (*_HTTP, *_TLS, "tcp", "udp", "mongo", "redis", "mysql")


_CERTIFICATES = ("serverCertificate", "privateKey", "caCertificates", "credentialName")


_MODES_WITH_CA = ("MUTUAL", "OPTIONAL_MUTUAL")


_PASSING = ("PASSTHROUGH", "AUTO_PASSTHROUGH")


def _servers(document: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for index, server in enumerate(list_at(spec_of(document), "servers")):
        yield ("spec", "servers", index), server


def _any_server(document: Mapping[str, Any]) -> Iterator[Found]:
    if not list_at(spec_of(document), "servers"):
        yield error(("spec", "servers"), "is empty: add a server")


def _port_names(document: Mapping[str, Any]) -> Iterator[Found]:
    taken: set[str] = set()
    for place, server in _servers(document):
        name = (server.get("port") or {}).get("name", "")
        if not name:
            yield error((*place, "port", "name"), "is required: name the port")
        elif name in taken:
            yield error((*place, "port", "name"), f"is {name!r} like another server's: choose another")
        taken.add(name)


def _server_hosts(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, server in _servers(document):
        hosts = list_at(server, "hosts")
        if not hosts:
            yield error((*place, "hosts"), "is empty: add a host, or '*'")
        for index, host in enumerate(map(str, hosts)):
            namespace, slash, name = host.rpartition("/")
            if slash and namespace not in ("*", ".") and not LABEL.fullmatch(namespace):
                yield error((*place, "hosts", index), f"has the namespace {namespace!r}: use '*', '.' or a name")
            if name != "*" and not ("." in name and (is_wildcard_domain(name) or is_ip(name))):
                problem = f"is {host!r}, which no client can name: use a host name with a dot, an IPv4 address or '*'"
                yield error((*place, "hosts", index), problem)


def _wildcards(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, server in _servers(document):
        for index, host in enumerate(map(str, list_at(server, "hosts"))):
            name = host.rpartition("/")[2]
            if "*" in name and name != "*" and not name.startswith("*."):
                yield error((*place, "hosts", index), f"is {host!r}: '*' may only stand alone or before a dot")


def _server_ports(*, unless_zero: bool) -> Rule:
    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        for place, server in _servers(document):
            port = server.get("port")
            if port is None:
                yield error((*place, "port"), "is required: add it")
                continue
            if str(port.get("protocol", "")).lower() not in _PROTOCOLS:
                problem = (
                    f"is {port.get('protocol', '')!r}: use HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, ..."
                )
                yield error((*place, "port", "protocol"), problem)
            number = port.get("number", 0)
            is_socket = str(server.get("bind", "")).startswith("unix://")
            if not (number == 0 and (unless_zero or is_socket)):
                yield from check_port((*place, "port", "number"), number)

    return rule


def _target_ports(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, server in _servers(document):
        if (server.get("port") or {}).get("targetPort", 0) > 0:
            yield error((*place, "port", "targetPort"), "has no meaning in a Gateway: leave it out")


def _binds(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, server in _servers(document):
        bind = str(server.get("bind", ""))
        number = (server.get("port") or {}).get("number", 0)
        if bind.startswith("unix://"):
            if not bind.removeprefix("unix://").startswith(("/", "@")):
                yield error((*place, "bind"), f"is {bind!r}: give an absolute path, or a name that begins with '@'")
            if number:
                yield error((*place, "port", "number"), "must be 0 beside a socket: leave it out")
        elif bind and not is_ip(bind):
            yield error((*place, "bind"), f"is {bind!r}, which is no IP address: correct it")


def _protocol_and_tls(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, server in _servers(document):
        protocol, tls = str((server.get("port") or {}).get("protocol", "")).lower(), server.get("tls")
        if protocol in _TLS and tls is None:
            yield error((*place, "tls"), f"is required with the protocol {protocol}: add it")
        if tls is None:
            continue
        passing = tls.get("mode", "PASSTHROUGH") in _PASSING
        bare = not any(tls.get(key) for key in ("caCertificates", "privateKey", "serverCertificate"))
        if protocol in _HTTP and not (passing and bare):
            yield error((*place, "tls"), f"has no use with the protocol {protocol}: leave it out, or use HTTPS")
        elif protocol in _PROTOCOLS and protocol not in (*_HTTP, *_TLS):
            yield error((*place, "tls"), f"has no use with the protocol {protocol}: leave it out, or use TLS")
        if tls.get("httpsRedirect") and protocol not in _HTTP:
            yield warning((*place, "tls", "httpsRedirect"), "only works with HTTP: leave it out")


def _tls_modes(*, names: tuple[str, ...] = ()) -> Rule:
    """What a mode needs and what it excludes; `names` are the later ways to name certificates."""
    refused = (*_CERTIFICATES, *names)

    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        for place, tls in _server_tls(document):
            mode = tls.get("mode", "PASSTHROUGH")
            if mode == "ISTIO_MUTUAL":
                for key in refused:
                    if tls.get(key):
                        yield error((*place, key), "must not stand beside ISTIO_MUTUAL: leave it out")
            elif mode in _PASSING:
                for key in (*refused, "caCrl"):
                    if tls.get(key):
                        yield warning((*place, key), f"has no use with {mode}: leave it out")
            elif not any(tls.get(key) for key in ("credentialName", *names[:1])):
                yield from _certificates(place, mode, tls)

    return rule


def _server_tls(document: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    return (((*place, "tls"), server["tls"]) for place, server in _servers(document) if server.get("tls") is not None)


def _certificates(place: Path, mode: str, tls: Mapping[str, Any]) -> Iterator[Found]:
    """A server that ends TLS needs certificates: by name, in files, or a list of both."""
    bundles = list_at(tls, "tlsCertificates")
    sources = [((*place, "tlsCertificates", index), bundle) for index, bundle in enumerate(bundles)]
    for where, source in sources or [(place, tls)]:
        for key in ("serverCertificate", "privateKey"):
            if not source.get(key):
                yield error((*where, key), f"is required with {mode}: add it, or name a Secret in credentialName")
    if mode in _MODES_WITH_CA and not tls.get("caCertificates"):
        yield error((*place, "caCertificates"), f"is required with {mode}: add it, or set credentialName")
    if len(bundles) > 2:
        yield warning((*place, "tlsCertificates"), "has more than two: istiod uses the first two")


def _ciphers(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, tls in _server_tls(document):
        suites = [str(suite) for suite in list_at(tls, "cipherSuites")]
        version = tls.get("minProtocolVersion")
        if version in ("TLSV1_0", "TLSV1_1") and not suites:
            yield warning(
                (*place, "minProtocolVersion"), f"is {version}, for which Envoy has no ciphers: add cipherSuites"
            )
        taken: set[str] = set()
        for index, suite in enumerate(suites):
            if suite in taken:
                yield warning((*place, "cipherSuites", index), f"is {suite!r} a second time: leave it out")
            elif suite[:1].isalnum() and suite not in _CIPHERS:
                problem = f"is {suite!r}, which istiod leaves out: use a name of BoringSSL's"
                yield warning((*place, "cipherSuites", index), problem)
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


def _one_certificate_source(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, tls in _server_tls(document):
        sources = [key for key in ("credentialName", "credentialNames", "tlsCertificates") if tls.get(key)]
        sources += ["serverCertificate"] if tls.get("serverCertificate") and tls.get("privateKey") else []
        if len(sources) > 1 and tls.get("mode") != "ISTIO_MUTUAL":
            yield error(place, f"has {' and '.join(sources)}, which exclude each other: keep one")


def _revocation(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, tls in _server_tls(document):
        mode = tls.get("mode", "PASSTHROUGH")
        if tls.get("caCrl") and tls.get("credentialName") and mode in _PASSING:
            yield error((*place, "caCrl"), "must not stand beside credentialName: leave it out")
        if tls.get("caCrl") and mode == "SIMPLE" and not tls.get("credentialName"):
            yield error((*place, "caCrl"), "has no use with SIMPLE: leave it out, or use MUTUAL")
