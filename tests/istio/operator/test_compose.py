"""Composing IstioOperators from files and --set flags."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, builders, yaml
from extcp_manifests.documents.dropped import Dropped, losses
from extcp_manifests.istio.operator.compose import compose, compose_files, compose_plain
from extcp_manifests.istio.operator.merging import strategic_merge
from extcp_manifests.istio.releases import RELEASES

CASES = Path(__file__).parent / "cases"
FILES, DROPPED, SET = (
    yaml.load((CASES / f"{name}.yaml").read_bytes()) for name in ("compose/files", "compose/dropped", "set/flags")
)


def operator(spec: Any) -> dict[str, Any]:
    return {"kind": "IstioOperator", "spec": spec}


def by_release(suite: Any) -> list[Any]:
    return [
        pytest.param(case, release, id=f"{release}-{case.get('what', case.get('set'))}")
        for case in suite["cases"]
        for release in case["releases"]
    ]


@pytest.mark.parametrize(("case", "release"), by_release(FILES))
def test_files(case: Any, release: str) -> None:
    """Files merge as in istioctl of the release; nothing given is changed."""
    files = [operator(spec) for spec in case["files"]]
    before = deepcopy(files)
    if "problem" in case:
        with pytest.raises(InvalidInput) as caught:
            compose_plain(*files, release=release)
        assert str(caught.value) == case["problem"]
    else:
        assert compose_plain(*files, release=release)["spec"] == case["spec"]
    assert files == before


@pytest.mark.parametrize(("case", "release"), by_release(SET))
def test_set(case: Any, release: str) -> None:
    """A flag's path and value are read as in istioctl of the release; what it misreads is refused."""
    file = operator(SET["spec"])
    before = deepcopy(file)
    if "problem" in case or "problem_part" in case:
        with pytest.raises(InvalidInput) as caught:
            compose_plain(file, set=case["set"], release=release)
        if "problem" in case:
            assert str(caught.value) == f"set[0]: {case['problem']}"
        assert case.get("problem_part", "") in str(caught.value)
        return
    value = compose_plain(file, set=case["set"], release=release)["spec"]
    for key in case["at"]:
        value = value[key]
    assert value == case["value"]
    assert type(value) is type(case["value"])
    assert file == before


def test_all_wrong_flags_at_once() -> None:
    """Each wrong flag is told with its place."""
    with pytest.raises(InvalidInput) as caught:
        compose_plain(operator({}), set=["a", "values.b=1", "spec.c=1"], release="1.30")
    assert str(caught.value).splitlines() == [
        "set[0]: 'a' is no assignment: write path=value",
        "set[2]: 'spec.c=1' begins with 'spec.', of which istioctl 1.30 makes spec.spec: leave it out",
    ]


def test_typed_operators() -> None:
    """Typed, plain and written IstioOperators compose into a typed one."""
    istiod = builders.ExternalIstiod(
        release="1.24", address="h.example.com", mesh_id="m", cluster="c", network="n"
    ).build()
    plain = operator({"values": {"global": {"logging": {"level": "default:info"}}}})
    text = "kind: IstioOperator\nspec:\n  meshConfig:\n    accessLogFile: /dev/stdout\n"
    composed = compose(
        istiod, plain, text, set=["values.global.network=other", "hub=example.com/istio"], release="1.24"
    )
    tree = composed.plain()
    assert tree["metadata"] == {"name": "external-istiod", "namespace": "external-istiod"}
    assert tree["spec"]["hub"] == "example.com/istio"
    assert tree["spec"]["meshConfig"]["accessLogFile"] == "/dev/stdout"
    assert tree["spec"]["meshConfig"]["rootNamespace"] == "external-istiod"
    assert tree["spec"]["values"]["global"]["network"] == "other"
    assert tree["spec"]["values"]["global"]["logging"] == {"level": "default:info"}


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("a: [", "files[1]:2: not YAML: did not find expected node content"),
        ("[]", "files[1]: must be a mapping with `kind: IstioOperator`"),
        ("spec: {}", "files[1]: must be a mapping with `kind: IstioOperator`"),
        ("kind: IstioOperator\n---\nkind: Secret\n", "files[1]: 2 documents where one is expected: keep the first"),
    ],
)
def test_files_that_are_none(file: str, problem: str) -> None:
    """A file that is no IstioOperator is refused with its number."""
    with pytest.raises(InvalidInput) as caught:
        compose(operator({}), file, release="1.24")
    assert str(caught.value) == problem


