"""What istiod's webhook says of a Gateway, a VirtualService or a DestinationRule, by release.

Source: istio 1.15.7: pkg/config/validation/validation.go; 1.30.3: pkg/config/validation/{validation,virtualservice}.go,
pkg/config/validation/agent/validation.go, pkg/config/{gateway,protocol,host}. Read; of VirtualServices 1.30.3 and the
branch release-1.31 were run too. What the API server makes of a document comes first: keys that the CRD does not know
never reach istiod, and a wrong type ends it there; here the rules then look at what could be read. Conflicts between
documents are `istioctl analyze`'s.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from extcp_manifests import http_routes, yaml
from extcp_manifests.checks import (
    LABEL,
    Findings,
    Found,
    Rule,
    as_errors,
    as_warnings,
    below,
    by_rule,
    check_duration,
    check_labels,
    check_port,
    error,
    is_fqdn,
    is_ip,
    is_subnet,
    is_wildcard_domain,
    warning,
)
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.http_routes import (
    ANY_NAME,
    AUTHORITY,
    HOST,
    PSEUDO_HEADERS,
    TOKEN,
    WORD,
    check_regex,
    envoy_format,
    of_each_route,
    paired_percents,
)
from extcp_manifests.kubernetes import Model
from extcp_manifests.mesh import path_text
from extcp_manifests.release import Release, find_release, in_release
from extcp_manifests.schema import Finding, decode, read_schema
from extcp_manifests.traffic_policy import check_part
from extcp_manifests.unreachable_routes import UNREACHABLE, unreachable_routes

GROUP = "networking.istio.io"


def validate_networking(document: Model | Mapping[str, Any], *, release: Release | str) -> Findings:
    """Validate a Gateway, VirtualService or DestinationRule, typed or plain.

    Paths begin with the document's `metadata` or `spec`. Raises InvalidInput for a document of another kind.
    """
    given: Any = document.plain() if isinstance(document, Model) else document
    if not isinstance(given, Mapping):
        raise InvalidInput([Problem("", "must be a mapping with `kind: Gateway`, VirtualService or DestinationRule")])
    yaml.require_plain(given)
    record = find_release(release)
    version = given.get("apiVersion")
    is_other = isinstance(version, str) and version.rpartition("/")[0] != GROUP
    if is_other or not _rows(str(given.get("kind")), record):
        problem = f"is {given.get('kind')!r}: give a Gateway, VirtualService or DestinationRule"
        raise InvalidInput([Problem("kind", problem)])
    return Findings(tuple(check_networking(given, record)))


def check_networking(document: Mapping[str, Any], release: Release) -> Iterator[Found]:
    """Do the same for a mapping of one of the kinds that is known to be plain data, as all that YAML gives."""
    admitted = _as_admitted(document, release)
    yield from as_errors(admitted.wrong, "networking/wrong-value")
    yield from as_warnings(admitted.unknown, "networking/unknown-key")
    for row in _rows(document["kind"], release):
        yield from _kept(row, by_rule(row.id, row.rule(admitted.plain)), admitted.wrong)


@dataclass(frozen=True, slots=True)
class _Admitted:
    """What the API server hands to the webhook, the keys that it drops, and the values that it refuses."""

    plain: Mapping[str, Any]
    unknown: Sequence[Problem]
    wrong: Sequence[Problem]


def _as_admitted(document: Mapping[str, Any], release: Release) -> _Admitted:
    schema = read_schema("networking")
    given = document.get("spec")
    is_readable = isinstance(given, Mapping)
    whole = decode(schema, "Networking", {**document, "spec": {}} if is_readable else document, release)
    spec = decode(schema, f"{document['kind']}Spec", given if is_readable else {}, release)
    plain = {**whole.value, "spec": spec.value}
    return _Admitted(
        plain=_without_gaps(plain) if whole.errors or spec.errors else plain,
        unknown=[*_problems(whole.unknown), *_problems(spec.unknown, "spec")],
        wrong=[*_problems(whole.errors), *(_problems(spec.errors, "spec") if is_readable or given is None else ())],
    )


def _without_gaps(value: Any) -> Any:
    """Leave out the values of mappings that could not be decoded; items of lists stay, so that the others are found."""
    if isinstance(value, Mapping):
        return {key: _without_gaps(item) for key, item in value.items() if item is not None}
    return [_without_gaps(item) for item in value] if isinstance(value, list) else value


def _problems(findings: Iterable[Finding], *place: str) -> Iterator[Problem]:
    return (Problem(path_text((*place, *each.path)), each.message) for each in findings)


def _kept(row: "_Row", found: Iterable[Found], wrong: Sequence[Problem]) -> Iterable[Found]:
    """Leave out what a rule says of a value that is told already, or because such a value was left out."""
    if not wrong:
        return found
    places = {each.path for each in wrong}
    for place in (each.path for each in wrong):
        needed = _NEEDS[row.id].match(place) if row.id in _NEEDS else None
        if needed:
            places.add(needed[1])
    return [each for each in found if places.isdisjoint(_around(each.problem.path))]


def _around(path: str) -> Iterator[str]:
    """Yield a place and all those that it is in; the empty one is the document."""
    yield ""
    yield path
    yield from (path[: border.start()] for border in re.finditer(r"[.\[]", path))


def _list(value: Any, key: str) -> Sequence[Any]:
    """The items of a list of a mapping; a list that is missing or null has none."""
    return (value or {}).get(key) or () if isinstance(value, Mapping) else ()


def _texts(value: Any, key: str) -> list[str]:
    """The texts of a list of a mapping, without what is not text, which is told elsewhere."""
    return [item for item in _list(value, key) if isinstance(item, str)]


def _spec(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return document.get("spec") or {}


# --------------------------------------------------------------------------------------------------------------- shared


def _name(document: Mapping[str, Any]) -> Iterator[Found]:
    name = (document.get("metadata") or {}).get("name", "")
    if not LABEL.fullmatch(name):
        yield error("metadata.name", f"is {name!r}, which is no DNS label: use letters, digits and inner '-'")


def _export_to(document: Mapping[str, Any]) -> Iterator[Found]:
    entries = _texts(_spec(document), "exportTo")
    own = (document.get("metadata") or {}).get("namespace", "")
    for entry in entries:
        if entry not in (".", "*") and not LABEL.fullmatch(entry):
            yield error("spec.exportTo", f"has {entry!r}, which is no namespace: use '.', '*' or a name")
    resolved = [own if entry == "." else entry for entry in entries]
    if len(set(resolved)) < len(resolved):
        yield error("spec.exportTo", "names a namespace twice: leave one out")
    if "*" in entries and len(entries) > 1:
        yield error("spec.exportTo", "has '*' beside others: leave them out")


class _HostNames:
    """Hosts, each perhaps a wildcard, among which those that have names in common are found by their ends."""

    def __init__(self) -> None:
        self._plain: set[str] = set()
        self._ends: dict[str, str] = {}
        """The wildcards, by what follows their `*`."""

    def add(self, host: str) -> None:
        if host.startswith("*"):
            self._ends.setdefault(host[1:], host)
        else:
            self._plain.add(host)

    def covering(self, host: str) -> str | None:
        """Return a host that has every name of this one, the closest if there are several, or None."""
        if host in self._plain:
            return host
        end = host.removeprefix("*")
        return next((self._ends[end[at:]] for at in range(len(end) + 1) if end[at:] in self._ends), None)


def _overlapping(hosts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of hosts that have names in common: each host that stands twice, and each with the closest wildcard.

    Not every pair is looked at or told, which would be a million for some thousand hosts.
    """
    places: dict[str, int] = {}
    twice: dict[str, None] = {}
    for index, host in enumerate(hosts):
        if places.setdefault(host, index) != index:
            twice[host] = None
    yield from ((host, host) for host in twice)
    wildcards = _HostNames()
    pairs: list[tuple[int, int]] = []
    for host in sorted(places, key=lambda each: (len(each.removeprefix("*")), not each.startswith("*"))):
        other = wildcards.covering(host)
        if other is not None:
            first, second = sorted((places[host], places[other]))
            pairs.append((first, second))
        if host.startswith("*"):
            wildcards.add(host)
    yield from ((hosts[first], hosts[second]) for first, second in sorted(pairs))


