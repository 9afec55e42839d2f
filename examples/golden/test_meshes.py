"""Golden tests of a mesh: `pytest` compares, `pytest --extcp-update-golden` writes what is new, a review decides."""

from pathlib import Path

import pytest

from extcp_manifests import load, plan
from extcp_manifests.testing import GoldenManifests

MESHES = Path(__file__).parent / "meshes"


@pytest.mark.parametrize("mesh", ["production"])
def test_manifests(mesh: str, golden_manifests: GoldenManifests) -> None:
    """What a topology gives is what was reviewed."""
    golden_manifests(plan(load(MESHES / f"{mesh}.yaml")), f"golden/{mesh}")
