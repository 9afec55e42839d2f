"""What istiod's webhook reports of a VirtualService; the parts of its HTTP routes are in `http_routes`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, error, warning
from extcp_manifests.documents.lookup import EACH, at, each_at, items_of, mapping_of, text_of
from extcp_manifests.errors import Path
from extcp_manifests.istio.releases import since, until
from extcp_manifests.istio.rules import http_routes
from extcp_manifests.istio.rules.http_routes import check_regex
from extcp_manifests.istio.rules.rows import EVERYTHING, Excludes, OneOf, Range, Required, RuleRow, rows_at
from extcp_manifests.istio.rules.shared_checks import (
    LABEL,
    HostNames,
    check_export_to,
    check_labels,
    check_port,
    is_fqdn,
    is_ip,
    is_subnet,
    is_wildcard_domain,
    overlapping,
    texts_of,
)
from extcp_manifests.istio.rules.unreachable_routes import UNREACHABLE, unreachable_routes
from extcp_manifests.patterns import pattern

_PROTOCOLS = ("http", "tls", "tcp")
"""The keys of a spec that have routes."""


# --------------------------------------------------------------------------------------------------- hosts and gateways


def _delegate(spec: Mapping[str, Any]) -> Iterator[Found]:
    """A VirtualService without hosts is a delegate: others hand some of their HTTP routes on to it."""
    if items_of(spec, "hosts"):
        return
    for key in ("gateways", "tls", "tcp"):
        if items_of(spec, key):
            yield error((key,), "must be empty where there are no hosts (a delegate): add hosts")
    for index, route in enumerate(items_of(spec, "http")):
        if at(route, "delegate") is not None:
            yield error(("http", index, "delegate"), "must not be set in a delegate: leave it out")


def _gateway_names(spec: Mapping[str, Any]) -> Iterator[Found]:
    yield from _gateway_list(("gateways",), _gateways(spec))
    for place, match in _matches(spec):
        if "gateways" in match:
            yield from _gateway_list((*place, "gateways"), _gateways(match))


def _gateway_list(place: Path, gateways: Sequence[str]) -> Iterator[Found]:
    """Check names of gateways; istiod stops at the first one without a slash, so what follows it is only a warning."""
    is_looked_at = True
    for index, gateway in enumerate(gateways):
        namespace, slash, name = gateway.partition("/")
        is_valid = LABEL.fullmatch(namespace) and LABEL.fullmatch(name) if slash else is_fqdn(gateway)
        if not is_valid:
            report = error if is_looked_at else warning
            yield report(
                (*place, index), f"is {gateway!r}, which is not a valid gateway name: write name or namespace/name"
            )
        elif not slash and "." in gateway and is_looked_at:
            yield warning((*place, index), f"is {gateway!r}, an old form: write namespace/name")
        if not slash:
            is_looked_at = False


def _hosts(*, sni_names: bool) -> Rule:
    """Return the rule for hosts; `sni_names`: whether istiod's own names for TLS between networks are valid."""

    def rule(spec: Mapping[str, Any]) -> Iterator[Found]:
        hosts = items_of(spec, "hosts")
        is_bound_to_mesh = _is_bound_to_mesh(spec)
        takes_sni_names = sni_names and not is_bound_to_mesh and _matches_sni(spec)
        is_wrong = "*" in hosts and is_bound_to_mesh
        for index, host in enumerate(map(str, hosts)):
            is_sni_name = takes_sni_names and _SNI_NAME.fullmatch(host)
            if not (is_wildcard_domain(host) or is_ip(host) or is_sni_name):
                is_wrong = True
                problem = f"is {host!r}, which is not a valid host: use a host name or an IP address"
                yield error(("hosts", index), problem)
        if is_wrong:  # istiod only compares hosts that are valid
            return
        for one, other in overlapping(texts_of(spec, "hosts")):
            yield error(("hosts",), f"has {one!r} and {other!r}, which overlap: leave one out")

    return rule


def _matches_sni(spec: Mapping[str, Any]) -> bool:
    return any(items_of(match, "sniHosts") for _, match in _matches(spec))


# istio 1.22.8: pkg/config/validation/virtualservice.go; as istiod names a service's port for other networks.
_SNI_NAME = pattern(r"outbound_\.[0-9]+_\.[^.]*_\.[-a-zA-Z0-9.]+")


