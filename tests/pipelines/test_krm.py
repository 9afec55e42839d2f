"""The library as a function and as a plugin of kustomize."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import command_line
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import load, plan, yaml
from extcp_manifests.istio.rules import networking
from extcp_manifests.pipelines import krm
from extcp_manifests.pipelines.krm import run

ROOT = Path(__file__).parents[2]
GUIDE: dict[str, Any] = yaml.load((ROOT / "examples/guide.yaml").read_bytes())
SUITE = yaml.load((Path(__file__).parent / "cases/krm.yaml").read_bytes())


def topology(**spec: Any) -> dict[str, Any]:
    """The guide's topology with further keys, and what kustomize adds to metadata."""
    metadata = {"name": "mesh1", "annotations": {"config.kubernetes.io/function": "exec: {}"}}
    return {**GUIDE, "metadata": metadata, "spec": {**GUIDE["spec"], **spec}}


def resource_list(case: Any) -> Any:
    emit = {"emit": case["emit"]} if "emit" in case else {}
    config = case["config"] if "config" in case else topology(**case.get("spec", {}), **emit)
    return {
        "apiVersion": "config.kubernetes.io/v1",
        "kind": "ResourceList",
        "items": case["items"],
        "functionConfig": config,
    }


def messages(results: Any) -> list[str]:
    return [f"{each['severity']} {each['message']}" for each in results]


@pytest.mark.parametrize("case", SUITE["cases"], ids=lambda case: case["what"])
def test_resource_lists(case: Any) -> None:
    """Generated documents and results come out as they should, and no item is lost or changed."""
    answer = run(yaml.dump(resource_list(case)))
    items = answer.resource_list["items"]
    assert [each.get("kind") if isinstance(each, dict) else each for each in items] == case["kinds"]
    assert answer.failed == case.get("failed", False)
    if "results" in case:
        assert messages(answer.resource_list["results"]) == case["results"]
    elif not answer.failed:
        assert "results" not in answer.resource_list
    for index, item in enumerate(case["items"] if isinstance(case["items"], list) else ()):
        assert (items[index] == item) != (index == case.get("replaced"))
    assert yaml.load(yaml.dump(answer.resource_list)) == answer.resource_list


@pytest.mark.parametrize("case", SUITE["texts"], ids=lambda case: case["text"])
def test_texts(case: Any) -> None:
    """What is no ResourceList is answered by one, with the reason."""
    answer = run(case["text"])
    assert (answer.resource_list["kind"], answer.resource_list["items"], answer.failed) == ("ResourceList", [], True)
    assert messages(answer.resource_list["results"]) == [case["result"]]


@pytest.mark.parametrize("metadata", [[1], "x", None, {"name": 5}])
@pytest.mark.parametrize("kind", ["Gateway", "VirtualService", "IstioOperator", "ConfigMap", "Secret"])
def test_strange_metadata(kind: str, metadata: Any) -> None:
    """An item of a known kind with metadata that is none comes back as it is."""
    item = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {"mesh": "a: b"}}
    answer = run(yaml.dump(resource_list({"items": [item], "emit": {"documents": []}})))
    assert answer.resource_list["items"] == [item]


@pytest.mark.parametrize("item", ["{a: !!str 5}", "{y: 1}", "{1: 2}", f"{{? {'k' * 1200} : 1}}"])
def test_what_is_refused_comes_back_as_it_was(item: str) -> None:
    """A list with YAML that is refused here is returned unchanged, so that no item is lost."""
    text = f"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- {item}\n- kind: A\n"
    answer = run(text)
    assert answer.failed
    assert answer.text == text or answer.resource_list["items"]


def test_huge_input() -> None:
    """A text above the limit is refused with a result; one of many items below the limit is answered."""
    answer = run(b"x: " + b"a" * (16 * 1024 * 1024))
    assert messages(answer.resource_list["results"]) == [
        "error 16777219 bytes are more than the 16777216 that are read: split the file"
    ]
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{n}"}} for n in range(3000)]
    answer = run(yaml.dump(resource_list({"items": items, "emit": {"documents": []}})))
    assert (answer.resource_list["items"], answer.failed) == (items, False)


def test_results_name_the_item() -> None:
    """A result has the item, the severity and the path of the field."""
    item = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "g", "namespace": "n"},
        "spec": {"servers": []},
    }
    (result,) = run(yaml.dump(resource_list({"items": [item], "emit": {"documents": []}}))).resource_list["results"]
    assert result == {
        "message": "spec.servers: is empty: add a server",
        "severity": "error",
        "field": {"path": "spec.servers"},
        "resourceRef": {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "name": "g", "namespace": "n"},
    }


