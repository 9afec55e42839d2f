"""Time and memory of what is made of a topology, for 1,000, 10,000 and 100,000 remote clusters with everything on.

Each in a process of its own; memory is the peak beyond the interpreter, the library and the topology. Files, the
kustomize tree, Applications and Kustomizations are streamed; `write` fills an empty folder, `again` finds it as it is,
up to 10,000 clusters, since the file system takes minutes for more.
Run: python tests/benchmarks/bench_scale.py [NAME ...]
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent))
from bench_whole_way import topology

from extcp_manifests import Plan, plan
from extcp_manifests.pipelines.argocd import argocd
from extcp_manifests.pipelines.flux import flux
from extcp_manifests.pipelines.parts import Repository
from extcp_manifests.planning.folder.writing import Entry

REMOTES = (1000, 10000, 100000)


def streamed(entries: Iterable[Entry]) -> str:
    """Read entries, and return what was read."""
    count = size = 0
    for entry in entries:
        count += 1
        size += sum(map(len, entry.pieces))
    return f"{count} files, {size / 2**20:.1f} MiB"


def files(the_plan: Plan) -> str:
    return streamed(Entry(path, (content,)) for path, content in the_plan.files())


def tree(the_plan: Plan) -> str:
    return streamed(the_plan.kustomize().entries())


def skeletons(the_plan: Plan) -> str:
    return streamed(the_plan.kustomize(overlays=["prod"]).skeletons())


def applications(the_plan: Plan) -> str:
    return streamed(argocd(the_plan, Repository(url="https://git.example.com/x")))


def kustomizations(the_plan: Plan) -> str:
    return streamed(flux(the_plan, Repository()))


STREAMS: Mapping[str, Callable[[Plan], str]] = {
    "files": files,
    "kustomize": tree,
    "overlay": skeletons,
    "argocd": applications,
    "flux": kustomizations,
}
FOLDERS: Mapping[str, Callable[[Plan, str], list[str]]] = {
    "plan": lambda the_plan, folder: the_plan.write(folder),
    "tree": lambda the_plan, folder: the_plan.kustomize().write(folder),
}
NAMES = (*STREAMS, *(f"{action}-{name}" for name in FOLDERS for action in ("write", "again")))


def measure(name: str, remotes: int, folder: str) -> None:
    """Print the seconds and the memory of one run."""
    the_plan = plan(topology(remotes))
    assert the_plan.resolved
    action, _, kind = name.partition("-")
    before, start = peak(), perf_counter()
    done = STREAMS[name](the_plan) if name in STREAMS else f"{len(FOLDERS[kind](the_plan, folder))} files"
    seconds, memory = perf_counter() - start, peak() - before
    if action != "filled":
        print(f"{name:11} {remotes:7,}  {seconds:7.2f} s  {memory / 1024:6.1f} MiB  {done}")


def peak() -> int:
    """Peak memory of this process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run(name: str, remotes: int) -> None:
    """Measure in a process of its own, `again` in a folder that another process has filled."""
    with tempfile.TemporaryDirectory() as folder:
        action, _, kind = name.partition("-")
        names = [f"filled-{kind}", name] if action == "again" else [name]
        for each in names:
            subprocess.run([sys.executable, __file__, "--measure", each, str(remotes), folder], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        for name in sys.argv[1:] or NAMES:
            for remotes in REMOTES if name in STREAMS else REMOTES[:2]:
                run(name, remotes)
