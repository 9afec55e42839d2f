"""The forms of names, and the sentences about names that lack them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests.documents.name_forms import (
    has_user,
    stand_in,
    why_not_dns_label,
    why_not_dns_subdomain,
    why_not_label_value,
    why_not_printable,
    why_placeholder,
)

LABEL = "is not a valid DNS label: use a-z, 0-9 and inner '-', at most 63 characters"
SUBDOMAIN = "is not a valid DNS subdomain: use a-z, 0-9, inner '-' and '.', at most 253 characters"
VALUE = "is not a valid label value: use letters, digits and inner '-', '_' and '.', at most 63 characters"


@pytest.mark.parametrize(
    ("text", "label", "subdomain", "value"),
    [
        ("istio-system", None, None, None),
        ("0a", None, None, None),
        ("a.b", LABEL, None, None),
        ("A_b", LABEL, SUBDOMAIN, None),
        ("-a", LABEL, SUBDOMAIN, VALUE),
        ("a\n", LABEL, SUBDOMAIN, VALUE),
        ("é", LABEL, SUBDOMAIN, VALUE),
        ("", LABEL, SUBDOMAIN, VALUE),
        ("a" * 64, LABEL, None, VALUE),
        ("a" * 254, LABEL, SUBDOMAIN, VALUE),
    ],
)
def test_forms_of_kubernetes(text: str, label: str | None, subdomain: str | None, value: str | None) -> None:
    """A text that lacks a form is named in the sentence that says what to use."""
    assert why_not_dns_label(text) == (label and f"{text!r} {label}")
    assert why_not_dns_subdomain(text) == (subdomain and f"{text!r} {subdomain}")
    assert why_not_label_value(text) == (value and f"{text!r} {value}")


def test_shorter_labels() -> None:
    """A label to which something is prefixed may be shorter than Kubernetes allows."""
    assert why_not_dns_label("a" * 5, 5) is None
    assert why_not_dns_label("a" * 6, 5) == (
        "'aaaaaa' is not a valid DNS label: use a-z, 0-9 and inner '-', at most 5 characters"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ctx", None),
        ("", "has 0 characters: use 1 to 253"),
        ("a\tb", "'a\\tb' has a control character: leave it out"),
        ("ctx\u202etxt", "'ctx\\u202etxt' has the character \\u202e, which a reader does not see: leave it out"),
        ("cluster-$N", "'cluster-$N' is a placeholder: put the value in (envsubst) before"),
        ("MY_CONTEXT", None),
    ],
)
def test_names_that_a_reader_can_see(text: str, problem: str | None) -> None:
    """Names of contexts, clusters and meshes have no character that hides or moves others."""
    assert why_not_printable(text) == problem


@pytest.mark.parametrize("text", ["${NAME}", "$NAME", "{{ .name }}", "<name>", "%NAME%", "@NAME@", "@name@", "MY_NAME"])
def test_placeholders(text: str) -> None:
    """A placeholder is reported as one, not as a name of another form."""
    problem = f"{text!r} is a placeholder: put the value in (envsubst) before"
    assert why_placeholder(text) == problem
    assert why_not_dns_label(text) == problem
    assert why_placeholder(text, "address") == problem.replace("value", "address")


@pytest.mark.parametrize("text", ["name", "NAME", "%C3%A9", "admin@prod@west", "a_b", "$5", "<>"])
def test_names_like_placeholders(text: str) -> None:
    """What only looks a little like a placeholder is none."""
    assert why_placeholder(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user:password@example.com", True),
        ("https://token@example.com", True),
        ("https://u:@HUB@", True),
        ("@HUB@/istio", False),
        ("example.com/istio", False),
    ],
)
def test_users_in_addresses(text: str, expected: bool) -> None:
    """Something before an `@` may be a password, unless it is the beginning of a placeholder."""
    assert has_user(text) is expected


@given(st.text(), st.text())
def test_stand_ins(left: str, right: str) -> None:
    """Every name has a stand-in that is a DNS label, and different names have different ones."""
    assert why_not_dns_label(stand_in(left)) is None
    assert (stand_in(left) == stand_in(right)) is (left == right)
