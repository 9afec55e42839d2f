"""Reports of a validation: lines for people, JSON, and SARIF for code hosts."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from extcp_manifests.errors import visible
from extcp_manifests.istio.rules.rule_ids import RULES
from extcp_manifests.istio.validation import Result


def text_report(results: Sequence[Result]) -> str:
    """Return a line for each finding."""
    return "".join(f"{result}\n" for result in results)


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
    about = RULES[rule]
    return {"id": rule, "shortDescription": {"text": about.short}, "help": {"text": about.help}}


def _sarif_result(result: Result, index: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(result.file)}}
    if result.line is not None:
        place["region"] = {"startLine": result.line}
    subject = f"{result.document} {result.path}".strip()
    return {
        "ruleId": result.rule,
        "ruleIndex": index,
        "level": result.level,
        "message": {"text": visible(f"{subject}: {result.message}" if subject else result.message)},
        "locations": [{"physicalLocation": place}],
    }


def _uri(file: str) -> str:
    """Return a file's name as a URI, relative if the name is; the `<stdin>` of messages has its signs escaped."""
    path = PurePath(file)
    if path.is_absolute():
        return path.as_uri()
    return quote(path.as_posix().encode("utf-8", "surrogateescape"), safe="/-._~!$&'()*+,;=@")


REPORTS: Mapping[str, Callable[[Sequence[Result]], str]] = {
    "text": text_report,
    "json": json_report,
    "sarif": sarif_report,
}
