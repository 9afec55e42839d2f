"""The library's output, byte for byte, for every release."""

import pytest
from goldens import GOLDEN, TOPOLOGIES, expected, stored, update


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_output_is_as_stored(name: str, update_golden: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file of every release equals its golden; none is missing, left over or stored without need."""
    if update_golden:
        changed = update(name)
        with capsys.disabled():
            print(f"\ngolden/{name}: {len(changed)} files changed", *changed, sep="\n  ")
    old, new = stored(name), expected(name)
    assert sorted(old) == sorted(new), "files missing or left over: run pytest --update-golden and read the change"
    for path, content in new.items():
        assert old[path].decode() == content.decode(), f"golden/{name}/{path}"


def test_no_golden_without_a_topology() -> None:
    """Every folder of golden/ belongs to a topology."""
    assert sorted(path.name for path in GOLDEN.iterdir()) == sorted(TOPOLOGIES)
