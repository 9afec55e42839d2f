"""What istiod's validation says of a whole mesh config, by release.

Source: istio 1.15.7: pkg/config/validation/validation.go, 1.22.8 to 1.30.3: pkg/config/validation/agent/validation.go.
Extension providers are among the problems, though istiod only logs theirs. Client TLS settings and the fields that are
new in 1.31 are not looked at.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from ipaddress import ip_address
from typing import Any

from extcp_manifests.errors import Problem
from extcp_manifests.release import RELEASES, Release
from extcp_manifests.schema import parse_duration

Rule = Callable[[Mapping[str, Any]], Iterator[Problem]]

_MILLISECOND = 10**6
_SECOND = 10**9
_HOUR = 3600 * _SECOND


def validate_mesh_config(config: Mapping[str, Any], release: Release) -> Iterator[Problem]:
    """Every problem of an effective mesh config, defaults included."""
    for rule in _rules_of(release):
        yield from rule(config)


@cache
def _rules_of(release: Release) -> tuple[Rule, ...]:
    order = list(RELEASES)
    now = order.index(release.name)
    return tuple(rule for since, until, rule in _RULES if order.index(since) <= now <= order.index(until))


# ----------------------------------------------------------------------------------------------------------- the rules


def _listen_port(config: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _port(config, "proxyListenPort")


def _connect_timeout(longest: int, words: str) -> Rule:
    def rule(config: Mapping[str, Any]) -> Iterator[Problem]:
        text = config.get("connectTimeout", "0s")
        if not (_milliseconds(text) and _MILLISECOND <= _nanoseconds(text) <= longest):
            yield Problem("connectTimeout", f"is {text!r}: use whole milliseconds from 1ms to {words}")

    return rule


def _detection_timeout(config: Mapping[str, Any]) -> Iterator[Problem]:
    text = config.get("protocolDetectionTimeout", "0s")
    if _nanoseconds(text) % _MILLISECOND:
        yield Problem("protocolDetectionTimeout", f"is {text!r}: use 0s or whole milliseconds")


def _proxy_texts(config: Mapping[str, Any]) -> Iterator[Problem]:
    proxy = config.get("defaultConfig", {})
    for key in ("configPath", "binaryPath"):
        if not proxy.get(key):
            yield Problem(f"defaultConfig.{key}", "is empty: leave it out to have Istio's default")
    if not proxy.get("serviceCluster") and "tracingServiceName" not in proxy:
        yield Problem("defaultConfig.serviceCluster", "is empty: name it, or set tracingServiceName")
    if not is_address(proxy.get("discoveryAddress", "")):
        yield Problem("defaultConfig.discoveryAddress", _no_address(proxy.get("discoveryAddress", "")))
    if proxy.get("controlPlaneAuthPolicy", "NONE") not in ("NONE", "MUTUAL_TLS"):
        yield Problem("defaultConfig.controlPlaneAuthPolicy", "must be NONE or MUTUAL_TLS")


def _proxy_ports(config: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("proxyAdminPort", "statusPort"):
        yield from _port(config.get("defaultConfig", {}), key, "defaultConfig.")


def _proxy_addresses(config: Mapping[str, Any]) -> Iterator[Problem]:
    proxy = config.get("defaultConfig", {})
    found = {key: proxy.get(key) for key in ("statsdUdpAddress", "envoyMetricsServiceAddress")}
    found |= {
        f"{key}.address": proxy.get(key, {}).get("address") for key in ("envoyMetricsService", "envoyAccessLogService")
    }
    for key, address in found.items():
        if address and not is_address(address):
            yield Problem(f"defaultConfig.{key}", _no_address(address))


def _tracing(config: Mapping[str, Any]) -> Iterator[Problem]:
    tracing = config.get("defaultConfig", {}).get("tracing", {})
    for tracer in ("zipkin", "datadog", "lightstep"):
        if tracer not in tracing:
            continue
        address = tracing[tracer].get("address", "")
        known = address if tracer == "lightstep" else address.replace("$(HOST_IP)", "127.0.0.1", 1)
        if not is_address(known):
            yield Problem(f"defaultConfig.tracing.{tracer}.address", _no_address(address))
    if "lightstep" in tracing and not tracing["lightstep"].get("accessToken"):
        yield Problem("defaultConfig.tracing.lightstep.accessToken", "is required: add it")


def _drain(config: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _whole_seconds(config, "drainDuration")


def _drain_limit(config: Mapping[str, Any]) -> Iterator[Problem]:
    text = config.get("defaultConfig", {}).get("drainDuration", "0s")
    if _nanoseconds(text) > _HOUR:
        yield Problem("defaultConfig.drainDuration", f"is {text!r}: use at most 1h")


def _parent_shutdown(config: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _whole_seconds(config, "parentShutdownDuration")
    proxy = config.get("defaultConfig", {})
    text = proxy.get("parentShutdownDuration", "0s")
    if not _nanoseconds(proxy.get("drainDuration", "0s")) < _nanoseconds(text) <= _HOUR:
        yield Problem("defaultConfig.parentShutdownDuration", f"is {text!r}: use more than drainDuration, at most 1h")


def _private_key_provider(config: Mapping[str, Any]) -> Iterator[Problem]:
    provider = config.get("defaultConfig", {}).get("privateKeyProvider")
    if provider is not None and not provider:
        yield Problem("defaultConfig.privateKeyProvider", "names no provider: add cryptomb or qat")
    for name, settings in (provider or {}).items():
        if not _nanoseconds(settings.get("pollDelay", "0s")):
            yield Problem(f"defaultConfig.privateKeyProvider.{name}.pollDelay", "is required and must not be 0: add it")


def _auto_allocate(config: Mapping[str, Any]) -> Iterator[Problem]:
    if "ISTIO_META_DNS_AUTO_ALLOCATE" in config.get("defaultConfig", {}).get("proxyMetadata", {}):
        place = "defaultConfig.proxyMetadata.ISTIO_META_DNS_AUTO_ALLOCATE"
        yield Problem(place, "is deprecated since 1.25, a warning only: leave it out")


def _locality(config: Mapping[str, Any]) -> Iterator[Problem]:
    setting = config.get("localityLbSetting", {})
    if setting.get("distribute") and setting.get("failover"):
        yield Problem("localityLbSetting", "has distribute and failover, which exclude each other: leave one out")
    for index, each in enumerate(setting.get("distribute", ())):
        place = f"localityLbSetting.distribute[{index}].to"
        weights = each.get("to", {})
        for locality, weight in weights.items():
            if not 1 <= weight <= 100:
                yield Problem(place, f"gives {locality!r} the weight {weight}: use 1 to 100")
        if sum(weights.values()) != 100:
            yield Problem(place, f"has weights that add up to {sum(weights.values())}: make it 100")
        yield from _localities(place, list(weights))
    origins = [each.get("from", "") for each in setting.get("distribute", ())]
    yield from _localities("localityLbSetting.distribute", origins)
    for index, each in enumerate(setting.get("failover", ())):
        place = f"localityLbSetting.failover[{index}]"
        origin, target = each.get("from", ""), each.get("to", "")
        if origin == target:
            yield Problem(place, f"goes from {origin!r} to itself: name another region")
        if any(mark in origin + target for mark in "/*"):
            yield Problem(place, "names more than a region: leave zones, '/' and '*' out")


def _failover_priority(config: Mapping[str, Any]) -> Iterator[Problem]:
    setting = config.get("localityLbSetting", {})
    taken = [label for label in setting.get("failoverPriority", ()) if label.partition("=")[0] in _TOPOLOGYLABELS]
    if setting.get("failover") and taken:
        yield Problem("localityLbSetting.failoverPriority", f"has {taken[0]!r} beside failover: leave one of them out")


def _hosts_of_services(config: Mapping[str, Any]) -> Iterator[Problem]:
    for index, each in enumerate(config.get("serviceSettings", ())):
        for number, host in enumerate(each.get("hosts", ())):
            if not is_wildcard_domain(host):
                place = f"serviceSettings[{index}].hosts[{number}]"
                yield Problem(place, f"is {host!r}, which is no host: write it as in *.example.com")


def _trust_domains(config: Mapping[str, Any]) -> Iterator[Problem]:
    domains = {"trustDomain": config.get("trustDomain", "")}
    domains |= {f"trustDomainAliases[{i}]": alias for i, alias in enumerate(config.get("trustDomainAliases", ()))}
    for place, domain in domains.items():
        if not domain or not all(map(LABEL.fullmatch, domain.removesuffix(".").split("."))):
            yield Problem(place, f"is {domain!r}, which is no trust domain: use DNS labels between dots")


def _providers(config: Mapping[str, Any]) -> Iterator[Problem]:
    for index, provider in enumerate(config.get("extensionProviders", ())):
        place = f"extensionProviders[{index}]"
        settings = {key: value for key, value in provider.items() if key != "name"}
        if not provider.get("name"):
            yield Problem(f"{place}.name", "is required: name the provider")
        if not settings:
            yield Problem(place, "has no provider: add its settings, as in zipkin: {...}")
        for kind, each in settings.items():
            yield from _service(f"{place}.{kind}", each)


def _service(place: str, settings: Mapping[str, Any]) -> Iterator[Problem]:
    if "service" in settings and not _is_service(settings["service"]):
        problem = f"is {settings['service']!r}, which is no service: write a host name, an address or namespace/host"
        yield Problem(f"{place}.service", problem)
    if "port" in settings:
        yield from _port(settings, "port", f"{place}.")


def _curves(config: Mapping[str, Any]) -> Iterator[Problem]:
    if config.get("meshMTLS", {}).get("ecdhCurves"):
        yield Problem("meshMTLS.ecdhCurves", "is refused by istiod: leave it out, or set tlsDefaults.ecdhCurves")


_RULES: tuple[tuple[str, str, Rule], ...] = (
    ("1.15", "1.31", _listen_port),
    ("1.15", "1.19", _connect_timeout(30 * _SECOND, "30s")),  # istio 1.19.10
    ("1.20", "1.31", _connect_timeout(_HOUR, "1h")),  # istio 1.20.8
    ("1.15", "1.31", _detection_timeout),
    ("1.15", "1.31", _proxy_texts),
    ("1.15", "1.31", _drain),
    ("1.15", "1.21", _drain_limit),  # istio 1.22.8 has no limit
    ("1.15", "1.16", _parent_shutdown),  # istio 1.17.8 has no such field
    ("1.15", "1.31", _tracing),
    ("1.15", "1.31", _proxy_addresses),
    ("1.15", "1.31", _proxy_ports),
    ("1.15", "1.31", _private_key_provider),
    ("1.25", "1.31", _auto_allocate),  # istio 1.25.5
    ("1.15", "1.31", _locality),
    ("1.20", "1.31", _failover_priority),  # istio 1.20.8
    ("1.15", "1.31", _hosts_of_services),
    ("1.15", "1.31", _trust_domains),
    ("1.15", "1.31", _providers),
    ("1.18", "1.31", _curves),  # istio 1.18.7
)
"""Each rule with the first and the last release that has it."""


# -------------------------------------------------------------------------------------------------------- what they use

LABEL = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_FIRST_OF_WILDCARD = re.compile(r"\*|(?:\*-?)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_TOPOLOGYLABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")


def _port(config: Mapping[str, Any], key: str, start: str = "") -> Iterator[Problem]:
    number = config.get(key, 0)
    if not 1 <= number <= 65535:
        yield Problem(f"{start}{key}", f"is {number}, which is no port: use 1 to 65535")


def _nanoseconds(text: str) -> int:
    return parse_duration(text) or 0


def _milliseconds(text: str) -> bool:
    """At least one millisecond, and no fraction of one."""
    return _nanoseconds(text) >= _MILLISECOND and not _nanoseconds(text) % _MILLISECOND


def _whole_seconds(config: Mapping[str, Any], key: str) -> Iterator[Problem]:
    text = config.get("defaultConfig", {}).get(key, "0s")
    if not _milliseconds(text) or _nanoseconds(text) % _SECOND:
        yield Problem(f"defaultConfig.{key}", f"is {text!r}: use whole seconds from 1s")


def _localities(place: str, names: list[str]) -> Iterator[Problem]:
    """Localities of one set must be well formed and must not cover each other."""
    for index, name in enumerate(names):
        parts = name.split("/")
        if name.count("*") > 1 or ("*" in name and not name.endswith("*")) or "" in parts:
            yield Problem(place, f"has {name!r}, which is no locality: write region/zone/subzone, '*' only at the end")
        for other in names[:index]:
            if _covers(other, name) or _covers(name, other):
                yield Problem(place, f"has {name!r} and {other!r}, which overlap: leave one out")


def _covers(one: str, other: str) -> bool:
    return one == other or (one.endswith("*") and other.startswith(one[:-1])) or other.startswith(f"{one}/")


def is_fqdn(text: str) -> bool:
    """A host name of DNS labels in Istio's sense, upper case allowed, that is no number at its end."""
    *labels, last = text.split(".")
    labels += [last] if last else []
    number = re.fullmatch(r"[-+]?[0-9]+", last)
    return 0 < len(text) <= 255 and not number and all(map(LABEL.fullmatch, labels))


def is_wildcard_domain(text: str) -> bool:
    """A host name whose first label may be, or begin with, `*`."""
    first, dot, rest = text.partition(".")
    return (
        len(text) <= 255 and bool(_FIRST_OF_WILDCARD.fullmatch(first)) and (is_fqdn(rest) if dot else len(first) < 64)
    )


def is_ip(text: str) -> bool:
    """An IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_address(text: str) -> bool:
    """A host or IP address with a port, as Go's SplitHostPort splits them."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return False
    number = re.fullmatch(r"\+?[0-9]+", port)
    return bool(colon and number and 1 <= int(port) <= 65535) and (is_fqdn(host) or is_ip(host))


def _no_address(text: str) -> str:
    return f"is {text!r}, which is no host with a port: write it as in istiod.example.com:15012"


def _is_service(text: str) -> bool:
    namespace, slash, host = text.rpartition("/")
    if slash and not (namespace in ("*", ".", "~") or LABEL.fullmatch(namespace)):
        return False
    return (is_fqdn(host) and (not slash or "." in host)) or (not slash and is_ip(host))
