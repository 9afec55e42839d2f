"""What istiod's validation says of a whole mesh config, by release.

Source: istio 1.15.7: pkg/config/validation/validation.go, 1.22.8 to 1.30.3: pkg/config/validation/agent/validation.go,
pkg/config/validation/agent/extensionprovider.go; 1.31: branch release-1.31, read and not run. What istiod only logs is
a warning.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from extcp_manifests.documents.findings import Findings, Found, Rule, below, error, warning
from extcp_manifests.documents.lookup import at
from extcp_manifests.errors import Path
from extcp_manifests.istio.durations import parse_duration
from extcp_manifests.istio.releases import EVERY_RELEASE, Release, ReleaseRange, since, until
from extcp_manifests.istio.rules.checks import (
    LABEL,
    check_not_negative,
    check_port,
    is_address,
    is_service,
    is_wildcard_domain,
)
from extcp_manifests.istio.rules.traffic_policy import check_part

_MILLISECOND = 10**6


_SECOND = 10**9


_HOUR = 3600 * _SECOND


def validate_mesh_config(config: Mapping[str, Any], release: Release) -> Findings:
    """What is to say of an effective mesh config, defaults included."""
    return Findings(tuple(_found(config, release)))


def _found(config: Mapping[str, Any], release: Release) -> Iterator[Found]:
    for rule in _rules_of(release):
        yield from rule(config)
    for place, part in _PARTS:
        parent = config
        for key in place:
            parent = parent.get(key, {})
        yield from below(place, check_part(part, parent.get(part), release))


_PARTS: tuple[tuple[tuple[str, ...], str], ...] = (
    ((), "localityLbSetting"),
    ((), "zoneAwareLbSetting"),
    (("defaultConfig", "tracing"), "tlsSettings"),
    (("defaultTrafficPolicy",), "connectionPool"),
    (("defaultTrafficPolicy",), "outlierDetection"),
)
"""Parts of a traffic policy, and where they stand."""


@cache
def _rules_of(release: Release) -> tuple[Rule, ...]:
    return tuple(rule for releases, rule in _RULES if release in releases)


# ----------------------------------------------------------------------------------------------------------- the rules


def _listen_port(config: Mapping[str, Any]) -> Iterator[Found]:
    yield from check_port(("proxyListenPort",), config.get("proxyListenPort", 0))


def _connect_timeout(longest: int, words: str) -> Rule:
    def rule(config: Mapping[str, Any]) -> Iterator[Found]:
        text = config.get("connectTimeout", "0s")
        if not (_milliseconds(text) and _MILLISECOND <= _nanoseconds(text) <= longest):
            yield error(("connectTimeout",), f"is {text!r}: use whole milliseconds from 1ms to {words}")

    return rule


def _detection_timeout(config: Mapping[str, Any]) -> Iterator[Found]:
    text = config.get("protocolDetectionTimeout", "0s")
    if _nanoseconds(text) % _MILLISECOND:
        yield error(("protocolDetectionTimeout",), f"is {text!r}: use 0s or whole milliseconds")


def _proxy_texts(config: Mapping[str, Any]) -> Iterator[Found]:
    proxy = config.get("defaultConfig", {})
    for key in ("configPath", "binaryPath"):
        if not proxy.get(key):
            yield error(("defaultConfig", key), "is empty: leave it out to have Istio's default")
    if not proxy.get("serviceCluster") and "tracingServiceName" not in proxy:
        yield error(("defaultConfig", "serviceCluster"), "is empty: name it, or set tracingServiceName")
    if not is_address(proxy.get("discoveryAddress", "")):
        yield error(("defaultConfig", "discoveryAddress"), _no_address(proxy.get("discoveryAddress", "")))
    if proxy.get("controlPlaneAuthPolicy", "NONE") not in ("NONE", "MUTUAL_TLS"):
        yield error(("defaultConfig", "controlPlaneAuthPolicy"), "must be NONE or MUTUAL_TLS")


def _proxy_ports(config: Mapping[str, Any]) -> Iterator[Found]:
    for key in ("proxyAdminPort", "statusPort"):
        yield from check_port(("defaultConfig", key), config.get("defaultConfig", {}).get(key, 0))


def _proxy_addresses(config: Mapping[str, Any]) -> Iterator[Found]:
    proxy = config.get("defaultConfig", {})
    for place in (
        ("statsdUdpAddress",),
        ("envoyMetricsServiceAddress",),
        ("envoyMetricsService", "address"),
        ("envoyAccessLogService", "address"),
    ):
        address = at(proxy, *place)
        if address and not is_address(address):
            yield error(("defaultConfig", *place), _no_address(address))


def _tracing(config: Mapping[str, Any]) -> Iterator[Found]:
    tracing = config.get("defaultConfig", {}).get("tracing", {})
    for tracer in ("zipkin", "datadog", "lightstep"):
        if tracer not in tracing:
            continue
        address = tracing[tracer].get("address", "")
        known = address if tracer == "lightstep" else address.replace("$(HOST_IP)", "127.0.0.1", 1)
        if not is_address(known):
            yield error(("defaultConfig", "tracing", tracer, "address"), _no_address(address))
    if "lightstep" in tracing and not tracing["lightstep"].get("accessToken"):
        yield error(("defaultConfig", "tracing", "lightstep", "accessToken"), "is required: add it")


def _drain(config: Mapping[str, Any]) -> Iterator[Found]:
    yield from _whole_seconds(config, "drainDuration")


def _drain_limit(config: Mapping[str, Any]) -> Iterator[Found]:
    text = config.get("defaultConfig", {}).get("drainDuration", "0s")
    if _nanoseconds(text) > _HOUR:
        yield error(("defaultConfig", "drainDuration"), f"is {text!r}: use at most 1h")


def _parent_shutdown(config: Mapping[str, Any]) -> Iterator[Found]:
    yield from _whole_seconds(config, "parentShutdownDuration")
    proxy = config.get("defaultConfig", {})
    text = proxy.get("parentShutdownDuration", "0s")
    if not _nanoseconds(proxy.get("drainDuration", "0s")) < _nanoseconds(text) <= _HOUR:
        yield error(
            ("defaultConfig", "parentShutdownDuration"), f"is {text!r}: use more than drainDuration, at most 1h"
        )


def _private_key_provider(config: Mapping[str, Any]) -> Iterator[Found]:
    provider = config.get("defaultConfig", {}).get("privateKeyProvider")
    if provider is not None and not provider:
        yield error(("defaultConfig", "privateKeyProvider"), "names no provider: add cryptomb or qat")
    for name, settings in (provider or {}).items():
        if not _nanoseconds(settings.get("pollDelay", "0s")):
            yield error(
                ("defaultConfig", "privateKeyProvider", name, "pollDelay"), "is required and must not be 0: add it"
            )


def _auto_allocate(config: Mapping[str, Any]) -> Iterator[Found]:
    if "ISTIO_META_DNS_AUTO_ALLOCATE" in config.get("defaultConfig", {}).get("proxyMetadata", {}):
        place = ("defaultConfig", "proxyMetadata", "ISTIO_META_DNS_AUTO_ALLOCATE")
        yield warning(place, "is deprecated since 1.25: leave it out")


def _hosts_of_services(config: Mapping[str, Any]) -> Iterator[Found]:
    for index, each in enumerate(config.get("serviceSettings", ())):
        for number, host in enumerate(each.get("hosts", ())):
            if not is_wildcard_domain(host):
                place = ("serviceSettings", index, "hosts", number)
                yield error(place, f"is {host!r}, which is no host: write it as in *.example.com")


def _trust_domains(config: Mapping[str, Any]) -> Iterator[Found]:
    domains: dict[Path, str] = {("trustDomain",): config.get("trustDomain", "")}
    domains |= {("trustDomainAliases", i): alias for i, alias in enumerate(config.get("trustDomainAliases", ()))}
    for place, domain in domains.items():
        if not domain or not all(map(LABEL.fullmatch, domain.removesuffix(".").split("."))):
            yield error(place, f"is {domain!r}, which is no trust domain: use DNS labels between dots")


def _providers(config: Mapping[str, Any]) -> Iterator[Found]:
    names: set[str] = set()
    for index, provider in enumerate(config.get("extensionProviders", ())):
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


# Envoy's type.v3.StatusCode, where 0 stands for none.
_HTTP_CODES = {0, 100, *range(200, 209), 226, *range(300, 306), 307, 308, *range(400, 418), *range(421, 425)}


_HTTP_CODES |= {426, 428, 429, 431, *range(500, 509), 510, 511}


def _provider(kind: str, settings: Mapping[str, Any]) -> Iterator[Found]:
    if kind not in _WITHOUT_SERVICE:
        service, port = settings.get("service", ""), settings.get("port", 0)
        if not is_service(service):
            problem = f"is {service!r}, which is no service: write a host name, an address or namespace/host"
            yield warning(("service",), problem)
        if not 1 <= port <= 65535:
            yield warning(("port",), f"is {port}, which is no port: use 1 to 65535")
    status, prefix = settings.get("statusOnError", ""), settings.get("pathPrefix", "")
    if status and not (re.fullmatch("[0-9]{1,3}", status) and int(status) in _HTTP_CODES):
        yield warning(("statusOnError",), f"is {status!r}, which is no HTTP status: use one such as 503")
    if prefix and (not prefix.startswith("/") or re.search("%(?![0-9a-fA-F]{2})", prefix)):
        yield warning(("pathPrefix",), f"is {prefix!r}, which is no path: begin it with '/', and write '%' as %25")
    if kind == "lightstep" and not settings.get("accessToken"):
        yield warning(("accessToken",), "is required: add it")
    if kind == "opentelemetry" and "grpc" in settings and "http" in settings:
        yield warning((), "has grpc and http, which exclude each other: keep one")


def _curves(config: Mapping[str, Any]) -> Iterator[Found]:
    if config.get("meshMTLS", {}).get("ecdhCurves"):
        yield error(("meshMTLS", "ecdhCurves"), "is refused by istiod: leave it out, or set tlsDefaults.ecdhCurves")


def _known_curves(*known: str) -> Rule:
    def rule(config: Mapping[str, Any]) -> Iterator[Found]:
        curves = config.get("tlsDefaults", {}).get("ecdhCurves", ())
        for index, curve in enumerate(curves):
            path = ("tlsDefaults", "ecdhCurves", index)
            if curve and curve not in known:
                yield warning(
                    path, f"is {curve!r}, which istiod leaves out: use {', '.join(known[:-1])} or {known[-1]}"
                )
            elif curve in curves[:index]:
                yield warning(path, f"is {curve!r} a second time: leave it out")

    return rule


_CURVES = ("P-224", "P-256", "P-384", "P-521", "X25519")


_BUFFERS = ("listenerPerConnectionBufferLimitBytes", "clusterPerConnectionBufferLimitBytes", "httpMaxConcurrentStreams")


_WINDOWS = ("http2InitialStreamWindowSize", "http2InitialConnectionWindowSize")


_LIMITS = ("listenerConnectionLimit", "globalDownstreamConnectionLimit")


_TIMES = (
    *("httpIdleTimeout", "httpMaxConnectionDuration", "httpDrainTimeout", "httpRequestTimeout"),
    *("httpRequestHeadersTimeout", "httpStreamIdleTimeout", "httpMaxStreamDuration"),
)


def _connections(config: Mapping[str, Any]) -> Iterator[Found]:
    settings = config.get("defaultConfig", {}).get("connectionSettings", {})
    found = [*check_not_negative(settings, *_BUFFERS)]
    found += [
        error((key,), f"is {settings[key]!r}: use 0s or more")
        for key in _TIMES
        if _nanoseconds(settings.get(key, "0s")) < 0
    ]
    for keys, least in ((_WINDOWS, 65535), (_LIMITS, 1)):
        found += [
            error((key,), f"is {settings[key]}: use {least} or more")
            for key in keys
            if settings.get(key, least) < least
        ]
    yield from below(("defaultConfig", "connectionSettings"), found)


_RULES: tuple[tuple[ReleaseRange, Rule], ...] = (
    (EVERY_RELEASE, _listen_port),
    (until("1.19"), _connect_timeout(30 * _SECOND, "30s")),  # istio 1.19.10
    (since("1.20"), _connect_timeout(_HOUR, "1h")),  # istio 1.20.8
    (EVERY_RELEASE, _detection_timeout),
    (EVERY_RELEASE, _proxy_texts),
    (EVERY_RELEASE, _drain),
    (until("1.21"), _drain_limit),  # istio 1.22.8 has no limit
    (until("1.16"), _parent_shutdown),  # istio 1.17.8 has no such field
    (EVERY_RELEASE, _tracing),
    (EVERY_RELEASE, _proxy_addresses),
    (EVERY_RELEASE, _proxy_ports),
    (EVERY_RELEASE, _private_key_provider),
    (since("1.25"), _auto_allocate),  # istio 1.25.5
    (EVERY_RELEASE, _hosts_of_services),
    (EVERY_RELEASE, _trust_domains),
    (EVERY_RELEASE, _providers),
    (since("1.18"), _curves),  # istio 1.18.7
    (since("1.18", until="1.22"), _known_curves(*_CURVES, "CECPQ2")),  # istio 1.22.8: pkg/config/security/security.go
    (since("1.23", until="1.25"), _known_curves(*_CURVES, "X25519Kyber768Draft00")),  # istio 1.23.6
    (since("1.26"), _known_curves(*_CURVES, "X25519Kyber768Draft00", "X25519MLKEM768")),  # istio 1.26.8
    (since("1.31"), _connections),
)
"""Each rule with the first and the last release that has it; None is an open end."""


# -------------------------------------------------------------------------------------------------------- what they use


def _nanoseconds(text: str) -> int:
    return parse_duration(text) or 0


def _milliseconds(text: str) -> bool:
    """At least one millisecond, and no fraction of one."""
    return _nanoseconds(text) >= _MILLISECOND and not _nanoseconds(text) % _MILLISECOND


def _whole_seconds(config: Mapping[str, Any], key: str) -> Iterator[Found]:
    text = config.get("defaultConfig", {}).get(key, "0s")
    if not _milliseconds(text) or _nanoseconds(text) % _SECOND:
        yield error(("defaultConfig", key), f"is {text!r}: use whole seconds from 1s")


def _no_address(text: str) -> str:
    return f"is {text!r}, which is no host with a port: write it as in istiod.example.com:15012"
