"""The kustomize tree of 1,000 remote clusters: writing it beside writing the plan, and building its bases with kubectl.

Run as `python tests/benchmarks/bench_kustomize.py [CLUSTERS]`; ratios are of one run.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from statistics import median

from extcp_manifests import Plan, load, plan

GUIDE = Path(__file__).parents[2] / "examples/guide.yaml"


def mesh(clusters: int) -> Plan:
    topology = load(GUIDE)
    (remote,) = topology.remote_clusters
    many = tuple(replace(remote, name=f"c{n}", network=f"n{n}", context=f"x{n}") for n in range(clusters))
    return plan(topology.model_copy(update={"remote_clusters": many}))


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def build(folder: str) -> None:
    """Build every base below a folder, as many at a time as there are processors."""
    bases = [str(path.parent) for path in Path(folder).rglob("kustomization.yaml")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_kubectl, bases))
    print(f"  {len(bases)} bases", end="")


def _kubectl(base: str) -> None:
    subprocess.run(["kubectl", "kustomize", base], check=True, stdout=subprocess.DEVNULL)


def main(clusters: int) -> None:
    the_plan = mesh(clusters)
    folder = tempfile.mkdtemp()
    written, bases = [], []
    for turn in range(5):
        written.append(seconds(lambda: the_plan.write(f"{folder}/plan{turn}")))  # noqa: B023
        bases.append(seconds(lambda: the_plan.kustomize().write(f"{folder}/tree{turn}")))  # noqa: B023
    plain, tree = median(written), median(bases)
    print(f"writing {clusters} clusters  {plain:.3f} s, as a kustomize tree {tree:.3f} s: {tree / plain:.2f} times")
    for part in (clusters // 10, clusters):
        rmtree(f"{folder}/tree", ignore_errors=True)
        mesh(part).kustomize().write(f"{folder}/tree")
        took = seconds(lambda: build(f"{folder}/tree"))
        print(f" of {part} clusters built in {took:.1f} s, {1000 * took / part:.0f} ms a cluster")
    rmtree(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
