"""The first minute: a first topology file, and the schemas for editors."""

import json
from pathlib import Path

from command_line import run

from extcp_manifests import load
from extcp_manifests.schemas import install_schema
from extcp_manifests.topology.fleet_file import fleet_schema
from extcp_manifests.topology.topology_file import schema

WORDS = ("init", "--address", "istiod.example.com", "--cluster", "prod-eu=eu", "--cluster", "prod-us=us")


def test_init(tmp_path: Path) -> None:
    """A file that generates without a word is written, with its schema, and the next command is said."""
    done = run(*WORDS, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "mesh.yaml\nextcp-manifests.schema.json\n\nNext: extcp-manifests generate mesh.yaml -o out\n",
        "",
    )
    assert load(tmp_path / "mesh.yaml").config_cluster.name == "prod-eu"
    first = (tmp_path / "mesh.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=./extcp-manifests.schema.json"
    assert run("generate", "mesh.yaml", "-o", "out", cwd=tmp_path).returncode == 0


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    """A file that is there stays, unless --force is given; a wrong value writes nothing."""
    (tmp_path / "mesh.yaml").write_text("mine")
    done = run(*WORDS, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "mesh.yaml: is there already: name another file, or overwrite it by --force\n",
    )
    done = run("init", "--force", "--address", "short", "--cluster", "a", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "spec.address: 'short' is not fully qualified: give a host name with a dot that remote clusters can resolve\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mesh.yaml"]
    assert (tmp_path / "mesh.yaml").read_text() == "mine"
    assert run(*WORDS, "--force", "--no-schema", cwd=tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mesh.yaml"]


def test_init_without_a_terminal(tmp_path: Path) -> None:
    """What is not said by options is asked on terminals alone."""
    done = run("init", cwd=tmp_path)
    assert done.returncode == 2
    assert "no terminal to ask on: give --address and --cluster." in done.stderr


def test_published_schemas(tmp_path: Path) -> None:
    """The schemas in the package are what `schema` prints; to write them again, run it into their files."""
    assert json.loads(install_schema(tmp_path).read_text()) == schema()
    assert json.loads(install_schema(tmp_path, fleet=True).read_text()) == fleet_schema()


def test_schema_install(tmp_path: Path) -> None:
    """`schema --install` writes the file, and says by which comment editors find it."""
    done = run("schema", "--install", str(tmp_path))
    assert done.stdout == (
        f"{tmp_path / 'extcp-manifests.schema.json'}\n\n"
        "Next: begin your file with  # yaml-language-server: $schema=./extcp-manifests.schema.json\n"
    )
    assert run("schema", "gateway", "--install", str(tmp_path)).returncode == 2