def test_what_is_no_part_of_an_operator() -> None:
    """A composed tree with keys that no IstioOperator has is refused with their places."""
    with pytest.raises(InvalidInput) as caught:
        compose(operator({"profil": "empty", "components": {"pilot": {"enable": True}}}), release="1.24")
    assert [problem.path for problem in caught.value.problems] == ["spec.components.pilot.enable", "spec.profil"]


KEYS = st.sampled_from(["a", "b", "trustDomainAliases"])
SPECS = st.dictionaries(
    st.sampled_from(["values", "meshConfig"]),
    st.dictionaries(
        KEYS,
        st.recursive(
            st.sampled_from([0, "x", True]),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
            max_leaves=4,
        ),
    ),
)


@given(SPECS, SPECS, st.sampled_from(list(RELEASES)))
def test_laws(one: Any, two: Any, release: str) -> None:
    """An empty file changes nothing, the same file again neither; no argument is changed."""
    before = deepcopy((one, two))
    alone = compose_plain(operator(one), release=release)
    assert compose_plain(operator(one), operator({}), release=release) == alone
    once = compose_plain(operator(one), operator(two), release=release)
    assert compose_plain(operator(one), operator(two), operator(two), release=release) == once
    assert (one, two) == before


def test_items_without_a_name() -> None:
    """Up to 1.23 no item may lack the merge key where two files have the list, and it must be text."""
    named = operator({"components": {"ingressGateways": [{"name": "a"}]}})
    nameless = operator({"components": {"ingressGateways": [{"enabled": True}]}})
    strange = operator({"components": {"ingressGateways": [{"name": [1]}]}})
    for index, files in enumerate(((nameless, named), (named, nameless))):
        with pytest.raises(InvalidInput) as caught:
            compose_plain(*files, release="1.23")
        assert str(caught.value) == (
            f"files[{index}]: spec.components.ingressGateways[0].name: "
            "is required where two files have the list: add it"
        )
    assert compose_plain(nameless, operator({}), release="1.23")["spec"] == nameless["spec"]
    with pytest.raises(InvalidInput) as caught:
        compose_plain(strange, named, release="1.23")
    assert str(caught.value) == (
        "files[0]: spec.components.ingressGateways[0]: must be a mapping whose name is text: correct it"
    )


def test_keys_that_are_no_text() -> None:
    """The place of a wrong key begins with its file."""
    with pytest.raises(InvalidInput) as caught:
        compose_plain(operator({}), operator({1: 2}), release="1.30")
    assert str(caught.value) == "files[1]: spec: the key 1 is no text: write it as a string"


@pytest.mark.parametrize(("case", "release"), by_release(DROPPED))
def test_dropped(case: Any, release: str) -> None:
    """What a later file or flag takes away by replacing a list or a mapping is told, by the merging of the release."""
    files = [operator(spec) for spec in case["files"]]
    composition = compose_files(*files, set=case.get("set", ()), release=release)
    told = [(each.path, each.kind, list(each.items), list(each.of)) for each in composition.dropped]
    assert told == [(each["path"], each["kind"], each["items"], each["of"]) for each in case.get("dropped", ())]
    places = [f"set[{index}]" for index, _ in enumerate(case.get("set", ()))] or [f"files[{len(files) - 1}]"]
    assert {each.by for each in composition.dropped} <= {*places}


FIRST = """\
kind: IstioOperator
spec:
  components: {pilot: {k8s: {env: [{name: A, value: "1"}, {name: B, value: "2"}]}}}
  values: {a: [1]}
"""
SECOND = """\
kind: IstioOperator
spec:
  values:
    a: [2]
  components:
    pilot:
      k8s:
        env: []
"""


