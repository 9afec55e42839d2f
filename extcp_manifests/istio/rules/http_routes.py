"""What istiod's webhook reports of the parts of an HTTP route: faults, retries, redirects, rewrites, CORS and headers.

Source: istio 1.15.7 to 1.30.3: pkg/config/validation/{validation,virtualservice,header_value_validator}.go; 1.31:
branch release-1.31. Both 1.30.3 and 1.31 were run, the others read.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, below, error, warning
from extcp_manifests.documents.lookup import EACH, at, items_of, mapping_of, text_of
from extcp_manifests.errors import Path
from extcp_manifests.istio.durations import SECOND
from extcp_manifests.istio.releases import since, until
from extcp_manifests.istio.rules import go_regex
from extcp_manifests.istio.rules.rows import Duration, Excludes, OneOf, Range, Required, RuleRow
from extcp_manifests.istio.rules.shared_checks import check_port
from extcp_manifests.patterns import pattern

# --------------------------------------------------------------------------------------------------------------- faults


def _fault(fault: Mapping[str, Any]) -> Iterator[Found]:
    yield from below(("abort",), _abort(mapping_of(fault, "abort")))
    yield from below(("delay",), _delay(mapping_of(fault, "delay")))


def _abort(abort: Mapping[str, Any]) -> Iterator[Found]:
    """Check an abort; for one without a status istiod forms a warning and then loses it, so there is none here."""
    yield from _fault_percentage(abort)
    yield from _status(("httpStatus",), abort.get("httpStatus"))
    if "grpcStatus" in abort and abort["grpcStatus"] not in _GRPC:
        yield error(("grpcStatus",), f"is {abort['grpcStatus']!r}: use a status of gRPC, such as UNAVAILABLE")
    if "http2Error" in abort:
        yield error(("http2Error",), "is not supported by istiod: use httpStatus or grpcStatus")


def _delay(delay: Mapping[str, Any]) -> Iterator[Found]:
    yield from _fault_percentage(delay)
    if "exponentialDelay" in delay:
        yield error(("exponentialDelay",), "is not supported by istiod: use fixedDelay")


def _fault_percentage(part: Mapping[str, Any]) -> Iterator[Found]:
    value = at(part, "percentage", "value") or 0
    if isinstance(value, int | float) and value != 0 and not 0.0001 <= value <= 100:
        yield error(("percentage", "value"), f"is {value}: use 0, or 0.0001 to 100")


def _status(place: Path, status: int | None) -> Iterator[Found]:
    if status is not None and not 200 <= status <= 600:  # istiod lets 600 pass
        yield error(place, f"is {status}: use a status of HTTP, 200 to 599")


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


def _attempts(retries: Mapping[str, Any]) -> Iterator[Found]:
    has_more = "perTryTimeout" in retries or retries.get("retryOn") or "retryRemoteLocalities" in retries
    if retries.get("attempts", 0) == 0 and has_more:
        problem = "is 0 or missing, which turns retries off: set it, or leave the other settings out"
        yield error(("attempts",), problem)


def _conditions(*later: str) -> Rule:
    """Return the rule for the words of retryOn; `later` are those that a release has besides the first ones."""
    known = _RETRY_ON | frozenset(later)

    def rule(retries: Mapping[str, Any]) -> Iterator[Found]:
        text = text_of(retries, "retryOn")
        for word in text.split(",") if text else ():
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


def _is_status(word: str) -> bool:
    """Whether Go reads the word as a number and has a text for that status."""
    from http import HTTPStatus  # for the few words that are no words of Envoy

    return bool(re.fullmatch(r"[-+]?[0-9]{1,18}", word)) and int(word) in set(map(int, HTTPStatus))


# ----------------------------------------------------------------------------------------------- redirects and rewrites


def _redirect(settings: Mapping[str, Any]) -> Iterator[Found]:
    code = settings.get("redirectCode", 0)
    if code and not 300 <= code <= 399:
        yield error(("redirectCode",), f"is {code}: use 300 to 399")
    if settings.get("scheme", "") not in ("", "http", "https"):
        yield error(("scheme",), f"is {settings['scheme']!r}: use http or https")
    if settings.get("port", 0) > 0:
        yield from check_port(("port",), settings["port"])


def _prefix_rewrite(route: Mapping[str, Any]) -> Iterator[Found]:
    """A redirect that rewrites a prefix needs matches by prefix."""
    redirect = mapping_of(route, "redirect")
    if not redirect.get("prefixRewrite"):
        return
    if redirect.get("uri"):
        yield error(("redirect",), "has uri and prefixRewrite, which exclude each other: keep one")
    for number, match in enumerate(items_of(route, "match")):
        uri = at(match, "uri")
        if uri is not None and "prefix" not in uri:
            problem = "must be a prefix beside redirect.prefixRewrite: use prefix, or uri there"
            yield error(("match", number, "uri"), problem)


def _regex_rewrite(rewrite: Mapping[str, Any]) -> Iterator[Found]:
    if rewrite.get("match") and rewrite.get("rewrite"):
        yield from check_regex(("match",), rewrite["match"])


def check_regex(path: Path, pattern: str) -> Iterator[Found]:
    """Check a regular expression of RE2, of a length that Envoy takes."""
    if not 0 < len(pattern.encode("utf-8", "surrogatepass")) <= 1024:
        yield error(path, f"has {len(pattern)} characters: use 1 to 1024")
    try:
        go_regex.check(pattern)
    except go_regex.RegexError as refusal:
        yield error(path, f"is {pattern[:80]!r}, but {refusal}")


def _direct_response(response: Mapping[str, Any]) -> Iterator[Found]:
    """Check an answer that Envoy gives itself."""
    yield from _status(("status",), response.get("status", 0))
    size = _size(mapping_of(response, "body"))
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
    """Check the older form of mirrorPercentage, which has two spellings."""
    for key in ("mirrorPercent", "mirror_percent"):
        if key in route:
            if route[key] > 100:
                yield error((key,), f"is {route[key]}: use 0 to 100")
            yield warning((key,), "is deprecated: use mirrorPercentage")


# ----------------------------------------------------------------------------------------------------------------- CORS


def _cors(*methods: str, header: re.Pattern[str]) -> Rule:
    """Return the rule for a CORS policy.

    `methods` are those that a release has besides the first ones, `header` is the form of names of headers.
    """
    known = (*_METHODS, *methods)

    def rule(policy: Mapping[str, Any]) -> Iterator[Found]:
        for index, method in enumerate(items_of(policy, "allowMethods")):
            if method not in known:
                yield error(("allowMethods", index), f"is {method!r}: use {', '.join(known[:-1])} or {known[-1]}")
        for key in ("allowHeaders", "exposeHeaders"):
            for index, name in enumerate(items_of(policy, key)):
                if name != "*" and not header.fullmatch(name or ""):
                    yield error((key, index), f"is {name!r}, which is not the name of a header: correct it")

    return rule


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE")


def _origin(origin: Mapping[str, Any]) -> Iterator[Found]:
    if origin.get("regex"):
        yield from check_regex(("regex",), origin["regex"])


# -------------------------------------------------------------------------------------------------------------- headers

_ANY_NAME = pattern(".+", re.DOTALL)


_WORD = pattern(r"[-_A-Za-z0-9]+")
"""Names of headers in istio 1.23."""


_TOKEN = pattern(r"[!#$%&'*+.^_`|~A-Za-z0-9-]+")
"""Names of headers as RFC 7230 has them."""


_PSEUDO_HEADERS = (":method", ":scheme", ":authority", ":path", ":status")


def _header_matches(*pseudo_headers: str, header: re.Pattern[str]) -> Rule:
    """Return the rule for the names of headers to match, which may be claims of a token too."""

    def rule(match: Mapping[str, Any]) -> Iterator[Found]:
        for kind in ("headers", "withoutHeaders"):
            for name in mapping_of(match, kind):
                is_valid = header.fullmatch(name) or name in pseudo_headers or _CLAIM.fullmatch(name)
                if name and not is_valid:  # the rule for matches reports a missing name
                    problem = f"has {name!r}, which is not the name of a header: correct it"
                    yield error((kind,), problem)

    return rule


# istio 1.30.3: pkg/jwt/routing.go
_CLAIM = pattern(r"(?i:@request\.auth\.claims)(?:\..+|\[.+\])", re.DOTALL)


def _changed_headers(value: Callable[[str], str | None], *, of_a_destination: tuple[str, ...]) -> Rule:
    """Return the rule for headers that are set, added and removed.

    `value` says why a value is wrong; `of_a_destination` are the names of the authority that one destination may set.
    """

    def rule(route: Mapping[str, Any]) -> Iterator[Found]:
        if headers := mapping_of(route, "headers"):
            yield from below(("headers",), _operations(headers, value, _AUTHORITY))
        for index, destination in enumerate(items_of(route, "route")):
            if headers := mapping_of(destination, "headers"):
                yield from below(("route", index, "headers"), _operations(headers, value, of_a_destination))

    return rule


_AUTHORITY = (":authority", "host")


_HOST = ("host",)


def _operations(
    headers: Mapping[str, Any], value: Callable[[str], str | None], settable: tuple[str, ...]
) -> Iterator[Found]:
    for side in ("request", "response"):
        operations = mapping_of(headers, side)
        allowed = settable if side == "request" else ()
        for action in ("add", "set"):
            for name, text in mapping_of(operations, action).items():
                yield from _header_name((side, action), name, allowed)
                if problem := value(text):
                    yield error((side, action, name), problem)
        for name in items_of(operations, "remove"):
            yield from _header_name((side, "remove"), name, ())


def _header_name(place: Path, name: str, allowed: tuple[str, ...]) -> Iterator[Found]:
    if not name:
        yield error(place, "has a header without a name: name it")
    elif (name.startswith(":") or name.lower() == "host") and name.lower() not in allowed:
        yield error(place, f"has {name!r}, which cannot be changed here: leave it out")


def _paired_percents(value: str) -> str | None:
    """Return why istiod 1.15 refuses a value of a header, or None."""
    return "has a '%' alone: write '%%'" if value.count("%") % 2 else None


def _envoy_format(value: str) -> str | None:
    """Return why a value of a header is not one that Envoy can format, or None."""
    if _CONTROL.search(value):
        return "has a control character: leave it out"
    state = "text"
    for character in value:
        following = _FORMAT[state]
        state = following.get(character, following["else"])
    return None if state == "text" else "has a '%' that begins no variable such as %HOSTNAME%: write '%%'"


_CONTROL = pattern("[\x00-\x08\x0a-\x1f\x7f]")


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


_LATER_CONDITIONS = ("reset-before-request", "http3-post-connect-failure")


_ORIGIN: Path = ("corsPolicy", "allowOrigins", EACH)


_REWRITE_BY_REGEX: Path = ("rewrite", "uriRegexRewrite")


ROWS = (
    RuleRow(
        "networking/fault",
        OneOf(("abort", "delay"), "has neither abort nor delay: add one, or leave fault out"),
        at=("fault",),
    ),
    RuleRow("networking/fault", Duration("fixedDelay"), at=("fault", "delay")),
    RuleRow("networking/fault", Duration("exponentialDelay"), at=("fault", "delay")),
    RuleRow("networking/fault", _fault, at=("fault",)),
    RuleRow("networking/routes", Duration("timeout")),
    RuleRow("networking/retries", Range("attempts", 0), at=("retries",)),
    RuleRow("networking/retries", _attempts, at=("retries",)),
    RuleRow("networking/retries", Duration("perTryTimeout"), at=("retries",)),
    RuleRow("networking/retries", Duration("backoff"), at=("retries",), releases=since("1.26")),  # istio 1.26.8
    RuleRow("networking/retries", _conditions(), at=("retries",), releases=until("1.22")),
    RuleRow("networking/retries", _conditions(*_LATER_CONDITIONS), at=("retries",), releases=since("1.23")),  # 1.23.6
    RuleRow(
        "networking/redirect",
        OneOf(("uri", "authority", "scheme", "port", "derivePort"), "sets nothing: add uri, authority, scheme or port"),
        at=("redirect",),
        releases=until("1.30"),
    ),
    RuleRow(
        "networking/redirect",
        OneOf(
            ("uri", "prefixRewrite", "authority", "scheme", "port", "derivePort"),
            "sets nothing: add uri, prefixRewrite, authority, scheme or port",
        ),
        at=("redirect",),
        releases=since("1.31"),  # branch release-1.31
    ),
    RuleRow("networking/redirect", _redirect, at=("redirect",)),
    RuleRow("networking/redirect", _prefix_rewrite, releases=since("1.31")),  # branch release-1.31
    RuleRow(
        "networking/rewrite",
        OneOf(("uri", "authority"), "sets nothing: add uri or authority"),
        at=("rewrite",),
        releases=until("1.18"),
    ),
    RuleRow(
        "networking/rewrite",
        OneOf(("uri", "uriRegexRewrite", "authority"), "sets nothing: add uri, uriRegexRewrite or authority"),
        at=("rewrite",),
        releases=since("1.19"),  # istio 1.19.10
    ),
    RuleRow(
        "networking/rewrite",
        Excludes(("uri", "uriRegexRewrite")),
        at=("rewrite",),
        releases=since("1.19"),  # istio 1.19.10
        needs=(("uriRegexRewrite",),),
    ),
    RuleRow("networking/rewrite", Required("match"), at=_REWRITE_BY_REGEX, releases=since("1.19")),
    RuleRow("networking/rewrite", Required("rewrite"), at=_REWRITE_BY_REGEX, releases=since("1.19")),
    RuleRow("networking/rewrite", _regex_rewrite, at=_REWRITE_BY_REGEX, releases=since("1.19")),
    RuleRow("networking/direct-response", _direct_response, at=("directResponse",)),
    RuleRow(
        "networking/cors",
        OneOf(("exact", "prefix", "regex"), "sets nothing: add exact, prefix or regex"),
        at=_ORIGIN,
    ),
    RuleRow("networking/cors", _origin, at=_ORIGIN),
    RuleRow("networking/cors", _cors(header=_ANY_NAME), at=("corsPolicy",), releases=until("1.22")),
    RuleRow(
        "networking/cors",
        _cors(header=_WORD),
        at=("corsPolicy",),
        releases=since("1.23", until="1.23"),  # istio 1.23.6
    ),
    RuleRow(
        "networking/cors",
        _cors(header=_TOKEN),
        at=("corsPolicy",),
        releases=since("1.24", until="1.25"),  # istio 1.24.6
    ),
    RuleRow("networking/cors", _cors("*", header=_TOKEN), at=("corsPolicy",), releases=since("1.26")),  # istio 1.26.8
    RuleRow(
        "networking/cors",
        Duration("maxAge", unit=SECOND, use="whole seconds from 1s, as in 24h"),
        at=("corsPolicy",),
    ),
    RuleRow(
        "networking/headers",
        _header_matches(header=_WORD),
        at=("match", EACH),
        releases=since("1.23", until="1.23"),  # istio 1.23.6
    ),
    RuleRow(
        "networking/headers",
        _header_matches(*_PSEUDO_HEADERS, header=_TOKEN),
        at=("match", EACH),
        releases=since("1.24"),  # istio 1.24.6
    ),
    RuleRow("networking/headers", _changed_headers(_paired_percents, of_a_destination=_HOST), releases=until("1.15")),
    RuleRow(
        "networking/headers",
        _changed_headers(_envoy_format, of_a_destination=_HOST),
        releases=since("1.16", until="1.20"),  # istio 1.16.7
    ),
    RuleRow(
        "networking/headers",
        _changed_headers(_envoy_format, of_a_destination=_AUTHORITY),
        releases=since("1.21"),  # istio 1.21.6
    ),
)
"""The rules of an HTTP route, in the order of their findings."""
