"""Merging of mesh configs."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, yaml
from extcp_manifests.documents.findings import Findings
from extcp_manifests.documents.mesh_config import MeshConfig, ProxyConfig
from extcp_manifests.istio.durations import parse_duration
from extcp_manifests.istio.mesh.defaults import mesh_defaults
from extcp_manifests.istio.mesh.merging import merge_mesh_config
from extcp_manifests.istio.releases import RELEASES, find_release
from extcp_manifests.istio.rules.mesh_config import validate_mesh_config
from extcp_manifests.istio.schema.decoder import decode
from extcp_manifests.istio.schema.tables import read_schema

CASES = Path(__file__).parent / "cases"


def read(name: str) -> Any:
    return yaml.load((CASES / f"{name}.yaml").read_bytes())


def by_release(name: str) -> list[Any]:
    return [
        pytest.param(case, release, id=f"{release}-{case.get('what', index)}")
        for index, case in enumerate(read(name)["cases"])
        for release in case["releases"]
    ]


@pytest.mark.parametrize(("case", "release"), by_release("merging"))
def test_merging(case: Any, release: str) -> None:
    """Both sources come together as in istiod; what is beaten and what is dropped is told; nothing given is changed."""
    before = deepcopy(case)
    merged = merge_mesh_config(shared=case["shared"], local=case["local"], release=release)
    assert case == before
    assert merged.config == case["config"]
    assert [each.path for each in merged.overridden] == case.get("overridden", [])
    told = [f"{each.source} {each.path} {each.message}" for each in merged.ignored]
    assert told == case.get("ignored", [])


@pytest.mark.parametrize("case", read("wrong")["cases"], ids=lambda case: case["text"])
def test_what_istiod_could_not_decode(case: Any) -> None:
    """A source with a wrong value is refused, with line and path; what only looks strange is taken."""
    if "problem" not in case:
        merge_mesh_config(shared=None, local=case["text"], release="1.24")
        return
    with pytest.raises(InvalidInput) as caught:
        merge_mesh_config(shared=None, local=case["text"], release="1.24")
    separator = ":" if case["problem"][0].isdigit() else ""
    assert str(caught.value) == f"local{separator}{case['problem']}"


@pytest.mark.parametrize(("case", "release"), by_release("validation"))
def test_validation(case: Any, release: str) -> None:
    """Each rule of istiod's validation, with its bounds by release."""
    merged = merge_mesh_config(shared=None, local=case["config"], release=release)
    assert [str(problem) for problem in merged.problems] == ([case["problem"]] if "problem" in case else [])
    assert [str(warning) for warning in merged.warnings] == ([case["warning"]] if "warning" in case else [])


@pytest.mark.parametrize("address", read("validation")["addresses"]["good"])
def test_good_addresses(address: str) -> None:
    """Addresses that istiod takes."""
    config = {"defaultConfig": {"discoveryAddress": address}}
    assert merge_mesh_config(shared=None, local=config, release="1.30").problems == ()


@pytest.mark.parametrize("address", [*read("validation")["addresses"]["wrong"], f"{'a' * 64}:1"])
def test_wrong_addresses(address: str) -> None:
    """Addresses that istiod refuses."""
    config = {"defaultConfig": {"discoveryAddress": address}}
    problems = merge_mesh_config(shared=None, local=config, release="1.30").problems
    assert [str(problem) for problem in problems] == [
        f"defaultConfig.discoveryAddress: is {address!r}, which is not a host with a port: "
        "write it as in istiod.example.com:15012"
    ]


def test_a_file_that_is_only_right_with_the_other_source() -> None:
    """istiod reads its own file before it knows the config cluster, and does not start with a wrong one."""
    shared = {"defaultConfig": {"parentShutdownDuration": "90s"}}
    local = {"defaultConfig": {"drainDuration": "70s"}}
    merged = merge_mesh_config(shared=shared, local=local, release="1.16")
    assert [str(problem) for problem in merged.problems] == [
        "defaultConfig.parentShutdownDuration: is '60s': use more than drainDuration, at most 1h, "
        "or istiod will not start with its own file"
    ]
    assert merge_mesh_config(shared=local, local=shared, release="1.16").problems == ()


@pytest.mark.parametrize(
    "config",
    [
        {"connectTimeout": f"{'1' * 5000}s"},
        {"proxyListenPort": "1" * 5000},
        {"defaultConfig": {"discoveryAddress": f"a.b:{'1' * 5000}"}},
        {"defaultConfig": {"tracing": {"sampling": "1" * 5000}}},
    ],
)
def test_endless_numbers(config: dict[str, Any]) -> None:
    """Numbers of thousands of digits are refused like others that are too large."""
    try:
        assert merge_mesh_config(shared=None, local=config, release="1.30").problems
    except InvalidInput as error:
        assert len(error.problems) == 1


