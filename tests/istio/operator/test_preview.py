"""What istioctl goes on to make of composed files."""

import json
from pathlib import Path
from typing import Any

import pytest

from extcp_manifests import InvalidInput, load, plan, yaml
from extcp_manifests.documents.istio_operator import IstioOperator
from extcp_manifests.istio.operator.preview import preview
from extcp_manifests.istio.operator.profiles import read_profile
from extcp_manifests.istio.releases import RELEASES, find_release

TESTS = Path(__file__).parents[2]
CASES = yaml.load((Path(__file__).parent / "cases/compose/preview.yaml").read_bytes())["cases"]


@pytest.mark.parametrize(
    ("case", "release"),
    [pytest.param(case, release, id=f"{release}-{case['what']}") for case in CASES for release in case["releases"]],
)
def test_preview(case: Any, release: str) -> None:
    """Values, components and settings come out as istioctl of the release has them."""
    shown = preview({"kind": "IstioOperator", "spec": case["spec"]}, release=release)
    values = shown.values.get(case["at"], {}) if "at" in case else shown.values
    for key, value in case.get("values", {}).items():
        assert values[key] == value, key
    if "components" in case:
        on = {each.name: each.namespace for each in shown.components if each.enabled and "gateway" not in each.name}
        assert on == case["components"]
    if "env" in case:
        assert shown.spec["components"]["pilot"]["k8s"]["env"] == case["env"]
    if "absent" in case:
        first, second = case["absent"]
        assert second not in shown.values[first]


def test_origins() -> None:
    """Every leaf knows the profile, the file or the flag that said it last, or that it is istioctl's own."""
    first = {
        "kind": "IstioOperator",
        "spec": {"profile": "remote", "values": {"global": {"network": "a", "meshID": "m"}}},
    }
    second = {
        "kind": "IstioOperator",
        "spec": {"values": {"global": {"network": "b"}}, "meshConfig": {"rootNamespace": "r"}},
    }
    shown = preview(first, second, set=["values.global.meshID=n", "hub=example.com"], release="1.24")
    origins = {
        "global.network": "files[1]",
        "global.meshID": "set[0]",
        "global.hub": "set[1]",
        "global.istioNamespace": "profile default",
        "meshConfig.rootNamespace": "files[1]",
        "profile": "profile remote",
        "pilot.enabled": "istioctl",
    }
    assert {path: shown.origin(path) for path in origins} == origins
    assert all(shown.origin(path) == origin for path, _, origin in shown.origins())
    with pytest.raises(KeyError):
        shown.origin("global.nothing")


def test_values_of_a_wrong_type() -> None:
    """A wrong type among the values has the path of the whole document, and the file and the line that set it."""
    first = "kind: IstioOperator\nspec:\n  values:\n    global:\n      network: [a]\n"
    second = {"kind": "IstioOperator", "spec": {"values": {"global": {"meshID": "m"}}}}
    with pytest.raises(InvalidInput) as caught:
        preview(first, second, names=["a.yaml"], release="1.24")
    assert str(caught.value) == ("a.yaml:5: spec.values.global.network: must be text, not a list: write one text")


def test_profiles() -> None:
    """A profile that the release does not have is refused with those that it has; one given beside the files wins."""
    operator = {"kind": "IstioOperator", "spec": {"profile": "remote"}}
    with pytest.raises(InvalidInput) as caught:
        preview(operator, release="1.15")
    assert str(caught.value) == (
        "spec.profile: is 'remote', which Istio 1.15 does not have: "
        "known are default, demo, empty, external, minimal, openshift, preview"
    )
    assert preview(operator, release="1.15", profile="external").spec["profile"] == "external"


@pytest.mark.parametrize("release", RELEASES)
def test_our_own_operators(release: str) -> None:
    """Each of our IstioOperators installs just what its file is for."""
    expected = {
        "external/controlplane-gateway.yaml": {"base", "pilot", "istio-ingressgateway"},
        "external/external-istiod.yaml": {"pilot"},
        "cluster1/istio-ingressgateway.yaml": {"istio-ingressgateway"},
        "cluster1/istio-egressgateway.yaml": {"istio-egressgateway"},
        "cluster1/eastwest-gateway.yaml": {"istio-eastwestgateway"},
        "cluster2/remote-cluster.yaml": {"base", "pilot"} if int(release[2:]) >= 24 else {"istiodRemote"},
    }
    for step in plan(load(TESTS.parent / "examples/guide.yaml", release=release)).steps:
        for document in step.documents:
            if isinstance(document, IstioOperator) and step.path in expected:
                shown = preview(document, release=release)
                assert {each.name for each in shown.components if each.enabled} == expected[step.path], step.path


