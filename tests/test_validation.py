"""Validation of whole texts."""

from pathlib import Path

import pytest

from extcp_manifests.validation import validate_text

GUIDE = (Path(__file__).parents[1] / "examples/guide.yaml").read_text("utf-8")
MESH_CONFIG = "{accessLogFile: /dev/stdout}"


@pytest.mark.parametrize(
    ("release", "mesh_config", "told"),
    [
        ("1.24", MESH_CONFIG, []),
        ("1.19", "{connectTimeout: 40s}", ["error: spec.meshConfig.connectTimeout: is '40s': use whole milliseconds"]),
        ("1.20", "{connectTimeout: 40s}", []),
        ("1.24", "{connectTimeout: 40}", ["error: spec.meshConfig.connectTimeout: must be a duration such as 10s"]),
        (
            "1.15",
            "{extensionProviders: [{name: a, opentelemetry: {service: a.b, port: 1}}]}",
            ["error: spec.meshConfig.extensionProviders[0].opentelemetry: is known to Istio from 1.16"],
        ),
    ],
)
def test_the_mesh_config_of_a_topology(release: str, mesh_config: str, told: list[str]) -> None:
    """A topology's mesh config is checked by the rules of its own release, whatever release is asked for."""
    text = GUIDE.replace('release: "1.24"', f'release: "{release}"').replace(MESH_CONFIG, mesh_config)
    found = [f"{each.level}: {each.path}: {each.message}" for each in validate_text("f", text, release="1.30")]
    assert len(found) == len(told)
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True))