def _wildcard_of_the_mesh(spec: Mapping[str, Any]) -> Iterator[Found]:
    if not _is_bound_to_mesh(spec):
        return
    for index, host in enumerate(items_of(spec, "hosts")):
        if host == "*":
            yield error(("hosts", index), "is '*', which would take all of the mesh: name gateways only")


def _gateways(value: Any) -> Sequence[str]:
    return [str(gateway) for gateway in items_of(value, "gateways")]


def _is_bound_to_mesh(spec: Mapping[str, Any]) -> bool:
    """Return whether sidecars use the routes: `mesh` means them, and is what a missing list means."""
    gateways = _gateways(spec)
    return not gateways or "mesh" in gateways


# -------------------------------------------------------------------------------------------------------------- actions


def _action(route: Mapping[str, Any]) -> Iterator[Found]:
    if route.get("delegate") is not None:
        for key in ("redirect", "route"):
            if route.get(key) not in (None, []):
                yield error((key,), "must not be set beside delegate: leave one out")
        return
    actions = [key for key in ("route", "redirect", "directResponse") if route.get(key) not in (None, [])]
    if not actions:
        yield error((), "has neither route nor redirect nor directResponse: add one")
        return
    if len(actions) > 1:
        yield error((), f"has {' and '.join(actions)}, which exclude each other: keep one")
    for key in ("fault", "rewrite"):
        if route.get(key) is not None and "route" not in actions:
            yield error((key,), f"must not be set beside {actions[0]}: leave it out")


def _one_authority(route: Mapping[str, Any]) -> Iterator[Found]:
    if "headers" not in route:
        return
    places = ["rewrite.authority"] if text_of(route, "rewrite", "authority") else []
    request = mapping_of(route, "headers", "request")
    for action in ("set", "add"):
        names = mapping_of(request, action)
        places += [f"headers.request.{action}.{name}" for name in names if name.lower() in (":authority", "host")]
    if len(places) > 1:
        yield error((), f"sets the authority in {' and '.join(places)}: keep one")


# -------------------------------------------------------------------------------------------------------------- matches


