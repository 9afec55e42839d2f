"""The kustomize tree of 1,000 remote clusters: the command beside `generate`, and building its bases with kubectl.

Run as `python tests/benchmarks/bench_kustomize.py [CLUSTERS]`; ratios are of one run.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import rmtree
from statistics import median

from extcp_manifests import yaml

GUIDE = Path(__file__).parents[2] / "examples/guide.yaml"


def topology(clusters: int) -> bytes:
    """The guide with many copies of its further cluster."""
    document = yaml.load(GUIDE.read_bytes())
    (remote,) = document["spec"]["remoteClusters"]
    document["spec"]["remoteClusters"] = [
        {**remote, "name": f"c{n}", "network": f"n{n}", "context": f"x{n}"} for n in range(clusters)
    ]
    return yaml.dump(document).encode()


def run(command: str, file: str, folder: str) -> None:
    subprocess.run(["extcp-manifests", command, file, "-o", folder], check=True, stdout=subprocess.DEVNULL)


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
    folder = tempfile.mkdtemp()
    file = f"{folder}/mesh.yaml"
    Path(file).write_bytes(topology(clusters))
    times: dict[str, list[float]] = {"generate": [], "kustomize": []}
    for turn in range(5):
        for command, found in times.items():
            found.append(seconds(lambda: run(command, file, f"{folder}/{command}{turn}")))  # noqa: B023
    plain, tree = (median(found) for found in times.values())
    print(f"{clusters} clusters: generate {plain:.3f} s, kustomize {tree:.3f} s: {tree / plain:.2f} times")
    for part in (clusters // 10, clusters):
        Path(file).write_bytes(topology(part))
        run("kustomize", file, f"{folder}/built{part}")
        took = seconds(lambda: build(f"{folder}/built{part}"))  # noqa: B023
        print(f" of {part} clusters built in {took:.1f} s, {1000 * took / part:.0f} ms a cluster")
    rmtree(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
