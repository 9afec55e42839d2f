"""Findings: what a check reports of a document, as an error or as a warning."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from extcp_manifests.errors import Path, Problem
from extcp_manifests.records import Record

Level = Literal["error", "warning"]


class Found(Record):
    """One finding of a rule: an error, or a warning of something that works and is hardly meant."""

    problem: Problem
    is_warning: bool = False
    rule: str = ""
    """The id of the rule, a key of `rule_ids.RULES`; whoever runs a rule sets it, so that the rule need not."""

    @property
    def level(self) -> Level:
        return "warning" if self.is_warning else "error"

    def under(self, *place: str | int) -> "Found":
        """Return the same finding with its place below another one."""
        return self.with_(problem=self.problem.under(*place))


def error(path: Path, message: str, rule: str = "") -> Found:
    """Return a finding for what Istio refuses."""
    return Found(Problem(path, message), rule=rule)


def warning(path: Path, message: str, rule: str = "") -> Found:
    """Return a finding for what Istio accepts, and then ignores or only warns of."""
    return Found(Problem(path, message), is_warning=True, rule=rule)


def as_errors(problems: Iterable[Problem], rule: str) -> Iterator[Found]:
    """Yield problems that others found as errors of a rule."""
    for problem in problems:
        yield Found(problem, rule=rule)


def as_warnings(problems: Iterable[Problem], rule: str) -> Iterator[Found]:
    """Yield problems that others found as warnings of a rule."""
    for problem in problems:
        yield Found(problem, is_warning=True, rule=rule)


def by_rule(rule: str, found: Iterable[Found]) -> Iterator[Found]:
    """Yield findings with the id of their rule, where they have none of their own."""
    for each in found:
        yield each if each.rule else each.with_(rule=rule)


def below(place: Path, found: Iterable[Found]) -> Iterator[Found]:
    """Yield findings with their places below another one."""
    for each in found:
        yield each.under(*place)


class Findings(Record):
    """All findings of a check, in their order."""

    found: tuple[Found, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(each.problem for each in self.found if not each.is_warning)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(each.problem for each in self.found if each.is_warning)


Rule = Callable[[Mapping[str, Any]], Iterable[Found]]
"""What checks a mapping; the places of its findings begin there."""
