"""A fleet to bytes against a single control plane with as many clusters each, in time for each file.

Every control plane has ten clusters. Run: python tests/benchmarks/bench_fleet.py
"""

from collections.abc import Iterable
from time import perf_counter
from typing import Any

from extcp_manifests import load, load_fleet, plan, plan_fleet
from extcp_manifests.planning.folder.writing import Entry

CLUSTERS = 10


def control_plane(number: int) -> dict[str, Any]:
    """A control plane as a list has it."""
    clusters = [{"name": f"c{number}x{each}", "network": "network1"} for each in range(CLUSTERS)]
    return {
        "name": f"cp{number}",
        "namespace": f"istiod-{number}",
        "meshID": f"mesh{number}",
        "address": f"cp{number}.example.com",
        "configCluster": clusters[0],
        "remoteClusters": clusters[1:],
    }


def document(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "extcp-manifests/v1", "kind": kind, "metadata": {"name": "fleet"}, "spec": spec}


def microseconds_a_file(entries: Iterable[Entry], start: float) -> float:
    """Read all files, and return the time for each since a start."""
    count = sum(1 for entry in entries if b"".join(entry.pieces))
    return (perf_counter() - start) / count * 1e6


def alone() -> float:
    """Load and render one control plane."""
    spec = {key: value for key, value in control_plane(0).items() if key != "name"}
    start = perf_counter()
    topology = load(document("ExternalControlPlane", {"release": "1.30", "credentialName": "c", **spec}))
    return microseconds_a_file(plan(topology).entries(), start)


def together(size: int) -> float:
    """Load and render a fleet."""
    listed = [control_plane(number) for number in range(size)]
    defaults = {"release": "1.30", "credentialName": "c"}
    start = perf_counter()
    fleet = load_fleet(document("ExternalControlPlanes", {"defaults": defaults, "controlPlanes": listed}))
    return microseconds_a_file(plan_fleet(fleet).entries(), start)


if __name__ == "__main__":
    alone()  # loads what both need
    one = min(alone() for _ in range(20))
    print(f"alone       {one:6.0f} us a file")
    for size in (10, 100, 1000):
        each = together(size)
        print(f"fleet {size:5} {each:6.0f} us a file  {each / one:.2f} times alone")
