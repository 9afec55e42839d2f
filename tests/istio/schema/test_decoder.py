"""What the decoder makes of plain data."""

import pytest

from extcp_manifests.istio.releases import find_release
from extcp_manifests.istio.schema.decoder import Finding, decode
from extcp_manifests.istio.schema.tables import read_schema


@pytest.mark.parametrize(("size", "is_valid"), [(2**32 - 1, True), (2**32, False)])
def test_the_least_size_of_a_zone_has_32_bits(size: int, is_valid: bool) -> None:
    """minClusterSize is an unsigned integer of 32 bits, as in Istio 1.31.0; before that release it had 64."""
    data = {"zoneAwareLbSetting": {"minClusterSize": size}}
    decoded = decode(read_schema("mesh_config"), "MeshConfig", data, find_release("1.31"))
    wrong = f"must be a whole number from 0 to 4294967295, not the number {size}"
    errors = [] if is_valid else [Finding(("zoneAwareLbSetting", "minClusterSize"), wrong)]
    assert decoded.errors == errors
