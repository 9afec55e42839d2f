"""What all documents share: plain data, and the object that a document describes."""

import pickle
from collections.abc import Mapping
from importlib import import_module
from pkgutil import walk_packages
from types import NoneType
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from extcp_manifests import documents
from extcp_manifests.documents.identity import Identity, document_name, identity_of
from extcp_manifests.documents.istio_operator import GlobalValues, Values
from extcp_manifests.documents.kubernetes import Namespace, ObjectMeta, ServicePort
from extcp_manifests.documents.model import Model
from extcp_manifests.documents.networking import Gateway
from extcp_manifests.documents.secret import Secret
from extcp_manifests.errors import InvalidInput


def test_plain_data() -> None:
    """Keys keep their order and their spelling, None is left out, and what is empty is written."""
    values = Values.from_plain({"extra": {"x": None, "y": ()}})
    values = values.with_(global_=GlobalValues(meshID="", network=None), defaultRevision="a")
    assert values.plain() == {"defaultRevision": "a", "global": {"meshID": ""}, "extra": {"x": None, "y": []}}
    assert list(values.plain()) == ["defaultRevision", "global", "extra"]


def test_documents_of_plain_data() -> None:
    """Every problem is told with its place: unknown and missing keys, keys and values of other types."""
    data = {"metadata": {}, "kind": "Gatway", "spec": {"servers": [{"port": {"number": "1", "name": "a"}}, 5], 1: 2}}
    with pytest.raises(InvalidInput) as caught:
        Gateway.from_plain(data)
    assert str(caught.value).splitlines() == [
        "apiVersion: is required: add it",
        "kind: must be 'Gateway'",
        "spec: has a key that is a number: put it in quotes",
        "spec.selector: is required: add it",
        "spec.servers[0].port.number: must be a whole number, not text",
        "spec.servers[0].port.protocol: is required: add it",
        "spec.servers[0].hosts: is required: add it",
        "spec.servers[1]: must be a mapping, not a number",
    ]
    with pytest.raises(InvalidInput, match=r"^must be a mapping, not a list$"):
        Gateway.from_plain([])  # type: ignore[arg-type]


@given(st.text().filter(lambda key: key not in ("name", "targetPort")))
def test_further_keys_have_any_name(key: str) -> None:
    """Where a part of a document carries other keys, no name of a key is special."""
    assert ServicePort.from_plain({"port": 1, "x": 2, key: 3}).plain() == {"port": 1, "x": 2} | {key: 3}


@pytest.mark.parametrize("key", ["_record_", "_further", "_further_", "_values_", "plain", "with_", "self", "cls"])
def test_no_key_is_one_of_ours(key: str) -> None:
    """Names of our own methods and variables are keys like others, and copies keep them."""
    port = ServicePort.from_plain({"port": 1, key: 3})
    assert port.plain() == {"port": 1, key: 3}
    assert port.with_(port=2).plain() == {"port": 2, key: 3}
    assert pickle.loads(pickle.dumps(port)) == port  # noqa: S301


@given(
    st.dictionaries(st.sampled_from(["name", "namespace", "labels", "uid", "x"]), st.sampled_from(["a", 1, None, {}]))
)
def test_the_first_documents_are_checked_as_all_others(keys: dict[str, Any]) -> None:
    """A new class takes and refuses the same, with the same sentences, before its constructor is compiled and after."""

    class Fresh(Model, further_keys="uid" in keys):
        name: str
        namespace: str | None = None
        labels: Mapping[str, str] | None = None

    def made() -> str:
        try:
            return repr(Fresh(**keys))
        except InvalidInput as error:
            return str(error)

    assert len({made() for _ in range(20)}) == 1


def test_given_mappings_are_copied() -> None:
    """A document does not change with the mapping that it was made of."""
    labels = {"a": "b"}
    metadata = ObjectMeta(labels=labels)
    labels["c"] = "d"
    assert metadata.plain() == {"labels": {"a": "b"}}


def test_secrets_are_only_in_plain_data() -> None:
    """The value of a Secret is written to its file, and appears in no repr."""
    secret = Secret(metadata=ObjectMeta(name="s"), stringData={"token": SecretStr("hush")})
    assert "hush" not in repr(secret)
    assert secret.plain()["stringData"] == {"token": "hush"}


def test_unknown_keys_and_assignments_are_refused() -> None:
    """A document is frozen, and has no key that its kind does not have; errors do not show values."""
    with pytest.raises(InvalidInput) as caught:
        Namespace.from_plain({"metadata": {"name": "a"}, "token": "hush"})
    assert "hush" not in str(caught.value)
    namespace = Namespace(metadata=ObjectMeta(name="a"))
    with pytest.raises(
        AttributeError, match=r"^cannot set 'kind', since a Namespace is frozen: use with_\(kind=\.\.\.\)$"
    ):
        namespace.kind = "Namespace"  # type: ignore[misc]


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


def test_a_key_that_may_be_absent_is_absent_if_left_out() -> None:
    """A document does not hold None, so the default of every key that may be None is None."""
    modules = [import_module(each.name) for each in walk_packages(documents.__path__, f"{documents.__name__}.")]
    models = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    kinds = {each for each in models if issubclass(each, Model)}
    assert len(kinds) > 40
    for kind in kinds:
        for attribute, annotation in kind._fields.items():
            assert NoneType not in get_args(annotation) or kind._defaults[attribute] is None, (kind, attribute)
