"""Time and peak memory of streaming the files, and of writing a folder, for 100, 1,000 and 10,000 remote clusters.

Each in a process of its own; memory is the peak beyond that of the interpreter with the library imported.
Run: python tests/benchmarks/bench_scale.py
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent))
from bench_whole_way import topology

from extcp_manifests import plan


def peak() -> int:
    """Peak memory of this process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(what: str, remotes: int) -> None:
    """Print the seconds, the memory of the topology and the whole memory of one run."""
    before, start = peak(), perf_counter()
    the_plan = plan(topology(remotes))
    alone = peak() - before
    if what == "stream":
        size = sum(len(content) for _, content in the_plan.files())
    else:
        with tempfile.TemporaryDirectory() as folder:
            size = len(the_plan.write(folder))
    seconds, memory = perf_counter() - start, peak() - before
    print(f"{what:7} {remotes:6}  {seconds:7.2f} s  {memory / 1024:6.1f} MiB, topology {alone / 1024:5.1f} MiB  {size}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        for what in ("stream", "write"):
            for remotes in (100, 1000, 10000):
                subprocess.run([sys.executable, __file__, what, str(remotes)], check=True)
