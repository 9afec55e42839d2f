"""`k8s.overlays` on rendered objects."""

import json
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, builders, yaml
from extcp_manifests.documents.istio_operator import IstioOperator, Overlay
from extcp_manifests.istio.operator.overlays import AppliedOverlays, apply_overlays, to_json6902
from extcp_manifests.istio.operator.tree_paths import split_path
from extcp_manifests.istio.rules import go_regex

CASES = Path(__file__).parent / "cases/patch"


def read(name: str) -> Any:
    return yaml.load((CASES / name).read_bytes())


def overlay(*patches: dict[str, Any], name: str = "x", kind: str = "K") -> Overlay:
    return Overlay.from_plain({"kind": kind, "name": name, "patches": list(patches)})


def apply_one(content: Any, release: str, *patches: dict[str, Any]) -> AppliedOverlays:
    """Patches on one object."""
    target = {"kind": "K", "metadata": {"name": "x"}, **content}
    return apply_overlays([target], [overlay(*patches)], release=release)


def single_cases() -> Iterator[Any]:
    for name in ("paths.yaml", "selectors.yaml"):
        suite = read(name)
        for case in suite["cases"]:
            yield pytest.param(suite, case, id=f"{name}-{case['path']}-{case.get('value')}")


@pytest.mark.parametrize(("suite", "case"), list(single_cases()))
def test_one_patch(suite: Any, case: Any) -> None:
    """Each path and value has the result that istioctl gives, or a problem with its sentence."""
    if case.get("engine"):
        pytest.importorskip("re2", reason="the package google-re2 is not installed")
    patch = {key: case[key] for key in ("path", "value") if key in case}
    before = deepcopy(suite["object"])
    applied = apply_one(suite["object"], suite["release"], patch)
    assert suite["object"] == before
    if "problem" in case:
        assert [str(problem) for problem in applied.problems] == [
            f"overlays[0].patches[0]: {case['path']!r} {case['problem']}"
        ]
        assert applied.objects[0]["a"] == before["a"]
        return
    assert applied.problems == ()
    if "at" in case:
        assert applied.objects[0]["a"][case["at"][0]] == case["result"]
    else:
        assert applied.objects[0]["a"] == case["a"]


@pytest.mark.parametrize(
    ("suite", "case", "release"),
    [
        pytest.param(suite, case, release, id=f"{release}-{case['what']}")
        for suite in [read("runs.yaml")]
        for case in suite["cases"]
        for release in case["releases"]
    ],
)
def test_runs(suite: Any, case: Any, release: str) -> None:
    """Patches and overlays act on each other as in the release's istioctl."""
    overlays = [Overlay.from_plain(each) for each in case["overlays"]]
    before = deepcopy(suite["objects"])
    applied = apply_overlays(suite["objects"], overlays, release=release, namespace=case.get("namespace"))
    assert [each["spec"] for each in applied.objects] == case["specs"]
    assert [str(problem) for problem in applied.problems] == case.get("problems", [])
    assert suite["objects"] == before


def test_the_overlays_of_our_own_istiod() -> None:
    """The overlays that the external istiod carries mount both ConfigMaps in a rendered Deployment."""
    istiod = builders.ExternalIstiod(
        release="1.18", address="h.example.com", mesh_id="m", cluster="c", network="n", revision="canary"
    ).build()
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "istiod-canary"},
        "spec": {
            "template": {
                "spec": {
                    "volumes": [{"name": "local-certs"}],
                    "containers": [{"name": "discovery", "volumeMounts": [{"name": "local-certs"}]}],
                }
            }
        },
    }
    applied = apply_overlays([deployment], istiod, release="1.18")
    pod = applied.objects[0]["spec"]["template"]["spec"]
    assert applied.problems == ()
    assert [volume["name"] for volume in pod["volumes"]] == ["local-certs", "config-volume", "inject-volume"]
    assert pod["volumes"][1] == {"name": "config-volume", "configMap": {"name": "istio-canary"}}
    assert [mount.get("mountPath") for mount in pod["containers"][0]["volumeMounts"]] == [
        None,
        "/etc/istio/config",
        "/var/lib/istio/inject",
    ]


def test_overlays_of_a_gateway_and_of_nothing() -> None:
    """A gateway's overlays are found by its name; a component that is not there is refused."""
    operator = IstioOperator.from_plain(
        {
            "metadata": {},
            "spec": {
                "components": {
                    "ingressGateways": [
                        {"name": "other"},
                        {
                            "name": "gw",
                            "k8s": {"overlays": [{"kind": "K", "name": "x", "patches": [{"path": "a", "value": 1}]}]},
                        },
                    ]
                }
            },
        }
    )
    target = {"kind": "K", "metadata": {"name": "x"}}
    assert apply_overlays([target], operator, release="1.24", component="gw").objects[0]["a"] == 1
    assert apply_overlays([target], operator, release="1.24", component="other").objects == (target,)
    with pytest.raises(InvalidInput) as caught:
        apply_overlays([target], operator, release="1.24", component="pilot")
    assert str(caught.value) == (
        "component: 'pilot' is no component of this IstioOperator: name a key of components or a gateway"
    )


