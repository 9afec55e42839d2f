"""The examples do what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
PRINTED = {
    "many_clusters": "3008 files, the last one RUNBOOK.md\n",
    "remote_secrets": "remote-secret-cluster2.yaml 0o600\n",
    "wrong_input": "remote_clusters[0].network: 'eu/west' is no label value: ",
    "one_document": "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\n",
    "steps": "external  istioctl install -y --context=ctx-external -f external/controlplane-gateway.yaml\n",
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example(path: Path) -> None:
    """Each script runs as it stands and begins by printing what is expected of it."""
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(PRINTED[path.stem])
