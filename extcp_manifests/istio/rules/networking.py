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

from extcp_manifests import yaml
from extcp_manifests.documents.findings import Findings, Found, as_errors, as_warnings, by_rule
from extcp_manifests.documents.kubernetes import Model
from extcp_manifests.errors import InvalidInput, Path, Problem, path_text
from extcp_manifests.istio.releases import Release, find_release, since, until
from extcp_manifests.istio.rules import http_routes
from extcp_manifests.istio.rules.checks import RuleRow, check_export_to, check_name
from extcp_manifests.istio.rules.destination_rule import (
    _POLICY,
    _exclusive_tunnel,
    _failover_without_detection,
    _not_empty,
    _parts,
    _port_settings,
    _rule_host,
    _secrets_of_others,
    _subset_names,
    _subsets,
    _tunnels,
    _workload_selector,
)
from extcp_manifests.istio.rules.gateway import (
    _any_server,
    _binds,
    _ciphers,
    _one_certificate_source,
    _port_names,
    _protocol_and_tls,
    _revocation,
    _server_hosts,
    _server_ports,
    _target_ports,
    _tls_modes,
    _wildcards,
)
from extcp_manifests.istio.rules.http_routes import (
    ANY_NAME,
    AUTHORITY,
    HOST,
    PSEUDO_HEADERS,
    TOKEN,
    WORD,
    envoy_format,
    of_each_route,
    paired_percents,
)
from extcp_manifests.istio.rules.unreachable_routes import UNREACHABLE, unreachable_routes
from extcp_manifests.istio.rules.virtual_service import (
    _LATER_RETRIES,
    _any_route,
    _claims,
    _delegate,
    _destinations,
    _gateway_names,
    _hosts,
    _http_routes,
    _match_requests,
    _mirror_percentages,
    _mirrors,
    _one_authority,
    _tcp_routes,
    _tls_routes,
    _weights,
    _wildcard_of_the_mesh,
)
from extcp_manifests.istio.schema.decoder import Finding, decode
from extcp_manifests.istio.schema.tables import read_schema

GROUP = "networking.istio.io"


def validate_networking(document: Model | Mapping[str, Any], *, release: Release | str) -> Findings:
    """Validate a Gateway, VirtualService or DestinationRule, typed or plain.

    Paths begin with the document's `metadata` or `spec`. Raises InvalidInput for a document of another kind.
    """
    given: Any = document.plain() if isinstance(document, Model) else document
    if not isinstance(given, Mapping):
        raise InvalidInput([Problem((), "must be a mapping with `kind: Gateway`, VirtualService or DestinationRule")])
    yaml.require_plain(given)
    record = find_release(release)
    version = given.get("apiVersion")
    is_other = isinstance(version, str) and version.rpartition("/")[0] != GROUP
    if is_other or not _rows(str(given.get("kind")), record):
        problem = f"is {given.get('kind')!r}: give a Gateway, VirtualService or DestinationRule"
        raise InvalidInput([Problem(("kind",), problem)])
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
    return (Problem((*place, *each.path), each.message) for each in findings)


def _kept(row: "RuleRow", found: Iterable[Found], wrong: Sequence[Problem]) -> Iterable[Found]:
    """Leave out what a rule says of a value that is told already, or because such a value was left out."""
    if not wrong:
        return found
    places = {each.path for each in wrong}
    for place in (each.path for each in wrong):
        needed = _NEEDS[row.id].match(place) if row.id in _NEEDS else None
        if needed:
            places.add(needed[1])
    return [each for each in found if places.isdisjoint(_around(each.problem.place))]


def _around(place: Path) -> Iterator[str]:
    """Yield a place and all those that it is in, as text; the empty one is the document."""
    for length in range(len(place) + 1):
        yield path_text(place[:length])


