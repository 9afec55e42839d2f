"""The library's output, byte for byte, for every release."""

import pytest
from goldens import GOLDEN, TOPOLOGIES, expected

from extcp_manifests.testing import GoldenManifests


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_output_is_as_stored(name: str, golden_manifests: GoldenManifests) -> None:
    """Every file of every release equals its golden; no golden is missing, left over or needless."""
    golden_manifests(expected(name), GOLDEN / name)


def test_no_golden_without_a_topology() -> None:
    """Every folder of golden/ belongs to a topology."""
    assert sorted(path.name for path in GOLDEN.iterdir()) == sorted(TOPOLOGIES)
