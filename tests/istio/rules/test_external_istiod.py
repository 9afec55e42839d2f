"""What makes an istiod an external one."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from goldens import GOLDEN
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, builders, yaml
from extcp_manifests.istio.operator.compose import compose_plain
from extcp_manifests.istio.operator.merging import overlay
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.istio.rules.external_istiod import check_external_istiod, is_external_istiod
from extcp_manifests.istio.rules.istio_operator import validate_operator

SUITE = yaml.load((Path(__file__).parent / "cases/external_istiod.yaml").read_bytes())
ORDER = list(RELEASES)


def changed(case: Any) -> dict[str, Any]:
    """The base with a case's changes."""
    document: dict[str, Any] = deepcopy(SUITE["base"])
    k8s = document["spec"]["components"]["pilot"]["k8s"]
    variables = {each["name"]: each for each in k8s["env"]}
    variables |= {name: change and {"name": name, **change} for name, change in case.get("env", {}).items()}
    k8s["env"] = [each for each in variables.values() if each is not None]
    return overlay(document, {"spec": case.get("over", {})})


@pytest.mark.parametrize(
    ("case", "release"),
    [
        pytest.param(case, release, id=f"{release}-{case['what']}")
        for case in SUITE["cases"]
        for release in case["releases"]
    ],
)
def test_what_is_laid_over_it(case: Any, release: str) -> None:
    """Exactly these errors and warnings, each with its place and the way out."""
    found = check_external_istiod(changed(case), release=release)
    assert [str(each) for each in found.errors] == case.get("errors", [])
    assert [str(each) for each in found.warnings] == case.get("warnings", [])


@pytest.mark.parametrize("case", SUITE["signs"], ids=lambda case: case["what"])
def test_signs(case: Any) -> None:
    """What shows that an external istiod is meant, in every release; by its name ours is one whatever is in it."""
    document = {"kind": "IstioOperator", "metadata": {"name": "x"}, "spec": case["spec"]}
    assert {is_external_istiod(document, release=release) for release in RELEASES} == {case["external"]}
    if not case["external"]:
        assert check_external_istiod(document, release="1.31").errors == ()


def test_ours_is_known_by_its_name() -> None:
    """A document of our name that installs an istiod is meant to be an external one."""
    document = {"metadata": {"name": "external-istiod"}, "spec": {"components": {"pilot": {"enabled": True}}}}
    assert is_external_istiod(document, release="1.31")
    assert not is_external_istiod({**document, "spec": {"profile": "empty"}}, release="1.31")


@cache
def generated() -> list[tuple[Path, Any]]:
    """Every IstioOperator of the goldens, with the first release that has it; many are the same in several."""
    first: dict[tuple[str, bytes], Path] = {}
    for path in sorted(GOLDEN.rglob("*.yaml"), key=since):
        first.setdefault((path.name, path.read_bytes()), path)
    documents = [(path, each) for (_, content), path in first.items() for each in yaml.load_all(content)]
    return [(path, each) for path, each in documents if each.get("kind") == "IstioOperator"]


def since(path: Path) -> int:
    """Return the number of the release that a golden is for."""
    return ORDER.index(path.relative_to(GOLDEN).parts[1])


@pytest.mark.parametrize("release", RELEASES)
def test_every_golden(release: str) -> None:
    """Of all that we generate for a release or one before it, external istiods alone are taken for one, and pass."""
    seen = 0
    for path, document in generated():
        if since(path) > ORDER.index(release):
            continue
        is_one = is_external_istiod(document, release=release)
        assert is_one == (path.name == "external-istiod.yaml"), path
        found = check_external_istiod(document, release=release)
        assert (found.errors, found.warnings) == ((), ()), path
        seen += is_one
    assert seen >= 4


LABELS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)


@given(
    release=st.sampled_from(ORDER),
    address=st.sampled_from(["mesh.example.com", "192.0.2.1"]),
    cluster=LABELS,
    namespace=LABELS,
    revision=st.none() | LABELS,
)
def test_what_the_builder_makes(release: str, address: str, cluster: str, namespace: str, revision: str | None) -> None:
    """Whatever the names are, our document passes; without its variables or its mounts it does not."""
    try:
        built = builders.ExternalIstiod(
            release=release,
            address=address,
            mesh_id="m",
            cluster=cluster,
            network="n",
            namespace=namespace,
            revision=revision,
        ).build()
    except InvalidInput:
        return  # a revision by IP address in an old release
    found = check_external_istiod(built, release=release)
    assert (found.errors, found.warnings) == ((), ())
    lost: list[Any] = [
        {"components": {"pilot": {"k8s": {"env": []}}}},
        {
            "components": {"pilot": {"k8s": {"overlays": []}}},
            "values": {"pilot": {"volumeMounts": []}},
            "unvalidatedValues": {"pilot": {"volumeMounts": []}},
        },
    ]
    for spec in lost:
        composed = compose_plain(built, {"kind": "IstioOperator", "spec": spec}, release=release)
        found = check_external_istiod(composed, release=release)
        assert found.errors or found.warnings


@pytest.mark.parametrize("release", ["1.15", "1.24"])
def test_validation_of_operators_looks_at_it(release: str) -> None:
    """What validates an IstioOperator reports it, in Python as on the command line."""
    document = changed({"over": {"values": {"global": {"caAddress": "other.example.com:15012"}}}})
    assert [each.path for each in validate_operator(document, release=release).errors] == [
        "spec.values.global.caAddress"
    ]


ANYTHING = st.recursive(
    st.sampled_from([None, True, 0, "", "x", "true"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "value", "x"]), inner),
    max_leaves=6,
)
PLACES = (
    "metadata",
    "spec",
    "spec.profile",
    "spec.revision",
    "spec.meshConfig",
    "spec.meshConfig.defaultConfig",
    "spec.meshConfig.defaultConfig.discoveryAddress",
    "spec.components",
    "spec.components.pilot",
    "spec.components.pilot.k8s",
    "spec.components.pilot.k8s.env",
    "spec.components.pilot.k8s.overlays",
    "spec.values",
    "spec.values.pilot",
    "spec.values.global",
    "spec.values.global.caAddress",
    "spec.values.global.multiCluster",
    "spec.unvalidatedValues",
)


@given(st.sampled_from(PLACES), ANYTHING, st.sampled_from(["1.15", "1.23", "1.24", "1.31"]))
def test_values_of_wrong_types(place: str, value: Any, release: str) -> None:
    """Whatever is at a place, the check ends with findings."""
    document = changed({})
    node: Any = document
    *above, last = place.split(".")
    for key in above:
        node = node.setdefault(key, {})
    node[last] = value
    found = check_external_istiod(document, release=release)
    assert all(each.path and ": " in each.message for each in (*found.errors, *found.warnings))
