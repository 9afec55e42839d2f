"""Where mesh configs come from."""

from pathlib import Path
from typing import Any

import pytest

from extcp_manifests import InvalidInput, builders, yaml
from extcp_manifests.istio.mesh.merging import merge_mesh_config
from extcp_manifests.istio.mesh.networks import choose_mesh_networks
from extcp_manifests.istio.mesh.sources import read_source
from extcp_manifests.istio.releases import find_release

SUITE = yaml.load((Path(__file__).parent / "cases/sources.yaml").read_bytes())


@pytest.mark.parametrize(
    ("case", "release"),
    [
        pytest.param(case, release, id=f"{release}-{case['what']}")
        for case in SUITE["documents"]
        for release in case.get("releases", ["1.24"])
    ],
)
def test_documents(case: Any, release: str) -> None:
    """What a document holds, given as plain data or as text; what holds nothing is refused."""
    for given in (case["document"], yaml.dump(case["document"])):
        if "problem" in case:
            with pytest.raises(InvalidInput) as caught:
                read_source("f", given, "mesh", find_release(release))
            [problem] = caught.value.problems
            assert problem.file == "f"
            assert f"{problem.path}: {problem.message}" == case["problem"]
            continue
        content = read_source("f", given, "mesh", find_release(release))
        assert (content and content.data) == case["mesh"]
        networks = read_source("f", given, "meshNetworks", find_release(release))
        assert (networks and networks.data) == case.get("networks")


@pytest.mark.parametrize("case", SUITE["lines"], ids=lambda case: case["what"])
def test_lines(case: Any) -> None:
    """What cannot be decoded is told with the line of the file, wherever in it the mesh config is."""
    with pytest.raises(InvalidInput) as caught:
        merge_mesh_config(shared=None, local=case["text"], release="1.24", names={"local": "f.yaml"})
    assert str(caught.value) == case["problem"]


def test_typed_operators() -> None:
    """A typed IstioOperator is read as its plain data is."""
    built = builders.ExternalIstiod(
        release="1.24", address="h.example.com", mesh_id="m", cluster="c", network="n"
    ).build()
    merged = merge_mesh_config(shared=None, local=built, release="1.24")
    assert merged.config["defaultConfig"]["discoveryAddress"] == "h.example.com:15012"


def test_a_config_map_without_the_key_is_told() -> None:
    """A ConfigMap of another key is as good as none, and is among what istiod ignores."""
    merged = merge_mesh_config(shared={"kind": "ConfigMap", "data": {"mash": "a"}}, local={}, release="1.24")
    assert [(each.source, each.path, each.message) for each in merged.ignored] == [
        ("shared", "data", "has no key 'mesh', and istiod reads no other: it is as good as none")
    ]


def test_what_is_ignored_has_lines() -> None:
    """Keys that nobody knows are told with their lines, in mesh configs and networks."""
    config_map = "kind: ConfigMap\ndata:\n  mesh: |\n    accessLogFile: /a\n    fooBar: 1\n"
    merged = merge_mesh_config(shared=None, local=config_map, release="1.24")
    assert [(each.path, each.line) for each in merged.ignored] == [("fooBar", 5)]
    choice = choose_mesh_networks(shared=None, local="networks: {}\nfooBar: 1\n", release="1.24")
    assert [(each.path, each.line) for each in choice.ignored] == [("fooBar", 2)]


def test_networks_name_their_file() -> None:
    """The networks of an IstioOperator's values are told with their place there."""
    values = "  values:\n    global:\n      meshNetworks:\n        net: {gateways: [{port: x}]}\n"
    text = f"kind: IstioOperator\nspec:\n{values}"
    with pytest.raises(InvalidInput) as caught:
        choose_mesh_networks(shared=None, local=text, release="1.24", names={"local": "f.yaml"})
    assert str(caught.value) == (
        "f.yaml:6: spec.values.global.meshNetworks.net.gateways[0].port: "
        "must be a whole number from 0 to 4294967295, not 'x'"
    )


def test_problems_of_the_whole_are_located() -> None:
    """A problem of the effective config leads to the source that set the value, and to its line."""
    merged = merge_mesh_config(
        shared="a: 1\nconnectTimeout: 0s\n",
        local="accessLogFile: /a\nproxyListenPort: 0\n",
        release="1.24",
        names={"shared": "s.yaml", "local": "l.yaml"},
    )
    assert sorted({merged.located(each).location for each in merged.problems}) == ["l.yaml:2", "s.yaml:2"]


@pytest.mark.parametrize("heading", ["mesh: |", "mesh: | # ours", "mesh: |2-", "mesh: >"])
@pytest.mark.parametrize("name", ["istio", '"istio\x85"', '"istio\u2028"'])
def test_lines_of_a_block_are_those_of_the_file(heading: str, name: str) -> None:
    """Whatever follows the sign of a block, and whatever other characters break lines, its lines are counted right."""
    text = f"kind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  {heading}\n    rootNamespace: 5\n"
    with pytest.raises(InvalidInput) as caught:
        merge_mesh_config(shared=None, local=text, release="1.24", names={"local": "cm.yaml"})
    assert [problem.location for problem in caught.value.problems] == ["cm.yaml:5"]


def test_a_broken_second_document_hides_no_problem() -> None:
    """A text whose further documents cannot be read has no lines, and no crash."""
    with pytest.raises(InvalidInput) as caught:
        merge_mesh_config(shared=None, local="rootNamespace: 5\n---\na: [\n", release="1.24")
    assert str(caught.value).splitlines()[-2:] == [
        "local: rootNamespace: must be text, not the number 5: put it in quotes",
        "local: has a second document, which istiod does not read: leave it out",
    ]


@pytest.mark.parametrize(
    ("shared", "local", "dropped"),
    [
        ("discoverySelectors: [{matchLabels: {a: b}}]", "discoverySelectors: [{matchLabels: {c: d}}]", True),
        ("discoverySelectors: [{matchLabels: {a: b}}]", "discoverySelectors: [{matchLabels: {a: b}}, {}]", False),
        ("defaultConfig: {tracing: {sampling: 1, zipkin: {address: a}}}", "defaultConfig: {tracing: {}}", True),
        ("extensionProviders: [{name: a, zipkin: {}}]", "extensionProviders: [{name: b, zipkin: {}}]", False),
        ("defaultConfig: {proxyMetadata: {A: a}}", "defaultConfig: {proxyMetadata: {B: b}}", False),
        ("accessLogFile: /a", "accessLogFile: /b", False),
    ],
)
def test_dropped(shared: str, local: str, dropped: bool) -> None:
    """Entries of a shared list or mapping that the local one replaces as a whole are told."""
    merged = merge_mesh_config(shared=shared, local=local, release="1.24")
    assert bool(merged.dropped) == dropped
    for each in merged.dropped:
        assert (each.by, each.of, each.line) == ("local", ("shared",), 1)


def test_what_is_dropped_in_a_sentence() -> None:
    """The sentence names both files and what is lost."""
    merged = merge_mesh_config(
        shared="defaultConfig: {tracing: {sampling: 1, zipkin: {address: a}}}",
        local="accessLogFile: /a\ndefaultConfig:\n  tracing: {sampling: 2}\n",
        release="1.24",
        names={"shared": "admin.yaml", "local": "operator.yaml"},
    )
    assert [str(each) for each in merged.dropped] == [
        "operator.yaml:3: defaultConfig.tracing: replaces the mapping of admin.yaml and drops zipkin: "
        "repeat them where they are to stay"
    ]
