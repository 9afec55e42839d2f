"""Validating 3,000 networking documents, against `istioctl validate` as a process, where one is on PATH.

Run: python tests/benchmarks/bench_validate.py
"""

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, TypeVar

from extcp_manifests import yaml
from extcp_manifests.istio.mesh.merging import merge_mesh_config
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.istio.rules.networking import check_networking
from extcp_manifests.istio.validation import validate_texts

RELEASE = "1.30"

Result = TypeVar("Result")


def _document(kind: str, number: int, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": f"{kind.lower()}-{number}", "namespace": "apps"}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def gateway(number: int) -> dict[str, Any]:
    """Return a Gateway with four servers."""
    servers = [
        {
            "port": {"number": 8080 + port, "name": f"http-{port}", "protocol": "HTTP"},
            "hosts": [f"a{number}.example.com"],
        }
        for port in range(4)
    ]
    return _document("Gateway", number, {"selector": {"istio": "ingressgateway"}, "servers": servers})


def virtual_service(number: int) -> dict[str, Any]:
    """Return a VirtualService with five routes."""
    routes = [
        {
            "match": [{"uri": {"prefix": f"/p{route}"}}],
            "route": [{"destination": {"host": "web.apps.svc.cluster.local", "port": {"number": 80}}}],
            "timeout": "5s",
        }
        for route in range(5)
    ]
    return _document("VirtualService", number, {"hosts": [f"a{number}.example.com"], "http": routes})


def destination_rule(number: int, subsets: int = 2) -> dict[str, Any]:
    """Return a DestinationRule with a policy for each subset."""
    named = [
        {"name": f"v{each}", "labels": {"version": f"v{each}"}, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}
        for each in range(subsets)
    ]
    return _document("DestinationRule", number, {"host": f"web-{number}.apps.svc.cluster.local", "subsets": named})


def main() -> None:
    """Print the time of one check of each kind, and of all of a text."""
    release = find_release(RELEASE)
    for name, document in (
        ("Gateway", gateway(0)),
        ("VirtualService", virtual_service(0)),
        ("DestinationRule", destination_rule(0, subsets=20)),
    ):
        print(f"{name:16}  {_milliseconds(partial(_check, document, release)):.3f} ms")
    shared, local = {"trustDomainAliases": ["old.example.com"]}, {"connectTimeout": "5s"}
    merging = _milliseconds(lambda: merge_mesh_config(shared=shared, local=local, release=RELEASE))
    print(f"{'mesh merge':16}  {merging:.3f} ms")

    documents = [make(number) for number in range(1000) for make in (gateway, virtual_service, destination_rule)]
    text = yaml.dump_all(documents)
    ours, report = _best(lambda: validate_texts({"all.yaml": text}, release=RELEASE))
    print(f"validate_texts    {ours:.2f} s for {len(documents):,} documents, {len(report.results)} findings")
    istioctl = shutil.which("istioctl")
    if istioctl is None:
        print("istioctl          skipped: there is none on PATH")
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "all.yaml"
        file.write_text(text)
        command = [istioctl, "validate", "-f", str(file)]
        theirs, _ = _best(lambda: subprocess.run(command, check=True, capture_output=True))
    print(f"istioctl          {theirs:.2f} s  ours takes {ours / theirs:.2f} of it")


def _best(run: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds of the fastest of five runs, and what it returned."""
    results: list[tuple[float, Result]] = []
    for _ in range(5):
        start = perf_counter()
        result = run()
        results.append((perf_counter() - start, result))
    return min(results, key=lambda each: each[0])


def _check(document: dict[str, Any], release: Release) -> None:
    for _ in check_networking(document, release):
        pass


def _milliseconds(run: Callable[[], object]) -> float:
    """Return the least time of five times a hundred runs."""
    times = []
    for _ in range(5):
        start = perf_counter()
        for _ in range(100):
            run()
        times.append((perf_counter() - start) * 10)
    return min(times)


if __name__ == "__main__":
    main()