def test_two_objects_of_one_name() -> None:
    """Up to 1.23 that is an error, from 1.24 both are patched."""
    pair = [{"kind": "K", "metadata": {"name": "x"}, "n": number} for number in (1, 2)]
    change = [overlay({"path": "a", "value": 1})]
    assert [each.get("a") for each in apply_overlays(pair, change, release="1.24").objects] == [1, 1]
    assert [str(problem) for problem in apply_overlays(pair, change, release="1.23").problems] == [
        "overlays[0]: 2 objects are K 'x', and istioctl 1.23 stops with an error: leave one of them"
    ]


@pytest.mark.parametrize(
    ("path", "pieces"),
    [
        ("a.b.c", ["a", "b", "c"]),
        ("a[0].b", ["a", "[0]", "b"]),
        ("a.[0].b", ["a", "[0]", "b"]),
        (r"a.b\.c/d", ["a", "b.c/d"]),
        (r"a.[x\.y:z\.w]", ["a", "[x.y:z.w]"]),
        ("//a", ["/a"]),
        ("a//b", ["a/b"]),
        ("x/../y", ["y"]),
        (".a.", ["a"]),
        ("", []),
        (".", []),
        ("  ", ["  "]),
    ],
)
def test_paths_are_split_as_in_istioctl(path: str, pieces: list[str]) -> None:
    """A path is cleaned like a file's, then split at dots that are not escaped."""
    assert split_path(path) == pieces


