"""The bases of a kustomize tree, and what a real kubectl makes of them."""

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
]


def the_plan(name: str, release: str) -> Plan:
    """Return the plan of a golden topology for a release, with its credentials where there is a file of them."""
    credentials = TOPOLOGIES[name].with_suffix(".credentials.yaml")
    given = load_credentials(credentials) if credentials.exists() else None
    return plan(load(TOPOLOGIES[name], release=release), credentials=given)


def built(kubectl: str, folder: Path) -> list[Any]:
    """Return the documents that kubectl builds from a base."""
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return yaml.load_all(done.stdout)
