"""Rules as rows of tables: what is checked, where in a document, and in which releases.

Most rules are one of five shapes: a key is required, one of some keys is, keys exclude each other, a number has a
range, a duration has a unit and bounds. They are plain data, and the tables say all there is to know of them. Every
other rule is a function.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from extcp_manifests.documents.findings import Found, Rule, by_rule, error, warning
from extcp_manifests.documents.lookup import EACH, each_at
from extcp_manifests.errors import Path
from extcp_manifests.istio.durations import MILLISECOND, parse_duration
from extcp_manifests.istio.releases import EVERY_RELEASE, Release, ReleaseRange

EVERYTHING = "**"
"""At the end of a path of `RuleRow.needs`: the value there, and whatever is in it."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule, and where and when it holds."""

    id: str
    """The id of the rule, a key of `ids.RULES`; empty in a mesh config, whose findings get one from their level."""
    check: Rule
    """A shape or a function, which gets the mapping at each place of the rule."""
    at: Path = ()
    """Where the rule looks, as for `documents.lookup.each_at`; empty for the whole."""
    releases: ReleaseRange = EVERY_RELEASE
    needs: tuple[Path, ...] = ()
    """The values below `at` without which the rule cannot judge: where one has a wrong type, it is not asked."""


def rows_at(place: Path, rows: Iterable[RuleRow], *, rule_id: str | None = None) -> tuple[RuleRow, ...]:
    """Return rows of a part of a document as rows of the document, if wanted with another id."""
    return tuple(replace(row, id=row.id if rule_id is None else rule_id, at=(*place, *row.at)) for row in rows)


def rows_of(rows: Iterable[RuleRow], release: Release) -> tuple[RuleRow, ...]:
    """Return the rows that hold in a release."""
    return tuple(row for row in rows if release in row.releases)


def run_rows(rows: Iterable[RuleRow], document: Mapping[str, Any], wrong: Sequence[Path] = ()) -> Iterator[Found]:
    """Yield what the rules find in a document.

    `wrong` are the places of values that were reported as wrong, and left out of the document: nothing more is reported
    there, nor by a rule that needs such a value.
    """
    known = frozenset(wrong)
    values = _ValuesByPath(document)
    for row in rows:
        unclear = _places_without_needs(row, wrong)
        for place, value in values.at(row.at):
            if place in unclear or not isinstance(value, Mapping):
                continue
            for found in by_rule(row.id, row.check(value)):
                moved = found.under(*place) if place else found
                if not (known and _is_in(moved.problem.place, known)):
                    yield moved


class _ValuesByPath:
    """The values of a document by the paths at which rows look: each path begins where a shorter one ends."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._found: dict[Path, Sequence[tuple[Path, Any]]] = {(): [((), document)]}

    def at(self, path: Path) -> Sequence[tuple[Path, Any]]:
        """Return every value at a path, as `each_at` does."""
        found = self._found.get(path)
        if found is None:
            above = self.at(path[:-1])
            found = [each for place, value in above for each in each_at(value, path[-1:], place)]
            self._found[path] = found
        return found


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


@dataclass(frozen=True, slots=True)
class Required:
    """A key without which the document is refused; an empty text or list is as good as none."""

    key: str
    message: str = "is required: add it"

    def __call__(self, settings: Mapping[str, Any]) -> Iterator[Found]:
        if not is_given(settings.get(self.key)):
            yield error((self.key,), self.message)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Keys of which at least one must be there, since the mapping would say nothing without them."""

    keys: tuple[str, ...]
    message: str

    def __call__(self, settings: Mapping[str, Any]) -> Iterator[Found]:
        if not any(is_given(settings.get(key)) for key in self.keys):
            yield error((), self.message)


@dataclass(frozen=True, slots=True)
class Excludes:
    """Keys of which at most one may be there."""

    keys: tuple[str, ...]
    is_warning: bool = False

    def __call__(self, settings: Mapping[str, Any]) -> Iterator[Found]:
        given = [key for key in self.keys if is_given(settings.get(key))]
        if len(given) > 1:
            report = warning if self.is_warning else error
            yield report((), f"has {' and '.join(given)}, which exclude each other: keep one")


@dataclass(frozen=True, slots=True)
class Range:
    """A number with a lowest and perhaps a highest value."""

    key: str
    least: int
    most: int | None = None
    missing: int | None = None
    """What a missing number counts as; None: it may be missing."""
    is_warning: bool = False
    what: str = ""
    """What the number is, where the range alone does not say it: `port`."""

    def __call__(self, settings: Mapping[str, Any]) -> Iterator[Found]:
        number = settings.get(self.key, self.missing)
        if number is None or (number >= self.least and (self.most is None or number <= self.most)):
            return
        report = warning if self.is_warning else error
        bounds = f"{self.least} or more" if self.most is None else f"{self.least} to {self.most}"
        reason = f", which is not a valid {self.what}" if self.what else ""
        yield report((self.key,), f"is {number}{reason}: use {bounds}")


@dataclass(frozen=True, slots=True)
class Duration:
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

    def __call__(self, settings: Mapping[str, Any]) -> Iterator[Found]:
        text = settings.get(self.key, self.missing)
        if text is not None and not self._is_valid(text):
            yield error((self.key,), f"is {text!r}: use {self.use}")

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
