"""The time of `import extcp_manifests`, against importing pydantic and PyYAML and making one model.

Whole processes, the fastest of 20 each, with compiled bytecode as an installed package has it.
Run: python tests/benchmarks/bench_import.py
"""

import os
import subprocess
import sys
from time import perf_counter

BASELINE = "import pydantic, yaml\nclass One(pydantic.BaseModel):\n    number: int\n"
OURS = "import extcp_manifests\n"
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def seconds(code: str) -> float:
    """Seconds of one process."""
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    return perf_counter() - start


def main() -> None:
    """Print the times and their ratio; rounds alternate, so that both meet the same load."""
    rounds = [(seconds(BASELINE), seconds(OURS)) for _ in range(20)]
    baseline, ours = (min(times) for times in zip(*rounds, strict=True))
    print(f"import pydantic, yaml and one model  {baseline:.3f} s")
    print(f"import extcp_manifests               {ours:.3f} s  {ours / baseline:.2f} times the baseline")


if __name__ == "__main__":
    main()
