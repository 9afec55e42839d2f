"""Reports of a validation: lines for people, JSON, and SARIF for code hosts."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from extcp_manifests.errors import visible
from extcp_manifests.istio.validation import Result


def text_report(results: Sequence[Result]) -> str:
    """Return a line for each finding."""
    return "".join(f"{result}\n" for result in results)


def text_report_with_ids(results: Sequence[Result]) -> str:
    """Return the same with the id of each finding's rule at the end of its line."""
    return "".join(f"{result} [{result.rule}]\n" for result in results)


def json_report(results: Sequence[Result]) -> str:
    """Return a list of findings as JSON."""
    keys = ("file", "line", "document", "level", "rule", "path", "message")
    return json.dumps([{key: getattr(result, key) for key in keys} for result in results], indent=2) + "\n"


def sarif_report(results: Sequence[Result]) -> str:
    """Return SARIF 2.1.0, which code hosts show beside the lines of a change."""
    used = sorted({result.rule for result in results})
    driver = {"name": "extcp-manifests", "rules": [_sarif_rule(rule) for rule in used]}
    run = {
        "tool": {"driver": driver},
        "results": [_sarif_result(result, used.index(result.rule)) for result in results],
    }
    report = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(report, indent=2) + "\n"


def _sarif_rule(rule: str) -> dict[str, Any]:
    from extcp_manifests.istio.rules.rule_ids import RULES  # for this report alone

    about = RULES[rule]
    return {"id": rule, "shortDescription": {"text": about.short}, "help": {"text": about.help}}


def _sarif_result(result: Result, index: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(result.file)}}
    if result.line is not None:
        place["region"] = {"startLine": result.line}
    return {
        "ruleId": result.rule,
        "ruleIndex": index,
        "level": result.level,
        "message": {"text": _message(result)},
        "locations": [{"physicalLocation": place}],
    }


def _message(result: Result) -> str:
    """Return where in its file a finding is, and what it is."""
    subject = f"{result.document} {result.path}".strip()
    return visible(f"{subject}: {result.message}" if subject else result.message)


def _uri(file: str) -> str:
    """Return a file's name as a URI, relative if the name is; the `<stdin>` of messages has its signs escaped."""
    path = PurePath(file)
    if path.is_absolute():
        return path.as_uri()
    return quote(path.as_posix().encode("utf-8", "surrogateescape"), safe="/-._~!$&'()*+,;=@")


def github_report(results: Sequence[Result]) -> str:
    """Return commands of GitHub Actions, which show findings beside the lines of a change."""
    return "".join(_github_line(result) for result in results)


def _github_line(result: Result) -> str:
    line = "" if result.line is None else f",line={result.line}"
    message = _message(result)
    title = _escaped(result.rule, _OF_PROPERTIES)
    file = _escaped(visible(result.file), _OF_PROPERTIES)
    return f"::{result.level} file={file}{line},title={title}::{_escaped(message)}\n"


_OF_MESSAGES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_OF_PROPERTIES = {**_OF_MESSAGES, ":": "%3A", ",": "%2C"}


def _escaped(text: str, signs: Mapping[str, str] = _OF_MESSAGES) -> str:
    return "".join(signs.get(sign, sign) for sign in text)


def gitlab_report(results: Sequence[Result]) -> str:
    """Return a code quality report of GitLab; equal findings of a file are told apart by their number."""
    from hashlib import sha256  # for this report alone

    seen: Counter[str] = Counter()
    rows = []
    for result in results:
        what = json.dumps([result.file, result.document, result.rule, result.path, result.message])
        seen[what] += 1
        rows.append(
            {
                "description": _message(result),
                "check_name": result.rule,
                "fingerprint": sha256(f"{what}{seen[what]}".encode()).hexdigest(),
                "severity": "major" if result.level == "error" else "minor",
                "location": {"path": visible(result.file), "lines": {"begin": result.line or 1}},
            }
        )
    return json.dumps(rows, indent=2) + "\n"


REPORTS: Mapping[str, Callable[[Sequence[Result]], str]] = {
    "text": text_report,
    "json": json_report,
    "sarif": sarif_report,
    "github": github_report,
    "gitlab": gitlab_report,
}