def test_what_is_dropped_names_files_and_lines() -> None:
    """The sentence names the file that drops, the line there, the file that loses, and the way out."""
    named = compose_files(FIRST, SECOND, names=("ours.yaml", "mine.yaml"), release="1.27").dropped
    assert [str(each) for each in named] == [
        "mine.yaml:8: spec.components.pilot.k8s.env: replaces the list of ours.yaml and drops A, B: "
        "use spec.values.pilot.env, or repeat them",
        "mine.yaml:4: spec.values.a: replaces the list of ours.yaml and drops 1: repeat them where they are to stay",
    ]
    unnamed = compose_files(FIRST, SECOND, release="1.27").dropped
    assert [each.problem.location for each in unnamed] == ["files[1]:8", "files[1]:4"]
    assert {each.of for each in unnamed} == {("files[0]",)}


def test_many_dropped_entries() -> None:
    """Of a long list the first ten entries are shown; long entries without a name are cut."""
    many = Dropped(("a",), "list", tuple(map(str, range(12))), "x", ("y", "z"))
    assert str(many) == (
        "x: a: replaces the list of y and z and drops 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more: "
        "repeat them where they are to stay"
    )
    [long] = compose_files(
        operator({"values": {"a": [["x" * 99]]}}), operator({"values": {"a": []}}), release="1.31"
    ).dropped
    assert long.items == (f'["{"x" * 38}...',)


def test_origins() -> None:
    """Each leaf, also of lists, has the file or the flag that said its value last."""
    first = operator(
        {"profile": "empty", "values": {"a": 1, "b": 2}, "components": {"ingressGateways": [{"name": "g"}]}}
    )
    second = operator(
        {"values": {"b": 3, "a": 1}, "components": {"ingressGateways": [{"name": "h"}, {"name": "g", "enabled": True}]}}
    )
    flags = ["values.c=1", "values.b=3", "hub=h"]
    found = compose_files(first, second, set=flags, release="1.23")
    assert {path: (value, origin) for path, value, origin in found.origins()} == {
        "apiVersion": ("install.istio.io/v1alpha1", "istioctl"),
        "kind": ("IstioOperator", "files[1]"),
        "spec.profile": ("empty", "files[0]"),
        "spec.values.a": (1, "files[1]"),
        "spec.values.b": (3, "set[1]"),
        "spec.values.c": (1, "set[0]"),
        "spec.hub": ("h", "set[2]"),
        "spec.components.ingressGateways[0].name": ("h", "files[1]"),
        "spec.components.ingressGateways[1].name": ("g", "files[1]"),
        "spec.components.ingressGateways[1].enabled": (True, "files[1]"),
    }
    assert found.origin("spec.profile") == "files[0]"
    with pytest.raises(KeyError):
        found.origin("spec.nothing")


def test_origins_of_items_that_flags_make() -> None:
    """An item that a flag appends, or a key of one that it sets, is the flag's; the others stay the file's."""
    file = operator({"components": {"ingressGateways": [{"name": "g"}]}})
    flags = ["components.ingressGateways[name:g].enabled=true", "components.ingressGateways[5].name=h"]
    found = compose_files(file, set=flags, release="1.30")
    assert {path: origin for path, _, origin in found.origins() if "Gateways" in path} == {
        "spec.components.ingressGateways[0].name": "files[0]",
        "spec.components.ingressGateways[0].enabled": "set[0]",
        "spec.components.ingressGateways[1].name": "set[1]",
    }


def test_files_and_flags_are_told_at_once() -> None:
    """Two broken files and a wrong flag are three problems of one run."""
    with pytest.raises(InvalidInput) as caught:
        compose_files("a: [", operator({}), "[]", names=("a.yaml", "b.yaml"), set=["x"], release="1.30")
    assert str(caught.value).splitlines() == [
        "a.yaml:2: not YAML: did not find expected node content",
        "files[2]: must be a mapping with `kind: IstioOperator`",
        "set[0]: 'x' is no assignment: write path=value",
    ]


