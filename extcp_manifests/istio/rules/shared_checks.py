"""What the rules of validation share: Istio's sense of hosts, addresses, ports, labels and names.

Source: istio 1.15.7: pkg/config/validation/validation.go, 1.30.3: pkg/config/validation/agent/validation.go,
pkg/config/labels/instance.go.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from extcp_manifests.documents.findings import Found, error
from extcp_manifests.documents.lookup import items_of, text_of
from extcp_manifests.errors import Path
from extcp_manifests.patterns import pattern

# --------------------------------------------------------------------------------------------- ports, durations, labels


def texts_of(value: Any, *path: str | int) -> list[str]:
    """Return the texts of the list at a path, without what is not text, which the schema reports."""
    return [item for item in items_of(value, *path) if isinstance(item, str)]


def check_port(path: Path, number: Any) -> Iterator[Found]:
    """Check the number of a TCP port."""
    if not isinstance(number, int) or not 1 <= number <= 65535:
        yield error(path, f"is {number!r}, which is not a valid port: use 1 to 65535")


def check_labels(path: Path, labels: Mapping[str, Any]) -> Iterator[Found]:
    """Check keys and values of Kubernetes labels; istiod does not look at the length of a value."""
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        good = _LABEL_TEXT.fullmatch(name) and (not slash or (len(prefix) <= 253 and _is_dns_name(prefix)))
        if not good:
            yield error(path, f"has the label {key!r}: use letters, digits and inner '-', '_' and '.'")
        if value and not _LABEL_TEXT.fullmatch(str(value)):
            yield error(path, f"has the label value {value!r}: use letters, digits and inner '-', '_' and '.'")


_LABEL_TEXT = pattern(r"[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?")


def _is_dns_name(text: str) -> bool:
    return all(map(LABEL.fullmatch, text.split(".")))


# -------------------------------------------------------------------------------------------------- hosts and addresses


LABEL = pattern(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
"""A DNS label in Istio's sense, upper case allowed."""


_FIRST_OF_WILDCARD = pattern(r"\*|(?:\*-?)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")


def is_fqdn(text: str) -> bool:
    """Return whether a text is a host name in Istio's sense: DNS labels, upper case allowed, the last not a number."""
    return 0 < len(text) <= 255 and _is_fqdn(text)


@lru_cache(maxsize=1024)  # routes have the same few hosts
def _is_fqdn(text: str) -> bool:
    *labels, last = text.split(".")
    labels += [last] if last else []
    return not _NUMBER.fullmatch(last) and all(map(LABEL.fullmatch, labels))


_NUMBER = pattern(r"[-+]?[0-9]+")


def is_wildcard_domain(text: str) -> bool:
    """Return whether a text is a host name whose first label may be, or begin with, `*`."""
    return len(text) <= 255 and _is_wildcard_domain(text)


@lru_cache(maxsize=1024)
def _is_wildcard_domain(text: str) -> bool:
    first, dot, rest = text.partition(".")
    return bool(_FIRST_OF_WILDCARD.fullmatch(first)) and (is_fqdn(rest) if dot else len(first) < 64)


def is_ip(text: str) -> bool:
    """Return whether a text is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_subnet(text: str) -> bool:
    """Return whether a text is an IP address, or a range of them as in 10.0.0.0/8."""
    try:
        ip_network(text, strict=False) if "/" in text else ip_address(text)
    except ValueError:
        return False
    return "/" not in text or text.rpartition("/")[2].isdecimal()  # Python takes a mask there, too


def is_address(text: str) -> bool:
    """Return whether a text is a host or an IP address with a port, as Go's SplitHostPort splits them."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return False
    number = re.fullmatch(r"\+?[0-9]{1,9}", port)
    return bool(colon and number and 1 <= int(port) <= 65535) and (is_fqdn(host) or is_ip(host))


def is_service(text: str) -> bool:
    """Return whether a text is a host name, an IP address, or namespace/host."""
    namespace, slash, host = text.rpartition("/")
    if slash and not (namespace in ("*", ".", "~") or LABEL.fullmatch(namespace)):
        return False
    return (is_fqdn(host) and (not slash or "." in host)) or (not slash and is_ip(host))


# --------------------------------------------------------------------------------------------------------------- shared


def check_name(document: Mapping[str, Any]) -> Iterator[Found]:
    """Check `metadata.name`, which istiod wants as a DNS label."""
    name = text_of(document, "metadata", "name")
    if not LABEL.fullmatch(name):
        yield error(
            ("metadata", "name"), f"is {name!r}, which is not a valid DNS label: use letters, digits and inner '-'"
        )


def check_export_to(document: Mapping[str, Any]) -> Iterator[Found]:
    """Check the namespaces that see the document."""
    entries = texts_of(document, "spec", "exportTo")
    own = text_of(document, "metadata", "namespace")
    for entry in entries:
        if entry not in (".", "*") and not LABEL.fullmatch(entry):
            yield error(("spec", "exportTo"), f"has {entry!r}, which is not a valid namespace: use '.', '*' or a name")
    resolved = [own if entry == "." else entry for entry in entries]
    if len(set(resolved)) < len(resolved):
        yield error(("spec", "exportTo"), "names a namespace twice: leave one out")
    if "*" in entries and len(entries) > 1:
        yield error(("spec", "exportTo"), "has '*' beside others: leave them out")


class HostNames:
    """Hosts, each perhaps a wildcard, among which those that have names in common are found by their ends."""

    def __init__(self) -> None:
        self._plain: set[str] = set()
        self._ends: dict[str, str] = {}
        """The wildcards, by what follows their `*`."""
        self._lengths: list[int] = []
        """The lengths of these ends, each once, ascending; others need not be tried."""

    def add(self, host: str) -> None:
        if host.startswith("*"):
            self._add_wildcard(host)
        else:
            self._plain.add(host)

    def _add_wildcard(self, host: str) -> None:
        end = host[1:]
        self._ends.setdefault(end, host)
        place = bisect_left(self._lengths, len(end))
        if place == len(self._lengths) or self._lengths[place] != len(end):
            self._lengths.insert(place, len(end))

    def covering(self, host: str) -> str | None:
        """Return a host that has every name of this one, the closest if there are several, or None."""
        if host in self._plain:
            return host
        end = host.removeprefix("*")
        for length in reversed(self._lengths):
            if length <= len(end):
                found = self._ends.get(end[len(end) - length :])
                if found is not None:
                    return found
        return None


def overlapping(hosts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of hosts that have names in common: each host that appears twice, and each with the closest wildcard.

    Not every pair is compared or yielded, which would be a million for some thousand hosts.
    """
    if len(hosts) < 2:
        return
    places: dict[str, int] = {}
    twice: dict[str, None] = {}
    for index, host in enumerate(hosts):
        if places.setdefault(host, index) != index:
            twice[host] = None
    yield from ((host, host) for host in twice)
    wildcards = HostNames()
    pairs: list[tuple[int, int]] = []
    for host in sorted(places, key=lambda each: (len(each.removeprefix("*")), not each.startswith("*"))):
        other = wildcards.covering(host)
        if other is not None:
            first, second = sorted((places[host], places[other]))
            pairs.append((first, second))
        if host.startswith("*"):
            wildcards.add(host)
    yield from ((hosts[first], hosts[second]) for first, second in sorted(pairs))
