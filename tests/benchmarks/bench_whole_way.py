"""From a topology of 1,000 remote clusters with everything on to bytes, against PyYAML's C dumper alone.

The peer only dumps the same documents, which are plain data already; we check the topology, build typed documents, and
write them. Run: python tests/benchmarks/bench_whole_way.py
"""

from collections.abc import Callable
from time import perf_counter

import yaml as pyyaml

from extcp_manifests import MeshCluster, MeshGateways, Sample, Topology, plan
from extcp_manifests.planning.step import text_of

EVERYTHING = MeshGateways(ingress=True, egress=True, east_west=True)


def topology(remotes: int) -> Topology:
    """A topology with everything on in every cluster."""
    cluster, *others = (
        MeshCluster(name=f"cluster{n}", network=f"network{n}", gateways=EVERYTHING, sample=Sample(version="v1"))
        for n in range(remotes + 1)
    )
    return Topology(
        release="1.24",
        mesh_id="mesh1",
        address="myhost.example.com",
        credential_name="cred",
        config_cluster=cluster,
        remote_clusters=tuple(others),
    )


def whole_way() -> None:
    """Everything as Plan.files() does it."""
    for _ in plan(topology(1000)).files():
        pass


def every_document() -> None:
    """The same with no file's text used for a second cluster."""
    for step in plan(topology(1000)).steps:
        text_of(step.builders)


def best(function: Callable[[], object]) -> float:
    """Seconds of the fastest of five runs."""
    times = []
    for _ in range(5):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return min(times)


def main() -> None:
    """Print the times and their ratios."""
    documents = [document.plain() for step in plan(topology(1000)).steps for document in step.documents]
    peer = best(lambda: pyyaml.dump_all(documents, Dumper=pyyaml.CSafeDumper, sort_keys=False))
    print(f"{len(documents)} documents")
    print(f"CSafeDumper, dump alone        {peer:.3f} s  {len(documents) / peer:8.0f} documents/s")
    for name, function in (("whole way", whole_way), ("whole way, nothing shared", every_document)):
        ours = best(function)
        print(f"{name:30} {ours:.3f} s  {len(documents) / ours:8.0f} documents/s  {peer / ours:.1f} times as fast")


if __name__ == "__main__":
    main()
