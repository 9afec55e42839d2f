"""The program that makes the schema data, run on small made-up files of two releases."""

import json
import runpy
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from extcp_manifests.istio.schema.tables import SCHEMAS

HERE = Path(__file__).parent
INPUTS = HERE / "inputs"
PROGRAM = runpy.run_path(str(HERE / "generate.py"))


def base_of(name: str) -> Any:
    """Return a schema file whose messages are by hand, or have such fields, and one message that is to go."""
    schema = json.loads((INPUTS / f"{name}.json").read_text("utf-8"))
    by_hand = {each: node for each, node in schema["$defs"].items() if "x-istio-by-hand" in json.dumps(node)}
    return {**schema, "$defs": {**by_hand, "Former": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("name", ["mesh_config", "networking", "values"])
def test_two_releases_are_merged(name: str) -> None:
    """What two releases have is one file, which says what is new, gone, or of another type in the second."""
    made = PROGRAM["generate"](name, INPUTS / name, base_of(name))
    assert made == (INPUTS / f"{name}.json").read_text("utf-8")


@pytest.mark.parametrize("name", ["mesh_config", "networking"])
def test_one_release_has_no_ranges(name: str, tmp_path: Path) -> None:
    """What holds in the only release is there without since and until."""
    shutil.copytree(INPUTS / name / "1.31", tmp_path / "1.31")
    made = PROGRAM["generate"](name, tmp_path, base_of(name))
    assert "x-istio-since" not in made
    assert "x-istio-until" not in made
    assert "anyOf" not in made


@pytest.mark.parametrize("name", SCHEMAS)
def test_files_are_written_as_the_program_writes_them(name: str) -> None:
    """A file that is changed by hand keeps the form that the program gives, one line for each field."""
    text = resources.files("extcp_manifests.istio.schema").joinpath("data", f"{name}.json").read_text("utf-8")
    assert PROGRAM["format_schema"](json.loads(text)) == text


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        ("string a = 1; other.Thing b = 2;", "other.Thing: no file has it: add the .proto file that does"),
        ("map string a = 1;", "'string' is not the '<' that was expected"),
    ],
)
def test_protos_that_are_not_understood_are_refused(proto: str, message: str, tmp_path: Path) -> None:
    """A type that no file has, and what is not protobuf's grammar, end the program with a sentence."""
    (tmp_path / "1.31").mkdir()
    text = f"package istio.mesh.v1alpha1; message MeshConfig {{ {proto} }}"
    (tmp_path / "1.31/config.proto").write_text(text)
    with pytest.raises(SystemExit, match=f"^{message}$"):
        PROGRAM["generate"]("mesh_config", tmp_path, base_of("mesh_config"))


def test_an_order_that_changed_is_refused(tmp_path: Path) -> None:
    """Keys that are in another order in another release have no one order of decoding."""
    for release, fields in (("1.30", "string a = 1; string b = 2;"), ("1.31", "string b = 2; string a = 1;")):
        (tmp_path / release).mkdir()
        text = f"package istio.mesh.v1alpha1; message MeshConfig {{ {fields} }}"
        (tmp_path / release / "config.proto").write_text(text)
    with pytest.raises(SystemExit, match=r"^MeshConfig: its keys changed their order"):
        PROGRAM["generate"]("mesh_config", tmp_path, base_of("mesh_config"))


def test_versions_that_differ_are_refused(tmp_path: Path) -> None:
    """Served versions of a CRD that say different things are not merged into one."""
    (tmp_path / "1.31").mkdir()
    crd = (INPUTS / "networking/1.31/crds.yaml").read_text()
    other = "schema: {openAPIV3Schema: {properties: {spec: {properties: {}}}}}"
    (tmp_path / "1.31/crds.yaml").write_text(crd.replace("schema: *schema", other))
    with pytest.raises(SystemExit, match=r"the served versions of Gateway differ"):
        PROGRAM["generate"]("networking", tmp_path, base_of("networking"))
