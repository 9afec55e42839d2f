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
SHAPES = [
    MeshGateways(ingress=ingress, egress=egress, east_west=east_west, install=install)
    for ingress in (True, False)
    for egress in (True, False)
    for east_west in (True, False)
    for install in ("istioctl", "helm")
]


def uniform(number: int) -> MeshCluster:
    """A cluster with everything on, like all others."""
    return MeshCluster(
        name=f"cluster{number}", network=f"network{number}", gateways=EVERYTHING, sample=Sample(version="v1")
    )


def mixed(number: int) -> MeshCluster:
    """A cluster of one of many shapes; one in ten has a name that is no plain one, as of a cloud."""
    name = f"gke_project_zone_{number}" if number % 10 == 0 else f"cluster{number}"
    sample = (None, Sample(version="v1"), Sample(version="v2"))[number % 3]
    return MeshCluster(name=name, network=f"network{number}", gateways=SHAPES[number % len(SHAPES)], sample=sample)


def shapeless(number: int) -> MeshCluster:
    """A cluster with everything on and an API server of its own, for which no template is used."""
    return uniform(number).with_(api_server=f"https://192.0.2.1:{number + 1}")


def topology(remotes: int, cluster_of: Callable[[int], MeshCluster] = uniform) -> Topology:
    """A topology of clusters, which are all alike unless other ones are asked for."""
    cluster, *others = map(cluster_of, range(remotes + 1))
    return Topology(
        release="1.24",
        mesh_id="mesh1",
        address="myhost.example.com",
        credential_name="cred",
        config_cluster=cluster,
        remote_clusters=tuple(others),
    )


def whole_way(cluster_of: Callable[[int], MeshCluster]) -> None:
    """Everything as Plan.files() does it."""
    for _ in plan(topology(1000, cluster_of)).files():
        pass


def every_document() -> None:
    """The same without Plan.files(): every document is built and written by itself, also those that are equal."""
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


def compare(name: str, cluster_of: Callable[[int], MeshCluster], ours: Callable[[], object]) -> None:
    """Print the time of ours beside that of the peer for the same documents, and the ratio."""
    steps = plan(topology(1000, cluster_of)).steps
    documents = [document.plain() for step in steps for document in step.documents]
    peer = best(lambda: pyyaml.dump_all(documents, Dumper=pyyaml.CSafeDumper, sort_keys=False))
    seconds = best(ours)
    print(f"{name:16} {len(documents)} documents: dump alone {peer:.3f} s, ours {seconds:.3f} s, ", end="")
    print(f"{peer / seconds:.1f} times as fast")


def main() -> None:
    """Print the times and their ratios."""
    compare("uniform", uniform, lambda: whole_way(uniform))
    compare("mixed", mixed, lambda: whole_way(mixed))
    compare("nothing shared", shapeless, lambda: whole_way(shapeless))
    compare("each document", uniform, every_document)


if __name__ == "__main__":
    main()