# -------------------------------------------------------------------------------------------------------------- Gateway

_HTTP = ("http", "http2", "http_proxy", "grpc", "grpc-web")
_TLS = ("https", "tls")
_PROTOCOLS = (*_HTTP, *_TLS, "tcp", "udp", "mongo", "redis", "mysql")
_CERTIFICATES = ("serverCertificate", "privateKey", "caCertificates", "credentialName")
_MODES_WITH_CA = ("MUTUAL", "OPTIONAL_MUTUAL")
_PASSING = ("PASSTHROUGH", "AUTO_PASSTHROUGH")


def _servers(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for index, server in enumerate(_list(_spec(document), "servers")):
        yield f"spec.servers[{index}]", server


def _any_server(document: Mapping[str, Any]) -> Iterator[Found]:
    if not _list(_spec(document), "servers"):
        yield error("spec.servers", "is empty: add a server")


def _port_names(document: Mapping[str, Any]) -> Iterator[Found]:
    taken: set[str] = set()
    for place, server in _servers(document):
        name = (server.get("port") or {}).get("name", "")
        if not name:
            yield error(f"{place}.port.name", "is required: name the port")
        elif name in taken:
            yield error(f"{place}.port.name", f"is {name!r} like another server's: choose another")
        taken.add(name)


def _server_hosts(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, server in _servers(document):
        hosts = _list(server, "hosts")
        if not hosts:
            yield error(f"{place}.hosts", "is empty: add a host, or '*'")
        for index, host in enumerate(map(str, hosts)):
            namespace, slash, name = host.rpartition("/")
            if slash and namespace not in ("*", ".") and not LABEL.fullmatch(namespace):
                yield error(f"{place}.hosts[{index}]", f"has the namespace {namespace!r}: use '*', '.' or a name")
            if name != "*" and not ("." in name and (is_wildcard_domain(name) or is_ip(name))):
                problem = f"is {host!r}, which no client can name: use a host name with a dot, an IPv4 address or '*'"
                yield error(f"{place}.hosts[{index}]", problem)


def _wildcards(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, server in _servers(document):
        for index, host in enumerate(map(str, _list(server, "hosts"))):
            name = host.rpartition("/")[2]
            if "*" in name and name != "*" and not name.startswith("*."):
                yield error(f"{place}.hosts[{index}]", f"is {host!r}: '*' may only stand alone or before a dot")


def _server_ports(*, unless_zero: bool) -> Rule:
    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        for place, server in _servers(document):
            port = server.get("port")
            if port is None:
                yield error(f"{place}.port", "is required: add it")
                continue
            if str(port.get("protocol", "")).lower() not in _PROTOCOLS:
                problem = (
                    f"is {port.get('protocol', '')!r}: use HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, ..."
                )
                yield error(f"{place}.port.protocol", problem)
            number = port.get("number", 0)
            is_socket = str(server.get("bind", "")).startswith("unix://")
            if not (number == 0 and (unless_zero or is_socket)):
                yield from check_port(f"{place}.port.number", number)

    return rule


def _target_ports(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, server in _servers(document):
        if (server.get("port") or {}).get("targetPort", 0) > 0:
            yield error(f"{place}.port.targetPort", "has no meaning in a Gateway: leave it out")


def _binds(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, server in _servers(document):
        bind = str(server.get("bind", ""))
        number = (server.get("port") or {}).get("number", 0)
        if bind.startswith("unix://"):
            if not bind.removeprefix("unix://").startswith(("/", "@")):
                yield error(f"{place}.bind", f"is {bind!r}: give an absolute path, or a name that begins with '@'")
            if number:
                yield error(f"{place}.port.number", "must be 0 beside a socket: leave it out")
        elif bind and not is_ip(bind):
            yield error(f"{place}.bind", f"is {bind!r}, which is no IP address: correct it")


def _protocol_and_tls(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, server in _servers(document):
        protocol, tls = str((server.get("port") or {}).get("protocol", "")).lower(), server.get("tls")
        if protocol in _TLS and tls is None:
            yield error(f"{place}.tls", f"is required with the protocol {protocol}: add it")
        if tls is None:
            continue
        passing = tls.get("mode", "PASSTHROUGH") in _PASSING
        bare = not any(tls.get(key) for key in ("caCertificates", "privateKey", "serverCertificate"))
        if protocol in _HTTP and not (passing and bare):
            yield error(f"{place}.tls", f"has no use with the protocol {protocol}: leave it out, or use HTTPS")
        elif protocol in _PROTOCOLS and protocol not in (*_HTTP, *_TLS):
            yield error(f"{place}.tls", f"has no use with the protocol {protocol}: leave it out, or use TLS")
        if tls.get("httpsRedirect") and protocol not in _HTTP:
            yield warning(f"{place}.tls.httpsRedirect", "only works with HTTP: leave it out")


def _tls_modes(*, names: tuple[str, ...] = ()) -> Rule:
    """What a mode needs and what it excludes; `names` are the later ways to name certificates."""
    refused = (*_CERTIFICATES, *names)

    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        for place, tls in _server_tls(document):
            mode = tls.get("mode", "PASSTHROUGH")
            if mode == "ISTIO_MUTUAL":
                for key in refused:
                    if tls.get(key):
                        yield error(f"{place}.{key}", "must not stand beside ISTIO_MUTUAL: leave it out")
            elif mode in _PASSING:
                for key in (*refused, "caCrl"):
                    if tls.get(key):
                        yield warning(f"{place}.{key}", f"has no use with {mode}: leave it out")
            elif not any(tls.get(key) for key in ("credentialName", *names[:1])):
                yield from _certificates(place, mode, tls)

    return rule


def _server_tls(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((f"{place}.tls", server["tls"]) for place, server in _servers(document) if server.get("tls") is not None)


def _certificates(place: str, mode: str, tls: Mapping[str, Any]) -> Iterator[Found]:
    """A server that ends TLS needs certificates: by name, in files, or a list of both."""
    bundles = _list(tls, "tlsCertificates")
    sources = [(f"{place}.tlsCertificates[{index}]", bundle) for index, bundle in enumerate(bundles)]
    for where, source in sources or [(place, tls)]:
        for key in ("serverCertificate", "privateKey"):
            if not source.get(key):
                yield error(f"{where}.{key}", f"is required with {mode}: add it, or name a Secret in credentialName")
    if mode in _MODES_WITH_CA and not tls.get("caCertificates"):
        yield error(f"{place}.caCertificates", f"is required with {mode}: add it, or set credentialName")
    if len(bundles) > 2:
        yield warning(f"{place}.tlsCertificates", "has more than two: istiod uses the first two")


def _ciphers(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, tls in _server_tls(document):
        suites = [str(suite) for suite in _list(tls, "cipherSuites")]
        version = tls.get("minProtocolVersion")
        if version in ("TLSV1_0", "TLSV1_1") and not suites:
            yield warning(
                f"{place}.minProtocolVersion", f"is {version}, for which Envoy has no ciphers: add cipherSuites"
            )
        taken: set[str] = set()
        for index, suite in enumerate(suites):
            if suite in taken:
                yield warning(f"{place}.cipherSuites[{index}]", f"is {suite!r} a second time: leave it out")
            elif suite[:1].isalnum() and suite not in _CIPHERS:
                problem = f"is {suite!r}, which istiod leaves out: use a name of BoringSSL's"
                yield warning(f"{place}.cipherSuites[{index}]", problem)
            taken.add(suite)


# istio 1.24.6: pkg/config/security/security.go; what begins with a mark, as `-AES128-SHA`, is not looked at.
_CIPHERS = {f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA") for cipher in ("CHACHA20-POLY1305",)}
_CIPHERS |= {
    f"{exchange}{cipher}"
    for exchange in ("ECDHE-ECDSA-", "ECDHE-RSA-", "")
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA")
}
_CIPHERS |= {"DES-CBC3-SHA", "ALL"}


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
            yield error(f"{place}.caCrl", "must not stand beside credentialName: leave it out")
        if tls.get("caCrl") and mode == "SIMPLE" and not tls.get("credentialName"):
            yield error(f"{place}.caCrl", "has no use with SIMPLE: leave it out, or use MUTUAL")


# ------------------------------------------------------------------------------------------------------- VirtualService


def _gateways(spec: Mapping[str, Any]) -> Sequence[str]:
    return [str(gateway) for gateway in _list(spec, "gateways")]


def _delegate(document: Mapping[str, Any]) -> Iterator[Found]:
    spec = _spec(document)
    if not _list(spec, "hosts"):
        for key in ("gateways", "tls", "tcp"):
            if _list(spec, key):
                yield error(f"spec.{key}", "must be empty where there are no hosts (a delegate): add hosts")
        for index, route in enumerate(_list(spec, "http")):
            if route.get("delegate") is not None:
                yield error(f"spec.http[{index}].delegate", "must not stand in a delegate: leave it out")


def _gateway_names(document: Mapping[str, Any]) -> Iterator[Found]:
    yield from _gateway_list("spec.gateways", _gateways(_spec(document)))
    for path, match in _matches_of(document):
        yield from _gateway_list(f"{path}.gateways", _gateways(match))


def _gateway_list(path: str, gateways: Sequence[str]) -> Iterator[Found]:
    """istiod stops looking at the first name without a slash; a warning tells of those behind it."""
    unseen = False
    for index, gateway in enumerate(gateways):
        namespace, slash, name = gateway.partition("/")
        good = LABEL.fullmatch(namespace) and LABEL.fullmatch(name) if slash else is_fqdn(gateway)
        if not good:
            report = warning if unseen else error
            yield report(f"{path}[{index}]", f"is {gateway!r}, which is no gateway: write name or namespace/name")
        elif not slash and "." in gateway and not unseen:
            yield warning(f"{path}[{index}]", f"is {gateway!r}, an old form: write namespace/name")
        unseen = unseen or not slash


def _hosts(*, sni_names: bool) -> Rule:
    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        spec = _spec(document)
        hosts = _list(spec, "hosts")
        outside = bool(_gateways(spec)) and "mesh" not in _gateways(spec)
        by_name = outside and any(_list(match, "sniHosts") for _, match in _matches_of(document))
        wrong = "*" in hosts and _bound_to_mesh(spec)
        for index, host in enumerate(map(str, hosts)):
            known = is_wildcard_domain(host) or is_ip(host)
            known = known or (sni_names and by_name and bool(_SNI_NAME.fullmatch(host)))
            if not known:
                wrong = True
                yield error(f"spec.hosts[{index}]", f"is {host!r}, which is no host: use a host name or an IP address")
        texts = [host for host in hosts if isinstance(host, str)]
        for one, other in () if wrong else _overlapping(texts):
            yield error("spec.hosts", f"has {one!r} and {other!r}, which overlap: leave one out")

    return rule


def _wildcard_of_the_mesh(document: Mapping[str, Any]) -> Iterator[Found]:
    bound_to_mesh = _bound_to_mesh(_spec(document))
    for index, host in enumerate(_list(_spec(document), "hosts")):
        if host == "*" and bound_to_mesh:
            yield error(f"spec.hosts[{index}]", "is '*', which would take all of the mesh: name gateways only")


_SNI_NAME = re.compile(r"outbound_\.[0-9]+_\.[^.]*_\.[-a-zA-Z0-9.]+")


def _bound_to_mesh(spec: Mapping[str, Any]) -> bool:
    return not _gateways(spec) or "mesh" in _gateways(spec)


def _any_route(document: Mapping[str, Any]) -> Iterator[Found]:
    if not any(_list(_spec(document), key) for key in ("http", "tls", "tcp")):
        yield error("spec", "has no route: add http, tls or tcp")


def _http_routes(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, route in enumerate(_list(_spec(document), "http")):
        place = f"spec.http[{index}]"
        if route.get("delegate") is not None:
            for key in ("redirect", "route"):
                if route.get(key) not in (None, []):
                    yield error(f"{place}.{key}", "must not stand beside delegate: leave one out")
        else:
            yield from _one_action(place, route)
        if "timeout" in route:
            yield from check_duration(f"{place}.timeout", route["timeout"])


def _one_action(place: str, route: Mapping[str, Any]) -> Iterator[Found]:
    actions = [key for key in ("route", "redirect", "directResponse") if route.get(key) not in (None, [])]
    if not actions:
        yield error(place, "has neither route nor redirect nor directResponse: add one")
    if len(actions) > 1:
        yield error(place, f"has {' and '.join(actions)}, which exclude each other: keep one")
    for key in ("fault", "rewrite"):
        if route.get(key) is not None and "route" not in actions and actions:
            yield error(f"{place}.{key}", f"must not stand beside {actions[0]}: leave it out")


def _mirrors(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, route in enumerate(_list(_spec(document), "http")):
        if route.get("mirror") is not None and route.get("mirrors"):
            yield error(f"spec.http[{index}]", "has mirror and mirrors, which exclude each other: keep one")


def _mirror_percentages(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, route in enumerate(_list(_spec(document), "http")):
        place = f"spec.http[{index}]"
        shares = {f"{place}.mirrorPercentage.value": route.get("mirrorPercentage")}
        shares |= {
            f"{place}.mirrors[{number}].percentage.value": mirror.get("percentage")
            for number, mirror in enumerate(_list(route, "mirrors"))
        }
        for path, share in shares.items():
            value = (share or {}).get("value", 0)
            if not 0 <= value <= 100:
                yield error(path, f"is {value}: use 0 to 100")


def _one_authority(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, route in enumerate(_list(_spec(document), "http")):
        places = ["rewrite.authority"] if (route.get("rewrite") or {}).get("authority") else []
        request = (route.get("headers") or {}).get("request") or {}
        places += [
            f"headers.request.{action}.{name}"
            for action in ("set", "add")
            for name in request.get(action) or {}
            if name.lower() in (":authority", "host")
        ]
        if len(places) > 1:
            yield error(f"spec.http[{index}]", f"sets the authority in {' and '.join(places)}: keep one")


def _claims(*, beside_mesh: bool) -> Rule:
    """Headers that stand for claims of a token need a gateway; `beside_mesh`: which may stand beside `mesh`."""

    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        gateways = _gateways(_spec(document))
        if any(gateway != "mesh" for gateway in gateways) and (beside_mesh or "mesh" not in gateways):
            return
        for path, match in _matches_of(document):
            for kind in ("headers", "withoutHeaders"):
                for name in match.get(kind) or {}:
                    if name.startswith("@request.auth.claims"):
                        yield error(f"{path}.{kind}.{name}", "only works at a gateway: name gateways, without mesh")

    return rule


def _matches_of(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in ("http", "tls", "tcp"):
        for index, route in enumerate(_list(_spec(document), kind)):
            for number, match in enumerate(_list(route, "match")):
                yield f"spec.{kind}[{index}].match[{number}]", match


def _match_requests(document: Mapping[str, Any]) -> Iterator[Found]:
    for path, match in _matches_of(document):
        if match.get("port"):
            yield from check_port(f"{path}.port", match["port"])
        for key in ("uri", "scheme", "method", "authority"):
            yield from _string_match(f"{path}.{key}", match.get(key), empty_prefix=key == "uri")
        for kind in ("headers", "queryParams", "withoutHeaders"):
            for name, each in (match.get(kind) or {}).items():
                if not name and kind != "queryParams":
                    yield error(f"{path}.{kind}", "has a header without a name: name it")
                anything = kind == "withoutHeaders" and (each or {}).get("regex") == "*"
                yield from _string_match(f"{path}.{kind}.{name}", {} if anything else each)
        for subnet in _texts(match, "destinationSubnets"):
            if not is_subnet(subnet):
                yield error(
                    f"{path}.destinationSubnets", f"has {subnet!r}, which is no IP address or range: correct it"
                )
        yield from check_labels(f"{path}.sourceLabels", match.get("sourceLabels") or {})
        if match.get("sourceNamespace") and not LABEL.fullmatch(str(match["sourceNamespace"])):
            yield error(
                f"{path}.sourceNamespace", f"is {match['sourceNamespace']!r}, which is no namespace: correct it"
            )


def _string_match(path: str, match: Any, *, empty_prefix: bool = False) -> Iterator[Found]:
    if not isinstance(match, Mapping):
        return
    if match.get("prefix") == "" and not empty_prefix:
        yield error(f"{path}.prefix", "is empty: leave it out, or say what it must begin with")
    if "regex" in match:
        yield from check_regex(f"{path}.regex", str(match["regex"]))


def _destinations(document: Mapping[str, Any]) -> Iterator[Found]:
    for kind in ("http", "tls", "tcp"):
        for index, route in enumerate(_list(_spec(document), kind)):
            entries = _list(route, "route")
            place = f"spec.{kind}[{index}].route"
            for number, entry in enumerate(entries):
                yield from _destination(f"{place}[{number}]", entry)
            if route.get("mirror") is not None:
                yield from _host_and_port(f"spec.{kind}[{index}].mirror", route["mirror"])
            for number, mirror in enumerate(_list(route, "mirrors")):
                yield from _host_and_port(
                    f"spec.{kind}[{index}].mirrors[{number}].destination", mirror.get("destination") or {}
                )


def _weights(document: Mapping[str, Any]) -> Iterator[Found]:
    for kind in ("http", "tls", "tcp"):
        for index, route in enumerate(_list(_spec(document), kind)):
            weights = [entry.get("weight", 0) for entry in _list(route, "route") if isinstance(entry, Mapping)]
            if len(weights) > 1 and sum(weights) == 0:
                problem = "has several destinations and no weight: give each a weight"
                yield error(f"spec.{kind}[{index}].route", problem)


def _destination(place: str, entry: Any) -> Iterator[Found]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("destination"), Mapping):
        yield error(f"{place}.destination", "is required: add its host")
        return
    yield from _host_and_port(f"{place}.destination", entry["destination"])
    if entry.get("weight", 0) < 0:
        yield error(f"{place}.weight", f"is {entry['weight']}: use 0 or more")


def _host_and_port(place: str, destination: Mapping[str, Any]) -> Iterator[Found]:
    host = str(destination.get("host", ""))
    if host == "*" or not is_wildcard_domain(host):
        yield error(f"{place}.host", f"is {host!r}, which is no host name: name a service")
    if destination.get("subset") and not LABEL.fullmatch(str(destination["subset"])):
        yield error(f"{place}.subset", f"is {destination['subset']!r}, which is no DNS label: correct it")
    if "port" in destination:
        yield from check_port(f"{place}.port.number", (destination["port"] or {}).get("number", 0))


def _tls_routes(*, sni_names: bool) -> Rule:
    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        spec = _spec(document)
        hosts = _HostNames()
        for host in _list(spec, "hosts"):
            hosts.add(str(host))
        outside = "mesh" not in _gateways(spec)
        for index, route in enumerate(_list(spec, "tls")):
            place = f"spec.tls[{index}]"
            if not _list(route, "match"):
                yield error(f"{place}.match", "is empty: add sniHosts")
            if not _list(route, "route"):
                yield error(f"{place}.route", "is empty: add a destination")
            for number, match in enumerate(_list(route, "match")):
                names = _texts(match, "sniHosts")
                if not _list(match, "sniHosts"):
                    yield error(f"{place}.match[{number}].sniHosts", "is empty: add a host of this VirtualService")
                for name in names:
                    yield from _sni_host(f"{place}.match[{number}].sniHosts", name, hosts, sni_names and outside)

    return rule


def _sni_host(path: str, name: str, hosts: _HostNames, sni_names: bool) -> Iterator[Found]:
    if is_ip(name):
        yield warning(path, f"has {name!r}: clients send no SNI for an IP address")
    elif not (is_wildcard_domain(name) or (sni_names and _SNI_NAME.fullmatch(name))):
        yield error(path, f"has {name!r}, which is no host name: correct it")
    if hosts.covering(name) is None:
        yield error(path, f"has {name!r}, which is no host of this VirtualService: add it to spec.hosts")


def _tcp_routes(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, route in enumerate(_list(_spec(document), "tcp")):
        if not _list(route, "route"):
            yield error(f"spec.tcp[{index}].route", "is empty: add a destination")


# ------------------------------------------------------------------------------------------------------ DestinationRule


def _rule_host(document: Mapping[str, Any]) -> Iterator[Found]:
    host = str(_spec(document).get("host", ""))
    if not is_wildcard_domain(host):
        yield error("spec.host", f"is {host!r}, which is no host name: name a service")


def _policies(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The traffic policy of the rule and of each subset, with their places."""
    spec = _spec(document)
    if spec.get("trafficPolicy") is not None:
        yield "spec.trafficPolicy", spec["trafficPolicy"]
    for index, subset in enumerate(_list(spec, "subsets")):
        if subset.get("trafficPolicy") is not None:
            yield f"spec.subsets[{index}].trafficPolicy", subset["trafficPolicy"]


def _ports_and_policies(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The same, and each policy of a port."""
    for place, policy in _policies(document):
        yield place, policy
        for index, each in enumerate(_list(policy, "portLevelSettings")):
            yield f"{place}.portLevelSettings[{index}]", each


def _not_empty(*known: str) -> Rule:
    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        for place, policy in _policies(document):
            if not any(policy.get(key) is not None and policy.get(key) != [] for key in known):
                yield error(place, f"says nothing: add {', '.join(known[:-1])} or {known[-1]}, or leave it out")

    return rule


_POLICY = ("outlierDetection", "connectionPool", "loadBalancer", "tls", "portLevelSettings", "tunnel")


def _exclusive_tunnel(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, policy in _policies(document):
        if policy.get("tunnel") is not None and policy.get("proxyProtocol") is not None:
            yield error(place, "has tunnel and proxyProtocol, which exclude each other: keep one")


def _port_settings(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, policy in _policies(document):
        for index, each in enumerate(_list(policy, "portLevelSettings")):
            where = f"{place}.portLevelSettings[{index}]"
            if each.get("port") is None:
                yield error(f"{where}.port", "is required: add its number")
            elif all(each.get(key) is None for key in ("outlierDetection", "connectionPool", "loadBalancer", "tls")):
                yield error(where, "says nothing: add outlierDetection, connectionPool, loadBalancer or tls")


def _parts(release: Release) -> Rule:
    """The rules for what a mesh config may have too."""

    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        for place, policy in _ports_and_policies(document):
            for part in ("connectionPool", "outlierDetection", "loadBalancer", "tls"):
                yield from below(place, check_part(part, policy.get(part), release))

    return rule


def _failover_without_detection(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, policy in _ports_and_policies(document):
        setting = (policy.get("loadBalancer") or {}).get("localityLbSetting") or {}
        for key in ("failover", "failoverPriority"):
            if setting.get(key) and policy.get("outlierDetection") is None:
                path = f"{place}.loadBalancer.localityLbSetting.{key}"
                yield warning(path, "has no effect without outlierDetection: add it")


def _secrets_of_others(document: Mapping[str, Any]) -> Iterator[Found]:
    own = (document.get("metadata") or {}).get("namespace", "")
    for place, policy in _ports_and_policies(document):
        name = (policy.get("tls") or {}).get("credentialName", "")
        namespace, slash, _ = name.removeprefix("configmap://").partition("/")
        if name.startswith("configmap://") and slash and namespace != own:
            path = f"{place}.tls.credentialName"
            yield error(path, f"names a ConfigMap in {namespace!r}: use one in {own!r}, the rule's own namespace")


def _tunnels(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, policy in _policies(document):
        tunnel = policy.get("tunnel")
        if tunnel is None:
            continue
        if tunnel.get("protocol", "") not in ("", "CONNECT", "POST"):
            yield error(f"{place}.tunnel.protocol", f"is {tunnel['protocol']!r}: use CONNECT or POST")
        host = str(tunnel.get("targetHost", ""))
        if not (is_fqdn(host) or is_ip(host)):
            yield error(f"{place}.tunnel.targetHost", f"is {host!r}, which is no host: name one")
        yield from check_port(f"{place}.tunnel.targetPort", tunnel.get("targetPort", 0))


def _subsets(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, subset in enumerate(_list(_spec(document), "subsets")):
        name = subset.get("name", "")
        if not LABEL.fullmatch(name):
            yield error(f"spec.subsets[{index}].name", f"is {name!r}, which is no DNS label: name the subset")
        yield from check_labels(f"spec.subsets[{index}].labels", subset.get("labels") or {})


def _subset_names(document: Mapping[str, Any]) -> Iterator[Found]:
    taken: set[Any] = set()
    for index, subset in enumerate(_list(_spec(document), "subsets")):
        name = subset.get("name")
        if name in taken:
            yield error(f"spec.subsets[{index}].name", f"is {name!r} like another subset's: choose another")
        taken.add(name)


def _workload_selector(document: Mapping[str, Any]) -> Iterator[Found]:
    selector = _spec(document).get("workloadSelector")
    for key, value in ((selector or {}).get("matchLabels") or {}).items():
        if not key or "*" in f"{key}{value}":
            path = "spec.workloadSelector.matchLabels"
            yield error(path, f"has {key!r}: {value!r}: give each label a key, and leave '*' out")
    own = (".", (document.get("metadata") or {}).get("namespace", ""))
    if selector is not None and any(entry not in own for entry in _texts(_spec(document), "exportTo")):
        yield error("spec.exportTo", "must be '.' beside workloadSelector: leave the others out")


# ------------------------------------------------------------------------------------------------------------ the rules
_LATER_RETRIES = ("reset-before-request", "http3-post-connect-failure")


@dataclass(frozen=True, slots=True)
class _Row:
    """A rule of a kind, with its id and the first and the last release that has it."""

    kind: str
    id: str
    rule: Rule
    since: str = "1.15"
    until: str | None = None


_RULES = (
    _Row("Gateway", "networking/name", _name),
    _Row("Gateway", "networking/servers", _any_server),
    _Row("Gateway", "networking/port", _port_names),
    _Row("Gateway", "networking/hosts", _server_hosts),
    _Row("Gateway", "networking/hosts", _wildcards, since="1.17"),  # istio 1.17.8
    _Row("Gateway", "networking/port", _server_ports(unless_zero=True), until="1.19"),  # istio 1.19.10
    _Row("Gateway", "networking/port", _server_ports(unless_zero=False), since="1.20"),  # istio 1.20.8
    _Row("Gateway", "networking/port", _target_ports, since="1.20"),  # istio 1.20.8
    _Row("Gateway", "networking/bind", _binds),
    _Row("Gateway", "networking/tls", _protocol_and_tls),
    _Row("Gateway", "networking/tls", _tls_modes(), until="1.26"),
    _Row(
        "Gateway", "networking/tls", _tls_modes(names=("credentialNames", "tlsCertificates")), since="1.27"
    ),  # istio 1.27.9
    _Row("Gateway", "networking/ciphers", _ciphers),
    _Row("Gateway", "networking/tls", _one_certificate_source, since="1.27"),  # istio 1.27.9
    _Row("Gateway", "networking/tls", _revocation, since="1.22"),  # istio 1.22.8
    _Row("VirtualService", "networking/delegate", _delegate),
    _Row("VirtualService", "networking/gateways", _gateway_names),
    _Row("VirtualService", "networking/hosts", _hosts(sni_names=False), until="1.21"),  # istio 1.21.6
    _Row("VirtualService", "networking/hosts", _hosts(sni_names=True), since="1.22"),  # istio 1.22.8
    _Row("VirtualService", "networking/wildcard-host", _wildcard_of_the_mesh),
    _Row("VirtualService", "networking/no-route", _any_route),
    _Row("VirtualService", "networking/routes", _http_routes),
    _Row("VirtualService", "networking/fault", of_each_route(http_routes.fault, "fault")),
    _Row("VirtualService", "networking/retries", of_each_route(http_routes.retries(), "retries"), until="1.22"),
    _Row(
        "VirtualService",
        "networking/retries",
        of_each_route(http_routes.retries(*_LATER_RETRIES), "retries"),
        since="1.23",  # istio 1.23.6
        until="1.25",
    ),
    _Row(
        "VirtualService",
        "networking/retries",
        of_each_route(http_routes.retries(*_LATER_RETRIES, with_backoff=True), "retries"),
        since="1.26",  # istio 1.26.8
    ),
    _Row("VirtualService", "networking/redirect", of_each_route(http_routes.redirect(prefixes=False)), until="1.30"),
    _Row(
        "VirtualService",
        "networking/redirect",
        of_each_route(http_routes.redirect(prefixes=True)),
        since="1.31",  # branch release-1.31
    ),
    _Row("VirtualService", "networking/rewrite", of_each_route(http_routes.rewrite_of_a_text, "rewrite"), until="1.18"),
    _Row(
        "VirtualService",
        "networking/rewrite",
        of_each_route(http_routes.rewrite, "rewrite"),
        since="1.19",  # istio 1.19.10
    ),
    _Row("VirtualService", "networking/direct-response", of_each_route(http_routes.direct_response, "directResponse")),
    _Row(
        "VirtualService",
        "networking/cors",
        of_each_route(http_routes.cors(header=ANY_NAME), "corsPolicy"),
        until="1.22",
    ),
    _Row(
        "VirtualService",
        "networking/cors",
        of_each_route(http_routes.cors(header=WORD), "corsPolicy"),
        since="1.23",  # istio 1.23.6
        until="1.23",
    ),
    _Row(
        "VirtualService",
        "networking/cors",
        of_each_route(http_routes.cors(header=TOKEN), "corsPolicy"),
        since="1.24",  # istio 1.24.6
        until="1.25",
    ),
    _Row(
        "VirtualService",
        "networking/cors",
        of_each_route(http_routes.cors("*", header=TOKEN), "corsPolicy"),
        since="1.26",  # istio 1.26.8
    ),
    _Row(
        "VirtualService",
        "networking/headers",
        of_each_route(http_routes.header_matches(header=WORD)),
        since="1.23",  # istio 1.23.6
        until="1.23",
    ),
    _Row(
        "VirtualService",
        "networking/headers",
        of_each_route(http_routes.header_matches(*PSEUDO_HEADERS, header=TOKEN)),
        since="1.24",  # istio 1.24.6
    ),
    _Row(
        "VirtualService",
        "networking/headers",
        of_each_route(http_routes.changed_headers(paired_percents, of_a_destination=HOST)),
        until="1.15",
    ),
    _Row(
        "VirtualService",
        "networking/headers",
        of_each_route(http_routes.changed_headers(envoy_format, of_a_destination=HOST)),
        since="1.16",  # istio 1.16.7
        until="1.20",
    ),
    _Row(
        "VirtualService",
        "networking/headers",
        of_each_route(http_routes.changed_headers(envoy_format, of_a_destination=AUTHORITY)),
        since="1.21",  # istio 1.21.6
    ),
    _Row("VirtualService", "networking/mirrors", _mirrors, since="1.20"),  # istio 1.20.8
    _Row("VirtualService", "networking/mirrors", _mirror_percentages),
    _Row("VirtualService", "networking/mirrors", of_each_route(http_routes.mirror_percent)),
    _Row("VirtualService", "networking/headers", _one_authority),
    _Row("VirtualService", "networking/claims", _claims(beside_mesh=True), until="1.21"),  # istio 1.21.6
    _Row("VirtualService", "networking/claims", _claims(beside_mesh=False), since="1.22"),  # istio 1.22.8
    _Row("VirtualService", "networking/match", _match_requests),
    _Row("VirtualService", "networking/destinations", _destinations),
    _Row("VirtualService", "networking/weights", _weights),
    _Row("VirtualService", "networking/sni-hosts", _tls_routes(sni_names=False), until="1.21"),  # istio 1.21.6
    _Row("VirtualService", "networking/sni-hosts", _tls_routes(sni_names=True), since="1.22"),  # istio 1.22.8
    _Row("VirtualService", "networking/routes", _tcp_routes),
    _Row("VirtualService", "networking/export-to", _export_to),
    _Row("VirtualService", UNREACHABLE, unreachable_routes(with_matches=False), until="1.26"),
    _Row("VirtualService", UNREACHABLE, unreachable_routes(with_matches=True), since="1.27"),  # istio 1.27.9
    _Row("DestinationRule", "networking/hosts", _rule_host),
    _Row("DestinationRule", "networking/empty-policy", _not_empty(*_POLICY), until="1.20"),
    _Row(
        "DestinationRule", "networking/empty-policy", _not_empty(*_POLICY, "proxyProtocol"), since="1.21", until="1.26"
    ),  # istio 1.21.6
    _Row(
        "DestinationRule", "networking/empty-policy", _not_empty(*_POLICY, "proxyProtocol", "retryBudget"), since="1.27"
    ),  # istio 1.27.9
    _Row("DestinationRule", "networking/traffic-policy", _exclusive_tunnel, since="1.21"),  # istio 1.21.6
    _Row("DestinationRule", "networking/empty-policy", _port_settings),
    _Row("DestinationRule", "networking/failover", _failover_without_detection),
    _Row("DestinationRule", "networking/traffic-policy", _tunnels),
    _Row("DestinationRule", "networking/secret-of-others", _secrets_of_others, since="1.26"),  # istio 1.26.8
    _Row("DestinationRule", "networking/subsets", _subsets),
    _Row("DestinationRule", "networking/subsets", _subset_names, since="1.22"),  # istio 1.22.8
    _Row("DestinationRule", "networking/workload-selector", _workload_selector),
    _Row("DestinationRule", "networking/export-to", _export_to),
)


_NEEDS: Mapping[str, re.Pattern[str]] = {
    rule: re.compile(pattern)
    for rule, pattern in {
        "networking/servers": r"(spec)\.servers\b",
        "networking/tls": r"(spec\.servers\[\d+\])\.(?:port\.protocol|tls\.(?:mode|credentialNames?|tlsCertifi\w+))\b",
        "networking/ciphers": r"(spec\.servers\[\d+\]\.tls)\.(?:minProtocolVersion|cipherSuites)\b",
        "networking/delegate": r"(spec)\.hosts\b",
        "networking/wildcard-host": r"(spec)\.gateways\b",
        "networking/no-route": r"(spec)\.(?:http|tls|tcp)\b",
        "networking/routes": r"(spec\.http\[\d+\])\.(?:route|redirect|directResponse|delegate)$",
        "networking/redirect": r"(spec\.http\[\d+\]\.redirect)\.\w+$",
        "networking/rewrite": r"(spec\.http\[\d+\]\.rewrite)\.\w+",
        "networking/cors": r"(spec\.http\[\d+\]\.corsPolicy\.allowOrigins\[\d+\])\.\w+$",
        "networking/claims": r"(spec)\.gateways\b",
        "networking/weights": r"(spec\.\w+\[\d+\]\.route)\[\d+\](?:\.weight)?$",
        "networking/sni-hosts": r"(spec)\.(?:hosts|gateways)\b",
        UNREACHABLE: r"(spec)\.(?:(?:http|tls|tcp)(?:\[\d+\])?$|.*\.match\b)",
        "networking/empty-policy": r"(spec\..*(?:trafficPolicy|portLevelSettings\[\d+\]))\.\w+$",
        "networking/traffic-policy": r"(spec\..*(?:\.tls|\.(?:distribute|failover)\[\d+\]))\.(?:mode|from|to)\b",
        "networking/failover": r"(spec\..*(?:trafficPolicy|portLevelSettings\[\d+\]))\.outlierDetection$",
        "networking/secret-of-others": r"()metadata\.namespace$",
        "networking/workload-selector": r"()metadata\.namespace$",
    }.items()
}
"""The values that a rule cannot do without. Where the place of a wrong value matches, what the rule says of the first
group, or of anything if that is empty, is not told, since the rule saw a document without that value."""


@cache
def _rows(kind: str, release: Release) -> tuple[_Row, ...]:
    rows = [row for row in _RULES if row.kind == kind and in_release(row.since, row.until, release)]
    if kind == "DestinationRule":
        rows.append(_Row(kind, "networking/traffic-policy", _parts(release)))
    return tuple(rows)