_RULES = (
    RuleRow("Gateway", "networking/name", check_name),
    RuleRow("Gateway", "networking/servers", _any_server),
    RuleRow("Gateway", "networking/port", _port_names),
    RuleRow("Gateway", "networking/hosts", _server_hosts),
    RuleRow("Gateway", "networking/hosts", _wildcards, releases=since("1.17")),  # istio 1.17.8
    RuleRow("Gateway", "networking/port", _server_ports(unless_zero=True), releases=until("1.19")),  # istio 1.19.10
    RuleRow("Gateway", "networking/port", _server_ports(unless_zero=False), releases=since("1.20")),  # istio 1.20.8
    RuleRow("Gateway", "networking/port", _target_ports, releases=since("1.20")),  # istio 1.20.8
    RuleRow("Gateway", "networking/bind", _binds),
    RuleRow("Gateway", "networking/tls", _protocol_and_tls),
    RuleRow("Gateway", "networking/tls", _tls_modes(), releases=until("1.26")),
    RuleRow(
        "Gateway", "networking/tls", _tls_modes(names=("credentialNames", "tlsCertificates")), releases=since("1.27")
    ),  # istio 1.27.9
    RuleRow("Gateway", "networking/ciphers", _ciphers),
    RuleRow("Gateway", "networking/tls", _one_certificate_source, releases=since("1.27")),  # istio 1.27.9
    RuleRow("Gateway", "networking/tls", _revocation, releases=since("1.22")),  # istio 1.22.8
    RuleRow("VirtualService", "networking/delegate", _delegate),
    RuleRow("VirtualService", "networking/gateways", _gateway_names),
    RuleRow("VirtualService", "networking/hosts", _hosts(sni_names=False), releases=until("1.21")),  # istio 1.21.6
    RuleRow("VirtualService", "networking/hosts", _hosts(sni_names=True), releases=since("1.22")),  # istio 1.22.8
    RuleRow("VirtualService", "networking/wildcard-host", _wildcard_of_the_mesh),
    RuleRow("VirtualService", "networking/no-route", _any_route),
    RuleRow("VirtualService", "networking/routes", _http_routes),
    RuleRow("VirtualService", "networking/fault", of_each_route(http_routes.fault, "fault")),
    RuleRow(
        "VirtualService", "networking/retries", of_each_route(http_routes.retries(), "retries"), releases=until("1.22")
    ),
    RuleRow(
        "VirtualService",
        "networking/retries",
        of_each_route(http_routes.retries(*_LATER_RETRIES), "retries"),
        releases=since("1.23", until="1.25"),  # istio 1.23.6
    ),
    RuleRow(
        "VirtualService",
        "networking/retries",
        of_each_route(http_routes.retries(*_LATER_RETRIES, with_backoff=True), "retries"),
        releases=since("1.26"),  # istio 1.26.8
    ),
    RuleRow(
        "VirtualService",
        "networking/redirect",
        of_each_route(http_routes.redirect(prefixes=False)),
        releases=until("1.30"),
    ),
    RuleRow(
        "VirtualService",
        "networking/redirect",
        of_each_route(http_routes.redirect(prefixes=True)),
        releases=since("1.31"),  # branch release-1.31
    ),
    RuleRow(
        "VirtualService",
        "networking/rewrite",
        of_each_route(http_routes.rewrite_of_a_text, "rewrite"),
        releases=until("1.18"),
    ),
    RuleRow(
        "VirtualService",
        "networking/rewrite",
        of_each_route(http_routes.rewrite, "rewrite"),
        releases=since("1.19"),  # istio 1.19.10
    ),
    RuleRow(
        "VirtualService", "networking/direct-response", of_each_route(http_routes.direct_response, "directResponse")
    ),
    RuleRow(
        "VirtualService",
        "networking/cors",
        of_each_route(http_routes.cors(header=ANY_NAME), "corsPolicy"),
        releases=until("1.22"),
    ),
    RuleRow(
        "VirtualService",
        "networking/cors",
        of_each_route(http_routes.cors(header=WORD), "corsPolicy"),
        releases=since("1.23", until="1.23"),  # istio 1.23.6
    ),
    RuleRow(
        "VirtualService",
        "networking/cors",
        of_each_route(http_routes.cors(header=TOKEN), "corsPolicy"),
        releases=since("1.24", until="1.25"),  # istio 1.24.6
    ),
    RuleRow(
        "VirtualService",
        "networking/cors",
        of_each_route(http_routes.cors("*", header=TOKEN), "corsPolicy"),
        releases=since("1.26"),  # istio 1.26.8
    ),
    RuleRow(
        "VirtualService",
        "networking/headers",
        of_each_route(http_routes.header_matches(header=WORD)),
        releases=since("1.23", until="1.23"),  # istio 1.23.6
    ),
    RuleRow(
        "VirtualService",
        "networking/headers",
        of_each_route(http_routes.header_matches(*PSEUDO_HEADERS, header=TOKEN)),
        releases=since("1.24"),  # istio 1.24.6
    ),
    RuleRow(
        "VirtualService",
        "networking/headers",
        of_each_route(http_routes.changed_headers(paired_percents, of_a_destination=HOST)),
        releases=until("1.15"),
    ),
    RuleRow(
        "VirtualService",
        "networking/headers",
        of_each_route(http_routes.changed_headers(envoy_format, of_a_destination=HOST)),
        releases=since("1.16", until="1.20"),  # istio 1.16.7
    ),
    RuleRow(
        "VirtualService",
        "networking/headers",
        of_each_route(http_routes.changed_headers(envoy_format, of_a_destination=AUTHORITY)),
        releases=since("1.21"),  # istio 1.21.6
    ),
    RuleRow("VirtualService", "networking/mirrors", _mirrors, releases=since("1.20")),  # istio 1.20.8
    RuleRow("VirtualService", "networking/mirrors", _mirror_percentages),
    RuleRow("VirtualService", "networking/mirrors", of_each_route(http_routes.mirror_percent)),
    RuleRow("VirtualService", "networking/headers", _one_authority),
    RuleRow("VirtualService", "networking/claims", _claims(beside_mesh=True), releases=until("1.21")),  # istio 1.21.6
    RuleRow("VirtualService", "networking/claims", _claims(beside_mesh=False), releases=since("1.22")),  # istio 1.22.8
    RuleRow("VirtualService", "networking/match", _match_requests),
    RuleRow("VirtualService", "networking/destinations", _destinations),
    RuleRow("VirtualService", "networking/weights", _weights),
    RuleRow(
        "VirtualService", "networking/sni-hosts", _tls_routes(sni_names=False), releases=until("1.21")
    ),  # istio 1.21.6
    RuleRow(
        "VirtualService", "networking/sni-hosts", _tls_routes(sni_names=True), releases=since("1.22")
    ),  # istio 1.22.8
    RuleRow("VirtualService", "networking/routes", _tcp_routes),
    RuleRow("VirtualService", "networking/export-to", check_export_to),
    RuleRow("VirtualService", UNREACHABLE, unreachable_routes(with_matches=False), releases=until("1.26")),
    RuleRow(
        "VirtualService", UNREACHABLE, unreachable_routes(with_matches=True), releases=since("1.27")
    ),  # istio 1.27.9
    RuleRow("DestinationRule", "networking/hosts", _rule_host),
    RuleRow("DestinationRule", "networking/empty-policy", _not_empty(*_POLICY), releases=until("1.20")),
    RuleRow(
        "DestinationRule",
        "networking/empty-policy",
        _not_empty(*_POLICY, "proxyProtocol"),
        releases=since("1.21", until="1.26"),
    ),  # istio 1.21.6
    RuleRow(
        "DestinationRule",
        "networking/empty-policy",
        _not_empty(*_POLICY, "proxyProtocol", "retryBudget"),
        releases=since("1.27"),
    ),  # istio 1.27.9
    RuleRow("DestinationRule", "networking/traffic-policy", _exclusive_tunnel, releases=since("1.21")),  # istio 1.21.6
    RuleRow("DestinationRule", "networking/empty-policy", _port_settings),
    RuleRow("DestinationRule", "networking/failover", _failover_without_detection),
    RuleRow("DestinationRule", "networking/traffic-policy", _tunnels),
    RuleRow(
        "DestinationRule", "networking/secret-of-others", _secrets_of_others, releases=since("1.26")
    ),  # istio 1.26.8
    RuleRow("DestinationRule", "networking/subsets", _subsets),
    RuleRow("DestinationRule", "networking/subsets", _subset_names, releases=since("1.22")),  # istio 1.22.8
    RuleRow("DestinationRule", "networking/workload-selector", _workload_selector),
    RuleRow("DestinationRule", "networking/export-to", check_export_to),
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
def _rows(kind: str, release: Release) -> tuple[RuleRow, ...]:
    rows = [row for row in _RULES if row.kind == kind and release in row.releases]
    if kind == "DestinationRule":
        rows.append(RuleRow(kind, "networking/traffic-policy", _parts(release)))
    return tuple(rows)
