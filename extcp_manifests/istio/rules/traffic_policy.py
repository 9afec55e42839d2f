"""What istiod says of the parts of a traffic policy, which stand in DestinationRules and in the mesh config.

Source: istio 1.15.7: pkg/config/validation/validation.go; 1.30.3: pkg/config/validation/validation.go,
pkg/config/validation/agent/validation.go; 1.31: branch release-1.31. Read and not run.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, below, error, warning
from extcp_manifests.errors import Path
from extcp_manifests.istio.releases import EVERY_RELEASE, Release, ReleaseRange, since
from extcp_manifests.istio.rules.checks import check_duration, check_not_negative


def check_part(part: str, settings: Mapping[str, Any] | None, release: Release) -> Iterator[Found]:
    """Every rule for a part, such as `connectionPool`; a part that is missing has none."""
    if settings is not None:
        for rule in _rules_of(part, release):
            yield from below((part,), rule(settings))


@cache
def _rules_of(part: str, release: Release) -> tuple[Rule, ...]:
    return tuple(rule for of, releases, rule in _RULES if of == part and release in releases)


# ----------------------------------------------------------------------------------------------------- connection pools


def _pool(pool: Mapping[str, Any]) -> Iterator[Found]:
    http, tcp = pool.get("http"), pool.get("tcp")
    if http is None and tcp is None:
        yield error((), "says nothing: add http or tcp")
    yield from below(("http",), _http_pool(http or {}))
    yield from below(("tcp",), _tcp_pool(tcp or {}))


def _http_pool(http: Mapping[str, Any]) -> Iterator[Found]:
    counters = ("http1MaxPendingRequests", "http2MaxRequests", "maxRequestsPerConnection", "maxRetries")
    yield from check_not_negative(http, *counters)
    if "idleTimeout" in http:
        yield from check_duration(("idleTimeout",), http["idleTimeout"])
    if http.get("h2UpgradePolicy") == "UPGRADE" and http.get("useClientProtocol"):
        yield error((), "has h2UpgradePolicy UPGRADE and useClientProtocol, which exclude each other: keep one")


def _tcp_pool(tcp: Mapping[str, Any]) -> Iterator[Found]:
    yield from check_not_negative(tcp, "maxConnections")
    for key in ("connectTimeout", "maxConnectionDuration"):
        if key in tcp:
            yield from check_duration((key,), tcp[key])


def _concurrent_streams(pool: Mapping[str, Any]) -> Iterator[Found]:
    yield from below(("http",), check_not_negative(pool.get("http") or {}, "maxConcurrentStreams"))


def _tcp_idle(pool: Mapping[str, Any]) -> Iterator[Found]:
    tcp = pool.get("tcp") or {}
    if "idleTimeout" in tcp:
        yield from check_duration(("tcp", "idleTimeout"), tcp["idleTimeout"], or_zero=True)
    for key in ("time", "interval"):
        if key in (tcp.get("tcpKeepalive") or {}):
            yield from check_duration(("tcp", "tcpKeepalive", key), tcp["tcpKeepalive"][key])


def _http2_keepalive(pool: Mapping[str, Any]) -> Iterator[Found]:
    keepalive: Mapping[str, Any] | None = (pool.get("http") or {}).get("http2KeepAlive")
    for key in ("interval", "timeout"):
        if keepalive is not None and key not in keepalive:
            yield error(("http", "http2KeepAlive", key), "is required: add it")


# ------------------------------------------------------------------------------------------------------------- outliers


def _outliers(detection: Mapping[str, Any]) -> Iterator[Found]:
    for key in ("baseEjectionTime", "interval"):
        if key in detection:
            yield from check_duration((key,), detection[key])
    for key in ("maxEjectionPercent", "minHealthPercent"):
        if not 0 <= detection.get(key, 0) <= 100:
            yield error((key,), f"is {detection[key]}: use 0 to 100")
    if detection.get("consecutiveLocalOriginFailures") and not detection.get("splitExternalLocalOriginErrors"):
        yield error(("consecutiveLocalOriginFailures",), "needs splitExternalLocalOriginErrors: add it as true")
    if detection.get("consecutiveErrors"):
        yield warning(("consecutiveErrors",), "is deprecated: use consecutive5xxErrors")


# ------------------------------------------------------------------------------------------------------- load balancing


def _hashing(balancer: Mapping[str, Any]) -> Iterator[Found]:
    hashing = balancer.get("consistentHash") or {}
    cookie, maglev = hashing.get("httpCookie"), hashing.get("maglev")
    if cookie is not None and not cookie.get("name"):
        yield error(("consistentHash", "httpCookie", "name"), "is required: name the cookie")
    size = (maglev or {}).get("tableSize", 0)
    if maglev is not None and not (size < _MAGLEV_LIMIT and _is_prime(size)):
        yield error(("consistentHash", "maglev", "tableSize"), f"is {size}: use a prime below {_MAGLEV_LIMIT}")
    if hashing.get("minimumRingSize"):
        yield warning(("consistentHash", "minimumRingSize"), "is deprecated: use ringHash.minimumRingSize")
        for key in ("ringHash", "maglev"):
            if hashing.get(key) is not None:
                yield error(("consistentHash", "minimumRingSize"), f"must not stand beside {key}: leave it out")


_MAGLEV_LIMIT = 5000011


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def _cookie_attributes(balancer: Mapping[str, Any]) -> Iterator[Found]:
    cookie: Mapping[str, Any] = (balancer.get("consistentHash") or {}).get("httpCookie") or {}
    attributes: Sequence[Mapping[str, Any]] = cookie.get("attributes") or ()
    names = [attribute.get("name", "") for attribute in attributes]
    for index, name in enumerate(names):
        path = ("consistentHash", "httpCookie", "attributes", index, "name")
        if not name:
            yield error(path, "is required: name the attribute")
        elif name in names[:index]:
            yield error(path, f"is {name!r} like another attribute's: choose another")


def _warmup(balancer: Mapping[str, Any]) -> Iterator[Found]:
    warmup = balancer.get("warmup")
    if warmup is None:
        return
    yield from check_duration(("warmup", "duration"), warmup.get("duration", "0s"))
    if warmup.get("minimumPercent", 0) > 100:
        yield error(("warmup", "minimumPercent"), f"is {warmup['minimumPercent']}: use 0 to 100")
    if warmup.get("aggression", 1) < 1:
        yield error(("warmup", "aggression"), f"is {warmup['aggression']}: use 1 or more")


def _locality(setting: Mapping[str, Any]) -> Iterator[Found]:
    distribute: Sequence[Mapping[str, Any]] = setting.get("distribute") or ()
    if distribute and setting.get("failover"):
        yield error((), "has distribute and failover, which exclude each other: leave one out")
    for index, each in enumerate(distribute):
        place = ("distribute", index, "to")
        weights = each.get("to") or {}
        for locality, weight in weights.items():
            if not 1 <= weight <= 100:
                yield error(place, f"gives {locality!r} the weight {weight}: use 1 to 100")
        if sum(weights.values()) != 100:
            yield error(place, f"has weights that add up to {sum(weights.values())}: make it 100")
        yield from _localities(place, list(weights))
    yield from _localities(("distribute",), [each.get("from", "") for each in distribute])
    yield from _failover(setting)


def _failover(setting: Mapping[str, Any]) -> Iterator[Found]:
    for index, each in enumerate(setting.get("failover") or ()):
        origin, target = each.get("from", ""), each.get("to", "")
        if origin == target:
            yield error(("failover", index), f"goes from {origin!r} to itself: name another region")
        if any(mark in origin + target for mark in "/*"):
            yield error(("failover", index), "names more than a region: leave zones, '/' and '*' out")


_TOPOLOGY_LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")


def _topology_labels(setting: Mapping[str, Any]) -> Iterator[str]:
    labels = setting.get("failoverPriority") or ()
    return (label for label in labels if label.partition("=")[0] in _TOPOLOGY_LABELS)


def _failover_priority(setting: Mapping[str, Any]) -> Iterator[Found]:
    taken = next(_topology_labels(setting), None)
    if setting.get("failover") and taken is not None:
        yield error(("failoverPriority",), f"has {taken!r} beside failover: leave one of them out")


def _no_topology_labels(setting: Mapping[str, Any]) -> Iterator[Found]:
    for label in _topology_labels(setting):
        yield error(("failoverPriority",), f"has {label!r}, which zone awareness knows by itself: leave it out")


def _localities(place: Path, names: list[str]) -> Iterator[Found]:
    """Localities of one set must be well formed and must not cover each other."""
    others = _covering(names)
    for index, name in enumerate(names):
        parts = name.split("/")
        if name.count("*") > 1 or ("*" in name and not name.endswith("*")) or "" in parts:
            yield error(place, f"has {name!r}, which is no locality: write region/zone/subzone, '*' only at the end")
        if index in others:
            yield error(place, f"has {name!r} and {others[index]!r}, which overlap: leave one out")


def _covering(names: list[str]) -> dict[int, str]:
    """Return, for each name that another covers, the closest such name; in order, all that one covers follow it."""
    found: dict[int, str] = {}
    open_names: list[tuple[str, str]] = []
    for index in sorted(range(len(names)), key=lambda each: _in_order(names[each])):
        name = names[index]
        while open_names and name != open_names[-1][0] and not name.startswith(open_names[-1][1]):
            open_names.pop()
        if open_names:
            found[index] = open_names[-1][0]
        open_names.append((name, name[:-1] if name.endswith("*") else f"{name}/"))
    return found


def _in_order(name: str) -> tuple[str, bool]:
    """What covers a name sorts before it, and nothing else comes between: `a*`, `a`, `a/b`, `a-b`."""
    return name.removesuffix("*").replace("/", "\0"), not name.endswith("*")


def _inside(part: str, rule: Rule) -> Rule:
    """A rule for a part of a load balancer."""

    def inner(balancer: Mapping[str, Any]) -> Iterator[Found]:
        return below((part,), rule(balancer.get(part) or {}))

    return inner


# ----------------------------------------------------------------------------------------------------------- client TLS


def _client_tls(tls: Mapping[str, Any]) -> Iterator[Found]:
    mode = tls.get("mode", "DISABLE")
    files = [key for key in ("clientCertificate", "privateKey", "caCertificates") if tls.get(key)]
    if _names_a_secret(tls):
        for key in files:
            yield error((key,), "must not stand beside credentialName: leave it out")
    elif mode == "MUTUAL":
        for key in ("clientCertificate", "privateKey"):
            if key not in files:
                yield error((key,), "is required with MUTUAL: add it, or set credentialName")


def _names_a_secret(tls: Mapping[str, Any]) -> bool:
    return tls.get("mode") in ("SIMPLE", "MUTUAL") and bool(tls.get("credentialName"))


def _client_revocation(tls: Mapping[str, Any]) -> Iterator[Found]:
    if _names_a_secret(tls) and tls.get("caCrl"):
        yield error(("caCrl",), "must not stand beside credentialName: leave it out")


_SKIPPED_BESIDE = {
    "SIMPLE": ("caCertificates", "credentialName", "subjectAltNames"),
    "MUTUAL": ("caCertificates", "subjectAltNames"),
}


def _skipped_verification(tls: Mapping[str, Any]) -> Iterator[Found]:
    for key in _SKIPPED_BESIDE.get(tls.get("mode", ""), ()) if tls.get("insecureSkipVerify") else ():
        if tls.get(key):
            yield error((key,), "has no use beside insecureSkipVerify: leave one out")


_RULES: tuple[tuple[str, ReleaseRange, Rule], ...] = (
    ("connectionPool", EVERY_RELEASE, _pool),
    ("connectionPool", since("1.21"), _concurrent_streams),  # istio 1.21.6
    ("connectionPool", since("1.23"), _tcp_idle),  # istio 1.23.6
    ("connectionPool", since("1.31"), _http2_keepalive),
    ("outlierDetection", EVERY_RELEASE, _outliers),
    ("loadBalancer", EVERY_RELEASE, _hashing),
    ("loadBalancer", since("1.28"), _cookie_attributes),  # istio 1.28.10, with the field
    ("loadBalancer", since("1.24"), _warmup),  # istio 1.24.6, with the field
    ("loadBalancer", EVERY_RELEASE, _inside("localityLbSetting", _locality)),
    ("loadBalancer", since("1.20"), _inside("localityLbSetting", _failover_priority)),
    ("loadBalancer", since("1.31"), _inside("zoneAwareLbSetting", _failover)),
    ("loadBalancer", since("1.31"), _inside("zoneAwareLbSetting", _no_topology_labels)),
    ("localityLbSetting", EVERY_RELEASE, _locality),
    ("localityLbSetting", since("1.20"), _failover_priority),  # istio 1.20.8
    ("zoneAwareLbSetting", since("1.31"), _failover),
    ("zoneAwareLbSetting", since("1.31"), _no_topology_labels),
    ("tlsSettings", EVERY_RELEASE, _client_tls),
    ("tlsSettings", since("1.22"), _client_revocation),  # istio 1.22.8
    ("tlsSettings", since("1.19"), _skipped_verification),  # istio 1.19.10
    ("tls", EVERY_RELEASE, _client_tls),
    ("tls", since("1.22"), _client_revocation),  # istio 1.22.8
    ("tls", since("1.19"), _skipped_verification),  # istio 1.19.10
)
"""Each rule with the part it is for, and the releases that have it."""
