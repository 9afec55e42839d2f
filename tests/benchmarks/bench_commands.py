"""Commands as processes, against what they cannot do without and against istioctl where there is one on PATH.

The fastest of 15 rounds, which alternate, with compiled bytecode as an installed package has it.
Run: python tests/benchmarks/bench_commands.py
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

from extcp_manifests import load, plan

EXAMPLE = Path(__file__).parents[2] / "examples" / "guide.yaml"
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
FLOOR = "import pydantic, yaml\nclass One(pydantic.BaseModel):\n    number: int\n"


def seconds(command: Sequence[str]) -> float:
    """Seconds of one process."""
    start = perf_counter()
    subprocess.run(command, check=False, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return perf_counter() - start


def compare(commands: Mapping[str, Sequence[str]]) -> None:
    """Print the time of each process, and its ratio to the first one."""
    rounds = [[seconds(command) for command in commands.values()] for _ in range(15)]
    times = [min(each) for each in zip(*rounds, strict=True)]
    for name, time in zip(commands, times, strict=True):
        print(f"{name:40} {time:.3f} s, {time / times[0]:.2f} times")


def main() -> None:
    """Print each comparison."""
    ours = [sys.executable, "-m", "extcp_manifests"]
    compare(
        {
            "import click": [sys.executable, "-c", "import click"],
            "--version": [*ours, "--version"],
            "--help": [*ours, "--help"],
        }
    )
    compare(
        {
            "import pydantic, yaml and one model": [sys.executable, "-c", FLOOR],
            "generate of the guide": [*ours, "generate", str(EXAMPLE), "--output", "-"],
        }
    )
    istioctl = shutil.which("istioctl")
    if istioctl is None:
        print("validate: left out, since there is no istioctl on PATH")
        return
    with tempfile.TemporaryDirectory() as folder:
        plan(load(EXAMPLE)).write(folder)
        compare(
            {
                "istioctl validate": [istioctl, "validate", "-f", folder],
                "validate of the guide": [*ours, "validate", folder],
            }
        )


if __name__ == "__main__":
    main()