def test_problems_of_the_whole_name_their_file() -> None:
    """What makes no IstioOperator is told with the last file that says it, unless a flag does."""
    wrong = "kind: IstioOperator\nspec:\n  profil: x\n"
    with pytest.raises(InvalidInput) as caught:
        compose(operator({}), wrong, names=("a.yaml", "b.yaml"), set=["nothing=1"], release="1.30")
    assert str(caught.value).splitlines() == [
        "b.yaml:3: spec.profil: unknown key: did you mean 'profile'?",
        "spec.nothing: unknown key: known are revision, profile, installPackagePath, hub, tag, namespace, "
        "compatibilityVersion, meshConfig, components, values, unvalidatedValues",
    ]


@given(SPECS, SPECS, st.sampled_from(list(RELEASES)))
def test_laws_of_what_is_dropped(one: Any, two: Any, release: str) -> None:
    """Nothing is dropped by an empty file or by the same file again, and every leaf has an origin."""
    base, over = operator(one), operator(two)
    assert compose_files(base, operator({}), release=release).dropped == ()
    once = compose_files(base, over, release=release)
    again = compose_files(base, over, over, release=release)
    assert [each for each in again.dropped if each.by == "files[2]"] == []
    assert {origin for _, _, origin in once.origins()} <= {"files[0]", "files[1]", "istioctl"}
    assert all(once.origin(path) == origin for path, _, origin in once.origins())


FLAGS = st.lists(
    st.builds(
        "values.{}={}".format,
        st.lists(st.sampled_from(["a", "b", "name", "[0]", "[9]", "[name:x]", "[name:y]"]), min_size=1, max_size=4).map(
            ".".join
        ),
        st.sampled_from(["x", "y", "1", "true"]),
    ),
    max_size=8,
)


def test_items_that_people_know_by_other_keys() -> None:
    """An item that is merged by its name is not lost, and what it loses is told by the key that people know it by."""

    def volumes(*items: Any) -> dict[str, Any]:
        return operator({"values": {"gateways": {"istio-ingressgateway": {"secretVolumes": list(items)}}}})

    given = {"name": "v", "mountPath": "/m", "items": [{"key": "k"}]}
    further = {"name": "w", "mountPath": "/w"}
    changed = compose_files(volumes(given), volumes({"name": "v", "secretName": "s"}, further), release="1.23")
    assert changed.dropped == ()
    for over in ([{"name": "v", "items": None}, further], [{"name": "v", "items": None}]):
        composition = compose_files(volumes(given), volumes(*over), release="1.23")
        assert [(each.items, each.of) for each in composition.dropped] == [(("/m.items",), ("files[0]",))]


def test_who_had_what_is_lost() -> None:
    """A file is named for what it had, be it null; of a list the last file that had one; istioctl only if nobody is."""
    files = [
        operator({"tag": "a"}),
        operator({"values": {"global": {"hub": None}}}),
        operator({"values": {"global": 5}}),
    ]
    assert [each.of for each in compose_files(*files, release="1.31").dropped] == [("files[1]",)]
    twice = operator({"values": {"x": {"l": [{"name": "a", "v": 1}, {"name": "a", "v": 2}]}}})
    assert [each.of for each in compose_files(twice, set=["values.x=1"], release="1.31").dropped] == [("files[0]",)]


NAMED = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", "c"])},
        optional={
            "kind": st.sampled_from(["K", None]),
            "mountPath": st.just("/m"),
            "enabled": st.sampled_from([True, False, None]),
            "k8s": st.sampled_from([{"env": [{"name": "A"}]}, {"env": [{"name": "B"}]}, {}, None]),
            "$patch": st.sampled_from(["delete", "replace"]),
        },
    ),
    max_size=4,
).map(lambda items: [{**item, "mountPath": f"/{item['name']}"} if "mountPath" in item else item for item in items])


@given(st.lists(NAMED, min_size=2, max_size=6), st.sampled_from(["1.15", "1.23"]))
def test_many_files_are_merged_one_after_the_other(lists: list[Any], release: str) -> None:
    """Files with lists that merge by name come to the same, and lose the same, as two and two of them would."""
    files = [operator({"components": {"ingressGateways": each}}) for each in lists]
    merged: Any = files[0]
    lost: list[object] = []
    for number, file in enumerate(files[1:], start=1):
        before, merged = merged, strategic_merge(merged, file)
        lost += [(loss.path, set(loss.items), f"files[{number}]") for loss in losses(before, merged, file)]
    composition = compose_files(*files, release=release)
    assert composition.plain["spec"] == merged["spec"]
    assert [(each.place, set(each.items), each.by) for each in composition.dropped] == lost


