"""The bases of a kustomize tree, and what a real kubectl makes of them."""

import os
import subprocess
from pathlib import Path
from typing import Any

from goldens import TOPOLOGIES

from extcp_manifests import Plan, load, load_credentials, plan, yaml

CASES = [
    ("guide", "1.15"),
    ("guide", "1.31"),
    ("ip", "1.15"),
    ("ip", "1.31"),
    ("hostile", "1.31"),
    ("ipv6", "1.31"),
    ("revision", "1.31"),
    ("helm_ip", "1.31"),
    ("sail", "1.31"),
    ("secret_store", "1.31"),
]


def the_plan(name: str, release: str) -> Plan:
    """Return the plan of a golden topology for a release, with its credentials where there is a file of them."""
    credentials = TOPOLOGIES[name].with_suffix(".credentials.yaml")
    given = load_credentials(credentials) if credentials.exists() else None
    return plan(load(TOPOLOGIES[name], release=release), credentials=given)


def built(kubectl: str, folder: Path) -> list[Any]:
    """Return the documents that kubectl builds from a base; bases with the same files are built once."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    content = tuple((path.relative_to(folder).as_posix(), path.read_bytes()) for path in files)
    if content not in _OUTPUTS:
        _OUTPUTS[content] = _output(kubectl, folder)
    return yaml.load_all(_OUTPUTS[content])


_OUTPUTS: dict[tuple[tuple[str, bytes], ...], str] = {}


def _output(kubectl: str, folder: Path) -> str:
    """Run kubectl without garbage collection, which takes a third of its time and saves little of 50 MB."""
    done = subprocess.run(
        [kubectl, "kustomize", str(folder)],
        env={**os.environ, "GOGC": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
