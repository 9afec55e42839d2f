"""The examples do what they say."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import command_line
import pytest

from extcp_manifests import yaml
from extcp_manifests.pipelines.krm import run

EXAMPLES = Path(__file__).parents[1] / "examples"
PRINTED = {
    "many_clusters": "3008 files, the last one RUNBOOK.md\n",
    "remote_secrets": "remote-secret-cluster2.yaml 0o600\n",
    "wrong_input": "remote_clusters[0].network: 'eu/west' is not a valid label value: ",
    "one_document": "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\n",
    "steps": "external  istioctl install -y --context=ctx-external -f external/controlplane-gateway.yaml\n",
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example(path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each script runs unchanged and begins by printing what is expected."""
    monkeypatch.setattr("tempfile.tempdir", str(memory))
    runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.startswith(PRINTED[path.stem])


def test_the_repository_of_goldens(tmp_path: Path) -> None:
    """The example of a repository with golden manifests passes unchanged."""
    shutil.copytree(EXAMPLES / "golden", tmp_path / "golden")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "golden"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_plugin_of_argo_cd(tmp_path: Path) -> None:
    """The config management plugin's command emits the documents of the folder it is for."""
    plugin = yaml.load((EXAMPLES / "argocd/plugin.yaml").read_bytes())
    shutil.copy(EXAMPLES / "kustomize/mesh.yaml", tmp_path / plugin["spec"]["discover"]["fileName"])
    name, *words = plugin["spec"]["generate"]["command"]
    assert name == "extcp-manifests"
    done = command_line.run(*words, cwd=tmp_path)
    assert done.returncode == 0
    assert [each["kind"] for each in yaml.load_all(done.stdout)][:2] == ["Namespace", "Gateway"]


def test_the_configuration_of_the_function() -> None:
    """The topology of the KRM example is answered with documents, and the image runs the command that is tested."""
    config = yaml.load((EXAMPLES / "krm/function.yaml").read_bytes())
    answer = run(yaml.dump({"kind": "ResourceList", "items": [], "functionConfig": config}))
    assert (answer.failed, [each["kind"] for each in answer.resource_list["items"]]) == (False, ["Namespace"])
    assert 'ENTRYPOINT ["extcp-manifests", "krm"]' in (EXAMPLES / "krm/Containerfile").read_text()