def test_what_a_broken_source_beats() -> None:
    """Values of the config cluster that a broken source replaces, or loses, are told with what is there instead."""
    shared = {"proxyHttpPort": 80, "ingressClass": "a", "defaultConfig": {"statusPort": 1}, "trustDomainAliases": ["a"]}
    local = {"proxyHttpPort": 81, "enableTracing": 5}
    merged = merge_mesh_config(shared=shared, local=local, release="1.30", emulate=True)
    assert [(each.path, each.shared, each.local) for each in merged.overridden] == [
        ("defaultConfig.statusPort", 1, 15020),
        ("proxyHttpPort", 80, 81),
    ]


@pytest.mark.parametrize(
    "text", ["accessLogFile: 5\n---\na: b", "a: &x 1\nb: &x 2\naccessLogFile: 5", "{k: {}, [1]: 2}", "? [1]\n: 2"]
)
def test_lines_of_strange_texts(text: str) -> None:
    """A wrong value is told in texts of several documents, with anchors that are used again and with strange keys."""
    with pytest.raises(InvalidInput, match=r"^local:\d: "):
        merge_mesh_config(shared=None, local=text, release="1.24")


@pytest.mark.parametrize("case", read("broken")["cases"], ids=lambda case: case["what"])
def test_broken_sources(case: Any) -> None:
    """With emulate a broken source is applied as far as a running istiod would, and that is said."""
    with pytest.raises(InvalidInput) as caught:
        merge_mesh_config(shared=case.get("shared"), local=case["local"], release="1.30")
    merged = merge_mesh_config(shared=case.get("shared"), local=case["local"], release="1.30", emulate=True)
    assert merged.config == case["config"]
    assert merged.broken
    dropped = [(each.path, each.message) for each in merged.ignored]
    assert [(each.path, each.message) for each in caught.value.problems] == [
        *((each.path, each.message) for each in merged.broken),
        *dropped,
    ]


def test_every_kind_of_source() -> None:
    """A text, a mapping, a typed mesh config and a ConfigMap, also as text, are the same source."""
    plain = {"accessLogFile": "/a", "defaultConfig": {"discoveryAddress": "a.b:1"}}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"mesh": yaml.dump(plain), "meshNetworks": "x"}}
    typed = MeshConfig.from_plain({"accessLogFile": "/a", "defaultConfig": ProxyConfig(discoveryAddress="a.b:1")})
    for source in (plain, yaml.dump(plain), yaml.dump(plain).encode(), config_map, yaml.dump(config_map), typed):
        assert merge_mesh_config(shared=source, local=None, release="1.24").config == plain
    assert merge_mesh_config(shared={"kind": "ConfigMap"}, local=None, release="1.24").config == {}


def test_origins() -> None:
    """Each value knows who set it, items of merged lists by themselves; an unknown path is no value."""
    merged = merge_mesh_config(
        shared={
            "accessLogFile": "/a",
            "trustDomainAliases": ["a", "b"],
            "extensionProviders": [{"name": "x", "zipkin": {"service": "a.b"}}, {"name": "w.v", "zipkin": {}}],
            "defaultConfig": {"proxyMetadata": {"A": "1", "b.c": "2"}},
        },
        local={
            "trustDomainAliases": ["b", "c"],
            "extensionProviders": [{"name": "x", "datadog": {"service": "c.d"}}],
            "defaultConfig": {"proxyMetadata": {"B": "3"}},
        },
        release="1.24",
        defaults=True,
    )
    origins = {
        "accessLogFile": "shared",
        "proxyListenPort": "defaults",
        "outboundTrafficPolicy.mode": "defaults",
        "trustDomainAliases[0]": "shared",
        "trustDomainAliases[1]": "local",
        "trustDomainAliases": "local",
        "extensionProviders.x": "local",
        "extensionProviders.x.datadog.service": "local",
        "extensionProviders[0].name": "defaults",
        'extensionProviders["w.v"].zipkin': "shared",
        "defaultConfig.proxyMetadata.A": "shared",
        'defaultConfig.proxyMetadata["b.c"]': "shared",
        "defaultConfig.proxyMetadata.B": "local",
        "defaultConfig.statusPort": "defaults",
        "defaultConfig": "local",
    }
    assert {path: merged.origin(path) for path in origins} == origins
    for path in (
        "nothing",
        "accessLogFile.x",
        "trustDomainAliases[9]",
        "trustDomainAliases.x",
        "[",
        "extensionProviders.z",
    ):
        with pytest.raises(KeyError):
            merged.origin(path)


@pytest.mark.parametrize("release", RELEASES)
def test_defaults_are_what_the_schema_knows(release: str) -> None:
    """Istio's defaults can be decoded in their release, without a word, and validation has nothing against them."""
    record = find_release(release)
    defaults = mesh_defaults(record)
    decoded = decode(read_schema("mesh_config"), "MeshConfig", defaults, record)
    assert (decoded.errors, decoded.unknown) == ([], [])
    assert decoded.value == defaults
    assert validate_mesh_config(defaults, record) == Findings(())
    assert merge_mesh_config(shared=None, local=None, release=release, defaults=True).config == defaults


