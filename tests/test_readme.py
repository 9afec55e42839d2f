"""What README.md says is true."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from extcp_manifests import InvalidInput, load, load_credentials, plan, yaml
from extcp_manifests.istio.operator.merging import overlay

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_first_example() -> None:
    """The topology at the top gives the files beside it."""
    shown = [line.partition(" # ")[2] for line in blocks("yaml")[0].splitlines()]
    names = re.findall(r"[\w.-]+\.(?:yaml|md)", "\n".join(shown[1:]))
    folders = re.findall(r"── (\w+)$", "\n".join(shown), re.MULTILINE)
    paths = [*plan(load(blocks("yaml")[0])).render(), "RUNBOOK.md"]
    assert sorted(names) == sorted(path.split("/")[-1] for path in paths)
    assert folders == ["external", "cluster1", "cluster2"]


def test_the_python_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The Python block runs and prints steps and a document."""
    script = tmp_path / "script.py"
    script.write_text(blocks("python")[0], "utf-8")
    with chdir(ROOT):
        runpy.run_path(str(script), run_name="__main__")
    output = capsys.readouterr().out
    assert output.startswith("external external/controlplane-gateway.yaml istioctl install ")
    assert yaml.load(output[output.index("apiVersion:") :])["kind"] == "IstioOperator"


def test_the_problems_shown() -> None:
    """The three problems are reported in these words."""
    wrong = (
        blocks("yaml")[0]
        .replace('"1.24"', "1.30")
        .replace("{ingress: true}", "{eastwest: true}")
        .replace("name: cluster2", "name: cluster1")
    )
    with pytest.raises(InvalidInput) as caught:
        load(wrong, name="mesh.yaml")
    assert str(caught.value) == "\n".join(blocks("console")[0].splitlines()[1:])


def test_the_mesh_config_explained() -> None:
    """The table is what the command prints for the two example files."""
    command, *table = blocks("console")[1].splitlines()
    words = command.removeprefix("$ extcp-manifests ").split()
    done = run(*words, cwd=ROOT / "examples/mesh_config")
    assert done.returncode == 0
    assert done.stdout.splitlines() == table


def test_the_credentials_shown() -> None:
    """The credentials file is accepted with a token in it."""
    text = next(block for block in blocks("yaml") if "kind: Credentials" in block)
    credentials = load_credentials(text.replace("the token of istio-reader-service-account in cluster2", "abc"))
    assert list(credentials) == ["cluster2"]


SECTIONS = ("In kustomize pipelines", "In GitOps", "In golden tests")


@pytest.mark.parametrize("section", SECTIONS)
def test_the_pipelines(section: str, kubectl: str, tmp_path: Path) -> None:
    """The lines of each use run as they are written, one section after the other, beside the examples."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    text = README.split(f"## {section}\n")[1].split("\n## ")[0]
    script = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    path = f"{Path(kubectl).parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "KUSTOMIZE_PLUGIN_HOME")}
    environment["PYTEST_ADDOPTS"] = "-p no:hypothesispytest"  # of no use there, and slow to import
    environment |= {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "PATH": path}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = {
        "In kustomize pipelines": "kind: VirtualService",
        "In GitOps": "Next: follow flux/NOTES.md, with the top of the repository as the current folder.",
        "In golden tests": "to be reviewed",
    }
    assert told[section] in done.stdout


def test_ci_runs_the_test_command() -> None:
    """CI runs the very command that README gives."""
    assert blocks("sh")[1].strip() in (ROOT / ".ci/run").read_text().splitlines()


def needs() -> list[str]:
    """The lines of the table of what installations need."""
    rows = re.findall(r"^\| [^|]+ \| `([^`]+)` \|$", README.partition("| need |")[2].partition("\n\n")[0], re.MULTILINE)
    assert len(rows) > 10
    return rows


@pytest.mark.parametrize("lines", needs())
def test_what_installations_need(lines: str) -> None:
    """Each line of the table is a part of a topology, and changes what is written or run."""
    spec: dict[str, Any] = yaml.load((ROOT / "examples/guide.yaml").read_bytes())
    added = yaml.load(lines)
    changed = overlay(spec, {"spec": added})
    if "tlsTermination" in added:
        del changed["spec"]["credentialName"]
    if "service" in added.get("istiod", {}):
        del changed["spec"]["gateway"]
    before, after = plan(load(spec)), plan(load(changed))
    assert [*before.files(), before.runbook()] != [*after.files(), after.runbook()]
