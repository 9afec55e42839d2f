"""What all documents share: plain data, and the object that a document describes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from extcp_manifests.documents.istio_operator import GlobalValues, Values
from extcp_manifests.documents.kubernetes import Identity, Namespace, ObjectMeta, Secret, document_name, identity_of


def test_plain_data() -> None:
    """Keys keep their order and their spelling, None is left out, and what is empty is written."""
    values = Values.model_validate({"extra": {"x": None, "y": ()}})
    values = values.model_copy(update={"global_": GlobalValues(meshID="", network=None), "defaultRevision": "a"})
    assert values.plain() == {"defaultRevision": "a", "global": {"meshID": ""}, "extra": {"x": None, "y": []}}
    assert list(values.plain()) == ["defaultRevision", "global", "extra"]


def test_secrets_are_only_in_plain_data() -> None:
    """The value of a Secret is written to its file, and appears in no repr."""
    secret = Secret(metadata=ObjectMeta(name="s"), stringData={"token": SecretStr("hush")})
    assert "hush" not in repr(secret)
    assert secret.plain()["stringData"] == {"token": "hush"}


def test_unknown_keys_and_assignments_are_refused() -> None:
    """A document is frozen, and has no key that its kind does not have; errors do not show values."""
    with pytest.raises(ValidationError) as caught:
        Namespace.model_validate({"metadata": {"name": "a"}, "token": "hush"})
    assert "hush" not in str(caught.value)
    namespace = Namespace(metadata=ObjectMeta(name="a"))
    with pytest.raises(ValidationError):
        namespace.kind = "Namespace"


@pytest.mark.parametrize(
    ("document", "identity", "name"),
    [
        (
            {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "gw", "namespace": "ns"}},
            Identity("networking.istio.io", "Gateway", "ns", "gw"),
            "Gateway ns/gw",
        ),
        (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}},
            Identity("", "Namespace", "", "n"),
            "Namespace n",
        ),
        ({"kind": "A", "metadata": {"namespace": "n"}}, Identity("", "A", "n", ""), "A n"),
        ({"kind": 5, "metadata": {"name": 6, "namespace": None}}, Identity("", "5", "", "6"), "5 6"),
        ({"metadata": "text", "apiVersion": 1}, Identity("", "", "", ""), ""),
        ("text", Identity("", "", "", ""), ""),
    ],
)
def test_identity(document: Any, identity: Identity, name: str) -> None:
    """A document describes the object of its group, kind, namespace and name, however wrong the rest of it is."""
    assert identity_of(document) == identity
    assert document_name(document) == name


def test_versions_are_not_part_of_an_identity() -> None:
    """Two versions of an API describe one object; a group that is known otherwise replaces that of apiVersion."""
    documents = [
        {"apiVersion": f"networking.istio.io/{version}", "kind": "Gateway", "metadata": {"name": "gw"}}
        for version in ("v1", "v1beta1")
    ]
    assert identity_of(documents[0]) == identity_of(documents[1])
    without_version = {"kind": "Gateway", "metadata": {"name": "gw"}}
    assert identity_of(without_version) != identity_of(documents[0])
    assert identity_of(without_version, "networking.istio.io") == identity_of(documents[0])


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["apiVersion", "kind", "metadata", "name"]), inner)
        ),
    )
)
def test_every_value_has_an_identity(document: Any) -> None:
    """No data makes the search for an identity fail."""
    assert isinstance(hash(identity_of(document)), int)
