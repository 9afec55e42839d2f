"""What istiod's webhook says of the parts of an HTTP route: faults, retries, redirects, rewrites, CORS and headers.

Source: istio 1.15.7 to 1.30.3: pkg/config/validation/{validation,virtualservice,header_value_validator}.go; 1.31:
branch release-1.31. Both 1.30.3 and 1.31 were run, the others read.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, below, error, warning
from extcp_manifests.documents.lookup import at, items_of, mapping_of
from extcp_manifests.errors import Path
from extcp_manifests.istio.durations import parse_duration
from extcp_manifests.istio.rules import go_regex
from extcp_manifests.istio.rules.checks import check_duration, check_port

Part = Callable[[Mapping[str, Any]], Iterator[Found]]
"""What looks at a route, or at a part of one; paths begin there."""


def of_each_route(part: Part, key: str = "") -> Rule:
    """Return the rule that looks at each HTTP route, or at the value of a key in each that has it."""

    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        for index, route in enumerate(items_of(at(document, "spec", "http"))):
            if not key:
                yield from below(("spec", "http", index), part(route))
            elif isinstance(at(route, key), Mapping):
                yield from below(("spec", "http", index, key), part(route[key]))

    return rule


# --------------------------------------------------------------------------------------------------------------- faults


def fault(settings: Mapping[str, Any]) -> Iterator[Found]:
    """An abort, a delay, or both; that an abort has no status is a warning that istiod forms and then loses."""
    if settings.get("abort") is None and settings.get("delay") is None:
        yield error((), "has neither abort nor delay: add one, or leave fault out")
    abort, delay = mapping_of(settings.get("abort")), mapping_of(settings.get("delay"))
    yield from _fault_percentage(("abort",), abort)
    if "httpStatus" in abort:
        yield from _status(("abort", "httpStatus"), abort["httpStatus"])
    if "grpcStatus" in abort and abort["grpcStatus"] not in _GRPC:
        yield error(("abort", "grpcStatus"), f"is {abort['grpcStatus']!r}: use a status of gRPC, such as UNAVAILABLE")
    if "http2Error" in abort:
        yield error(("abort", "http2Error"), "is not supported by istiod: use httpStatus or grpcStatus")
    yield from _fault_percentage(("delay",), delay)
    for key in ("fixedDelay", "exponentialDelay"):
        if key in delay:
            yield from check_duration(("delay", key), delay[key])
    if "exponentialDelay" in delay:
        yield error(("delay", "exponentialDelay"), "is not supported by istiod: use fixedDelay")


def _fault_percentage(place: Path, part: Mapping[str, Any]) -> Iterator[Found]:
    value = at(part, "percentage", "value") or 0
    if isinstance(value, int | float) and value != 0 and not 0.0001 <= value <= 100:
        yield error((*place, "percentage", "value"), f"is {value}: use 0, or 0.0001 to 100")


def _status(path: Path, status: Any) -> Iterator[Found]:
    if not 200 <= status <= 600:
        yield error(path, f"is {status}: use a status of HTTP, 200 to 599")


# istio 1.15.7: pkg/util/grpc/grpc.go
_GRPC = frozenset(
    [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ]
)


# -------------------------------------------------------------------------------------------------------------- retries


def retries(*conditions: str, with_backoff: bool = False) -> Part:
    """Return the rule for retries; `conditions` are the later words of retryOn."""
    known = _RETRY_ON | frozenset(conditions)

    def rule(settings: Mapping[str, Any]) -> Iterator[Found]:
        attempts = settings.get("attempts", 0)
        if attempts < 0:
            yield error(("attempts",), f"is {attempts}: use 0 or more")
        has_more = "perTryTimeout" in settings or settings.get("retryOn") or "retryRemoteLocalities" in settings
        if attempts == 0 and has_more:
            yield error(
                ("attempts",), "is 0 or missing, which turns retries off: set it, or leave the other settings out"
            )
        if "perTryTimeout" in settings:
            yield from check_duration(("perTryTimeout",), settings["perTryTimeout"])
        if with_backoff and "backoff" in settings:
            yield from check_duration(("backoff",), settings["backoff"])
        for word in settings["retryOn"].split(",") if settings.get("retryOn") else ():
            if word not in known and not _is_status(word):
                yield error(("retryOn",), f"has {word[:80]!r}: use the words of Envoy's x-envoy-retry-on, or a status")

    return rule


_RETRY_ON = frozenset(
    [
        "5xx",
        "gateway-error",
        "reset",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    ]
)


_STATUSES = frozenset(map(int, HTTPStatus))


def _is_status(word: str) -> bool:
    """Whether Go reads the word as a number and has a text for that status."""
    return bool(re.fullmatch(r"[-+]?[0-9]{1,18}", word)) and int(word) in _STATUSES


# ----------------------------------------------------------------------------------------------- redirects and rewrites


def redirect(*, prefixes: bool) -> Part:
    """Return the rule for redirects; `prefixes`: whether they can rewrite a prefix."""
    goals = ("uri", "prefixRewrite", "authority", "scheme") if prefixes else ("uri", "authority", "scheme")

    def rule(route: Mapping[str, Any]) -> Iterator[Found]:
        settings = route.get("redirect")
        if isinstance(settings, Mapping):
            yield from below(("redirect",), _redirect(settings, goals))
            if prefixes and settings.get("prefixRewrite"):
                yield from _prefix_rewrite(route, settings)

    return rule


def _redirect(settings: Mapping[str, Any], goals: tuple[str, ...]) -> Iterator[Found]:
    has_port = "port" in settings or "derivePort" in settings
    if not has_port and not any(settings.get(key) for key in goals):
        yield error((), f"says nothing: add {', '.join(goals)} or port")
    code = settings.get("redirectCode", 0)
    if code and not 300 <= code <= 399:
        yield error(("redirectCode",), f"is {code}: use 300 to 399")
    if settings.get("scheme", "") not in ("", "http", "https"):
        yield error(("scheme",), f"is {settings['scheme']!r}: use http or https")
    if settings.get("port", 0) > 0:
        yield from check_port(("port",), settings["port"])


def _prefix_rewrite(route: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Found]:
    if settings.get("uri"):
        yield error(("redirect",), "has uri and prefixRewrite, which exclude each other: keep one")
    for number, match in enumerate(items_of(route.get("match"))):
        uri = at(match, "uri")
        if uri is not None and "prefix" not in uri:
            yield error(
                ("match", number, "uri"), "must be a prefix beside redirect.prefixRewrite: use prefix, or uri there"
            )


def rewrite_of_a_text(settings: Mapping[str, Any]) -> Iterator[Found]:
    """A rewrite up to 1.18."""
    if not settings.get("uri") and not settings.get("authority"):
        yield error((), "says nothing: add uri or authority")


def rewrite(settings: Mapping[str, Any]) -> Iterator[Found]:
    """A rewrite of the authority, and of the whole URI or of what a regular expression finds in it."""
    by_regex = settings.get("uriRegexRewrite")
    if settings.get("uri") and by_regex is not None:
        yield error((), "has uri and uriRegexRewrite, which exclude each other: keep one")
    elif not settings.get("uri") and not settings.get("authority") and by_regex is None:
        yield error((), "says nothing: add uri, uriRegexRewrite or authority")
    if by_regex is None:
        return
    for key in ("match", "rewrite"):
        if not by_regex.get(key):
            yield error(("uriRegexRewrite", key), "is required: add it")
    if by_regex.get("match") and by_regex.get("rewrite"):
        yield from check_regex(("uriRegexRewrite", "match"), by_regex["match"])


def check_regex(path: Path, pattern: str) -> Iterator[Found]:
    """A regular expression of RE2 that Envoy takes."""
    if not 0 < len(pattern.encode("utf-8", "surrogatepass")) <= 1024:
        yield error(path, f"has {len(pattern)} characters: use 1 to 1024")
    try:
        go_regex.check(pattern)
    except go_regex.RegexError as refusal:
        yield error(path, f"is {pattern[:80]!r}, but {refusal}")


def direct_response(settings: Mapping[str, Any]) -> Iterator[Found]:
    """An answer that Envoy gives itself."""
    yield from _status(("status",), settings.get("status", 0))
    size = _size(mapping_of(settings.get("body")))
    if size > 2**20:
        yield error(("body",), f"has {size} bytes: use at most 1048576")
    elif size > 100 * 2**10:
        yield warning(
            ("body",), f"has {size} bytes, which is much for istiod to send to every proxy: use at most 102400"
        )


def _size(body: Mapping[str, Any]) -> int:
    if "bytes" not in body:
        return len(body.get("string", "").encode("utf-8", "surrogatepass"))
    try:
        return len(base64.b64decode(body["bytes"]))
    except ValueError:
        return len(body["bytes"]) * 3 // 4


def mirror_percent(route: Mapping[str, Any]) -> Iterator[Found]:
    """The older form of mirrorPercentage."""
    for key in ("mirrorPercent", "mirror_percent"):
        if key in route:
            if route[key] > 100:
                yield error((key,), f"is {route[key]}: use 0 to 100")
            yield warning((key,), "is deprecated: use mirrorPercentage")


# ----------------------------------------------------------------------------------------------------------------- CORS


def cors(*methods: str, header: re.Pattern[str]) -> Part:
    """Return the rule for a CORS policy; `methods` are the later ones, `header` is the form of names of headers."""
    known = (*_METHODS, *methods)

    def rule(policy: Mapping[str, Any]) -> Iterator[Found]:
        for index, origin in enumerate(items_of(policy.get("allowOrigins"))):
            yield from _origin(("allowOrigins", index), mapping_of(origin))
        for index, method in enumerate(items_of(policy.get("allowMethods"))):
            if method not in known:
                yield error(("allowMethods", index), f"is {method!r}: use {', '.join(known[:-1])} or {known[-1]}")
        for key in ("allowHeaders", "exposeHeaders"):
            for index, name in enumerate(items_of(policy.get(key))):
                if name != "*" and not header.fullmatch(name or ""):
                    yield error((key, index), f"is {name!r}, which is not the name of a header: correct it")
        if "maxAge" in policy:
            yield from _max_age(policy["maxAge"])

    return rule


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE")


def _origin(place: Path, origin: Mapping[str, Any]) -> Iterator[Found]:
    if not any(origin.get(key) for key in ("exact", "prefix", "regex")):
        yield error(place, "says nothing: add exact, prefix or regex")
    elif origin.get("regex"):
        yield from check_regex((*place, "regex"), origin["regex"])


def _max_age(text: Any) -> Iterator[Found]:
    nanoseconds = parse_duration(text) if isinstance(text, str) else None
    if nanoseconds is None or nanoseconds < 10**6 or nanoseconds % 10**9:
        yield error(("maxAge",), f"is {text!r}: use whole seconds from 1s, as in 24h")


# -------------------------------------------------------------------------------------------------------------- headers

ANY_NAME = re.compile(".+", re.DOTALL)


WORD = re.compile(r"[-_A-Za-z0-9]+")
"""Names of headers in istio 1.23."""


TOKEN = re.compile(r"[!#$%&'*+.^_`|~A-Za-z0-9-]+")
"""Names of headers as RFC 7230 has them."""


PSEUDO_HEADERS = (":method", ":scheme", ":authority", ":path", ":status")


def header_matches(*pseudo_headers: str, header: re.Pattern[str]) -> Part:
    """Return the rule for the names of headers to match, which may stand for claims of a token too."""

    def rule(route: Mapping[str, Any]) -> Iterator[Found]:
        for number, match in enumerate(items_of(route.get("match"))):
            for kind in ("headers", "withoutHeaders"):
                for name in mapping_of(at(match, kind)):
                    good = header.fullmatch(name) or name in pseudo_headers or _CLAIM.fullmatch(name)
                    if name and not good:  # a missing name is told by the rule that looks at the match
                        problem = f"has {name!r}, which is not the name of a header: correct it"
                        yield error(("match", number, kind), problem)

    return rule


# istio 1.30.3: pkg/jwt/routing.go
_CLAIM = re.compile(r"(?i:@request\.auth\.claims)(?:\..+|\[.+\])", re.DOTALL)


def changed_headers(value: Callable[[str], str | None], *, of_a_destination: tuple[str, ...]) -> Part:
    """Return the rule for headers that are set, added and removed.

    `value` says why a value is wrong; `of_a_destination` are the names of the authority that one destination may set.
    """

    def rule(route: Mapping[str, Any]) -> Iterator[Found]:
        yield from below(("headers",), _operations(mapping_of(route.get("headers")), value, AUTHORITY))
        for index, destination in enumerate(items_of(route.get("route"))):
            headers = mapping_of(at(destination, "headers"))
            yield from below(("route", index, "headers"), _operations(headers, value, of_a_destination))

    return rule


AUTHORITY = (":authority", "host")


HOST = ("host",)


def _operations(
    headers: Mapping[str, Any], value: Callable[[str], str | None], settable: tuple[str, ...]
) -> Iterator[Found]:
    for side in ("request", "response"):
        operations = mapping_of(headers.get(side))
        allowed = settable if side == "request" else ()
        for action in ("add", "set"):
            for name, text in mapping_of(operations.get(action)).items():
                yield from _header_name((side, action), name, allowed)
                if problem := value(text):
                    yield error((side, action, name), problem)
        for name in items_of(operations.get("remove")):
            yield from _header_name((side, "remove"), name, ())


def _header_name(place: Path, name: str, allowed: tuple[str, ...]) -> Iterator[Found]:
    if not name:
        yield error(place, "has a header without a name: name it")
    elif (name.startswith(":") or name.lower() == "host") and name.lower() not in allowed:
        yield error(place, f"has {name!r}, which cannot be changed here: leave it out")


def paired_percents(value: str) -> str | None:
    """Return why istiod 1.15 refuses a value of a header, or None."""
    return "has a '%' alone: write '%%'" if value.count("%") % 2 else None


def envoy_format(value: str) -> str | None:
    """Return why a value of a header is not one that Envoy can format, or None."""
    if _CONTROL.search(value):
        return "has a control character: leave it out"
    state = "text"
    for character in value:
        following = _FORMAT[state]
        state = following.get(character, following["else"])
    return None if state == "text" else "has a '%' that begins no variable such as %HOSTNAME%: write '%%'"


_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


# What a header's value may go on with: plain text, %NAME%, %NAME(text)% or %NAME(["a", "b"])%. A closing parenthesis
# ends the arguments even inside of quotes, as in istiod.
_FORMAT: Mapping[str, Mapping[str, str]] = {
    "text": {"%": "percent", "else": "text"},
    "percent": {"%": "text", "(": "arguments", "else": "name"},
    "name": {"%": "text", "(": "arguments", "else": "name"},
    "arguments": {" ": "arguments", "[": "list", "else": "argument"},
    "list": {" ": "list", '"': "argument", "else": "wrong"},
    "argument": {"\\": "escaped", '"': "after", ")": "end", "else": "argument"},
    "escaped": {"else": "argument"},
    "after": {" ": "after", ",": "list", "]": "listed", "else": "wrong"},
    "listed": {" ": "listed", ")": "end", "else": "wrong"},
    "end": {" ": "end", "%": "text", "else": "wrong"},
    "wrong": {"else": "wrong"},
}