def test_profiles_are_those_of_istio(guide: Path) -> None:
    """Our form has every profile of every release, without hub and tag."""
    facts = json.loads((guide.parent / "reference/schema/profiles.json").read_text())
    for release, profiles in facts["profiles"].items():
        for name, key in profiles.items():
            spec = {k: v for k, v in facts["contents"][key].get("spec", {}).items() if k not in ("hub", "tag")}
            assert read_profile(name, find_release(release)) == spec, (release, name)


def test_gateways_that_values_switch_on() -> None:
    """From 1.24 a gateway chart's `enabled` beats that of each gateway."""
    gateways = [{"name": "a", "enabled": False}, {"name": "b"}]
    spec = {
        "components": {"ingressGateways": gateways, "egressGateways": [{"name": "c", "enabled": False}]},
        "values": {"gateways": {"istio-ingressgateway": {"enabled": True}}},
    }
    shown = preview({"kind": "IstioOperator", "spec": spec}, release="1.30")
    assert {each.name: each.enabled for each in shown.components if each.name in "abc"} == {
        "a": True,
        "b": True,
        "c": False,
    }


def test_files_have_names_and_what_they_drop() -> None:
    """Files are called by their names, also where one drops what another said; profiles drop nothing."""
    first = {"kind": "IstioOperator", "spec": {"profile": "remote", "values": {"global": {"imagePullSecrets": ["a"]}}}}
    second = {"kind": "IstioOperator", "spec": {"values": {"global": {"imagePullSecrets": ["b"]}}}}
    for release in ("1.20", "1.24"):
        shown = preview(first, second, names=("a.yaml", "b.yaml"), release=release)
        assert shown.origin("global.imagePullSecrets") == "b.yaml"
        assert [(each.path, each.items, each.by) for each in shown.dropped] == [
            ("spec.values.global.imagePullSecrets", ("a",), "b.yaml")
        ]


def test_what_is_not_previewed() -> None:
    """Values of wrong types and nulls that become text are refused, all at once."""
    wrong = {"meshConfig": 5, "components": {"pilot": {"enabled": "x"}}, "values": {"global": []}}
    with pytest.raises(InvalidInput) as caught:
        preview({"kind": "IstioOperator", "spec": wrong}, release="1.30")
    assert str(caught.value).splitlines() == [
        "files[0]: spec.meshConfig: must be a mapping, not the number 5",
        "files[0]: spec.components.pilot.enabled: must be true or false, not 'x'",
        "files[0]: spec.values.global: must be a mapping, not a list",
    ]
    nulls = {"meshConfig": None, "hub": None, "components": {"ingressGateways": [None]}}
    with pytest.raises(InvalidInput) as caught:
        preview({"kind": "IstioOperator", "spec": nulls}, release="1.30")
    assert str(caught.value).splitlines() == [
        "files[0]: spec.hub: is null, of which istioctl makes the text <nil>: leave the key out",
        "files[0]: spec.meshConfig: is null, of which istioctl makes the text <nil>: leave the key out",
        "files[0]: spec.components.ingressGateways[0]: is null: leave it out",
    ]


def test_gateways_that_nobody_mentions() -> None:
    """From 1.24 no list of ingress gateways at all is the one of every chart; a null one makes istioctl crash."""
    shown = preview({"kind": "IstioOperator", "spec": {"components": None}}, release="1.24")
    assert [(each.name, each.enabled) for each in shown.components][-1] == ("istio-ingressgateway", True)
    with pytest.raises(InvalidInput) as caught:
        preview({"kind": "IstioOperator", "spec": {"components": {"ingressGateways": None}}}, release="1.24")
    assert (
        str(caught.value)
        == "files[0]: spec.components.ingressGateways: is null, at which istioctl crashes: leave the key out"
    )


def test_metadata_names_the_namespace_where_values_do_not() -> None:
    """From 1.24 the IstioOperator's own namespace counts where istioNamespace is empty."""
    spec = {"values": {"global": {"istioNamespace": ""}}}
    document = {"kind": "IstioOperator", "metadata": {"namespace": "mine"}, "spec": spec}
    assert preview(document, release="1.24").components[0].namespace == "mine"


def test_unvalidated_values_have_an_origin() -> None:
    """What unvalidatedValues say is the file's."""
    shown = preview({"kind": "IstioOperator", "spec": {"unvalidatedValues": {"a": 1}}}, release="1.24")
    assert (shown.values["a"], shown.origin("a")) == (1, "files[0]")


@pytest.mark.parametrize("release", ["1.23", "1.24", "1.31"])
def test_components_that_say_nothing(release: str) -> None:
    """A component without settings of its own adds no values."""
    shown = preview({"kind": "IstioOperator", "spec": {"profile": "empty"}}, release=release)
    assert not {"cni", "ztunnel", "gateways"} & {key for key, value in shown.values.items() if not value}
