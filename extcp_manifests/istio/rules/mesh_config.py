"""What istiod's validation reports of a whole mesh config, by release.

Source: istio 1.15.7: pkg/config/validation/validation.go, 1.22.8 to 1.30.3: pkg/config/validation/agent/validation.go,
pkg/config/validation/agent/extensionprovider.go; 1.31: branch release-1.31, read and not run. What istiod only logs is
a warning.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from extcp_manifests.documents.findings import Findings, Found, Rule, below, error, warning
from extcp_manifests.documents.lookup import EACH, at, items_of, text_of
from extcp_manifests.errors import Path
from extcp_manifests.istio.durations import HOUR, SECOND, parse_duration
from extcp_manifests.istio.releases import EVERY_RELEASE, Release, ReleaseRange, since, until
from extcp_manifests.istio.rules import traffic_policy
from extcp_manifests.istio.rules.rows import Duration, Excludes, Range, Required, RuleRow, RuleTree, rows_at, rows_of
from extcp_manifests.istio.rules.shared_checks import LABEL, is_address, is_service, is_wildcard_domain


def validate_mesh_config(config: Mapping[str, Any], release: Release) -> Findings:
    """Return what is wrong with an effective mesh config, defaults included."""
    return Findings(tuple(_rules(release).run(config)))


@cache
def _rules(release: Release) -> RuleTree:
    return RuleTree(rows_of(_ROWS, release))


# ----------------------------------------------------------------------------------------------------------- the rules


def _proxy(proxy: Mapping[str, Any]) -> Iterator[Found]:
    if not proxy.get("serviceCluster") and "tracingServiceName" not in proxy:
        yield error(("serviceCluster",), "is empty: name it, or set tracingServiceName")
    address = text_of(proxy, "discoveryAddress")
    if not is_address(address):
        yield error(("discoveryAddress",), _no_address(address))
    if proxy.get("controlPlaneAuthPolicy", "NONE") not in ("NONE", "MUTUAL_TLS"):
        yield error(("controlPlaneAuthPolicy",), "must be NONE or MUTUAL_TLS")


def _proxy_addresses(proxy: Mapping[str, Any]) -> Iterator[Found]:
    for place in (
        ("statsdUdpAddress",),
        ("envoyMetricsServiceAddress",),
        ("envoyMetricsService", "address"),
        ("envoyAccessLogService", "address"),
    ):
        address = at(proxy, *place)
        if address and not is_address(address):
            yield error(place, _no_address(address))


def _tracing(tracing: Mapping[str, Any]) -> Iterator[Found]:
    for tracer in ("zipkin", "datadog", "lightstep"):
        if tracer not in tracing:
            continue
        address = tracing[tracer].get("address", "")
        known = address if tracer == "lightstep" else address.replace("$(HOST_IP)", "127.0.0.1", 1)
        if not is_address(known):
            yield error((tracer, "address"), _no_address(address))


def _parent_shutdown(proxy: Mapping[str, Any]) -> Iterator[Found]:
    text = proxy.get("parentShutdownDuration", "0s")
    if not _nanoseconds(proxy.get("drainDuration", "0s")) < _nanoseconds(text) <= HOUR:
        yield error(("parentShutdownDuration",), f"is {text!r}: use more than drainDuration, at most 1h")


def _private_key_provider(provider: Mapping[str, Any]) -> Iterator[Found]:
    if not provider:
        yield error((), "names no provider: add cryptomb or qat")
    for name, settings in provider.items():
        if not _nanoseconds(settings.get("pollDelay", "0s")):
            yield error((name, "pollDelay"), "is required and must not be 0: add it")


def _auto_allocate(metadata: Mapping[str, Any]) -> Iterator[Found]:
    if "ISTIO_META_DNS_AUTO_ALLOCATE" in metadata:
        yield warning(("ISTIO_META_DNS_AUTO_ALLOCATE",), "is deprecated since 1.25: leave it out")


def _hosts_of_services(setting: Mapping[str, Any]) -> Iterator[Found]:
    for number, host in enumerate(items_of(setting, "hosts")):
        if not is_wildcard_domain(host):
            yield error(("hosts", number), f"is {host!r}, which is not a valid host: write it as in *.example.com")


def _trust_domains(config: Mapping[str, Any]) -> Iterator[Found]:
    domains: list[tuple[Path, str]] = [(("trustDomain",), text_of(config, "trustDomain"))]
    for index, alias in enumerate(items_of(config, "trustDomainAliases")):
        domains.append((("trustDomainAliases", index), alias))
    for place, domain in domains:
        if not domain or not all(map(LABEL.fullmatch, domain.removesuffix(".").split("."))):
            yield error(place, f"is {domain!r}, which is not a valid trust domain: use DNS labels between dots")


def _providers(config: Mapping[str, Any]) -> Iterator[Found]:
    names: set[str] = set()
    for index, provider in enumerate(items_of(config, "extensionProviders")):
        name = provider.get("name", "")
        place = ("extensionProviders", name) if name else ("extensionProviders", index)
        kinds = [key for key in provider if key != "name"]
        if not name:
            yield warning((*place, "name"), "is required: name the provider")
        if name in names:
            yield warning((*place, "name"), f"is {name!r} like another provider's: choose another")
        names.add(name)
        if not kinds:
            yield warning(place, "has no provider: add its settings, as in zipkin: {...}")
        for kind in kinds:
            yield from below((*place, kind), _provider(kind, provider[kind]))


_WITHOUT_SERVICE = ("prometheus", "stackdriver", "envoyFileAccessLog")


# Envoy's type.v3.StatusCode, where 0 is none.
_HTTP_CODES = {0, 100, *range(200, 209), 226, *range(300, 306), 307, 308, *range(400, 418), *range(421, 425)}


_HTTP_CODES |= {426, 428, 429, 431, *range(500, 509), 510, 511}


def _provider(kind: str, settings: Mapping[str, Any]) -> Iterator[Found]:
    if kind not in _WITHOUT_SERVICE:
        service, port = settings.get("service", ""), settings.get("port", 0)
        if not is_service(service):
            problem = f"is {service!r}, which is not a valid service: write a host name, an address or namespace/host"
            yield warning(("service",), problem)
        if not 1 <= port <= 65535:
            yield warning(("port",), f"is {port}, which is not a valid port: use 1 to 65535")
    status, prefix = settings.get("statusOnError", ""), settings.get("pathPrefix", "")
    if status and not (re.fullmatch("[0-9]{1,3}", status) and int(status) in _HTTP_CODES):
        yield warning(("statusOnError",), f"is {status!r}, which is not a valid HTTP status: use one such as 503")
    if prefix and (not prefix.startswith("/") or re.search("%(?![0-9a-fA-F]{2})", prefix)):
        yield warning(
            ("pathPrefix",), f"is {prefix!r}, which is not a valid path: begin it with '/', and write '%' as %25"
        )
    if kind == "lightstep" and not settings.get("accessToken"):
        yield warning(("accessToken",), "is required: add it")
    if kind == "opentelemetry":
        yield from Excludes(("grpc", "http"), is_warning=True)(settings)


def _curves(tls: Mapping[str, Any]) -> Iterator[Found]:
    if tls.get("ecdhCurves"):
        yield error(("ecdhCurves",), "is refused by istiod: leave it out, or set tlsDefaults.ecdhCurves")


def _known_curves(*known: str) -> Rule:
    """Return the rule for the curves of a release, of which istiod leaves out those that it does not know."""

    def rule(tls: Mapping[str, Any]) -> Iterator[Found]:
        curves = items_of(tls, "ecdhCurves")
        for index, curve in enumerate(curves):
            if curve and curve not in known:
                problem = f"is {curve!r}, which istiod leaves out: use {', '.join(known[:-1])} or {known[-1]}"
                yield warning(("ecdhCurves", index), problem)
            elif curve in curves[:index]:
                yield warning(("ecdhCurves", index), f"is {curve!r} a second time: leave it out")

    return rule


_CURVES = ("P-224", "P-256", "P-384", "P-521", "X25519")


def _nanoseconds(text: str) -> int:
    return parse_duration(text) or 0


def _no_address(text: str) -> str:
    return f"is {text!r}, which is not a host with a port: write it as in istiod.example.com:15012"


# ------------------------------------------------------------------------------------------------------------- the rows


def _row(check: Rule, *at: str | int, releases: ReleaseRange = EVERY_RELEASE) -> RuleRow:
    """Return a row without an id: whoever asks for a mesh config gives its errors and warnings one each."""
    return RuleRow("", check, at, releases)


_BUFFERS = ("listenerPerConnectionBufferLimitBytes", "clusterPerConnectionBufferLimitBytes", "httpMaxConcurrentStreams")


_WINDOWS = ("http2InitialStreamWindowSize", "http2InitialConnectionWindowSize")


_LIMITS = ("listenerConnectionLimit", "globalDownstreamConnectionLimit")


_TIMES = (
    *("httpIdleTimeout", "httpMaxConnectionDuration", "httpDrainTimeout", "httpRequestTimeout"),
    *("httpRequestHeadersTimeout", "httpStreamIdleTimeout", "httpMaxStreamDuration"),
)


_CONNECTION_SETTINGS = (
    *(_row(Range(key, 0), releases=since("1.31")) for key in _BUFFERS),
    *(_row(Duration(key, unit=1, least=0, use="0s or more"), releases=since("1.31")) for key in _TIMES),
    *(_row(Range(key, 65535), releases=since("1.31")) for key in _WINDOWS),
    *(_row(Range(key, 1), releases=since("1.31")) for key in _LIMITS),
)


def _connect_timeout(longest: int, words: str) -> Duration:
    return Duration("connectTimeout", most=longest, missing="0s", use=f"whole milliseconds from 1ms to {words}")


def _whole_seconds(key: str) -> Duration:
    return Duration(key, unit=SECOND, missing="0s", use="whole seconds from 1s")


_PATH = "is empty: leave it out to have Istio's default"


_ROWS = (
    _row(Range("proxyListenPort", 1, 65535, missing=0, what="port")),
    _row(_connect_timeout(30 * SECOND, "30s"), releases=until("1.19")),  # istio 1.19.10
    _row(_connect_timeout(HOUR, "1h"), releases=since("1.20")),  # istio 1.20.8
    _row(Duration("protocolDetectionTimeout", least=None, use="0s or whole milliseconds")),
    _row(Required("configPath", _PATH), "defaultConfig"),
    _row(Required("binaryPath", _PATH), "defaultConfig"),
    _row(_proxy, "defaultConfig"),
    _row(_whole_seconds("drainDuration"), "defaultConfig"),
    _row(
        Duration("drainDuration", unit=1, least=0, most=HOUR, use="at most 1h"),
        "defaultConfig",
        releases=until("1.21"),  # istio 1.22.8 has no limit
    ),
    _row(_whole_seconds("parentShutdownDuration"), "defaultConfig", releases=until("1.16")),
    _row(_parent_shutdown, "defaultConfig", releases=until("1.16")),  # istio 1.17.8 has no such field
    _row(_tracing, "defaultConfig", "tracing"),
    _row(Required("accessToken"), "defaultConfig", "tracing", "lightstep"),
    _row(_proxy_addresses, "defaultConfig"),
    _row(Range("proxyAdminPort", 1, 65535, missing=0, what="port"), "defaultConfig"),
    _row(Range("statusPort", 1, 65535, missing=0, what="port"), "defaultConfig"),
    _row(_private_key_provider, "defaultConfig", "privateKeyProvider"),
    _row(_auto_allocate, "defaultConfig", "proxyMetadata", releases=since("1.25")),  # istio 1.25.5
    _row(_hosts_of_services, "serviceSettings", EACH),
    _row(_trust_domains),
    _row(_providers),
    _row(_curves, "meshMTLS", releases=since("1.18")),  # istio 1.18.7
    _row(
        _known_curves(*_CURVES, "CECPQ2"),
        "tlsDefaults",
        releases=since("1.18", until="1.22"),  # istio 1.22.8: pkg/config/security/security.go
    ),
    _row(
        _known_curves(*_CURVES, "X25519Kyber768Draft00"),
        "tlsDefaults",
        releases=since("1.23", until="1.25"),  # istio 1.23.6
    ),
    _row(
        _known_curves(*_CURVES, "X25519Kyber768Draft00", "X25519MLKEM768"),
        "tlsDefaults",
        releases=since("1.26"),  # istio 1.26.8
    ),
    *rows_at(("defaultConfig", "connectionSettings"), _CONNECTION_SETTINGS),
    *rows_at(("localityLbSetting",), traffic_policy.LOCALITY, rule_id=""),
    *rows_at(("zoneAwareLbSetting",), traffic_policy.ZONE_AWARE, rule_id=""),
    *rows_at(("defaultConfig", "tracing", "tlsSettings"), traffic_policy.TLS, rule_id=""),
    *rows_at(("defaultTrafficPolicy", "connectionPool"), traffic_policy.CONNECTION_POOL, rule_id=""),
    *rows_at(("defaultTrafficPolicy", "outlierDetection"), traffic_policy.OUTLIER_DETECTION, rule_id=""),
)
"""The rules of a mesh config, in the order of their findings."""
