"""Routes of a VirtualService that no request reaches, of which istiod's webhook warns.

Source: istio 1.15.7 to 1.30.3: pkg/config/validation/validation.go: analyzeUnreachableHTTPRules, and the same for TLS
and TCP, genMatchHTTPRoutes, coveredValidation; 1.30.3 and the branch release-1.31 were run, the others read.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, warning
from extcp_manifests.documents.lookup import at, items_of, mapping_of
from extcp_manifests.errors import Path, path_text

UNREACHABLE = "networking/unreachable-route"


DUPLICATE = "networking/duplicate-match"


OVERLAPPING = "networking/overlapping-match"


def unreachable_routes(*, with_matches: bool) -> Rule:
    """Return the rule that finds routes behind one that takes everything, and matches that an earlier one takes.

    `with_matches`: whether istiod also warns of routes with matches behind a route without.
    """

    def rule(document: Mapping[str, Any]) -> Iterator[Found]:
        for protocol in ("http", "tls", "tcp"):
            routes = items_of(document, "spec", protocol)
            if len(routes) > 1 or len(items_of(routes, 0, "match")) > 1:
                yield from _Analysis(("spec", protocol), routes, with_matches).found()

    return rule


@dataclass(frozen=True, slots=True)
class _Match:
    """A match by the prefix of its URI, with all that decides whether it takes another one's requests."""

    place: Path
    order: int
    prefix: str
    port: int
    method: str
    authority: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    without: Mapping[str, str]


class _Analysis:
    """The routes of one protocol, looked at in their order."""

    def __init__(self, place: Path, routes: Sequence[Any], with_matches: bool) -> None:
        self._place = place
        self._routes = routes
        self._with_matches = with_matches
        self._seen: dict[str, Path] = {}
        self._prefixes: list[_Match] = []
        self._all_taken_by: Path | None = None

    def found(self) -> Iterator[Found]:
        for number, route in enumerate(self._routes):
            yield from self._route((*self._place, number), items_of(route, "match"))
        yield from _overlapping(self._prefixes)

    def _route(self, place: Path, matches: Sequence[Any]) -> Iterator[Found]:
        before = self._all_taken_by
        if before is not None and (not matches or self._with_matches):
            other = path_text(before)
            yield warning(
                place, f"is never used: {other} has no match and takes all: move that one to the end", UNREACHABLE
            )
        elif not matches:
            self._all_taken_by = place
        else:
            yield from self._matches(place, matches)

    def _matches(self, place: Path, matches: Sequence[Any]) -> Iterator[Found]:
        duplicates = 0
        for number, match in enumerate(matches):
            here = (*place, "match", number)
            first = self._seen.setdefault(_identity(match), here)
            if first != here:
                duplicates += 1
                yield warning(here, f"is never used: it is the same as {path_text(first)}: leave it out", DUPLICATE)
            elif at(match, "uri", "prefix"):
                self._prefixes.append(_match_by_prefix(here, len(self._prefixes), match))
        if duplicates == len(matches):
            yield warning(place, "is never used: earlier routes have all its matches: leave it out", UNREACHABLE)


def _identity(match: Any) -> str:
    """Return the same text for all matches that mean the same; names and what is empty do not count.

    An empty text, list or map is as good as none in protobuf; but the empty messages of `uri` and the like are not.
    """
    kept = {
        key: value
        for key, value in mapping_of(match).items()
        if key != "name" and (value or key in ("uri", "scheme", "method", "authority"))
    }
    return json.dumps(kept, sort_keys=True)


def _match_by_prefix(place: Path, order: int, match: Mapping[str, Any]) -> _Match:
    return _Match(
        place=place,
        order=order,
        prefix=match["uri"]["prefix"],
        port=match.get("port", 0),
        method=_exact_or_prefix(match.get("method")) or "exact:GET",
        authority=_exact_or_prefix(match.get("authority")),
        headers=_all_exact_or_prefix(match.get("headers")),
        query=_all_exact_or_prefix(match.get("queryParams")),
        without=_all_exact_or_prefix(match.get("withoutHeaders")),
    )


def _exact_or_prefix(match: Any) -> str:
    """Return what istiod compares of a match of text, which is nothing for a regular expression."""
    for kind in ("exact", "prefix"):
        if at(match, kind):
            return f"{kind}:{match[kind]}"
    return ""


def _all_exact_or_prefix(matches: Any) -> Mapping[str, str]:
    return {name: _exact_or_prefix(match) for name, match in mapping_of(matches).items()}


def _overlapping(matches: Sequence[_Match]) -> Iterator[Found]:
    """Find each match whose requests an earlier one with a shorter prefix takes, by istiod's rough comparison.

    In the order of their texts all prefixes of a prefix come before it and stay on the stack, so that not every pair is
    compared.
    """
    taken_by: dict[int, _Match] = {}
    shorter: list[_Match] = []
    for match in sorted(matches, key=lambda each: each.prefix):
        while shorter and not match.prefix.startswith(shorter[-1].prefix):
            shorter.pop()
        for other in shorter:
            is_first = match.order not in taken_by or other.order < taken_by[match.order].order
            if other.order < match.order and is_first and other.prefix != match.prefix and _covers(other, match):
                taken_by[match.order] = other
        shorter.append(match)
    for match in matches:
        if match.order in taken_by:
            other = taken_by[match.order]
            problem = (
                f"is hardly used: {path_text(other.place)} with the prefix {other.prefix!r} takes it before: swap them"
            )
            yield warning(match.place, problem, OVERLAPPING)


def _covers(first: _Match, later: _Match) -> bool:
    return (
        first.port == later.port
        and first.method.startswith(later.method)
        and first.authority.startswith(later.authority)
        and _all_cover(first.headers, later.headers)
        and _all_cover(first.query, later.query)
        and _all_cover(first.without, later.without)
    )


def _all_cover(first: Mapping[str, str], later: Mapping[str, str]) -> bool:
    if first.keys() != later.keys():
        return False
    return all(value.startswith(later[key]) for key, value in first.items())
