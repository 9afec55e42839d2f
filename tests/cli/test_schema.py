"""The command `schema`."""

import json

import pytest
from command_line import run

from extcp_manifests.istio.schema.json_schema import EDITOR_SCHEMAS, editor_schema
from extcp_manifests.topology.topology_file import schema

NAMES = "mesh-config, istio-operator, values, gateway, virtual-service"


def test_without_a_name_it_is_the_topology() -> None:
    """Without a name the JSON Schema of a topology file is printed, as it always was."""
    done = run("schema")
    assert (done.returncode, done.stdout, done.stderr) == (0, json.dumps(schema(), indent=2) + "\n", "")


@pytest.mark.parametrize("name", EDITOR_SCHEMAS)
def test_with_a_name_it_is_for_editors(name: str) -> None:
    """With a name and a release the JSON Schema of Istio's document is printed."""
    done = run("schema", name, "--release", "1.30")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == editor_schema(name, release="1.30")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("mesh-config", "--release", "1.99"), 1, "release: '1.99' is not a known Istio release: known are 1.15 to "),
        (("mesh-config",), 2, "Error: mesh-config needs --release R: name the Istio minor, such as "),
        (("--release", "1.30"), 2, f"Error: --release needs NAME: {NAMES} or destination-rule."),
        (("gatewy", "--release", "1.30"), 2, "Error: Invalid value for '[NAME]': 'gatewy' is not one of '"),
    ],
)  # fmt: skip
def test_refusals(words: tuple[str, ...], code: int, message: str) -> None:
    """An unknown name or release, and a name or release that is missing, are refused with the way out."""
    done = run("schema", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
