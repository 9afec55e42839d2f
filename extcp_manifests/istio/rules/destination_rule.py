"""What istiod's webhook reports of a DestinationRule; the parts of its policies are in `traffic_policy`."""

from collections.abc import Iterator, Mapping
from typing import Any

from extcp_manifests.documents.findings import Found, error, warning
from extcp_manifests.documents.lookup import EACH, each_at, items_of, mapping_of, text_of
from extcp_manifests.errors import Path
from extcp_manifests.istio.releases import since, until
from extcp_manifests.istio.rules import traffic_policy
from extcp_manifests.istio.rules.rows import Excludes, OneOf, Range, RuleRow, rows_at
from extcp_manifests.istio.rules.shared_checks import (
    LABEL,
    check_export_to,
    check_labels,
    is_fqdn,
    is_ip,
    is_wildcard_domain,
    texts_of,
)

# ------------------------------------------------------------------------------------------------------------- policies


def _port_settings(policy: Mapping[str, Any]) -> Iterator[Found]:
    if policy.get("port") is None:
        yield error(("port",), "is required: add its number")
    elif all(policy.get(key) is None for key in _SETTINGS):
        yield error((), "sets nothing: add outlierDetection, connectionPool, loadBalancer or tls")


def _failover_without_detection(policy: Mapping[str, Any]) -> Iterator[Found]:
    """Envoy only fails over from hosts that it has found to be unhealthy."""
    if policy.get("loadBalancer") is None:
        return
    for key in ("failover", "failoverPriority"):
        place = ("loadBalancer", "localityLbSetting", key)
        if mapping_of(policy, *place[:2]).get(key) and policy.get("outlierDetection") is None:
            yield warning(place, "has no effect without outlierDetection: add it")


def _tunnel(tunnel: Mapping[str, Any]) -> Iterator[Found]:
    protocol, host = text_of(tunnel, "protocol"), text_of(tunnel, "targetHost")
    if protocol not in ("", "CONNECT", "POST"):
        yield error(("protocol",), f"is {protocol!r}: use CONNECT or POST")
    if not (is_fqdn(host) or is_ip(host)):
        yield error(("targetHost",), f"is {host!r}, which is not a valid host: name one")


def _secrets_of_others(document: Mapping[str, Any]) -> Iterator[Found]:
    own = text_of(document, "metadata", "namespace")
    for place, policy in _policies_of(document):
        name = text_of(policy, "tls", "credentialName")
        if not name.startswith("configmap://"):
            continue
        namespace, slash, _ = name.removeprefix("configmap://").partition("/")
        if slash and namespace != own:
            problem = f"names a ConfigMap in {namespace!r}: use one in {own!r}, the rule's own namespace"
            yield error((*place, "tls", "credentialName"), problem)


