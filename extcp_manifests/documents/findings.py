"""Findings: what a check reports of a document, as an error or as a warning."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from extcp_manifests.errors import Path, Problem


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


def error(path: Path, message: str, rule: str = "") -> Found:
    """What Istio refuses."""
    return Found(Problem(path, message), rule=rule)


def warning(path: Path, message: str, rule: str = "") -> Found:
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


def below(place: Path, found: Iterable[Found]) -> Iterator[Found]:
    """The same findings, their paths beginning with a place."""
    for each in found:
        yield replace(each, problem=each.problem.under(*place))
