"""The time of importing the package, and all its names, against importing pydantic and PyYAML and making one model.

Whole processes, the fastest of 20 each, with compiled bytecode as an installed package has it.
Run: python tests/benchmarks/bench_import.py
"""

import os
import re
import shutil
import subprocess
import sys
from time import perf_counter

BASELINE = "import pydantic, yaml\nclass One(pydantic.BaseModel):\n    number: int\n"
OURS = {
    "import extcp_manifests": "import extcp_manifests\n",
    "import extcp_manifests.yaml": "import extcp_manifests.yaml\n",
    "all names of the top": "from extcp_manifests import *\n",
}
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def seconds(code: str) -> float:
    """Seconds of one process."""
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    return perf_counter() - start


def instructions(code: str) -> int | None:
    """Millions of instructions of one process, which do not depend on other load; None without valgrind."""
    if shutil.which("valgrind") is None:
        return None
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-c", code]
    done = subprocess.run(command, check=True, env=ENVIRONMENT, capture_output=True, text=True)
    collected = re.search(r"Collected : ([0-9]+)", done.stderr)
    return int(collected[1]) // 10**6 if collected else None


def main() -> None:
    """Print the times, the instructions and their ratios; rounds alternate, so that all meet the same load."""
    codes = {"import pydantic, yaml and one model": BASELINE, **OURS}
    rounds = [[seconds(code) for code in codes.values()] for _ in range(20)]
    times = [min(each) for each in zip(*rounds, strict=True)]
    counts = [instructions(code) for code in codes.values()]
    for name, time, count in zip(codes, times, counts, strict=True):
        line = f"{name:36} {time:.3f} s, {time / times[0]:.2f} times"
        if count is not None and counts[0] is not None:
            line += f"; {count} M instructions, {count / counts[0]:.2f} times"
        print(line)


if __name__ == "__main__":
    main()
