"""Findings that people have accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput
from extcp_manifests.istio.accepted import baseline_of, without_commented, without_known
from extcp_manifests.istio.validation import Report, validate_texts

GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: ns}
spec:
  servers: []
"""


def report(text: str) -> Report:
    texts = {"a.yaml": text}
    return without_commented(validate_texts(texts, release="1.30"), texts)


@pytest.mark.parametrize(
    "text",
    [
        GATEWAY.replace("[]", "[] # extcp-manifests: ignore[networking/servers]"),
        GATEWAY.replace("  servers", "  # extcp-manifests: ignore[networking/servers] for now\n  servers"),
    ],
)
def test_comments(text: str) -> None:
    """A comment beside a line, or alone above it, accepts the findings of the rules that it names; they are counted."""
    found = report(text)
    assert (found.results, found.accepted) == ((), 1)
    assert ": 0 errors, 0 warnings, 1 accepted;" in found.summary


@pytest.mark.parametrize(
    ("comment", "problem"),
    [
        ("[networking/port]", "the comment's 'networking/port' matches no finding on that line: remove it"),
        ("[servers]", "the comment's 'servers' is not the id of a rule: correct it, or remove it"),
        ("[]", "the comment names no rule: write ignore[ID], with the id that --ids shows"),
        ("", "the comment names no rule: write ignore[ID], with the id that --ids shows"),
    ],
)
def test_comments_that_accept_nothing(comment: str, problem: str) -> None:
    """A comment that accepts nothing is a warning, and takes nothing away."""
    found = report(GATEWAY.replace("[]", f"[] # extcp-manifests:ignore{comment}"))
    assert [(each.level, each.rule, each.line) for each in found.results] == [
        ("error", "networking/servers", 5),
        ("warning", "document/ignore", 5),
    ]
    assert found.results[1].message == problem


def test_a_baseline() -> None:
    """A baseline leaves out what was there before, wherever its line is now, and nothing that is new."""
    before = report(GATEWAY)
    text = baseline_of(before.results)
    assert without_known(report(f"# moved\n{GATEWAY}"), text).results == ()
    twice = report(f"{GATEWAY}---\n{GATEWAY}")
    assert len(without_known(twice, text).results) == len(twice.results) - 1


@given(st.text() | st.sampled_from(["[]", "{}", '{"findings": [{}]}', '{"findings": 5}', "[" * 100_000]))
def test_what_is_no_baseline(text: str) -> None:
    """Another text is refused, with its name."""
    with pytest.raises(InvalidInput) as caught:
        without_known(report(GATEWAY), text, name="baseline.json")
    assert str(caught.value) == (
        "baseline.json: is not a baseline as `validate --write-baseline` writes it: write it again"
    )


INSIDE = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: gw
  annotations:
    doc: |
      # extcp-manifests: ignore[networking/servers]
spec: {servers: [], x: "# extcp-manifests: ignore[networking/unknown-key]"}
"""


def test_texts_are_no_comments() -> None:
    """What looks like a comment inside a text accepts nothing, and is not reported either."""
    found = report(INSIDE)
    assert found.accepted == 0
    assert {each.rule for each in found.results} == {"networking/servers", "networking/unknown-key"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_comments_in_every_encoding(encoding: str, newline: str) -> None:
    """Comments are found in every encoding and with every line break that the reader takes."""
    lines = GATEWAY.replace("  servers", "  # extcp-manifests: ignore[networking/servers]\n  servers")
    texts = {"a.yaml": lines.replace("\n", newline).encode(encoding)}
    found = without_commented(validate_texts(texts, release="1.30"), texts)
    assert (found.results, found.accepted) == ((), 1)


def test_mesh_config_has_comments() -> None:
    """The text of a mesh config in a ConfigMap is YAML too, whose comments count."""
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio}\ndata:\n  mesh: |\n"
        "    connectTimeout: 0s # extcp-manifests: ignore[mesh-config/invalid]\n"
    )
    rule = report(text).results[0].rule
    assert report(text.replace("mesh-config/invalid", rule)).results == ()


def test_what_is_no_yaml_cannot_be_accepted() -> None:
    """A file that cannot be read was not checked, so that no comment accepts that."""
    assert [each.rule for each in report("a: b: c # extcp-manifests: ignore[yaml/syntax]\n").results][:1] == [
        "yaml/syntax"
    ]
