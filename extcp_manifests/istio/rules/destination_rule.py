"""What istiod's webhook reports of a DestinationRule."""

from collections.abc import Iterator, Mapping
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, below, error, warning
from extcp_manifests.documents.lookup import list_at, texts_at
from extcp_manifests.errors import Path
from extcp_manifests.istio.releases import Release
from extcp_manifests.istio.rules.checks import (
    LABEL,
    check_labels,
    check_port,
    is_fqdn,
    is_ip,
    is_wildcard_domain,
    spec_of,
)
from extcp_manifests.istio.rules.traffic_policy import check_part

# ------------------------------------------------------------------------------------------------------ DestinationRule


def _rule_host(document: Mapping[str, Any]) -> Iterator[Found]:
    host = str(spec_of(document).get("host", ""))
    if not is_wildcard_domain(host):
        yield error(("spec", "host"), f"is {host!r}, which is no host name: name a service")


def _policies(document: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The traffic policy of the rule and of each subset, with their places."""
    spec = spec_of(document)
    if spec.get("trafficPolicy") is not None:
        yield ("spec", "trafficPolicy"), spec["trafficPolicy"]
    for index, subset in enumerate(list_at(spec, "subsets")):
        if subset.get("trafficPolicy") is not None:
            yield ("spec", "subsets", index, "trafficPolicy"), subset["trafficPolicy"]


def _ports_and_policies(document: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The same, and each policy of a port."""
    for place, policy in _policies(document):
        yield place, policy
        for index, each in enumerate(list_at(policy, "portLevelSettings")):
            yield (*place, "portLevelSettings", index), each


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
        for index, each in enumerate(list_at(policy, "portLevelSettings")):
            where = (*place, "portLevelSettings", index)
            if each.get("port") is None:
                yield error((*where, "port"), "is required: add its number")
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
                path = (*place, "loadBalancer", "localityLbSetting", key)
                yield warning(path, "has no effect without outlierDetection: add it")


def _secrets_of_others(document: Mapping[str, Any]) -> Iterator[Found]:
    own = (document.get("metadata") or {}).get("namespace", "")
    for place, policy in _ports_and_policies(document):
        name = (policy.get("tls") or {}).get("credentialName", "")
        namespace, slash, _ = name.removeprefix("configmap://").partition("/")
        if name.startswith("configmap://") and slash and namespace != own:
            path = (*place, "tls", "credentialName")
            yield error(path, f"names a ConfigMap in {namespace!r}: use one in {own!r}, the rule's own namespace")


def _tunnels(document: Mapping[str, Any]) -> Iterator[Found]:
    for place, policy in _policies(document):
        tunnel = policy.get("tunnel")
        if tunnel is None:
            continue
        if tunnel.get("protocol", "") not in ("", "CONNECT", "POST"):
            yield error((*place, "tunnel", "protocol"), f"is {tunnel['protocol']!r}: use CONNECT or POST")
        host = str(tunnel.get("targetHost", ""))
        if not (is_fqdn(host) or is_ip(host)):
            yield error((*place, "tunnel", "targetHost"), f"is {host!r}, which is no host: name one")
        yield from check_port((*place, "tunnel", "targetPort"), tunnel.get("targetPort", 0))


def _subsets(document: Mapping[str, Any]) -> Iterator[Found]:
    for index, subset in enumerate(list_at(spec_of(document), "subsets")):
        name = subset.get("name", "")
        if not LABEL.fullmatch(name):
            yield error(("spec", "subsets", index, "name"), f"is {name!r}, which is no DNS label: name the subset")
        yield from check_labels(("spec", "subsets", index, "labels"), subset.get("labels") or {})


def _subset_names(document: Mapping[str, Any]) -> Iterator[Found]:
    taken: set[Any] = set()
    for index, subset in enumerate(list_at(spec_of(document), "subsets")):
        name = subset.get("name")
        if name in taken:
            yield error(("spec", "subsets", index, "name"), f"is {name!r} like another subset's: choose another")
        taken.add(name)


def _workload_selector(document: Mapping[str, Any]) -> Iterator[Found]:
    selector = spec_of(document).get("workloadSelector")
    for key, value in ((selector or {}).get("matchLabels") or {}).items():
        if not key or "*" in f"{key}{value}":
            path = ("spec", "workloadSelector", "matchLabels")
            yield error(path, f"has {key!r}: {value!r}: give each label a key, and leave '*' out")
    own = (".", (document.get("metadata") or {}).get("namespace", ""))
    if selector is not None and any(entry not in own for entry in texts_at(spec_of(document), "exportTo")):
        yield error(("spec", "exportTo"), "must be '.' beside workloadSelector: leave the others out")
