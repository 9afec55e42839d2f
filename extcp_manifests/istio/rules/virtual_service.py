"""What istiod's webhook reports of a VirtualService."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, error, warning
from extcp_manifests.documents.lookup import list_at, texts_at
from extcp_manifests.errors import Path
from extcp_manifests.istio.rules.checks import (
    LABEL,
    HostNames,
    check_duration,
    check_labels,
    check_port,
    is_fqdn,
    is_ip,
    is_subnet,
    is_wildcard_domain,
    overlapping,
    spec_of,
)
from extcp_manifests.istio.rules.http_routes import check_regex

# ------------------------------------------------------------------------------------------------------- VirtualService


def _gateways(spec: Mapping[str, Any]) -> Sequence[str]:
    return [str(gateway) for gateway in list_at(spec, "gateways")]


def _delegate(document: Mapping[str, Any]) -> Iterator[Found]:
    spec = spec_of(document)
    if not list_at(spec, "hosts"):
        for key in ("gateways", "tls", "tcp"):
            if list_at(spec, key):
                yield error(("spec", key), "must be empty where there are no hosts (a delegate): add hosts")
        for index, route in enumerate(list_at(spec, "http")):
            if route.get("delegate") is not None:
                yield error(("spec", "http", index, "delegate"), "must not stand in a delegate: leave it out")


def _gateway_names(document: Mapping[str, Any]) -> Iterator[Found]:
    yield from _gateway_list(("spec", "gateways"), _gateways(spec_of(document)))
    for path, match in _matches_of(document):
        yield from _gateway_list((*path, "gateways"), _gateways(match))


def _gateway_list(path: Path, gateways: Sequence[str]) -> Iterator[Found]:
    """istiod stops looking at the first name without a slash; a warning tells of those behind it."""
    unseen = False
    for index, gateway in enumerate(gateways):
        namespace, slash, name = gateway.partition("/")
        good = LABEL.fullmatch(namespace) and LABEL.fullmatch(name) if slash else is_fqdn(gateway)
        if not good:
            report = warning if unseen else error
            yield report((*path, index), f"is {gateway!r}, which is no gateway: write name or namespace/name")
        elif not slash and "." in gateway and not unseen:
            yield warning((*path, index), f"is {gateway!r}, an old form: write namespace/name")
        unseen = unseen or not slash


def _hosts(*, sni_names: bool) -> Rule:
    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        spec = spec_of(document)
        hosts = list_at(spec, "hosts")
        outside = bool(_gateways(spec)) and "mesh" not in _gateways(spec)
        by_name = outside and any(list_at(match, "sniHosts") for _, match in _matches_of(document))
        wrong = "*" in hosts and _bound_to_mesh(spec)
        for index, host in enumerate(map(str, hosts)):
            known = is_wildcard_domain(host) or is_ip(host)
            known = known or (sni_names and by_name and bool(_SNI_NAME.fullmatch(host)))
            if not known:
                wrong = True
                yield error(
                    ("spec", "hosts", index), f"is {host!r}, which is no host: use a host name or an IP address"
                )
        texts = [host for host in hosts if isinstance(host, str)]
        for one, other in () if wrong else overlapping(texts):
            yield error(("spec", "hosts"), f"has {one!r} and {other!r}, which overlap: leave one out")

    return rule


def _wildcard_of_the_mesh(document: Mapping[str, Any]) -> Iterator[Found]:
    bound_to_mesh = _bound_to_mesh(spec_of(document))
    for index, host in enumerate(list_at(spec_of(document), "hosts")):
        if host == "*" and bound_to_mesh:
            yield error(("spec", "hosts", index), "is '*', which would take all of the mesh: name gateways only")


_SNI_NAME = re.compile(r"outbound_\.[0-9]+_\.[^.]*_\.[-a-zA-Z0-9.]+")


def _bound_to_mesh(spec: Mapping[str, Any]) -> bool:
    return not _gateways(spec) or "mesh" in _gateways(spec)


def _any_route(document: Mapping[str, Any]) -> Iterator[Found]:
    if not any(list_at(spec_of(document), key) for key in ("http", "tls", "tcp")):
        yield error(("spec",), "has no route: add http, tls or tcp")


def _http_routes(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, route in enumerate(list_at(spec_of(document), "http")):
        place = ("spec", "http", index)
        if route.get("delegate") is not None:
            for key in ("redirect", "route"):
                if route.get(key) not in (None, []):
                    yield error((*place, key), "must not stand beside delegate: leave one out")
        else:
            yield from _one_action(place, route)
        if "timeout" in route:
            yield from check_duration((*place, "timeout"), route["timeout"])


def _one_action(place: Path, route: Mapping[str, Any]) -> Iterator[Found]:
    actions = [key for key in ("route", "redirect", "directResponse") if route.get(key) not in (None, [])]
    if not actions:
        yield error(place, "has neither route nor redirect nor directResponse: add one")
    if len(actions) > 1:
        yield error(place, f"has {' and '.join(actions)}, which exclude each other: keep one")
    for key in ("fault", "rewrite"):
        if route.get(key) is not None and "route" not in actions and actions:
            yield error((*place, key), f"must not stand beside {actions[0]}: leave it out")


def _mirrors(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, route in enumerate(list_at(spec_of(document), "http")):
        if route.get("mirror") is not None and route.get("mirrors"):
            yield error(("spec", "http", index), "has mirror and mirrors, which exclude each other: keep one")


def _mirror_percentages(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, route in enumerate(list_at(spec_of(document), "http")):
        place = ("spec", "http", index)
        shares: dict[Path, Any] = {(*place, "mirrorPercentage", "value"): route.get("mirrorPercentage")}
        shares |= {
            (*place, "mirrors", number, "percentage", "value"): mirror.get("percentage")
            for number, mirror in enumerate(list_at(route, "mirrors"))
        }
        for path, share in shares.items():
            value = (share or {}).get("value", 0)
            if not 0 <= value <= 100:
                yield error(path, f"is {value}: use 0 to 100")


def _one_authority(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, route in enumerate(list_at(spec_of(document), "http")):
        places = ["rewrite.authority"] if (route.get("rewrite") or {}).get("authority") else []
        request = (route.get("headers") or {}).get("request") or {}
        places += [
            f"headers.request.{action}.{name}"
            for action in ("set", "add")
            for name in request.get(action) or {}
            if name.lower() in (":authority", "host")
        ]
        if len(places) > 1:
            yield error(("spec", "http", index), f"sets the authority in {' and '.join(places)}: keep one")


def _claims(*, beside_mesh: bool) -> Rule:
    """Headers that stand for claims of a token need a gateway; `beside_mesh`: which may stand beside `mesh`."""

    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        gateways = _gateways(spec_of(document))
        if any(gateway != "mesh" for gateway in gateways) and (beside_mesh or "mesh" not in gateways):
            return
        for path, match in _matches_of(document):
            for kind in ("headers", "withoutHeaders"):
                for name in match.get(kind) or {}:
                    if name.startswith("@request.auth.claims"):
                        yield error((*path, kind, name), "only works at a gateway: name gateways, without mesh")

    return rule


def _matches_of(document: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for kind in ("http", "tls", "tcp"):
        for index, route in enumerate(list_at(spec_of(document), kind)):
            for number, match in enumerate(list_at(route, "match")):
                yield ("spec", kind, index, "match", number), match


def _match_requests(document: Mapping[str, Any]) -> Iterator[Found]:
    for path, match in _matches_of(document):
        if match.get("port"):
            yield from check_port((*path, "port"), match["port"])
        for key in ("uri", "scheme", "method", "authority"):
            yield from _string_match((*path, key), match.get(key), empty_prefix=key == "uri")
        for kind in ("headers", "queryParams", "withoutHeaders"):
            for name, each in (match.get(kind) or {}).items():
                if not name and kind != "queryParams":
                    yield error((*path, kind), "has a header without a name: name it")
                anything = kind == "withoutHeaders" and (each or {}).get("regex") == "*"
                yield from _string_match((*path, kind, name), {} if anything else each)
        for subnet in texts_at(match, "destinationSubnets"):
            if not is_subnet(subnet):
                yield error(
                    (*path, "destinationSubnets"), f"has {subnet!r}, which is no IP address or range: correct it"
                )
        yield from check_labels((*path, "sourceLabels"), match.get("sourceLabels") or {})
        if match.get("sourceNamespace") and not LABEL.fullmatch(str(match["sourceNamespace"])):
            yield error(
                (*path, "sourceNamespace"), f"is {match['sourceNamespace']!r}, which is no namespace: correct it"
            )


def _string_match(path: Path, match: Any, *, empty_prefix: bool = False) -> Iterator[Found]:
    if not isinstance(match, Mapping):
        return
    if match.get("prefix") == "" and not empty_prefix:
        yield error((*path, "prefix"), "is empty: leave it out, or say what it must begin with")
    if "regex" in match:
        yield from check_regex((*path, "regex"), str(match["regex"]))


def _destinations(document: Mapping[str, Any]) -> Iterator[Found]:
    for kind in ("http", "tls", "tcp"):
        for index, route in enumerate(list_at(spec_of(document), kind)):
            entries = list_at(route, "route")
            place = ("spec", kind, index, "route")
            for number, entry in enumerate(entries):
                yield from _destination((*place, number), entry)
            if route.get("mirror") is not None:
                yield from _host_and_port(("spec", kind, index, "mirror"), route["mirror"])
            for number, mirror in enumerate(list_at(route, "mirrors")):
                yield from _host_and_port(
                    ("spec", kind, index, "mirrors", number, "destination"), mirror.get("destination") or {}
                )


def _weights(document: Mapping[str, Any]) -> Iterator[Found]:
    for kind in ("http", "tls", "tcp"):
        for index, route in enumerate(list_at(spec_of(document), kind)):
            weights = [entry.get("weight", 0) for entry in list_at(route, "route") if isinstance(entry, Mapping)]
            if len(weights) > 1 and sum(weights) == 0:
                problem = "has several destinations and no weight: give each a weight"
                yield error(("spec", kind, index, "route"), problem)


def _destination(place: Path, entry: Any) -> Iterator[Found]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("destination"), Mapping):
        yield error((*place, "destination"), "is required: add its host")
        return
    yield from _host_and_port((*place, "destination"), entry["destination"])
    if entry.get("weight", 0) < 0:
        yield error((*place, "weight"), f"is {entry['weight']}: use 0 or more")


def _host_and_port(place: Path, destination: Mapping[str, Any]) -> Iterator[Found]:
    host = str(destination.get("host", ""))
    if host == "*" or not is_wildcard_domain(host):
        yield error((*place, "host"), f"is {host!r}, which is no host name: name a service")
    if destination.get("subset") and not LABEL.fullmatch(str(destination["subset"])):
        yield error((*place, "subset"), f"is {destination['subset']!r}, which is no DNS label: correct it")
    if "port" in destination:
        yield from check_port((*place, "port", "number"), (destination["port"] or {}).get("number", 0))


def _tls_routes(*, sni_names: bool) -> Rule:
    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        spec = spec_of(document)
        hosts = HostNames()
        for host in list_at(spec, "hosts"):
            hosts.add(str(host))
        outside = "mesh" not in _gateways(spec)
        for index, route in enumerate(list_at(spec, "tls")):
            place = ("spec", "tls", index)
            if not list_at(route, "match"):
                yield error((*place, "match"), "is empty: add sniHosts")
            if not list_at(route, "route"):
                yield error((*place, "route"), "is empty: add a destination")
            for number, match in enumerate(list_at(route, "match")):
                names = texts_at(match, "sniHosts")
                if not list_at(match, "sniHosts"):
                    yield error((*place, "match", number, "sniHosts"), "is empty: add a host of this VirtualService")
                for name in names:
                    yield from _sni_host((*place, "match", number, "sniHosts"), name, hosts, sni_names and outside)

    return rule


def _sni_host(path: Path, name: str, hosts: HostNames, sni_names: bool) -> Iterator[Found]:
    if is_ip(name):
        yield warning(path, f"has {name!r}: clients send no SNI for an IP address")
    elif not (is_wildcard_domain(name) or (sni_names and _SNI_NAME.fullmatch(name))):
        yield error(path, f"has {name!r}, which is no host name: correct it")
    if hosts.covering(name) is None:
        yield error(path, f"has {name!r}, which is no host of this VirtualService: add it to spec.hosts")


def _tcp_routes(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, route in enumerate(list_at(spec_of(document), "tcp")):
        if not list_at(route, "route"):
            yield error(("spec", "tcp", index, "route"), "is empty: add a destination")


# ------------------------------------------------------------------------------------------------------------ the rules
_LATER_RETRIES = ("reset-before-request", "http3-post-connect-failure")
