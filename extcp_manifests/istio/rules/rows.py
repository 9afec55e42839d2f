"""Rules as rows of tables: what is checked, where in a document, and in which releases.

Most rules are one of five shapes: a key is required, one of some keys is, keys exclude each other, a number has a
range, a duration has a unit and bounds. They are plain data, and the tables say all there is to know of them. Every
other rule is a function.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, by_rule, error, warning
from extcp_manifests.documents.lookup import EACH, MAPPING
from extcp_manifests.errors import Path
from extcp_manifests.istio.durations import MILLISECOND, parse_duration
from extcp_manifests.istio.releases import EVERY_RELEASE, Release, ReleaseRange
from extcp_manifests.records import Record

EVERYTHING = "**"
"""At the end of a path of `RuleRow.needs`: the value there, and whatever is in it."""


class RuleRow(Record):
    """A rule, and where and when it holds."""

    id: str
    """The id of the rule, a key of `rule_ids.RULES`; empty in a mesh config, where the level gives one."""
    check: Rule
    """A shape or a function, which gets the mapping at each place of the rule."""
    at: Path = ()
    """Where the rule looks, as for `documents.lookup.each_at`; empty for the whole."""
    releases: ReleaseRange = EVERY_RELEASE
    needs: tuple[Path, ...] = ()
    """The values below `at` without which the rule cannot judge: where one has a wrong type, it is not asked."""


def rows_at(place: Path, rows: Iterable[RuleRow], *, rule_id: str | None = None) -> tuple[RuleRow, ...]:
    """Return rows of a part of a document as rows of the document, if wanted with another id."""
    return tuple(row.with_(id=row.id if rule_id is None else rule_id, at=(*place, *row.at)) for row in rows)


def rows_of(rows: Iterable[RuleRow], release: Release) -> tuple[RuleRow, ...]:
    """Return the rows that hold in a release."""
    return tuple(row for row in rows if release in row.releases)


class RuleTree:
    """Rules by the places where they look, so that a document is walked once for all of them."""

    def __init__(self, rows: Iterable[RuleRow]) -> None:
        self._rows = tuple(rows)
        self._root = _Node()
        for number, row in enumerate(self._rows):
            self._root.add(row.at, number, row.check)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def run(self, document: Mapping[str, Any], wrong: Sequence[Path] = ()) -> Iterator[Found]:
        """Yield what the rules find in a document, in the order of the rules.

        `wrong` are the places of values that were reported as wrong, and left out of the document: nothing more is
        reported there, nor by a rule that needs such a value.
        """
        unclear = [_places_without_needs(row, wrong) for row in self._rows] if wrong else ()
        findings: list[_FoundAt] = []
        _visit(self._root, document, (), unclear, findings)
        findings.sort(key=_number)
        known = frozenset(wrong)
        for each in findings:
            found = each.found.under(*each.place) if each.place else each.found
            if known and _is_in(found.problem.place, known):
                continue
            yield from by_rule(self._rows[each.number].id, [found])


class _FoundAt(Record):
    """What a rule found in the mapping at a place."""

    number: int
    """The rule's number in the order of rules."""
    place: Path
    found: Found


def _number(found: _FoundAt) -> int:
    return found.number


class _Node:
    """What is asked at a place: the rules by their numbers, and the places below."""

    __slots__ = ("checks", "each", "keys")

    def __init__(self) -> None:
        self.checks: list[tuple[int, Rule]] = []
        self.keys: dict[str | int, _AtKey] = {}
        self.each: _Node | None = None
        """What is asked of every item."""

    def add(self, path: Path, number: int, check: Rule) -> None:
        """Add a rule that looks at a path below."""
        if path:
            self._child(path[0]).add(path[1:], number, check)
        elif isinstance(check, Range | Duration) and check.missing is None:
            self._at(check.key).checks.append((number, check))
        else:
            self.checks.append((number, check))

    def _child(self, key: str | int) -> "_Node":
        if key == EACH:
            self.each = self.each or _Node()
            return self.each
        at_key = self._at(key)
        at_key.below = at_key.below or _Node()
        return at_key.below

    def _at(self, key: str | int) -> "_AtKey":
        return self.keys.setdefault(key, _AtKey())


class _AtKey:
    """What is asked where a key is there."""

    __slots__ = ("below", "checks")

    def __init__(self) -> None:
        self.checks: list[tuple[int, Rule]] = []
        """Rules of the mapping that have something to say only then."""
        self.below: _Node | None = None
        """What is asked of the key's value."""


def _visit(node: _Node, value: Any, place: Path, unclear: Sequence[Collection[Path]], findings: list[_FoundAt]) -> None:
    """Collect what the rules of a node, and of those below it, find in a value."""
    if isinstance(value, list | tuple):
        if node.each is not None:
            for index, item in enumerate(value):
                _visit(node.each, item, (*place, index), unclear, findings)
    elif not isinstance(value, str) and isinstance(value, MAPPING):
        _ask(node.checks, value, place, unclear, findings)
        keys, each = node.keys, node.each
        if not keys and each is None:
            return
        for key, item in value.items():
            at_key = keys.get(key)
            if at_key is not None and item is not None:
                if at_key.checks:
                    _ask(at_key.checks, value, place, unclear, findings)
                if at_key.below is not None:
                    _visit(at_key.below, item, (*place, key), unclear, findings)
            if each is not None and item is not None:
                _visit(each, item, (*place, key), unclear, findings)


