"""The first minute: a first topology file, and the schemas for editors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
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
        "mesh.yaml: already exists: choose another file, or overwrite it with --force\n",
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


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--cluster", "=x"), "cluster '=x' lacks its name or its network: write NAME or NAME=NETWORK."),
        (("--cluster", "a="), "cluster 'a=' lacks its name or its network: write NAME or NAME=NETWORK."),
        (("--cluster", "a", "--cluster", "a=n"), "cluster 'a' is given twice: leave one out."),
        (
            ("--cluster", "a", "--credential-name", "c"),
            "--credential-name has no use with an IP address, where istiod ends TLS: leave it out.",
        ),
        (("--cluster", "a", "-o", ""), "-o is empty: name a file."),
    ],
)
def test_wrong_options(words: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    """A wrong option is a wrong call, and writes nothing."""
    done = run("init", "--address", "192.0.2.1", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert problem in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_standard_output_and_new_folders(tmp_path: Path) -> None:
    """`-o -` prints the file, without a schema; folders that are not there are made."""
    printed = run(*WORDS, "-o", "-", cwd=tmp_path).stdout
    assert load(printed).config_cluster.name == "prod-eu"
    assert "yaml-language-server" not in printed
    assert list(tmp_path.iterdir()) == []
    assert run(*WORDS, "-o", "new/folder/mesh.yaml", cwd=tmp_path).returncode == 0
    assert load(tmp_path / "new/folder/mesh.yaml").config_cluster.name == "prod-eu"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals")
def test_asking(tmp_path: Path) -> None:
    """On a terminal wrong answers are told and asked for again, and the right ones make the file."""
    import pty  # not on every system

    main, side = pty.openpty()
    program = [sys.executable, "-c", "from extcp_manifests.cli import main; main()", "init", "--install", "sail"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        program, stdin=side, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment
    )
    os.write(main, b"localhost\nistiod.example.com\n\na,a\nprod-eu=eu, prod-us=us\n")
    output, errors = process.communicate(timeout=60)
    os.close(main)
    os.close(side)
    assert process.returncode == 0, errors
    assert b"is not fully qualified" in output + errors
    assert b"cluster 'a' is given twice" in output + errors
    topology = load(tmp_path / "mesh.yaml")
    assert (topology.install, topology.revision) == ("sail", "canary")
    assert [each.name for each in topology.mesh_clusters] == ["prod-eu", "prod-us"]