def by_index(value: Any) -> Any:
    """Return a tree whose lists are mappings of their items by index, since flags do not move items."""
    if isinstance(value, list):
        return {index: by_index(item) for index, item in enumerate(value)}
    return {key: by_index(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(SPECS, FLAGS, st.sampled_from(["1.23", "1.24"]))
def test_flags_drop_what_the_whole_tree_has_lost(spec: Any, flags: list[str], release: str) -> None:
    """Flags of one call drop what a comparison of everything before and after each of them finds."""
    right: list[str] = []
    for flag in flags:
        try:
            before = compose_files(operator(spec), set=right, release=release)
            after = compose_files(operator(spec), set=[*right, flag], release=release)
        except InvalidInput:
            continue
        right.append(flag)
        lost = [loss.path for loss in losses(by_index(before.plain), by_index(after.plain))]
        assert [each.place for each in after.dropped[len(before.dropped) :]] == lost
        origins_before = {path: (value, origin) for path, value, origin in before.origins()}
        for path, value, origin in after.origins():
            assert origin == f"set[{len(right) - 1}]" or (value, origin) == origins_before[path]


@pytest.mark.parametrize("release", ["1.23", "1.24"])
def test_a_flag_within_an_item_without_a_name(release: str) -> None:
    """A flag that sets a key of an item takes nothing away but what was at that key."""
    base = operator({"values": {"list": [{"a": 1, "b": {"c": 1}}]}})
    assert compose_files(base, set=["values.list.[0].a=2", "values.list.[0].d=2"], release=release).dropped == ()
    composition = compose_files(base, set=["values.list.[0].b=2"], release=release)
    (dropped,) = composition.dropped
    assert str(dropped) == (
        "set[0]: spec.values.list[0].b: replaces the mapping of files[0] and drops c: "
        "repeat them where they are to stay"
    )


@given(SPECS, FLAGS, FLAGS, st.sampled_from(["1.23", "1.24"]))
def test_a_wrong_flag_leaves_the_tree_alone(spec: Any, flags: list[str], others: list[str], release: str) -> None:
    """Each flag has the same problem as among the right flags before it alone."""
    expected: list[str] = []
    right: list[str] = []
    for index, flag in enumerate([*flags, *others]):
        try:
            compose_files(operator(spec), set=[*right, flag], release=release)
            right.append(flag)
        except InvalidInput as error:
            expected.append(error.problems[0].message)
            assert error.problems[0].place == ("set", len(right)), index
    if expected:
        with pytest.raises(InvalidInput) as caught:
            compose_files(operator(spec), set=[*flags, *others], release=release)
        assert [problem.message for problem in caught.value.problems] == expected


@given(st.lists(SPECS, min_size=1, max_size=4), st.sampled_from(["1.20", "1.23", "1.24"]))
def test_files_drop_what_the_whole_tree_has_lost(specs: list[Any], release: str) -> None:
    """Files drop what a comparison of everything before and after each of them finds; nothing given is changed."""
    files = [operator(spec) for spec in specs]
    given_files = deepcopy(files)
    for index, file in enumerate(files[1:], start=1):
        before = compose_files(*files[:index], release=release)
        after = compose_files(*files[: index + 1], release=release)
        lost = [(loss.path, loss.kind, loss.items) for loss in losses(before.plain, after.plain, file)]
        assert [(each.place, each.kind, each.items) for each in after.dropped[len(before.dropped) :]] == lost
    assert files == given_files


def test_an_alias_of_yaml_is_a_copy() -> None:
    """A flag for one of two places that have the same mapping by an alias leaves the other as it is."""
    file = "kind: IstioOperator\nspec:\n  values:\n    a: &same {k: 1}\n    b: *same\n"
    found = compose_files(file, set=["values.a.k=2"], release="1.30")
    assert found.plain["spec"] == {"values": {"a": {"k": 2}, "b": {"k": 1}}}
    assert (found.origin("spec.values.a.k"), found.origin("spec.values.b.k")) == ("set[0]", "files[0]")
