"""Routes of a VirtualService that no request reaches, of which istiod's webhook warns.

Source: istio 1.15.7 to 1.30.3: pkg/config/validation/validation.go: analyzeUnreachableHTTPRules, and the same for TLS
and TCP, genMatchHTTPRoutes, coveredValidation; 1.30.3 and the branch release-1.31 were run, the others read.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from extcp_manifests.documents.findings import Found, Rule, warning
from extcp_manifests.documents.lookup import at, items_of, mapping_of
from extcp_manifests.errors import Path, path_text
from extcp_manifests.records import Record

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


class _Match(Record):
    """A match by the prefix of its URI, with all that decides whether it takes another one's requests."""

    place: Path
    order: int
    prefix: str
    compared: "_Compared"
    texts: tuple[str, ...]
    """What it says of method, authority, and each header and parameter, in the order of their names."""

    def covers(self, later: "_Match") -> bool:
        """Return whether it takes the requests of a match that looks at the same headers and parameters."""
        return all(text.startswith(other) for text, other in zip(self.texts, later.texts, strict=True))


class _Compared(NamedTuple):
    """What two matches must have in common for istiod to compare them: the port, and the names they look at."""

    port: int
    headers: tuple[str, ...]
    query: tuple[str, ...]
    without: tuple[str, ...]


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
    return _as_text(kept)


_as_text = json.JSONEncoder(sort_keys=True).encode


def _match_by_prefix(place: Path, order: int, match: Mapping[str, Any]) -> _Match:
    method = _exact_or_prefix(match.get("method")) or "exact:GET"
    authority = _exact_or_prefix(match.get("authority"))
    headers, query, without = (_by_name(match.get(key)) for key in ("headers", "queryParams", "withoutHeaders"))
    return _Match(
        place=place,
        order=order,
        prefix=match["uri"]["prefix"],
        compared=_Compared(match.get("port", 0), tuple(headers), tuple(query), tuple(without)),
        texts=(method, authority, *headers.values(), *query.values(), *without.values()),
    )


def _exact_or_prefix(match: Any) -> str:
    """Return what istiod compares of a match of text, which is nothing for a regular expression."""
    for kind in ("exact", "prefix"):
        if at(match, kind):
            return f"{kind}:{match[kind]}"
    return ""


def _by_name(matches: Any) -> dict[str, str]:
    """Return what istiod compares of matches of headers or parameters, in the order of their names."""
    if matches is None:  # as in most routes
        return {}
    return {name: _exact_or_prefix(match) for name, match in sorted(mapping_of(matches).items())}


def _overlapping(matches: Sequence[_Match]) -> Iterator[Found]:
    """Find each match whose requests an earlier one with a shorter prefix takes, by istiod's rough comparison.

    In the order of their texts all prefixes of a prefix come before it and stay on the stack, so that not every pair is
    compared.
    """
    ordered = sorted(matches, key=lambda each: each.prefix)
    if not any(later.prefix.startswith(earlier.prefix) for earlier, later in pairwise(ordered)):
        return  # as most are
    taken_by: dict[int, _Match] = {}
    shorter: list[_SamePrefix] = []
    for match in ordered:
        while shorter and not match.prefix.startswith(shorter[-1].prefix):
            shorter.pop()
        if not shorter or shorter[-1].prefix != match.prefix:
            shorter.append(_SamePrefix(match.prefix))
        found = [each.first_covering(match) for each in shorter[:-1]]
        earlier = [other for other in found if other is not None and other.order < match.order]
        if earlier:
            taken_by[match.order] = min(earlier, key=_order)
        shorter[-1].add(match)
    for match in matches:
        if match.order in taken_by:
            other = taken_by[match.order]
            problem = (
                f"is hardly used: {path_text(other.place)} with the prefix {other.prefix!r} takes it before: swap them"
            )
            yield warning(match.place, problem, OVERLAPPING)


def _order(match: _Match) -> int:
    return match.order


class _SamePrefix:
    """Matches of one prefix, all of which are added before the first question."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._firsts: dict[_Compared, dict[tuple[str, ...], _Match]] = {}
        """The first of the matches that are compared alike."""
        self._sorted: dict[tuple[_Compared, int], list[_Match]] = {}
        """The matches by the text at a position; made when it is asked for."""

    def add(self, match: _Match) -> None:
        firsts = self._firsts.setdefault(match.compared, {})
        if match.texts not in firsts or match.order < firsts[match.texts].order:
            firsts[match.texts] = match

    def first_covering(self, later: _Match) -> _Match | None:
        """Return the first match that covers another one, or None."""
        firsts = self._firsts.get(later.compared)
        if firsts is None:
            return None
        candidates: Sequence[_Match] = list(firsts.values()) if len(firsts) <= _FEW else self._candidates(later)
        return min((each for each in candidates if each.covers(later)), key=_order, default=None)

    def _candidates(self, later: _Match) -> Sequence[_Match]:
        """Return the matches that cover another one at that position of their texts where these are fewest."""
        fewest = range(len(self._firsts[later.compared]))
        chosen = 0
        for position, text in enumerate(later.texts):
            matches = self._by_text(later.compared, position)

            def beginning(match: _Match, position: int = position, length: int = len(text)) -> str:
                return match.texts[position][:length]

            found = range(bisect_left(matches, text, key=beginning), bisect_right(matches, text, key=beginning))
            if len(found) < len(fewest):
                fewest, chosen = found, position
        return self._by_text(later.compared, chosen)[fewest.start : fewest.stop]

    def _by_text(self, compared: _Compared, position: int) -> list[_Match]:
        made = self._sorted.get((compared, position))
        if made is None:
            made = sorted(self._firsts[compared].values(), key=lambda match: match.texts[position])
            self._sorted[compared, position] = made
        return made


# So few matches are looked at one by one.
_FEW = 8
