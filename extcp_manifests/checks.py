"""What the rules of validation share: findings, rules by release, and Istio's sense of hosts, ports and labels.

Source: istio 1.15.7: pkg/config/validation/validation.go, 1.30.3: pkg/config/validation/agent/validation.go,
pkg/config/labels/instance.go.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any, Literal

from extcp_manifests.errors import Problem
from extcp_manifests.schema import parse_duration


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a rule found: an error, or something that is only strange."""

    problem: Problem
    is_warning: bool = False
    rule: str = ""
    """The id of the rule in `rule_ids.RULES`; whoever runs a rule sets it, so that the rule need not."""

    @property
    def level(self) -> "Level":
        return "warning" if self.is_warning else "error"


Level = Literal["error", "warning"]


def error(path: str, message: str, rule: str = "") -> Found:
    """What Istio refuses."""
    return Found(Problem(path, message), rule=rule)


def warning(path: str, message: str, rule: str = "") -> Found:
    """What Istio takes, and tells or ignores."""
    return Found(Problem(path, message), is_warning=True, rule=rule)


def as_errors(problems: Iterable[Problem], rule: str) -> Iterator[Found]:
    """Give problems that others found as errors of a rule."""
    for problem in problems:
        yield Found(problem, rule=rule)


def as_warnings(problems: Iterable[Problem], rule: str) -> Iterator[Found]:
    """Give problems that others found as warnings of a rule."""
    for problem in problems:
        yield Found(problem, is_warning=True, rule=rule)


def by_rule(rule: str, found: Iterable[Found]) -> Iterator[Found]:
    """Give the same findings with the id of their rule, where they have none of their own."""
    for each in found:
        yield each if each.rule else replace(each, rule=rule)


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, and what is only strange."""

    found: tuple[Found, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(each.problem for each in self.found if not each.is_warning)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(each.problem for each in self.found if each.is_warning)


Rule = Callable[[Mapping[str, Any]], Iterator[Found]]
"""What looks at a mapping; paths begin there."""


def below(place: str, found: Iterable[Found]) -> Iterator[Found]:
    """The same findings, their paths beginning with a place."""
    for each in found:
        yield replace(each, problem=each.problem.under(place))


# ----------------------------------------------------------------------------------------------------------- plain data


def at(value: Any, *path: str | int) -> Any:
    """Return the value at a path of keys and indices, or None where the data has another shape."""
    for key in path:
        if isinstance(key, str):
            value = value.get(key) if isinstance(value, Mapping) else None
        else:
            items = items_of(value)
            value = items[key] if key < len(items) else None
    return value


def items_of(value: Any) -> Sequence[Any]:
    """Return a list or tuple as it is, and nothing for any other value."""
    return value if isinstance(value, list | tuple) else ()


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, and an empty one for any other value."""
    return value if isinstance(value, Mapping) else {}


def text_of(value: Any) -> str:
    """Return a text as it is, and the empty one for any other value."""
    return value if isinstance(value, str) else ""


# --------------------------------------------------------------------------------------------- ports, durations, labels


def check_port(path: str, number: Any) -> Iterator[Found]:
    """A port of TCP."""
    if not isinstance(number, int) or not 1 <= number <= 65535:
        yield error(path, f"is {number!r}, which is no port: use 1 to 65535")


def check_duration(path: str, text: Any, *, or_zero: bool = False) -> Iterator[Found]:
    """At least one millisecond, and no fraction of one."""
    nanoseconds = parse_duration(text) if isinstance(text, str) else None
    if nanoseconds == 0 and or_zero:
        return
    if nanoseconds is None or nanoseconds < 10**6 or nanoseconds % 10**6:
        yield error(path, f"is {text!r}: use whole milliseconds from 1ms, as in 5s")


def check_not_negative(settings: Mapping[str, Any], *keys: str) -> Iterator[Found]:
    """Numbers that count something."""
    for key in keys:
        if settings.get(key, 0) < 0:
            yield error(key, f"is {settings[key]}: use 0 or more")


def check_labels(path: str, labels: Mapping[str, Any]) -> Iterator[Found]:
    """Keys and values of Kubernetes labels; how long a value is, istiod does not look."""
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        good = _LABEL_TEXT.fullmatch(name) and (not slash or (len(prefix) <= 253 and _is_dns_name(prefix)))
        if not good:
            yield error(path, f"has the label {key!r}: use letters, digits and inner '-', '_' and '.'")
        if value and not _LABEL_TEXT.fullmatch(str(value)):
            yield error(path, f"has the label value {value!r}: use letters, digits and inner '-', '_' and '.'")


_LABEL_TEXT = re.compile(r"[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?")


def _is_dns_name(text: str) -> bool:
    return all(map(LABEL.fullmatch, text.split(".")))


# -------------------------------------------------------------------------------------------------- hosts and addresses


LABEL = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
"""A DNS label in Istio's sense, upper case allowed."""
_FIRST_OF_WILDCARD = re.compile(r"\*|(?:\*-?)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")


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


def is_subnet(text: str) -> bool:
    """An IP address, or a range of them as in 10.0.0.0/8."""
    try:
        ip_network(text, strict=False) if "/" in text else ip_address(text)
    except ValueError:
        return False
    return "/" not in text or text.rpartition("/")[2].isdecimal()  # Python takes a mask there, too


def is_address(text: str) -> bool:
    """A host or IP address with a port, as Go's SplitHostPort splits them."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return False
    number = re.fullmatch(r"\+?[0-9]{1,9}", port)
    return bool(colon and number and 1 <= int(port) <= 65535) and (is_fqdn(host) or is_ip(host))


def is_service(text: str) -> bool:
    """A host name, an IP address, or namespace/host."""
    namespace, slash, host = text.rpartition("/")
    if slash and not (namespace in ("*", ".", "~") or LABEL.fullmatch(namespace)):
        return False
    return (is_fqdn(host) and (not slash or "." in host)) or (not slash and is_ip(host))
