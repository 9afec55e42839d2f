"""Reports of a validation."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests.cli.reports import (
    github_report,
    gitlab_report,
    json_report,
    sarif_report,
    text_report,
    text_report_with_ids,
)
from extcp_manifests.istio.rules.rule_ids import RULES
from extcp_manifests.istio.validation import Result, validate_text

TEXT = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: ns}
spec:
  servers: []
"""


def found(file: str) -> list[Result]:
    return validate_text(file, TEXT, release="1.30")


def sarif(results: list[Result]) -> Any:
    return json.loads(sarif_report(results))["runs"][0]


def test_text() -> None:
    """A line has the file, the line, the document, the level and the problem."""
    assert text_report(found("a.yaml")) == "a.yaml:5 Gateway ns/gw error: spec.servers: is empty: add a server\n"


def test_json() -> None:
    """JSON has each of these apart, and the id of the rule."""
    assert json.loads(json_report(found("a.yaml"))) == [
        {
            "file": "a.yaml",
            "line": 5,
            "document": "Gateway ns/gw",
            "level": "error",
            "rule": "networking/servers",
            "path": "spec.servers",
            "message": "is empty: add a server",
        }
    ]


def test_ids() -> None:
    """The id of the rule comes last in a line."""
    assert text_report_with_ids(found("a.yaml")) == (
        "a.yaml:5 Gateway ns/gw error: spec.servers: is empty: add a server [networking/servers]\n"
    )


def test_github() -> None:
    """A command of GitHub Actions has the file, the line, the rule and the problem, with its signs escaped."""
    assert github_report(found("a,b:c%.yaml")) == (
        "::error file=a%2Cb%3Ac%25.yaml,line=5,title=networking/servers::"
        "Gateway ns/gw spec.servers: is empty: add a server\n"
    )


def test_gitlab() -> None:
    """A code quality report has a fingerprint for each finding, which does not depend on the line."""
    [row] = json.loads(gitlab_report(found("a.yaml")))
    assert row.pop("fingerprint").isalnum()
    assert row == {
        "description": "Gateway ns/gw spec.servers: is empty: add a server",
        "check_name": "networking/servers",
        "severity": "major",
        "location": {"path": "a.yaml", "lines": {"begin": 5}},
    }
    again = json.loads(gitlab_report([*found("a.yaml"), *found("a.yaml")]))
    assert len({each["fingerprint"] for each in again}) == 2


def test_sarif() -> None:
    """SARIF has the rule of a finding with its description, and where the finding begins."""
    run = sarif(found("a.yaml"))
    about = RULES["networking/servers"]
    assert run["tool"]["driver"] == {
        "name": "extcp-manifests",
        "rules": [
            {"id": "networking/servers", "shortDescription": {"text": about.short}, "help": {"text": about.help}}
        ],
    }
    assert run["results"] == [
        {
            "ruleId": "networking/servers",
            "ruleIndex": 0,
            "level": "error",
            "message": {"text": "Gateway ns/gw spec.servers: is empty: add a server"},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.yaml"}, "region": {"startLine": 5}}}],
        }
    ]


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("<stdin>", "%3Cstdin%3E"),
        ("out/a b.yaml", "out/a%20b.yaml"),
        ("./out/ä#?%.yaml", "out/%C3%A4%23%3F%25.yaml"),
        ("a:b.yaml", "a%3Ab.yaml"),
        ("/srv/a b.yaml", "file:///srv/a%20b.yaml"),
        ("\udcff.yaml", "%FF.yaml"),
    ],
)
def test_files_as_uris(file: str, uri: str) -> None:
    """A file's name is percent-encoded, standard input's too; what is relative stays so."""
    location = sarif(found(file))["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": uri}


RESULTS = st.builds(
    Result,
    file=st.text(min_size=1),
    document=st.text(),
    level=st.sampled_from(["error", "warning"]),
    place=st.tuples(st.text()),
    message=st.text(min_size=1),
    line=st.none() | st.integers(1, 9),
    rule=st.sampled_from(sorted(RULES)),
)


@given(st.lists(RESULTS, max_size=5))
def test_each_result_is_one_line_and_has_a_rule(results: list[Result]) -> None:
    """Whatever is in a file, a result is one line of text, and one of SARIF whose rule is described."""
    assert len(text_report(results).split("\n")) == len(results) + 1
    assert text_report(results).replace("\n", "").isprintable()
    assert len(github_report(results).split("\n")) == len(results) + 1
    assert len({each["fingerprint"] for each in json.loads(gitlab_report(results))}) == len(results)
    run = sarif(results)
    names = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [names[each["ruleIndex"]] for each in run["results"]] == [each.rule for each in results]
    assert len(names) == len(set(names))


def test_every_rule_is_described() -> None:
    """Ids are a group and a name; what is said of each is a sentence."""
    for rule, about in RULES.items():
        assert rule.count("/") == 1
        assert about.short.endswith(".")
        assert about.help.endswith(".")