def _policies_of(document: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Yield every policy, those of ports too, with its place."""
    for path in (*_POLICIES, *_PORT_POLICIES):
        yield from each_at(document, path)


# -------------------------------------------------------------------------------------------- hosts, subsets, selectors


def _host(spec: Mapping[str, Any]) -> Iterator[Found]:
    host = text_of(spec, "host")
    if not is_wildcard_domain(host):
        yield error(("host",), f"is {host!r}, which is not a valid host name: name a service")


def _subset(subset: Mapping[str, Any]) -> Iterator[Found]:
    name = text_of(subset, "name")
    if not LABEL.fullmatch(name):
        yield error(("name",), f"is {name!r}, which is not a valid DNS label: name the subset")
    yield from check_labels(("labels",), mapping_of(subset, "labels"))


def _subset_names(spec: Mapping[str, Any]) -> Iterator[Found]:
    taken: set[Any] = set()
    for index, subset in enumerate(items_of(spec, "subsets")):
        name = subset.get("name")
        if name in taken:
            yield error(("subsets", index, "name"), f"is {name!r} like another subset's: choose another")
        taken.add(name)


def _workload_selector(document: Mapping[str, Any]) -> Iterator[Found]:
    for key, value in mapping_of(document, "spec", "workloadSelector", "matchLabels").items():
        if not key or "*" in f"{key}{value}":
            problem = f"has {key!r}: {value!r}: give each label a key, and leave '*' out"
            yield error(("spec", "workloadSelector", "matchLabels"), problem)
    own = (".", text_of(document, "metadata", "namespace"))
    has_selector = "workloadSelector" in mapping_of(document, "spec")
    if has_selector and any(entry not in own for entry in texts_of(document, "spec", "exportTo")):
        yield error(("spec", "exportTo"), "must be '.' beside workloadSelector: leave the others out")


# ------------------------------------------------------------------------------------------------------------- the rows

_POLICY: Path = ("spec", "trafficPolicy")


_SUBSET_POLICY: Path = ("spec", "subsets", EACH, "trafficPolicy")


_POLICIES = (_POLICY, _SUBSET_POLICY)


_PORT_POLICIES = ((*_POLICY, "portLevelSettings", EACH), (*_SUBSET_POLICY, "portLevelSettings", EACH))


def _not_empty(*keys: str) -> OneOf:
    return OneOf(keys, f"sets nothing: add {', '.join(keys[:-1])} or {keys[-1]}, or leave it out")


_SETTINGS = ("outlierDetection", "connectionPool", "loadBalancer", "tls")


_PORT_KEYS: tuple[Path, ...] = (("port",), *((key,) for key in _SETTINGS))


_RULES_OF_A_POLICY = (
    RuleRow("networking/empty-policy", _not_empty(*_SETTINGS, "portLevelSettings", "tunnel"), releases=until("1.20")),
    RuleRow(
        "networking/empty-policy",
        _not_empty(*_SETTINGS, "portLevelSettings", "tunnel", "proxyProtocol"),
        releases=since("1.21", until="1.26"),  # istio 1.21.6
    ),
    RuleRow(
        "networking/empty-policy",
        _not_empty(*_SETTINGS, "portLevelSettings", "tunnel", "proxyProtocol", "retryBudget"),
        releases=since("1.27"),  # istio 1.27.9
    ),
    RuleRow("networking/traffic-policy", Excludes(("tunnel", "proxyProtocol")), releases=since("1.21")),  # istio 1.21.6
    RuleRow("networking/traffic-policy", _tunnel, at=("tunnel",)),
    RuleRow("networking/traffic-policy", Range("targetPort", 1, 65535, missing=0, what="port"), at=("tunnel",)),
)


_RULES_OF_BOTH = (
    RuleRow("networking/failover", _failover_without_detection, needs=(("outlierDetection",),)),
    *rows_at(("connectionPool",), traffic_policy.CONNECTION_POOL),
    *rows_at(("outlierDetection",), traffic_policy.OUTLIER_DETECTION),
    *rows_at(("loadBalancer",), traffic_policy.LOAD_BALANCER),
    *rows_at(("tls",), traffic_policy.TLS),
)


ROWS = (
    RuleRow("networking/hosts", _host, at=("spec",)),
    *(row for place in _POLICIES for row in rows_at(place, _RULES_OF_A_POLICY)),
    *(RuleRow("networking/empty-policy", _port_settings, at=place, needs=_PORT_KEYS) for place in _PORT_POLICIES),
    *(row for place in (*_POLICIES, *_PORT_POLICIES) for row in rows_at(place, _RULES_OF_BOTH)),
    RuleRow(
        "networking/secret-of-others",
        _secrets_of_others,
        releases=since("1.26"),  # istio 1.26.8
        needs=(("metadata", "namespace"),),
    ),
    RuleRow("networking/subsets", _subset, at=("spec", "subsets", EACH)),
    RuleRow("networking/subsets", _subset_names, at=("spec",), releases=since("1.22")),  # istio 1.22.8
    RuleRow("networking/workload-selector", _workload_selector, needs=(("metadata", "namespace"),)),
    RuleRow("networking/export-to", check_export_to),
)
"""The rules of DestinationRules, in the order of their findings."""
