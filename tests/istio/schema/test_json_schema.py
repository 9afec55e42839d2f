"""The JSON Schemas for editors."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from extcp_manifests import InvalidInput, yaml
from extcp_manifests.istio.mesh.defaults import mesh_defaults
from extcp_manifests.istio.releases import RELEASES, find_release
from extcp_manifests.istio.schema.json_schema import EDITOR_SCHEMAS, editor_schema

ROOT = Path(__file__).parents[3]
NEWEST = list(RELEASES)[-1]
KINDS = {
    "IstioOperator": "istio-operator",
    "Gateway": "gateway",
    "VirtualService": "virtual-service",
    "DestinationRule": "destination-rule",
}


@cache
def validator(name: str, release: str) -> jsonschema.Draft202012Validator:
    """Return what validates documents by a schema."""
    return jsonschema.Draft202012Validator(editor_schema(name, release=release))


def problems(name: str, release: str, document: Any) -> list[str]:
    """Return what a schema has against a document."""
    return [error.message for error in validator(name, release).iter_errors(document)]


@pytest.mark.parametrize(("name", "release"), [("mesh-config", NEWEST), ("virtual-service", NEWEST)])
def test_a_schema_is_valid(name: str, release: str) -> None:
    """What is printed is a JSON Schema; one of each kind is checked, since checking takes a second."""
    jsonschema.Draft202012Validator.check_schema(editor_schema(name, release=release))


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", EDITOR_SCHEMAS)
def test_every_schema_is_whole(name: str, release: str) -> None:
    """All that a schema refers to is in it, and nothing else."""
    schema = editor_schema(name, release=release)
    assert schema["title"] == f"{name} of Istio {release}"
    references = references_in(schema)
    assert {each.removeprefix("#/$defs/") for each in references} == schema["$defs"].keys()


def references_in(node: Any) -> list[str]:
    """Return all references of a schema."""
    if isinstance(node, list):
        return [each for item in node for each in references_in(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [each for item in node.values() for each in references_in(item)]


@pytest.mark.parametrize("folder", sorted((ROOT / "golden").glob("*/*")), ids=lambda path: "-".join(path.parts[-2:]))
def test_goldens_are_valid(folder: Path) -> None:
    """What the library writes is valid in the first release that it is written for."""
    checked = 0
    for path in sorted(folder.rglob("*.yaml")):
        for document in yaml.load_all(path.read_text("utf-8")):
            name = KINDS.get(document.get("kind", ""))
            if name is not None:
                assert problems(name, folder.name, document) == [], path
                checked += 1
    assert checked > 1


def right_cases() -> list[Any]:
    """Return the cases of the rules that say nothing of a document."""
    cases = []
    for kind, name in KINDS.items():
        file = {"IstioOperator": "istio_operator"}.get(kind, name.replace("-", "_"))
        for case in yaml.load((ROOT / f"tests/istio/rules/cases/{file}.yaml").read_text("utf-8"))["cases"]:
            if "spec" not in case or "errors" in case or "warnings" in case:
                continue
            cases += [(kind, release, case["spec"]) for release in case["releases"]]
    return cases


def test_right_cases_are_valid() -> None:
    """What the rules have nothing against is valid."""
    cases = right_cases()
    assert len(cases) > 100
    versions = {"IstioOperator": "install.istio.io/v1alpha1"}
    for kind, release, spec in cases:
        version = versions.get(kind, "networking.istio.io/v1beta1")
        document = {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": spec}
        assert problems(KINDS[kind], release, document) == [], (release, spec)


@pytest.mark.parametrize("release", RELEASES)
def test_defaults_are_valid(release: str) -> None:
    """Istio's own default mesh config is valid, as it is and in an IstioOperator."""
    defaults = mesh_defaults(find_release(release))
    assert problems("mesh-config", release, defaults) == []
    operator = {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": {"meshConfig": defaults}}
    assert problems("istio-operator", release, operator) == []


def test_right_mesh_configs_are_valid() -> None:
    """Mesh configs that the cases have nothing against are valid."""
    cases = yaml.load((ROOT / "tests/istio/mesh/cases/validation.yaml").read_text("utf-8"))["cases"]
    right = [each for each in cases if not {"problem", "problems", "warning", "warnings"} & each.keys()]
    assert len(right) > 5
    for case in right:
        for release in case["releases"]:
            assert problems("mesh-config", release, case["config"]) == [], case


@pytest.mark.parametrize(
    ("name", "document", "expected"),
    [
        ("mesh-config", {"ingresClass": "a"}, ["Additional properties are not allowed ('ingresClass' was unexpected)"]),
        ("mesh-config", {"ingressClass": "a", "ingress_service": "b"}, []),
        ("mesh-config", {"enableTracing": "true"}, ["'true' is not of type 'boolean', 'null'"]),
        ("mesh-config", {"connectTimeout": "1m30s", "dnsRefreshRate": None}, []),
        ("mesh-config", {"proxyListenPort": "15001", "defaultConfig": {"concurrency": 2}}, []),
        ("mesh-config", {"proxyListenPort": 2**31}, ["2147483648 is greater than the maximum of 2147483647"]),
        ("mesh-config", {"accessLogEncoding": "JSON", "h2UpgradePolicy": 1}, []),
        (
            "mesh-config",
            {"accessLogEncoding": "json"},
            ["'json' is not one of ['TEXT', 'JSON', 0, 1, None]"],
        ),
        ("values", {"global": {"meshID": "a"}, "meshConfig": {"trustDomain": "b"}}, []),
        (
            "values",
            {"global": {"meshId": "a"}, "meshConfig": {"trustDomian": "b"}},
            [
                "Additional properties are not allowed ('meshId' was unexpected)",
                "Additional properties are not allowed ('trustDomian' was unexpected)",
            ],
        ),
        ("values", [], ["[] is not of type 'object', 'null'", "[] is not of type 'object'"]),
    ],
)
def test_values_and_mesh_configs(name: str, document: Any, expected: list[str]) -> None:
    """Both spellings, numbers as text and null are valid; misspelt keys and wrong types are not."""
    assert sorted(problems(name, "1.30", document)) == sorted(expected)


ROUTE = {"destination": {"host": "a"}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"http": [{"route": [ROUTE], "timeout": "5s"}]}, []),
        (
            {"http": [{"route": [ROUTE], "timeuot": "5s"}]},
            ["Additional properties are not allowed ('timeuot' was unexpected)"],
        ),
        ({"http": [{"match": [{"uri": {"exact": "/", "prefix": "/"}}]}]}, None),
        ({"http": [{"route": [{}]}]}, ["'destination' is a required property"]),
        ({"http": [{"route": [{"destination": None}]}]}, None),
        ({"http": [None]}, None),
        ({"http": [{"retries": {"attempts": "3"}}]}, ["'3' is not of type 'integer', 'null'"]),
        (
            {"http": [{"fault": {"delay": {"fixed_delay": "5s"}}}]},
            ["Additional properties are not allowed ('fixed_delay' was unexpected)"],
        ),
    ],
)
def test_a_virtual_service(spec: Any, expected: list[str] | None) -> None:
    """A CRD has one spelling, no numbers as text, required keys, no null in lists, and members that exclude others."""
    document = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "spec": spec}
    found = problems("virtual-service", "1.30", document)
    assert found == expected if expected is not None else found


def test_the_release_counts() -> None:
    """A key is valid from the release on that knows it, and so is a version of a kind."""
    config: dict[str, Any] = {"zoneAwareLbSetting": {}}
    assert problems("mesh-config", "1.31", config) == []
    assert problems("mesh-config", "1.30", config) != []
    gateway = {"apiVersion": "networking.istio.io/v1", "kind": "Gateway"}
    assert problems("gateway", "1.22", gateway) == []
    assert problems("gateway", "1.21", gateway) != []


def test_an_unknown_release_is_refused() -> None:
    """A release that is not known is refused as everywhere."""
    with pytest.raises(InvalidInput) as caught:
        editor_schema("gateway", release="1.14")
    assert str(caught.value).startswith("release: '1.14' is not a known Istio release: known are 1.15 to ")
