"""The published JSON Schemas of this library's own files, by the version of their API.

They are what `extcp-manifests schema` prints; editors read them as files.
"""

from pathlib import Path

SCHEMA_FILE = "extcp-manifests.schema.json"
"""The name under which editors find the schema of a topology file."""


FLEET_SCHEMA_FILE = "extcp-manifests-fleet.schema.json"
"""The same for a file of several control planes."""


def install_schema(folder: Path, *, fleet: bool = False) -> Path:
    """Write a schema into a folder, and return the file's path. Raises OSError where that cannot be."""
    source = Path(__file__).parent / "v1" / ("fleet.json" if fleet else "topology.json")
    target = folder / (FLEET_SCHEMA_FILE if fleet else SCHEMA_FILE)
    folder.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return target
