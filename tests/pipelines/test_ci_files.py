"""The files by which pre-commit, GitHub and GitLab run this library: what they call is there, and does its work."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from extcp_manifests import yaml

ROOT = Path(__file__).parents[2]
HOOKS: list[dict[str, Any]] = yaml.load((ROOT / ".pre-commit-hooks.yaml").read_bytes())
ACTION: dict[str, Any] = yaml.load((ROOT / ".github/actions/validate/action.yml").read_bytes())


def repository(folder: Path) -> None:
    """A repository of a user: a topology, and what is generated of it."""
    (folder / "mesh.yaml").write_bytes((ROOT / "examples/guide.yaml").read_bytes())
    assert run("generate", "mesh.yaml", "-o", "out", cwd=folder).returncode == 0


def entry(hook: str) -> list[str]:
    """The words by which pre-commit runs a hook, without the program."""
    (found,) = [each["entry"] for each in HOOKS if each["id"] == hook]
    program, *words = str(found).split()
    assert program == "extcp-manifests"
    return words


def test_hooks(tmp_path: Path) -> None:
    """The hooks pass where all is right, and fail where it is not, as the example configures them."""
    repository(tmp_path)
    config: Any = yaml.load((ROOT / "examples/ci/pre-commit-config.yaml").read_bytes())
    validate, generate = config["repos"][0]["hooks"]
    pattern = re.compile(validate["files"])
    files = [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*.yaml"))]
    assert all(map(pattern.search, files))
    assert run(*entry(validate["id"]), *validate["args"], *files, cwd=tmp_path).returncode == 0
    assert run(*entry(generate["id"]), *generate["args"], cwd=tmp_path).returncode == 0
    (tmp_path / "out/cluster1/namespace.yaml").write_text("{}")
    assert run(*entry(generate["id"]), *generate["args"], cwd=tmp_path).returncode == 1


@pytest.mark.parametrize(("broken", "code"), [(False, 0), (True, 1)])
def test_the_action(broken: bool, code: int, tmp_path: Path) -> None:
    """The steps of the action write SARIF and commands of GitHub, and fail where documents are wrong."""
    repository(tmp_path)
    if broken:
        gateway = tmp_path / "out/external/external-istiod-gw.yaml"
        gateway.write_text(gateway.read_text().replace("number: 15012", "number: 0"))
    program = tmp_path / "runner/extcp-manifests/bin/extcp-manifests"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from extcp_manifests.cli import main; main()" "$@"\n')
    program.chmod(0o755)
    inputs = {"FILES": "mesh.yaml out", "RELEASE": "1.24", "SARIF": "report.sarif"}
    inputs |= {"TOPOLOGY": "mesh.yaml", "OUTPUT": "out", "RUNNER_TEMP": str(tmp_path / "runner")}
    _, validate, compare = ACTION["runs"]["steps"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **inputs}
    assert set(validate["env"]) | set(compare["env"]) < set(inputs)
    for step in (validate, compare):
        words = ["bash", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(words, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
    assert '"version": "2.1.0"' in (tmp_path / "report.sarif").read_text()


def test_examples_name_what_is_there() -> None:
    """The examples call the action, the template and the release that this repository has."""
    workflow: Any = yaml.load((ROOT / "examples/ci/github-workflow.yml").read_bytes())
    used = workflow["jobs"]["validate"]["steps"][1]
    folder, _, _ = used["uses"].removeprefix("OWNER/extcp_manifests/").partition("@")
    assert (ROOT / folder / "action.yml").is_file()
    assert set(used["with"]) <= set(ACTION["inputs"])
    pipeline: Any = yaml.load((ROOT / "examples/ci/gitlab-ci.yml").read_bytes())
    template: Any = yaml.load((ROOT / pipeline["include"][0]["file"].lstrip("/")).read_bytes())
    (job,) = template
    assert set(pipeline[job]["variables"]) <= set(template[job]["variables"])
