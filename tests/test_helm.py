"""What Helm renders of our values is what istioctl renders of our IstioOperators.

A person fetches the charts: EXTCP_ISTIO names a folder with Istio's sources by tag (`1.30.3/manifests/charts`), from
1.24 on; helm and an istioctl of 1.31 must be on PATH.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml

from extcp_manifests import Topology, load, yaml
from extcp_manifests.builders.builder import Builder
from extcp_manifests.topology import parts

ROOT = Path(__file__).parents[1]
SOURCES = Path(os.environ.get("EXTCP_ISTIO", ""))
TAGS = sorted(path.name for path in SOURCES.iterdir() if path.name >= "1.24") if SOURCES.name else []
TOPOLOGIES = ("examples/guide", "tests/topologies/ip", "tests/topologies/private_ca", "tests/topologies/revision")

# Labels say who renders; the ConfigMap `values` repeats what was given.
_LABELS = ("app.kubernetes.io/", "helm.sh/", "install.operator.istio.io/", "operator.istio.io/", "release")


def run(*command: str | Path) -> list[dict[str, Any]]:
    """Return the documents that a program prints, without definitions."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    documents = [each for each in pyyaml.safe_load_all(done.stdout) if each]
    return [each for each in documents if each["kind"] != "CustomResourceDefinition"]


def by_helm(topology: Topology, tag: str, file: Path, name: str, chart: str, builder: Builder[Any]) -> list[Any]:
    """Return what a chart renders of values."""
    file.write_text(yaml.dump(builder.build().plain()), "utf-8")
    folder = SOURCES / tag / "manifests/charts" / chart
    return run("helm", "template", name, folder, "-n", topology.namespace, "-f", file)


def by_istioctl(tag: str, file: Path, builder: Builder[Any]) -> list[Any]:
    """Return what istioctl renders of an IstioOperator with the charts of a tag."""
    file.write_text(yaml.dump(builder.build().plain()), "utf-8")
    return run("istioctl", "manifest", "generate", "-f", file, "--manifests", SOURCES / tag / "manifests")


def compared(documents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return documents by their kinds and names, without what may differ."""
    kept = {}
    for each in documents:
        name = each["metadata"]["name"]
        if each["kind"] == "ConfigMap" and name.startswith("values"):
            continue
        if each["kind"] == "ConfigMap" and "values" in each.get("data", {}):
            values = json.loads(each["data"]["values"])
            values.get("pilot", {}).pop("env", None)  # the chart's copy of its own values, from 1.28
            each["data"]["values"] = values
        kept[f"{each['kind']} {name}"] = stripped(each)
    return kept


def stripped(value: Any) -> Any:
    """Return data without labels of who renders, and with variables in alphabetical order."""
    if isinstance(value, dict):
        return {key: stripped(item) for key, item in value.items() if not key.startswith(_LABELS)}
    if isinstance(value, list):
        items = [stripped(item) for item in value]
        if all(isinstance(item, dict) and "name" in item for item in items):
            items.sort(key=lambda item: json.dumps(item, sort_keys=True))
        return items
    return value


@pytest.mark.skipif(not TAGS, reason="EXTCP_ISTIO names no folder with Istio's charts by tag")
@pytest.mark.skipif(shutil.which("helm") is None, reason="there is no helm on PATH")
@pytest.mark.skipif(shutil.which("istioctl") is None, reason="there is no istioctl on PATH")
@pytest.mark.parametrize("source", TOPOLOGIES)
@pytest.mark.parametrize("tag", TAGS or [""])
def test_values_render_what_operators_do(tag: str, source: str, tmp_path: Path) -> None:
    """The external istiod, the config cluster and a further remote are the same by both methods."""
    operators = load(ROOT / f"{source}.yaml", release=".".join(tag.split(".")[:2]))
    hub = {"hub": "docker.io/istio"}
    operators = operators.with_(**hub)
    values = operators.with_(install="helm")
    file = tmp_path / "file.yaml"
    istiod = by_helm(values, tag, file, "istiod", "istio-control/istio-discovery", parts.external_istiod(values))
    assert compared(istiod) == compared(by_istioctl(tag, file, parts.external_istiod(operators)))
    for number, cluster in enumerate(values.mesh_clusters[:2]):
        made = parts.remote_cluster if number else lambda topology, _: parts.config_cluster(topology)
        base = by_helm(values, tag, file, "istio-base", "base", parts.base_of_remote(values, cluster))
        remote = by_helm(values, tag, file, "istiod", "istio-control/istio-discovery", made(values, cluster))
        operator = by_istioctl(tag, file, made(operators, cluster))
        assert compared([*base, *remote]) == compared(operator)