KEYS = st.sampled_from(["a", "b", "c", "name"])
VALUES = st.recursive(
    st.sampled_from([1, True, "v", "n", "k: v", "k: v\nl: w", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
PIECES = st.one_of(KEYS, st.sampled_from(["[0]", "[1]", "[-1]", "[100]", "[name:v]", "[v]", "[:n]"]))
PATCHES = st.fixed_dictionaries(
    {"path": st.lists(PIECES, min_size=1, max_size=4).map(".".join)}, optional={"value": VALUES}
)


@given(st.dictionaries(KEYS, VALUES, max_size=3), st.lists(PATCHES, max_size=4), st.sampled_from(["1.15", "1.24"]))
def test_the_json_patch_makes_the_same_change(content: Any, patches: list[Any], release: str) -> None:
    """A JSON patch library, given our operations, comes to the same object; nothing given is changed."""
    target = {"kind": "K", "metadata": {"name": "x"}, "spec": content}
    before = deepcopy(target), deepcopy(patches)
    change = [overlay(*({**patch, "path": f"spec.{patch['path']}"} for patch in patches))]
    applied = apply_overlays([target], change, release=release)
    assert (target, patches) == before
    by_library = jsonpatch.JsonPatch.from_string(json.dumps(applied.operations[0])).apply(deepcopy(target))
    assert by_library == applied.objects[0]
    if not applied.problems:
        for entry in to_json6902(change, [target], release=release):
            by_library = jsonpatch.JsonPatch(yaml.load(entry["patch"])).apply(deepcopy(target))
            assert by_library == applied.objects[0]


@given(st.dictionaries(KEYS, st.lists(VALUES, max_size=4), max_size=3), st.lists(PATCHES, max_size=8))
def test_what_is_selected_follows_every_change(content: Any, patches: list[Any]) -> None:
    """Overlays one after another find the same items as each does in an object that nobody has looked at yet."""
    changes = [overlay({**patch, "path": f"spec.{patch['path']}"}) for patch in patches]
    objects: list[dict[str, Any]] = [{"kind": "K", "metadata": {"name": "x"}, "spec": content}]
    together = apply_overlays(objects, changes, release="1.24")
    operations: list[Any] = []
    for change in changes:
        alone = apply_overlays(objects, [change], release="1.24")
        objects = list(alone.objects)
        operations += alone.operations[0]
    assert (list(together.objects), list(together.operations[0])) == (objects, operations)


def test_items_are_selected_by_what_they_are_now() -> None:
    """Renamed, replaced, deleted and appended items, and names that are no text."""
    patches: list[dict[str, Any]] = [
        {"path": "l.[name:b].name", "value": "a2"},
        {"path": "l.[name:a].v", "value": 1},
        {"path": "l.[name:a]"},
        {"path": "l.[name:a].v", "value": 2},
        {"path": "l[100]", "value": {"name": "b"}},
        {"path": "l.[name:b].v", "value": 3},
        {"path": "l[0]", "value": {"name": ["b"]}},
        {"path": "l.[name:[b]].name[0]", "value": "c"},
        {"path": "l.[name:[c]].v", "value": 4},
        {"path": "l.[name:true].v", "value": 5},
        {"path": "l.[name:a].w", "value": 6},
    ]
    items = [{"name": name} for name in ("a", "b", "a", True)]
    applied = apply_one({"l": items}, "1.24", *patches)
    assert applied.problems == ()
    assert applied.objects[0]["l"] == [
        {"name": ["c"], "v": 4},
        {"name": "a", "v": 2, "w": 6},
        {"name": True, "v": 5},
        {"name": "b", "v": 3},
    ]


def test_more_lists_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many lists are selected from by turns, what is known of them is forgotten, and all still is found."""
    monkeypatch.setattr("extcp_manifests.istio.operator.tree_paths._MOST_INDEXED_ITEMS", 5)
    lists = {key: [{"name": name} for name in "abc"] for key in "lmn"}
    patches = [{"path": f"{key}.[name:{name}].v{turn}", "value": 1} for turn in "01" for name in "abc" for key in "lmn"]
    applied = apply_one(lists, "1.24", *patches)
    assert applied.problems == ()
    assert [applied.objects[0][key] for key in "lmn"] == [[{"name": name, "v0": 1, "v1": 1} for name in "abc"]] * 3


def test_many_selectors_of_one_list() -> None:
    """A list is not read again for every selector; that would take minutes here."""
    count = 10_000
    items = [{"name": f"E{number}", "value": ""} for number in range(count)]
    patches = [{"path": f"l.[name:E{number}].value", "value": str(number)} for number in range(count)]
    applied = apply_one({"l": items}, "1.24", *patches)
    assert [item["value"] for item in applied.objects[0]["l"]] == [str(number) for number in range(count)]


def test_kustomize_patches() -> None:
    """The same change as patches of a kustomization, with the target of each."""
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "istiod", "namespace": "ns"}, "l": [1]},
    ]
    change = [overlay({"path": "l[100]", "value": {"a/b": 2}}, {"path": "l[0]"}, name="istiod", kind="Deployment")]
    assert to_json6902(change, objects, release="1.24") == [
        {
            "target": {"group": "apps", "version": "v1", "kind": "Deployment", "name": "istiod", "namespace": "ns"},
            "patch": "- op: add\n  path: /l/-\n  value:\n    a/b: 2\n- op: remove\n  path: /l/0\n",
        }
    ]
    with pytest.raises(InvalidInput, match=r"^overlays\[0\]: no object is K 'x'"):
        to_json6902([overlay({"path": "a", "value": 1})], objects, release="1.24")


def test_patterns_without_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where google-re2 is not installed, a pattern with operators is a problem that says so, and others still work."""
    monkeypatch.setitem(sys.modules, "re2", None)
    go_regex._compiled.cache_clear()
    applied = apply_one({"l": ["a", "b"]}, "1.24", {"path": "l.[a+]", "value": "x"}, {"path": "l.[^b$]", "value": "y"})
    assert applied.objects[0]["l"] == ["a", "y"]
    assert [str(problem) for problem in applied.problems] == [
        "overlays[0].patches[0]: 'l.[a+]' has the pattern 'a+', which cannot be tried here: install "
        "extcp-manifests[re2], or use a text without operators or a number"
    ]
    go_regex._compiled.cache_clear()


def test_no_pattern_takes_long() -> None:
    """A pattern that backtracking engines never end with is tried, or not, in no time."""
    applied = apply_one({"l": ["a" * 40]}, "1.24", {"path": "l.[(a*)*b]", "value": "x"})
    assert applied.objects[0]["l"] == ["a" * 40]
    assert len(applied.problems) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [("kind", 1), ("kind", ""), ("kind", None), ("kind", "a: b"), ("kind.a", "b"), ("apiVersion", 1.5)],
)
def test_patches_that_make_an_object_unreadable(path: str, value: Any) -> None:
    """A patch after which an object has no kind or apiVersion is a problem, and the object stays as it is."""
    target = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "x"}}
    applied = apply_overlays([target], [overlay({"path": path, "value": value})], release="1.30")
    assert [str(problem) for problem in applied.problems] == [
        f"overlays[0].patches[0]: {path!r} leaves the object without a readable {path.split('.')[0]}, "
        "at which istioctl stops: leave it alone"
    ]
    assert applied.objects == (target,)


def test_patches_of_the_kind() -> None:
    """Another kind is as good as any other text."""
    assert apply_one({}, "1.30", {"path": "kind", "value": "Other"}).objects[0]["kind"] == "Other"


@given(st.dictionaries(KEYS, VALUES, max_size=3), st.lists(st.lists(PATCHES, max_size=3), min_size=1, max_size=4))
def test_only_the_last_overlay_counts(content: Any, overlays: list[list[Any]]) -> None:
    """Up to 1.23 an overlay is for the object as it was rendered, whatever overlays before it made of it."""
    target = {"kind": "K", "metadata": {"name": "x"}, "spec": content}
    changes = [overlay(*({**patch, "path": f"spec.{patch['path']}"} for patch in patches)) for patches in overlays]
    together = apply_overlays([target], changes, release="1.23")
    alone = [apply_overlays([target], [change], release="1.23") for change in changes]
    assert (together.objects, together.operations) == (alone[-1].objects, alone[-1].operations)
    assert json.dumps(together.objects) == json.dumps(alone[-1].objects)  # in the same order
    assert [each.message for each in together.problems] == [each.message for one in alone for each in one.problems]