def test_values_are_config_maps() -> None:
    """A chart's values are not a Kubernetes document, so they are emitted in a ConfigMap."""
    gateways = {**GUIDE["spec"]["configCluster"]["gateways"], "install": "helm"}
    config = topology(
        configCluster={**GUIDE["spec"]["configCluster"], "gateways": gateways},
        emit={"clusters": ["cluster1"], "documents": ["values"]},
    )
    answer = run(yaml.dump(resource_list({"items": [], "config": config})))
    names = [(each["kind"], each["metadata"]["name"]) for each in answer.resource_list["items"]]
    assert names == [("ConfigMap", "istio-ingressgateway-values"), ("ConfigMap", "istio-egressgateway-values")]
    assert yaml.load(answer.resource_list["items"][0]["data"]["values.yaml"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, st.lists(JSON, max_size=3), JSON)
def test_every_input_is_answered(whole: Any, items: list[Any], config: Any) -> None:
    """Every input gets an answer that has every item."""
    assert run(yaml.dump(whole)).failed
    assert run(yaml.dump({"kind": "ResourceList", "items": whole, "functionConfig": config})).failed
    answer = run(yaml.dump({"kind": "ResourceList", "items": items, "functionConfig": config}))
    assert answer.failed
    assert answer.resource_list["items"] == items


def test_the_command() -> None:
    """The function is a filter of standard input, and its exit code says whether it failed."""
    case = {"items": [], "emit": {"clusters": ["cluster1"]}}
    refused = command_line.run("krm", stdin="items: [{a: !!str 5}]")
    assert (refused.returncode, refused.stdout) == (1, "items: [{a: !!str 5}]")
    assert refused.stderr.startswith("line 1: the tag")
    done = command_line.run("krm", stdin=yaml.dump(resource_list(case)))
    assert (done.returncode, done.stderr) == (0, "")
    kinds = [each["kind"] for each in yaml.load(done.stdout)["items"]]
    assert kinds.count("Namespace") == 2
    assert command_line.run("krm", stdin="a: [").returncode == 1


def test_the_legacy_plugin(kubectl: str, tmp_path: Path) -> None:
    """kubectl calls the plugin for `generators:` and builds what the plan applies, or IstioOperators on demand."""
    home = tmp_path / "a home"
    assert command_line.run("plugin", "install", "--home", home).returncode == 0
    environment = {**os.environ, "KUSTOMIZE_PLUGIN_HOME": str(home)}
    base = tmp_path / "base"
    base.mkdir()
    kustomization = {"generators": ["mesh.yaml"], "sortOptions": {"order": "fifo"}}
    (base / "kustomization.yaml").write_text(yaml.dump(kustomization))
    build = [kubectl, "kustomize", "--enable-alpha-plugins", str(base)]
    for emit, program in (
        ({"clusters": ["cluster2"]}, "kubectl"),
        ({"clusters": ["external"], "documents": ["install"]}, "istioctl"),
    ):
        (base / "mesh.yaml").write_text(yaml.dump({**topology(emit=emit), "metadata": {"name": "mesh1"}}))
        done = subprocess.run(build, env=environment, capture_output=True, text=True, check=True)
        expected = [
            yaml.load(yaml.dump(document.plain()))
            for step in plan(load(ROOT / "examples/guide.yaml")).steps
            if step.path and step.cluster in emit["clusters"] and step.tool == program
            for document in step.documents
        ]
        assert yaml.load_all(done.stdout) == expected
    installed = next(home.rglob("ExternalControlPlane"))
    installed.rename(tmp_path / "moved")
    installed.symlink_to(tmp_path / "moved")
    refused = command_line.run("plugin", "install", "--home", home)
    assert (refused.returncode, refused.stderr) == (
        1,
        f"{installed}: is a link: remove it, or choose another folder with --home\n",
    )
    assert command_line.run("plugin", "install", "--home", "").returncode == 2
    (base / "mesh.yaml").write_text(yaml.dump({**topology(meshID=""), "metadata": {"name": "mesh1"}}))
    done = subprocess.run(build, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "spec.meshID: has 0 characters: use 1 to 253" in done.stderr


@pytest.mark.parametrize(
    ("variable", "folder"),
    [("KUSTOMIZE_PLUGIN_HOME", ""), ("XDG_CONFIG_HOME", "kustomize/plugin"), ("HOME", ".config/kustomize/plugin")],
)
def test_where_the_plugin_goes(variable: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --home the plugin is written where kubectl looks for it, and everybody may run it."""
    for each in ("KUSTOMIZE_PLUGIN_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    done = command_line.run("plugin", "install")
    path = tmp_path / folder / "extcp-manifests/v1/externalcontrolplane/ExternalControlPlane"
    assert done.stdout == f"{path}\n"
    assert path.stat().st_mode & 0o777 == 0o755


def test_an_internal_error_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this library itself fails, all items and the configuration are returned, and the result says so.

    A function that validation needs is taken away, so that it fails in the middle.
    """
    monkeypatch.setattr(networking, "_rules", None)
    items = [{"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "hush"}}, *ITEMS]
    given = resource_list({"items": items, "emit": {"documents": []}})
    answer = run(yaml.dump(given))
    assert answer.failed
    assert yaml.load(answer.text) == answer.resource_list
    assert (answer.resource_list["items"], answer.resource_list["functionConfig"]) == (items, given["functionConfig"])
    (result,) = messages(answer.resource_list["results"])
    assert re.sub("line [0-9]+", "line N", result) == (
        "error TypeError in istio/rules/networking.py, line N, which is a bug in extcp-manifests: all items are "
        "returned unchanged; please report it with a ResourceList that shows it"
    )


def test_an_internal_error_while_answering_returns_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no ResourceList can be made, the given text is the answer."""
    text = yaml.dump(resource_list({"items": ITEMS, "emit": {"documents": []}}))
    monkeypatch.setattr(krm, "_output_for", None)
    answer = run(text)
    assert (answer.text, answer.failed) == (text, True)


ITEMS = [{"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "g"}, "spec": {}}]
