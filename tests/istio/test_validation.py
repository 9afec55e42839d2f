"""Validation of whole texts."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import extcp_manifests
from extcp_manifests import yaml
from extcp_manifests.istio.release_of_documents import release_named_by
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.istio.rules.rule_ids import RULES
from extcp_manifests.istio.validation import validate_text, validate_texts
from extcp_manifests.topology.document_check import TOPOLOGY_CHECKS

ROOT = Path(__file__).parents[2]

PACKAGE = Path(extcp_manifests.__file__).parent

GUIDE = (Path(__file__).parents[2] / "examples/guide.yaml").read_text("utf-8")
MESH_CONFIG = "{accessLogFile: /dev/stdout}"


@pytest.mark.parametrize(
    ("release", "mesh_config", "reported"),
    [
        ("1.24", MESH_CONFIG, []),
        ("1.19", "{connectTimeout: 40s}", ["error: spec.meshConfig.connectTimeout: is '40s': use whole milliseconds"]),
        ("1.20", "{connectTimeout: 40s}", []),
        ("1.24", "{connectTimeout: 40}", ["error: spec.meshConfig.connectTimeout: must be a duration such as 10s"]),
        (
            "1.15",
            "{extensionProviders: [{name: a, opentelemetry: {service: a.b, port: 1}}]}",
            ["error: spec.meshConfig.extensionProviders[0].opentelemetry: is known to Istio from 1.16"],
        ),
    ],
)
def test_the_mesh_config_of_a_topology(release: str, mesh_config: str, reported: list[str]) -> None:
    """A topology's mesh config is checked by the rules of its own release, whatever release is asked for."""
    text = GUIDE.replace('release: "1.24"', f'release: "{release}"').replace(MESH_CONFIG, mesh_config)
    found = [
        f"{each.level}: {each.path}: {each.message}"
        for each in validate_text("f", text, release="1.30", more=TOPOLOGY_CHECKS)
    ]
    assert len(found) == len(reported)
    assert all(one.startswith(start) for one, start in zip(found, reported, strict=True))


CASES = yaml.load((Path(__file__).parent / "cases/documents.yaml").read_bytes())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_whole_texts(case: Any) -> None:
    """Each text has exactly these results, with their lines, and one summary of what was checked and what was not.

    `{newest}` in a summary stands for the newest release.
    """
    report = validate_texts({"f": case["text"]}, release=case.get("release"), more=TOPOLOGY_CHECKS)
    assert [str(result) for result in report.results] == case.get("results", [])
    assert report.summary == case["summary"].replace("{newest}", list(RELEASES)[-1])
    assert all(result.rule in RULES for result in report.results)


@pytest.mark.parametrize(
    ("document", "release", "path"),
    [
        ("{kind: IstioOperator, spec: {values: {global: {tag: 1.24.6-distroless}}}}", "1.24", "spec.values.global.tag"),
        ("{kind: IstioOperator, spec: {values: {pilot: {tag: v1.22.1}}}}", "1.22", "spec.values.pilot.tag"),
        (
            "{kind: IstioOperator, spec: {components: {ingressGateways: [{name: a}, {tag: 1.23.0}]}}}",
            "1.23",
            "spec.components.ingressGateways[1].tag",
        ),
        ("{kind: IstioOperator, spec: {tag: 1.99.1}}", None, ""),
        ("{kind: IstioOperator, spec: {tag: latest}}", None, ""),
        ("{kind: IstioOperator, spec: {tag: 1.24}}", None, ""),
        ('{kind: IstioOperator, spec: {tag: "1.24"}}', "1.24", "spec.tag"),
        ("{apiVersion: sailoperator.io/v1, kind: Istio, spec: {version: v1.26.0}}", "1.26", "spec.version"),
        (
            "{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: {containers: "
            '[{image: "h:5000/istio/pilot:1.25.5"}]}}}}',
            "1.25",
            "spec.template.spec.containers[0].image",
        ),
        (
            "{kind: Service, metadata: {labels: {operator.istio.io/version: 1.20.8}}}",
            "1.20",
            "operator.istio.io/version",
        ),
        ("{kind: Service, metadata: {labels: {helm.sh/chart: istiod-1.27.9}}}", "1.27", "helm.sh/chart"),
        ("{kind: Service, metadata: {labels: {app.kubernetes.io/version: 1.27.9}}}", None, ""),
        (
            "{metadata: {labels: {app.kubernetes.io/version: 1.27.9, app.kubernetes.io/part-of: istio}}}",
            "1.27",
            "app.kubernetes.io/version",
        ),
        ('{kind: ExternalControlPlane, spec: {release: "1.30"}}', "1.30", "spec.release"),
        ("{kind: IstioOperator, spec: {tag: [1.24.6], components: [5]}}", None, ""),
    ],
)
def test_what_names_the_release(document: str, release: str | None, path: str) -> None:
    """Tags, versions of images and labels name the release, as far as it is one that is known."""
    named = release_named_by(yaml.load(document))
    assert (named.release if named else None) == release
    assert named is None or path in (named.path, named.place[-1])


