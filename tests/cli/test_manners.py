"""What all commands have in common: examples in their help, quiet runs, output for programs, completion."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from command_line import run

from extcp_manifests import load, plan
from extcp_manifests.cli import cli

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "examples/guide.yaml"


def commands(group: click.Group = cli, *above: str) -> Iterator[tuple[str, ...]]:
    """The words of every command, and of those below it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)
        else:
            yield (*above, name)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_help_has_an_example(words: tuple[str, ...]) -> None:
    """The help of each command ends with a call of it, whose options there are."""
    lines = run(*words, "--help").stdout.rstrip().splitlines()
    assert lines[-2] == "  Example:"
    program, *rest = shlex.split(lines[-1])
    assert program == "extcp-manifests"
    assert tuple(rest[: len(words)]) == words
    options = [word for word in rest if word.startswith("--")]
    assert all(any(f"{option} " in line or f"{option}\n" in f"{line}\n" for line in lines[:-1]) for option in options)


@pytest.mark.parametrize(
    "words",
    [
        ("generate", GUIDE, "-o", "out"),
        ("kustomize", GUIDE, "-o", "out"),
        ("argocd", GUIDE, "-o", "out", "--repo", "https://git.example.com/x"),
        ("flux", GUIDE, "-o", "out"),
        ("init", "--address", "h.example.com", "--cluster", "a"),
    ],
    ids=lambda words: str(words[0]),
)
def test_quiet(words: tuple[str | Path, ...], tmp_path: Path) -> None:
    """With -q what was done is not told, and problems still are."""
    done = run(*words, "-q", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_plans_for_programs() -> None:
    """The steps as JSON are those of the library."""
    steps = json.loads(run("plan", GUIDE, "--format", "json").stdout)
    assert [(step["path"], step["command"], step["undo"]) for step in steps] == [
        (step.path, str(step.command), [str(each) for each in step.undo]) for step in plan(load(GUIDE)).steps
    ]
    of_a_fleet = json.loads(run("plan", ROOT / "examples/fleet.yaml", "--format", "json").stdout)
    assert {step["folder"] for step in of_a_fleet} == {"gateway-hub-istio-system", "payments", "search", "lab"}


def test_files_for_programs(tmp_path: Path) -> None:
    """What is written, and what would change, are told as JSON."""
    written = json.loads(run("generate", GUIDE, "-o", "out", "--format", "json", cwd=tmp_path).stdout)
    assert (written["folder"], written["runbook"]) == ("out", "RUNBOOK.md")
    assert all((tmp_path / "out" / path).is_file() for path in written["files"])
    (tmp_path / "out/cluster1/namespace.yaml").unlink()
    done = run("generate", GUIDE, "-o", "out", "--check", "--format", "json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["changes"]) == (
        1,
        [{"path": "cluster1/namespace.yaml", "state": "missing"}],
    )
    (tmp_path / "out/cluster1/namespace.yaml").write_text("{}\n")
    done = run("generate", GUIDE, "-o", "out", "--diff", "--format", "json", cwd=tmp_path)
    assert {each["file"] for each in json.loads(done.stdout)["differences"]} == {"cluster1/namespace.yaml"}


def test_differences_for_programs(tmp_path: Path) -> None:
    """Differences as JSON have both values, but none of a Secret."""
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: VALUE}\n"
    for name, value in (("old", "first"), ("new", "second")):
        (tmp_path / f"{name}.yaml").write_text(secret.replace("VALUE", value))
    done = run("diff", "old.yaml", "new.yaml", "--format", "json", cwd=tmp_path)
    [change] = json.loads(done.stdout)
    assert (done.returncode, change["sign"], change["path"]) == (1, "~", "stringData.a")
    assert "first" not in done.stdout
    assert "second" not in done.stdout


def test_releases_and_paths_for_programs() -> None:
    """Releases, and injection paths, as JSON."""
    rows = json.loads(run("releases", "--format", "json").stdout)
    assert rows[0] == {"release": "1.15", "kubernetes": "1.22-1.25", "sailOperators": None, "changes": []}
    words = ("--cluster", "a/b", "--network", "n", "--format", "json")
    assert json.loads(run("inject", "encode", *words).stdout) == {"injectionPath": "/inject/cluster/a--slash--b/net/n"}
    decoded = json.loads(run("inject", "decode", "/inject/cluster/a--slash--b/net/n", "--format", "json").stdout)
    assert decoded == {"ISTIO_META_CLUSTER_ID": "a/b", "ISTIO_META_NETWORK": "n"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    """The program prints a script for each shell, and completes commands for it."""
    program = [sys.executable, "-c", "from extcp_manifests.cli import main; main()"]

    def completed(**variables: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
        return subprocess.run(program, env=environment, capture_output=True, text=True, check=False).stdout

    assert "extcp-manifests" in completed(_EXTCP_MANIFESTS_COMPLETE=f"{shell}_source")
    words = {"COMP_WORDS": "extcp-manifests gen", "COMP_CWORD": "1" if shell != "fish" else "gen"}
    assert "generate" in completed(_EXTCP_MANIFESTS_COMPLETE=f"{shell}_complete", **words)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
@pytest.mark.parametrize("words", ["generate -", "init --address h.example.com --cluster a"])
def test_closed_streams(closed: str, words: str, tmp_path: Path) -> None:
    """A standard stream that the caller has closed is an empty one, and no traceback."""
    program = f'{sys.executable} -c "from extcp_manifests.cli import main; main()"'
    command = ["bash", "-c", f"{program} {words} {closed}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    given = "" if closed == "<&-" else GUIDE.read_text()
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, input=given, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    expected = 1 if words == "generate -" and closed == "<&-" else 0
    assert done.returncode == expected


def test_baselines_are_written_over_alone(tmp_path: Path) -> None:
    """`--write-baseline` replaces another baseline, and no other file; files are known from the current folder."""
    (tmp_path / "mesh.yaml").write_text("a: [")
    done = run("validate", "mesh.yaml", "--write-baseline", "mesh.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "mesh.yaml: already exists and is not a baseline: choose another file\n",
    )
    assert (tmp_path / "mesh.yaml").read_text() == "a: ["
    for _ in range(2):
        assert run("validate", "mesh.yaml", "--write-baseline", "new/b.json", cwd=tmp_path).returncode == 0
    assert run("validate", tmp_path / "mesh.yaml", "--baseline", "new/b.json", cwd=tmp_path).returncode == 0