def _ask(
    checks: Sequence[tuple[int, Rule]],
    value: Mapping[str, Any],
    place: Path,
    unclear: Sequence[Collection[Path]],
    findings: list[_FoundAt],
) -> None:
    """Collect what rules find in a mapping, but for those that cannot judge it."""
    for number, check in checks:
        if not (unclear and place in unclear[number]):
            for found in check(value):
                findings.append(_FoundAt(number, place, found))  # noqa: PERF401 - there is hardly ever one


def _is_in(place: Path, known: frozenset[Path]) -> bool:
    """Return whether a place, or one that it is in, is among the known ones."""
    return any(place[:length] in known for length in range(len(place) + 1))


def _places_without_needs(row: RuleRow, wrong: Sequence[Path]) -> Collection[Path]:
    """Return the places of a rule where a value that it needs was left out."""
    if not wrong:
        return ()
    needs = row.needs
    if isinstance(row.check, OneOf):
        needs = (*needs, *((key,) for key in row.check.keys))
    patterns = [(*row.at, *need) for need in needs]
    return {each[: len(row.at)] for each in wrong if any(_matches(each, pattern) for pattern in patterns)}


def _matches(place: Path, pattern: Path) -> bool:
    if pattern[-1:] == (EVERYTHING,):
        pattern = pattern[:-1]
        place = place[: len(pattern)]
    if len(place) != len(pattern):
        return False
    return all(wanted in (EACH, part) for part, wanted in zip(place, pattern, strict=True))


# ----------------------------------------------------------------------------------------------------------- the shapes


class Required(Record):
    """A key without which the document is refused; an empty text or list is as good as none."""

    key: str
    message: str = "is required: add it"

    def __call__(self, settings: Mapping[str, Any]) -> Sequence[Found]:
        return () if is_given(settings.get(self.key)) else (error((self.key,), self.message),)


class OneOf(Record):
    """Keys of which at least one must be there, since the mapping would say nothing without them."""

    keys: tuple[str, ...]
    message: str

    def __call__(self, settings: Mapping[str, Any]) -> Sequence[Found]:
        return () if any(is_given(settings.get(key)) for key in self.keys) else (error((), self.message),)


class Excludes(Record):
    """Keys of which at most one may be there."""

    keys: tuple[str, ...]
    is_warning: bool = False

    def __call__(self, settings: Mapping[str, Any]) -> Sequence[Found]:
        given = [key for key in self.keys if key in settings and is_given(settings[key])]
        if len(given) < 2:
            return ()
        report = warning if self.is_warning else error
        return (report((), f"has {' and '.join(given)}, which exclude each other: keep one"),)


class Range(Record):
    """A number with a lowest and perhaps a highest value."""

    key: str
    least: int
    most: int | None = None
    missing: int | None = None
    """What a missing number counts as; None: it may be missing."""
    is_warning: bool = False
    what: str = ""
    """What the number is, where the range alone does not say it: `port`."""

    def __call__(self, settings: Mapping[str, Any]) -> Sequence[Found]:
        number = settings.get(self.key, self.missing)
        if number is None or (number >= self.least and (self.most is None or number <= self.most)):
            return ()
        report = warning if self.is_warning else error
        bounds = f"{self.least} or more" if self.most is None else f"{self.least} to {self.most}"
        reason = f", which is not a valid {self.what}" if self.what else ""
        return (report((self.key,), f"is {number}{reason}: use {bounds}"),)


class Duration(Record):
    """A duration as in `1.5s`, in whole units between bounds, all of them in nanoseconds."""

    key: str
    unit: int = MILLISECOND
    least: int | None = MILLISECOND
    """The least that is valid; None: even a negative one."""
    most: int | None = None
    missing: str | None = None
    """What a missing duration counts as; None: it may be missing."""
    or_zero: bool = False
    """Whether 0s is valid too, whatever the least is."""
    use: str = "whole milliseconds from 1ms, as in 5s"
    """What is valid, in words."""

    def __call__(self, settings: Mapping[str, Any]) -> Sequence[Found]:
        text = settings.get(self.key, self.missing)
        if text is None or self._is_valid(text):
            return ()
        return (error((self.key,), f"is {text!r}: use {self.use}"),)

    def _is_valid(self, text: Any) -> bool:
        nanoseconds = parse_duration(text) if isinstance(text, str) else None
        if nanoseconds is None:
            return False
        if nanoseconds == 0 and self.or_zero:
            return True
        if self.least is not None and nanoseconds < self.least:
            return False
        if self.most is not None and nanoseconds > self.most:
            return False
        return nanoseconds % self.unit == 0


def is_given(value: Any) -> bool:
    """Return whether a value is there in Istio's sense, where an empty text or list is as good as none.

    An empty mapping is there: in protobuf a message without fields is not the same as no message.
    """
    return value is not None and value not in ("", [], ())
