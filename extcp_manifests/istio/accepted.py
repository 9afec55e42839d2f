"""Findings that people have accepted: by a comment beside their line, or by a list of what was there before.

A comment `# extcp-manifests: ignore[networking/servers]` is for its own line, or for the next one where it stands
alone. A baseline has no lines, so that it holds while other parts of a file change.
"""

import json
import os
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.rules.rule_ids import RULES
from extcp_manifests.istio.validation import Report, Result
from extcp_manifests.patterns import pattern

_Mark = tuple[int, int]
"""A line and a column, from zero."""


def without_commented(report: Report, texts: Mapping[str, str | bytes]) -> Report:
    """Return a report without the findings that comments accept; a comment that accepts nothing is a warning."""
    kept: list[Result] = []
    comments = {name: _Comments(name, text) for name, text in texts.items() if _mark_is_in(text)}
    for result in report.results:
        own = comments.get(result.file)
        if own is None or not own.accept(result):
            kept.append(result)
    accepted = len(report.results) - len(kept)
    kept += [warning for own in comments.values() for warning in own.warnings()]
    return report.with_(results=tuple(kept), accepted=report.accepted + accepted)


def _mark_is_in(text: str | bytes) -> bool:
    return _MARK in _decoded(text)


_MARK = "extcp-manifests:"
_COMMENT = pattern(r"(^|\s)#\s*extcp-manifests:\s*ignore\b(?:\s*\[([^\]\n]*)\])?")


def _decoded(text: str | bytes) -> str:
    """Return a text as the reader of YAML takes it, which knows UTF-8 and UTF-16, with or without a mark."""
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    encoding = "utf-16" if text.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return text.decode(encoding, "replace")


def _texts_in(text: str) -> Iterator[tuple[_Mark, _Mark]]:
    """Yield where texts begin and end whose signs are no comments; of mesh config in a ConfigMap they are."""
    import yaml as pyyaml  # for the few texts that have such comments

    before = ""
    try:
        for event in pyyaml.parse(text, Loader=pyyaml.CSafeLoader if pyyaml.__with_libyaml__ else pyyaml.SafeLoader):
            if not isinstance(event, pyyaml.ScalarEvent):
                before = ""
                continue
            is_mesh_config = event.style in ("|", ">") and before in ("mesh", "meshNetworks")
            is_text = event.style in ("|", ">", "'", '"') and not is_mesh_config
            start, end = event.start_mark, event.end_mark
            if is_text and start is not None and end is not None:
                yield (start.line, start.column), (end.line, end.column)
            before = event.value
    except (pyyaml.YAMLError, UnicodeError):
        return  # what is after the mistake is not checked either


class _Comments:
    """The comments of a text, and what each has accepted."""

    def __init__(self, file: str, text: str | bytes) -> None:
        self._file = file
        self._unused: dict[tuple[int, str], None] = {}
        """The line of a comment and a rule that it names, as long as it has accepted nothing."""
        self._by_line: dict[tuple[int, str], tuple[int, str]] = {}
        shown = _decoded(text)
        inside = list(_texts_in(shown))  # in their order, and none in another
        starts = [start for start, _ in inside]
        for number, line in enumerate(re.split(r"\r\n|\n|\r", shown), start=1):
            found = _COMMENT.search(line)
            if found is None:
                continue
            mark = (number - 1, found.end(1))
            last = bisect_right(starts, mark) - 1
            if last >= 0 and mark < inside[last][1]:
                continue
            for_line = number if line[: found.start()].strip() else number + 1
            for rule in map(str.strip, (found[2] or "").split(",")):
                self._unused[number, rule] = None
                self._by_line[for_line, rule] = (number, rule)

    def accept(self, result: Result) -> bool:
        """Return whether a comment is for a finding."""
        comment = self._by_line.get((result.line or 1, result.rule))
        if comment is None or result.rule == "yaml/syntax":  # a file that cannot be read was not checked
            return False
        self._unused.pop(comment, None)
        return True

    def warnings(self) -> Iterator[Result]:
        """Yield a warning for each rule of a comment that accepted nothing."""
        for line, rule in self._unused:
            if not rule:
                problem = "the comment names no rule: write ignore[ID], with the id that --ids shows"
            elif rule in RULES:
                problem = f"the comment's {rule!r} matches no finding on that line: remove it"
            else:
                problem = f"the comment's {rule!r} is not the id of a rule: correct it, or remove it"
            yield Result(self._file, "", "warning", (), problem, line, "document/ignore")


def baseline_of(results: Iterable[Result]) -> str:
    """Return the text of a baseline with all findings."""
    rows = [dict(zip(_KEYS, _key(result), strict=True)) for result in results]
    return json.dumps({"version": 1, "findings": rows}, indent=2) + "\n"


_KEYS = ("file", "document", "rule", "path", "message")


def _key(result: Result) -> tuple[str, ...]:
    """Return what a finding is known by; files are named from the current folder, however they were given."""
    return (os.path.relpath(result.file), result.document, result.rule, result.path, result.message)


def without_known(report: Report, baseline: str | bytes, *, name: str = "") -> Report:
    """Return a report without the findings of a baseline, each as often as it is there.

    Raises InvalidInput for a text that is no baseline.
    """
    known = Counter(_known(baseline, name))
    kept: list[Result] = []
    for result in report.results:
        if known[_key(result)] > 0:
            known[_key(result)] -= 1
        else:
            kept.append(result)
    return report.with_(results=tuple(kept), accepted=report.accepted + len(report.results) - len(kept))


def _known(baseline: str | bytes, name: str) -> Iterator[tuple[str, ...]]:
    try:
        content: Any = json.loads(baseline)
        rows: Sequence[Mapping[str, str]] = content["findings"]
        found = [tuple(row[key] for key in _KEYS) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError):
        problem = "is not a baseline as `validate --write-baseline` writes it: write it again"
        raise InvalidInput([Problem((), problem, name)]) from None
    yield from found
