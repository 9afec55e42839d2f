"""Findings that people have accepted: by a comment beside their line, or by a list of what was there before.

A comment `# extcp-manifests: ignore[networking/servers]` is for its own line, or for the next one where it stands
alone. A baseline has no lines, so that it holds while other parts of a file change.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.rules.rule_ids import RULES
from extcp_manifests.istio.validation import Report, Result


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
    return b"extcp-manifests:" in text if isinstance(text, bytes) else "extcp-manifests:" in text


_COMMENT = re.compile(r"(^|\s)#\s*extcp-manifests:\s*ignore\b(?:\s*\[([^\]\n]*)\])?")


class _Comments:
    """The comments of a text, and what each has accepted."""

    def __init__(self, file: str, text: str | bytes) -> None:
        self._file = file
        self._unused: dict[tuple[int, str], None] = {}
        """The line of a comment and a rule that it names, as long as it has accepted nothing."""
        self._by_line: dict[tuple[int, str], tuple[int, str]] = {}
        shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        for number, line in enumerate(shown.split("\n"), start=1):
            found = _COMMENT.search(line)
            if found is None:
                continue
            for_line = number if line[: found.start()].strip() else number + 1
            for rule in map(str.strip, (found[2] or "").split(",")):
                self._unused[number, rule] = None
                self._by_line[for_line, rule] = (number, rule)

    def accept(self, result: Result) -> bool:
        """Return whether a comment is for a finding."""
        comment = self._by_line.get((result.line or 1, result.rule))
        if comment is None:
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
    return (result.file, result.document, result.rule, result.path, result.message)


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
