"""What istiod reports of the parts of a traffic policy, which DestinationRules and the mesh config have.

Source: istio 1.15.7: pkg/config/validation/validation.go; 1.30.3: pkg/config/validation/validation.go,
pkg/config/validation/agent/validation.go; 1.31: branch release-1.31. Read and not run.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests.documents.findings import Found, error, warning
from extcp_manifests.documents.lookup import EACH, items_of, mapping_of, text_of
from extcp_manifests.errors import Path
from extcp_manifests.istio.releases import since
from extcp_manifests.istio.rules.rows import EVERYTHING, Duration, Excludes, OneOf, Range, Required, RuleRow, rows_at

_ID = "networking/traffic-policy"


# ----------------------------------------------------------------------------------------------------- connection pools


def _protocol_of_http(http: Mapping[str, Any]) -> Iterator[Found]:
    if http.get("h2UpgradePolicy") == "UPGRADE" and http.get("useClientProtocol"):
        yield error((), "has h2UpgradePolicy UPGRADE and useClientProtocol, which exclude each other: keep one")


_TCP: Path = ("tcp",)


_HTTP: Path = ("http",)


CONNECTION_POOL = (
    RuleRow(_ID, OneOf(("http", "tcp"), "sets nothing: add http or tcp")),
    RuleRow(_ID, Range("http1MaxPendingRequests", 0), at=_HTTP),
    RuleRow(_ID, Range("http2MaxRequests", 0), at=_HTTP),
    RuleRow(_ID, Range("maxRequestsPerConnection", 0), at=_HTTP),
    RuleRow(_ID, Range("maxRetries", 0), at=_HTTP),
    RuleRow(_ID, Duration("idleTimeout"), at=_HTTP),
    RuleRow(_ID, _protocol_of_http, at=_HTTP),
    RuleRow(_ID, Range("maxConnections", 0), at=_TCP),
    RuleRow(_ID, Duration("connectTimeout"), at=_TCP),
    RuleRow(_ID, Duration("maxConnectionDuration"), at=_TCP),
    RuleRow(_ID, Range("maxConcurrentStreams", 0), at=_HTTP, releases=since("1.21")),  # istio 1.21.6
    RuleRow(_ID, Duration("idleTimeout", or_zero=True), at=_TCP, releases=since("1.23")),  # istio 1.23.6
    RuleRow(_ID, Duration("time"), at=(*_TCP, "tcpKeepalive"), releases=since("1.23")),  # istio 1.23.6
    RuleRow(_ID, Duration("interval"), at=(*_TCP, "tcpKeepalive"), releases=since("1.23")),  # istio 1.23.6
    RuleRow(_ID, Required("interval"), at=(*_HTTP, "http2KeepAlive"), releases=since("1.31")),
    RuleRow(_ID, Required("timeout"), at=(*_HTTP, "http2KeepAlive"), releases=since("1.31")),
)


# ------------------------------------------------------------------------------------------------------------- outliers


def _local_origin(detection: Mapping[str, Any]) -> Iterator[Found]:
    if detection.get("consecutiveLocalOriginFailures") and not detection.get("splitExternalLocalOriginErrors"):
        yield error(("consecutiveLocalOriginFailures",), "needs splitExternalLocalOriginErrors: add it as true")


def _consecutive_errors(detection: Mapping[str, Any]) -> Iterator[Found]:
    if detection.get("consecutiveErrors"):
        yield warning(("consecutiveErrors",), "is deprecated: use consecutive5xxErrors")


OUTLIER_DETECTION = (
    RuleRow(_ID, Duration("baseEjectionTime")),
    RuleRow(_ID, Duration("interval")),
    RuleRow(_ID, Range("maxEjectionPercent", 0, 100)),
    RuleRow(_ID, Range("minHealthPercent", 0, 100)),
    RuleRow(_ID, _local_origin),
    RuleRow(_ID, _consecutive_errors),
)


# ----------------------------------------------------------------------------------------------------------- localities


def _weights(distribution: Mapping[str, Any]) -> Iterator[Found]:
    """Check the weights by which requests from a locality go to others."""
    weights = mapping_of(distribution, "to")
    for locality, weight in weights.items():
        if not 1 <= weight <= 100:
            yield error(("to",), f"gives {locality!r} the weight {weight}: use 1 to 100")
    total = sum(weights.values())
    if total != 100:
        yield error(("to",), f"has weights that add up to {total}: make it 100")
    yield from _localities(("to",), list(weights))


def _origins(setting: Mapping[str, Any]) -> Iterator[Found]:
    origins = [text_of(each, "from") for each in items_of(setting, "distribute")]
    yield from _localities(("distribute",), origins)


def _failover(entry: Mapping[str, Any]) -> Iterator[Found]:
    origin, target = text_of(entry, "from"), text_of(entry, "to")
    if origin == target:
        yield error((), f"goes from {origin!r} to itself: name another region")
    if any(mark in origin + target for mark in "/*"):
        yield error((), "names more than a region: leave zones, '/' and '*' out")


_TOPOLOGY_LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")
"""The labels that say where a pod is: failover by priority may use them, failover between regions does."""


def _topology_labels(setting: Mapping[str, Any]) -> Sequence[str]:
    labels = items_of(setting, "failoverPriority")
    return [label for label in labels if label.partition("=")[0] in _TOPOLOGY_LABELS]


def _failover_priority(setting: Mapping[str, Any]) -> Iterator[Found]:
    labels = _topology_labels(setting)
    if setting.get("failover") and labels:
        yield error(("failoverPriority",), f"has {labels[0]!r} beside failover: leave one of them out")


def _no_topology_labels(setting: Mapping[str, Any]) -> Iterator[Found]:
    for label in _topology_labels(setting):
        yield error(("failoverPriority",), f"has {label!r}, which zone awareness knows by itself: leave it out")


def _localities(place: Path, names: list[str]) -> Iterator[Found]:
    """Check localities of one set, which must be well formed and must not cover each other."""
    others = _covering(names)
    for index, name in enumerate(names):
        parts = name.split("/")
        if name.count("*") > 1 or ("*" in name and not name.endswith("*")) or "" in parts:
            yield error(
                place, f"has {name!r}, which is not a valid locality: write region/zone/subzone, '*' only at the end"
            )
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
    """Return a key by which what covers a name sorts before it, and nothing else between: `a*`, `a`, `a/b`, `a-b`."""
    return name.removesuffix("*").replace("/", "\0"), not name.endswith("*")


LOCALITY = (
    RuleRow(_ID, Excludes(("distribute", "failover"))),
    RuleRow(_ID, _weights, at=("distribute", EACH), needs=(("to", EVERYTHING),)),
    RuleRow(_ID, _origins, needs=(("distribute", EACH, "from"),)),
    RuleRow(_ID, _failover, at=("failover", EACH), needs=(("from",), ("to",))),
    RuleRow(_ID, _failover_priority, releases=since("1.20")),  # istio 1.20.8
)


ZONE_AWARE = (
    RuleRow(_ID, _failover, at=("failover", EACH), releases=since("1.31"), needs=(("from",), ("to",))),
    RuleRow(_ID, _no_topology_labels, releases=since("1.31")),
)


# ------------------------------------------------------------------------------------------------------- load balancing


def _table_size(maglev: Mapping[str, Any]) -> Iterator[Found]:
    size = maglev.get("tableSize", 0)
    if not (size < _MAGLEV_LIMIT and _is_prime(size)):
        yield error(("tableSize",), f"is {size}: use a prime below {_MAGLEV_LIMIT}")


_MAGLEV_LIMIT = 5000011


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def _minimum_ring_size(hashing: Mapping[str, Any]) -> Iterator[Found]:
    if not hashing.get("minimumRingSize"):
        return
    yield warning(("minimumRingSize",), "is deprecated: use ringHash.minimumRingSize")
    for key in ("ringHash", "maglev"):
        if hashing.get(key) is not None:
            yield error(("minimumRingSize",), f"must not be set beside {key}: leave it out")


def _cookie_attributes(cookie: Mapping[str, Any]) -> Iterator[Found]:
    taken: set[str] = set()
    for index, attribute in enumerate(items_of(cookie, "attributes")):
        name = text_of(attribute, "name")
        if not name:
            yield error(("attributes", index, "name"), "is required: name the attribute")
        elif name in taken:
            yield error(("attributes", index, "name"), f"is {name!r} like another attribute's: choose another")
        taken.add(name)


_COOKIE: Path = ("consistentHash", "httpCookie")


_WARMUP: Path = ("warmup",)


LOAD_BALANCER = (
    RuleRow(_ID, Required("name", "is required: name the cookie"), at=_COOKIE),
    RuleRow(_ID, _table_size, at=("consistentHash", "maglev")),
    RuleRow(_ID, _minimum_ring_size, at=("consistentHash",)),
    RuleRow(_ID, _cookie_attributes, at=_COOKIE, releases=since("1.28")),  # istio 1.28.10, with the field
    RuleRow(
        _ID, Duration("duration", missing="0s"), at=_WARMUP, releases=since("1.24")
    ),  # istio 1.24.6, with the field
    RuleRow(_ID, Range("minimumPercent", 0, 100), at=_WARMUP, releases=since("1.24")),
    RuleRow(_ID, Range("aggression", 1), at=_WARMUP, releases=since("1.24")),
    *rows_at(("localityLbSetting",), LOCALITY),
    *rows_at(("zoneAwareLbSetting",), ZONE_AWARE),
)


# ----------------------------------------------------------------------------------------------------------- client TLS

_FILES = ("clientCertificate", "privateKey", "caCertificates")


def _certificates(tls: Mapping[str, Any]) -> Iterator[Found]:
    """Check that a mode has the certificates that it needs, from a Secret or from files."""
    if _names_a_secret(tls):
        for key in _FILES:
            if tls.get(key):
                yield error((key,), "must not be set beside credentialName: leave it out")
    elif tls.get("mode") == "MUTUAL":
        for key in ("clientCertificate", "privateKey"):
            if not tls.get(key):
                yield error((key,), "is required with MUTUAL: add it, or set credentialName")


def _revocation(tls: Mapping[str, Any]) -> Iterator[Found]:
    if _names_a_secret(tls) and tls.get("caCrl"):
        yield error(("caCrl",), "must not be set beside credentialName: leave it out")


def _names_a_secret(tls: Mapping[str, Any]) -> bool:
    return tls.get("mode") in ("SIMPLE", "MUTUAL") and bool(tls.get("credentialName"))


# What only serves to verify the server, by mode.
_FOR_VERIFICATION: Mapping[str, Sequence[str]] = {
    "SIMPLE": ("caCertificates", "credentialName", "subjectAltNames"),
    "MUTUAL": ("caCertificates", "subjectAltNames"),
}


def _skipped_verification(tls: Mapping[str, Any]) -> Iterator[Found]:
    if not tls.get("insecureSkipVerify"):
        return
    for key in _FOR_VERIFICATION.get(text_of(tls, "mode"), ()):
        if tls.get(key):
            yield error((key,), "has no use beside insecureSkipVerify: leave one out")


TLS = (
    RuleRow(_ID, _certificates, needs=(("mode",),)),
    RuleRow(_ID, _revocation, releases=since("1.22"), needs=(("mode",),)),  # istio 1.22.8
    RuleRow(_ID, _skipped_verification, releases=since("1.19"), needs=(("mode",),)),  # istio 1.19.10
)