NEWEST = list(RELEASES)[-1]


def test_defaults_by_release() -> None:
    """What the defaults have gained and lost."""
    found = {release: mesh_defaults(find_release(release)) for release in RELEASES}
    since = {key: [release for release, each in found.items() if key in each] for key in found["1.15"] | found[NEWEST]}
    assert {key: (has[0], has[-1]) for key, has in since.items() if len(has) < len(RELEASES)} == {
        "thriftConfig": ("1.15", "1.16"),
        "proxyInboundListenPort": ("1.18", NEWEST),
        "enablePrometheusMerge": ("1.18", NEWEST),
        "inboundTrafficPolicy": ("1.22", NEWEST),
    }
    proxy = {key for each in found.values() for key in each["defaultConfig"]}
    lost = {key: [r for r, each in found.items() if key in each["defaultConfig"]][-1] for key in proxy}
    assert {key: last for key, last in lost.items() if last != NEWEST} == {
        "parentShutdownDuration": "1.16",
        "concurrency": "1.17",
        "tracing": "1.21",
    }


KEYS = {
    "accessLogFile": st.sampled_from(["", "/a", "/b"]),
    "enableTracing": st.booleans(),
    "trustDomainAliases": st.lists(st.sampled_from("abcd"), max_size=3),
    "discoverySelectors": st.lists(st.just({"matchLabels": {"a": "b"}}), max_size=2),
    "outboundTrafficPolicy": st.sampled_from([{}, {"mode": "ALLOW_ANY"}]),
    "extensionProviders": st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["a", "b", "envoy"])}, optional={"zipkin": st.just({"port": 1})}
        ),
        max_size=3,
    ),
    "defaultProviders": st.dictionaries(st.sampled_from(["tracing", "metrics"]), st.lists(st.just("a"), max_size=1)),
    "defaultConfig": st.fixed_dictionaries(
        {},
        optional={
            "proxyMetadata": st.dictionaries(st.sampled_from("ABC"), st.sampled_from(["", "1"])),
            "serviceCluster": st.just("x"),
            "tracingServiceName": st.just("APP_LABEL_AND_NAMESPACE"),
            "proxyHeaders": st.dictionaries(st.sampled_from(["server", "requestId"]), st.just({"disabled": True})),
        },
    ),
}
CONFIGS = st.fixed_dictionaries({}, optional=KEYS)
ANY_RELEASE = st.sampled_from(list(RELEASES))


def count_of_leaves(value: Any) -> int:
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return sum(map(count_of_leaves, items)) if items else 1


@given(CONFIGS, CONFIGS, ANY_RELEASE, st.booleans())
def test_provenance_covers_every_leaf(shared: Any, local: Any, release: str, defaults: bool) -> None:
    """Every leaf of the result has a source, at the path by which it is asked for; nothing given is changed."""
    before = deepcopy((shared, local))
    merged = merge_mesh_config(shared=shared, local=local, release=release, defaults=defaults)
    assert (shared, local) == before
    leaves = list(merged.origins())
    assert len({path for path, _, _ in leaves}) == count_of_leaves(merged.config)
    assert all(merged.origin(path) == source for path, _, source in leaves if path)
    assert all(source != "defaults" for path, _, source in leaves if path) or defaults
    for each in merged.overridden:
        assert each.shared != each.local


@given(CONFIGS, CONFIGS, ANY_RELEASE)
def test_laws(shared: Any, local: Any, release: str) -> None:
    """A source on top of itself, or on top of nothing, is itself; merging the local one again changes nothing."""
    alone = merge_mesh_config(shared=None, local=local, release=release).config
    assert merge_mesh_config(shared=local, local=local, release=release).config == alone
    assert merge_mesh_config(shared=local, local=None, release=release).config == alone
    assert merge_mesh_config(shared=local, local={}, release=release).config == alone
    once = merge_mesh_config(shared=shared, local=local, release=release).config
    assert merge_mesh_config(shared=once, local=local, release=release).config == once


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("1h1ms", 3_600_001_000_000),
        (".5s", 500_000_000),
        ("+5s", 5_000_000_000),
        ("-1.5h", -5_400_000_000_000),
        ("1m30s", 90_000_000_000),
        ("1.5ms", 1_500_000),
        ("2µs", 2_000),
        ("", None),
        ("5", None),
        ("1d", None),
        ("5 s", None),
        ("s", None),
        (".s", None),
    ],
)
def test_durations(text: str, nanoseconds: int | None) -> None:
    """Durations are read as Go reads them."""
    assert parse_duration(text) == nanoseconds