def test_every_rule_has_an_id_in_the_table() -> None:
    """The ids that the modules use are those of the table, and none is left over."""
    source = "".join(
        path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "istio/rules/rule_ids.py"
    )
    used = set(re.findall(r'"([a-z-]+/[a-z-]+)"', source))
    groups = {rule.partition("/")[0] for rule in RULES}
    assert {rule for rule in used if rule.partition("/")[0] in groups} == RULES.keys()


@given(st.recursive(st.none() | st.booleans() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=4)))
def test_nested_lists_end(items: Any) -> None:
    """Lists in lists, of whatever, are looked into without a crash, and every document is checked or skipped."""
    text = yaml.dump({"apiVersion": "v1", "kind": "List", "items": [{"kind": "List", "items": items}, items]})
    report = validate_texts({"f": text}, release="1.30", more=TOPOLOGY_CHECKS)
    assert report.checked + sum(report.skipped.values()) >= 1


def test_a_text_in_a_text_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is found in the mesh config of a ConfigMap, its lines are looked for once."""
    read: list[str | bytes] = []

    class Lines(yaml.Lines):
        def __init__(self, text: str | bytes) -> None:
            read.append(text)
            super().__init__(text)

    monkeypatch.setattr(yaml, "Lines", Lines)
    mesh = "".join(f"key{number}: 1\n" for number in range(50))
    indented = "".join(f"    {line}\n" for line in mesh.splitlines())
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio}}\ndata:\n  mesh: |\n{indented}"
    assert [result.line for result in validate_text("", text, more=TOPOLOGY_CHECKS)] == list(range(6, 56))
    assert sorted(map(len, read)) == [len(mesh), len(mesh), len(text)]  # once more by what merges mesh config


FOLDERS = [max(folder.iterdir(), key=lambda path: path.name) for folder in sorted((ROOT / "golden").iterdir())]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.parent.name)
def test_what_is_written_has_no_error(folder: Path) -> None:
    """What this library writes for any topology, by any method, passes its own validation."""
    texts = {str(path): path.read_bytes() for path in sorted(folder.rglob("*.yaml"))}
    found = validate_texts(texts, release=folder.name).results
    assert [str(each) for each in found if each.level == "error"] == []


def test_fleets_are_checked() -> None:
    """A file of several control planes is checked as a whole, with the lines of its problems."""
    text = (ROOT / "examples/fleet.yaml").read_text("utf-8")
    assert validate_texts({"f": text}, more=TOPOLOGY_CHECKS).results == ()
    wrong = text.replace("address: search.istiod.example.com", "address: payments.istiod.example.com")
    [found] = validate_texts({"f": wrong}, more=TOPOLOGY_CHECKS).results
    assert str(found) == (
        "f:23 ExternalControlPlanes fleet error: spec.controlPlanes[1].address: 'payments.istiod.example.com' is "
        "already the address of control plane 'payments': choose another"
    )


def test_doubts_about_topologies_are_warnings() -> None:
    """What `generate` warns of is found by `validate` too, in a topology and in a file of several."""
    guide = (ROOT / "examples/guide.yaml").read_text("utf-8").replace("eastWest: true", "eastWest: false")
    found = validate_texts({"f": guide}, more=TOPOLOGY_CHECKS).results
    assert {(each.level, each.rule) for each in found} == {("warning", "topology/doubtful")}
    fleet = (ROOT / "examples/fleet.yaml").read_text("utf-8").replace("meshID: search", "meshID: payments")
    [found_in_fleet] = validate_texts({"f": fleet}, more=TOPOLOGY_CHECKS).results
    assert str(found_in_fleet) == (
        "f:22 ExternalControlPlanes fleet warning: spec.controlPlanes[1].meshID: 'payments' is also the mesh of "
        "control plane 'payments': leave it where both serve one mesh"
    )
