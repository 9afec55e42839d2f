"""Whatever value takes the place of another, an input is answered or refused with InvalidInput."""

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, yaml
from extcp_manifests.documents.istio_operator import Overlay, Patch
from extcp_manifests.istio.mesh.merging import merge_mesh_config
from extcp_manifests.istio.mesh.networks import choose_mesh_networks
from extcp_manifests.istio.operator.compose import compose
from extcp_manifests.istio.operator.overlays import apply_overlays
from extcp_manifests.istio.operator.preview import preview
from extcp_manifests.istio.rules.external_istiod import check_external_istiod
from extcp_manifests.istio.rules.istio_operator import validate_operator
from extcp_manifests.istio.rules.networking import validate_networking
from extcp_manifests.istio.validation import validate_text

CASES = Path(__file__).parent / "cases"
RELEASES = st.sampled_from(["1.15", "1.20", "1.23", "1.24", "1.30", "1.31"])
STRANGE: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 2.5, "", "x", "[[", [], [None], [1], [[]], {}, {"x": None}, {"name": [1]}]
)


def documents() -> list[Any]:
    """Good documents with much in them, of each kind that is validated."""
    result: list[Any] = []
    for kind, name in (("VirtualService", "virtual_service"), ("DestinationRule", "destination_rule")):
        suite = yaml.load((CASES / f"{name}.yaml").read_bytes())
        result += [{"kind": kind, "metadata": {"name": "x"}, "spec": case["spec"]} for case in suite["cases"]]
    base = yaml.load((CASES / "gateway.yaml").read_bytes())["base"]
    result.append({"kind": "Gateway", "metadata": {"name": "g"}, "spec": {"selector": {"a": "b"}, "servers": [base]}})
    gateway = {
        "name": "g",
        "label": {"a": "b"},
        "k8s": {
            "service": {"ports": [{"port": 443, "name": "a"}]},
            "env": [{"name": "A", "value": "b"}, {"name": "B", "valueFrom": {"secretKeyRef": {"key": "k"}}}],
            "resources": {"requests": {"cpu": "1"}},
            "tolerations": [{"key": "a"}],
            "volumes": [{"name": "v"}],
            "overlays": [{"kind": "Service", "name": "n", "patches": [{"path": "spec", "value": "x"}]}],
        },
    }
    spec = {
        "profile": "default",
        "hub": "h",
        "revision": "r",
        "meshConfig": {"rootNamespace": "r", "defaultConfig": {"proxyMetadata": {"A": "b"}}},
        "components": {"pilot": {"enabled": True, "k8s": {"replicaCount": 1}}, "ingressGateways": [gateway]},
        "values": {
            "global": {"meshID": "m", "jwtPolicy": "third-party-jwt", "defaultTolerations": [{"key": "a"}]},
            "pilot": {"env": {"A": "b"}, "seccompProfile": {"type": "x"}},
            "gateways": {"istio-ingressgateway": {}},
        },
    }
    result.append({"kind": "IstioOperator", "metadata": {"name": "i"}, "spec": spec})
    add_ons = {"addonComponents": {"kiali": {"enabled": False}}}
    result.append({"kind": "IstioOperator", "metadata": {"name": "i"}, "spec": add_ons})
    labels = {"istio/multiCluster": "true"}
    result.append({"kind": "Secret", "metadata": {"name": "a", "labels": labels}, "stringData": {"config": "x"}})
    result.append({"kind": "ConfigMap", "metadata": {"name": "istio"}, "data": {"mesh": "a: b", "meshNetworks": "{}"}})
    return result


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values below."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield (*path, key)
        yield from places(item, (*path, key))


DOCUMENTS = documents()


@st.composite
def changed(draw: st.DrawFn, kinds: set[str]) -> Any:
    """A document with strange values in some places."""
    document = deepcopy(draw(st.sampled_from([each for each in DOCUMENTS if each["kind"] in kinds])))
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from([place for place in places(document) if place != ("kind",)]))
        node = document
        for part in path:
            node = node[part]
        node[last] = deepcopy(draw(STRANGE))
    return document


@given(changed({"VirtualService", "DestinationRule", "Gateway"}), RELEASES)
def test_networking(document: Any, release: str) -> None:
    """Findings have a place each."""
    found = validate_networking(document, release=release)
    assert all(problem.path for problem in (*found.errors, *found.warnings))


@given(changed({"IstioOperator"}), changed({"IstioOperator"}), RELEASES)
def test_operators(one: Any, two: Any, release: str) -> None:
    """IstioOperators are composed, previewed and validated, or refused with a place."""
    for run in (
        lambda: compose(one, two, release=release),
        lambda: preview(one, two, set=["values.global.x=1"], release=release),
        lambda: validate_operator(one, release=release),
        lambda: check_external_istiod(one, release=release),
        lambda: merge_mesh_config(shared=one, local=two, release=release),
        lambda: choose_mesh_networks(shared=one, local=two, release=release),
    ):
        try:
            run()
        except InvalidInput as error:
            assert error.problems


EVERY = {"ConfigMap", "IstioOperator", "Gateway", "VirtualService", "DestinationRule", "Secret"}


@given(changed(EVERY), changed(EVERY), RELEASES)
def test_files(one: Any, two: Any, release: str) -> None:
    """The text of documents gives results that belong to its file."""
    assert all(each.file == "f" for each in validate_text("f", yaml.dump_all([one, two]), release=release))


@given(st.dictionaries(st.one_of(st.integers(), st.none(), st.booleans()), st.integers(), min_size=1), RELEASES)
def test_keys_that_are_no_text(mapping: Any, release: str) -> None:
    """Keys that are no text are refused wherever plain data is taken."""
    operator = {"kind": "IstioOperator", "metadata": {}, "spec": {"values": mapping}}
    for run in (
        lambda: merge_mesh_config(shared=mapping, local=None, release=release),
        lambda: merge_mesh_config(shared=None, local={"defaultConfig": {"proxyMetadata": mapping}}, release=release),
        lambda: choose_mesh_networks(shared=None, local={"networks": mapping}, release=release),
        lambda: choose_mesh_networks(shared=None, local=mapping, release=release),
        lambda: merge_mesh_config(shared=None, local={**operator, "spec": {"meshConfig": mapping}}, release=release),
        lambda: compose(operator, release=release),
        lambda: validate_operator(operator, release=release),
        lambda: validate_networking({"kind": "Gateway", "spec": mapping}, release=release),
    ):
        with pytest.raises(InvalidInput, match="is no text: write it as a string"):
            run()


@given(changed({"Gateway", "VirtualService", "ConfigMap"}), RELEASES)
def test_objects_of_overlays(document: Any, release: str) -> None:
    """An overlay that finds no object leaves all as it is, whatever the objects' metadata are."""
    overlay = Overlay(kind=document["kind"], name="elsewhere", patches=(Patch(path="spec.x", value="y"),))
    with suppress(InvalidInput):
        assert apply_overlays([document], [overlay], release=release).objects == (document,)