def _matches(spec: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield every match of every route, with its place in the spec."""
    for protocol in _PROTOCOLS:
        for number, route in enumerate(items_of(spec, protocol)):
            for index, match in enumerate(items_of(route, "match")):
                if match is not None:
                    yield (protocol, number, "match", index), match


def _claims(*, beside_mesh: bool) -> Rule:
    """Return the rule for headers that are claims of a token, which only gateways know.

    `beside_mesh`: whether it is enough that there is a gateway, even if `mesh` is there too.
    """

    def rule(spec: Mapping[str, Any]) -> Iterator[Found]:
        gateways = _gateways(spec)
        has_gateway = any(gateway != "mesh" for gateway in gateways)
        if has_gateway and (beside_mesh or "mesh" not in gateways):
            return
        for place, match in _matches(spec):
            for kind in ("headers", "withoutHeaders"):
                for name in mapping_of(match, kind):
                    if name.startswith("@request.auth.claims"):
                        yield error((*place, kind, name), "only works at a gateway: name gateways, without mesh")

    return rule


def _match(match: Mapping[str, Any]) -> Iterator[Found]:
    if match.get("port"):
        yield from check_port(("port",), match["port"])
    for key in ("uri", "scheme", "method", "authority"):
        if key in match:
            yield from _string_match((key,), match[key], empty_prefix=key == "uri")
    for kind in ("headers", "queryParams", "withoutHeaders"):
        for name, each in mapping_of(match, kind).items():
            if not name and kind != "queryParams":
                yield error((kind,), "has a header without a name: name it")
            if kind == "withoutHeaders" and at(each, "regex") == "*":
                continue  # any value, which is not a regular expression
            yield from _string_match((kind, name), each)
    for subnet in texts_of(match, "destinationSubnets"):
        if not is_subnet(subnet):
            problem = f"has {subnet!r}, which is not a valid IP address or range: correct it"
            yield error(("destinationSubnets",), problem)
    if "sourceLabels" in match:
        yield from check_labels(("sourceLabels",), mapping_of(match, "sourceLabels"))
    namespace = text_of(match, "sourceNamespace")
    if namespace and not LABEL.fullmatch(namespace):
        yield error(("sourceNamespace",), f"is {namespace!r}, which is not a valid namespace: correct it")


def _string_match(place: Path, match: Any, *, empty_prefix: bool = False) -> Iterator[Found]:
    if not isinstance(match, Mapping):
        return
    if match.get("prefix") == "" and not empty_prefix:
        yield error((*place, "prefix"), "is empty: leave it out, or say what it must begin with")
    if "regex" in match:
        yield from check_regex((*place, "regex"), str(match["regex"]))


# --------------------------------------------------------------------------------------------------------- destinations


def _destinations(route: Mapping[str, Any]) -> Iterator[Found]:
    """Check where a route leads to, and for HTTP where copies of its requests go."""
    for number, entry in enumerate(items_of(route, "route")):
        place = ("route", number)
        if not isinstance(at(entry, "destination"), Mapping):
            yield error((*place, "destination"), "is required: add its host")
            continue
        yield from _host_and_port((*place, "destination"), entry["destination"])
        if entry.get("weight", 0) < 0:
            yield error((*place, "weight"), f"is {entry['weight']}: use 0 or more")
    if route.get("mirror") is not None:
        yield from _host_and_port(("mirror",), route["mirror"])
    for number, mirror in enumerate(items_of(route, "mirrors")):
        yield from _host_and_port(("mirrors", number, "destination"), mapping_of(mirror, "destination"))


def _host_and_port(place: Path, destination: Mapping[str, Any]) -> Iterator[Found]:
    host, subset = text_of(destination, "host"), text_of(destination, "subset")
    if host == "*" or not is_wildcard_domain(host):
        yield error((*place, "host"), f"is {host!r}, which is not a valid host name: name a service")
    if subset and not LABEL.fullmatch(subset):
        yield error((*place, "subset"), f"is {subset!r}, which is not a valid DNS label: correct it")
    if "port" in destination:
        yield from check_port((*place, "port", "number"), at(destination, "port", "number") or 0)


def _weights(route: Mapping[str, Any]) -> Iterator[Found]:
    destinations = items_of(route, "route")
    if len(destinations) < 2:
        return
    weights = [at(entry, "weight") or 0 for entry in destinations if isinstance(entry, Mapping)]
    if len(weights) > 1 and sum(weights) == 0:
        yield error(("route",), "has several destinations and no weight: give each a weight")


# ----------------------------------------------------------------------------------------------------------- TLS routes


def _sni_hosts(*, sni_names: bool) -> Rule:
    """Return the rule for the hosts by which TLS routes match; `sni_names` as for hosts."""

    def rule(spec: Mapping[str, Any]) -> Iterator[Found]:
        hosts = HostNames()
        for host in items_of(spec, "hosts"):
            hosts.add(str(host))
        takes_sni_names = sni_names and "mesh" not in _gateways(spec)
        for place, match in each_at(spec, ("tls", EACH, "match", EACH)):
            if not items_of(match, "sniHosts"):
                yield error((*place, "sniHosts"), "is empty: add a host of this VirtualService")
            for name in texts_of(match, "sniHosts"):
                yield from _sni_host((*place, "sniHosts"), name, hosts, takes_sni_names)

    return rule


def _sni_host(place: Path, name: str, hosts: HostNames, takes_sni_names: bool) -> Iterator[Found]:
    if is_ip(name):
        yield warning(place, f"has {name!r}: clients send no SNI for an IP address")
    elif not (is_wildcard_domain(name) or (takes_sni_names and _SNI_NAME.fullmatch(name))):
        yield error(place, f"has {name!r}, which is not a valid host name: correct it")
    if hosts.covering(name) is None:
        yield error(place, f"has {name!r}, which is not a host of this VirtualService: add it to spec.hosts")


_SPEC: Path = ("spec",)


_HTTP_ROUTE: Path = ("spec", "http", EACH)


_TLS_ROUTE: Path = ("spec", "tls", EACH)


_TCP_ROUTE: Path = ("spec", "tcp", EACH)


_GATEWAYS: tuple[Path, ...] = (("gateways",), ("gateways", EACH))


_HOSTS_AND_GATEWAYS: tuple[Path, ...] = (("hosts",), ("hosts", EACH), *_GATEWAYS)


_ACTIONS: tuple[Path, ...] = (("route",), ("redirect",), ("directResponse",), ("delegate",))


_WEIGHTS: tuple[Path, ...] = (("route", EACH), ("route", EACH, "weight"))


# Everything that decides which requests a route gets.
_ROUTES: tuple[Path, ...] = tuple(
    need
    for protocol in _PROTOCOLS
    for need in (
        ("spec", protocol),
        ("spec", protocol, EACH),
        ("spec", protocol, EACH, "match", EVERYTHING),
    )
)


ROWS = (
    RuleRow("networking/delegate", _delegate, at=_SPEC, needs=(("hosts",), ("hosts", EACH))),
    RuleRow("networking/gateways", _gateway_names, at=_SPEC),
    RuleRow("networking/hosts", _hosts(sni_names=False), at=_SPEC, releases=until("1.21")),  # istio 1.21.6
    RuleRow("networking/hosts", _hosts(sni_names=True), at=_SPEC, releases=since("1.22")),  # istio 1.22.8
    RuleRow("networking/wildcard-host", _wildcard_of_the_mesh, at=_SPEC, needs=_GATEWAYS),
    RuleRow("networking/no-route", OneOf(_PROTOCOLS, "has no route: add http, tls or tcp"), at=_SPEC),
    RuleRow("networking/routes", _action, at=_HTTP_ROUTE, needs=_ACTIONS),
    *rows_at(_HTTP_ROUTE, http_routes.ROWS),
    RuleRow(
        "networking/mirrors",
        Excludes(("mirror", "mirrors")),
        at=_HTTP_ROUTE,
        releases=since("1.20"),  # istio 1.20.8
    ),
    RuleRow("networking/mirrors", Range("value", 0, 100), at=(*_HTTP_ROUTE, "mirrorPercentage")),
    RuleRow("networking/mirrors", Range("value", 0, 100), at=(*_HTTP_ROUTE, "mirrors", EACH, "percentage")),
    RuleRow("networking/mirrors", http_routes.mirror_percent, at=_HTTP_ROUTE),
    RuleRow("networking/headers", _one_authority, at=_HTTP_ROUTE),
    RuleRow(
        "networking/claims",
        _claims(beside_mesh=True),
        at=_SPEC,
        releases=until("1.21"),  # istio 1.21.6
        needs=_GATEWAYS,
    ),
    RuleRow(
        "networking/claims",
        _claims(beside_mesh=False),
        at=_SPEC,
        releases=since("1.22"),  # istio 1.22.8
        needs=_GATEWAYS,
    ),
    RuleRow("networking/match", _match, at=(*_HTTP_ROUTE, "match", EACH)),
    RuleRow("networking/match", _match, at=(*_TLS_ROUTE, "match", EACH)),
    RuleRow("networking/match", _match, at=(*_TCP_ROUTE, "match", EACH)),
    RuleRow("networking/destinations", _destinations, at=_HTTP_ROUTE),
    RuleRow("networking/destinations", _destinations, at=_TLS_ROUTE),
    RuleRow("networking/destinations", _destinations, at=_TCP_ROUTE),
    RuleRow("networking/weights", _weights, at=_HTTP_ROUTE, needs=_WEIGHTS),
    RuleRow("networking/weights", _weights, at=_TLS_ROUTE, needs=_WEIGHTS),
    RuleRow("networking/weights", _weights, at=_TCP_ROUTE, needs=_WEIGHTS),
    RuleRow("networking/sni-hosts", Required("match", "is empty: add sniHosts"), at=_TLS_ROUTE),
    RuleRow("networking/sni-hosts", Required("route", "is empty: add a destination"), at=_TLS_ROUTE),
    RuleRow(
        "networking/sni-hosts",
        _sni_hosts(sni_names=False),
        at=_SPEC,
        releases=until("1.21"),  # istio 1.21.6
        needs=_HOSTS_AND_GATEWAYS,
    ),
    RuleRow(
        "networking/sni-hosts",
        _sni_hosts(sni_names=True),
        at=_SPEC,
        releases=since("1.22"),  # istio 1.22.8
        needs=_HOSTS_AND_GATEWAYS,
    ),
    RuleRow("networking/routes", Required("route", "is empty: add a destination"), at=_TCP_ROUTE),
    RuleRow("networking/export-to", check_export_to),
    RuleRow(UNREACHABLE, unreachable_routes(with_matches=False), releases=until("1.26"), needs=_ROUTES),
    RuleRow(
        UNREACHABLE,
        unreachable_routes(with_matches=True),
        releases=since("1.27"),  # istio 1.27.9
        needs=_ROUTES,
    ),
)
"""The rules of VirtualServices, in the order of their findings."""
