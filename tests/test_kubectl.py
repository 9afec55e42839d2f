"""Every golden through a real kubectl: Go reads the documents as we mean them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from goldens import GOLDEN

from extcp_manifests import yaml

NEWEST = [
    max((folder for folder in topology.iterdir() if folder.is_dir()), key=lambda folder: int(folder.name[2:]))
    for topology in sorted(GOLDEN.iterdir())
]


def plain_annotations(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without the annotation that the test adds."""
    metadata = {**document["metadata"]}
    annotations = {key: value for key, value in metadata.pop("annotations", {}).items() if key != "x"}
    return {**document, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}


@pytest.mark.parametrize("epoch", NEWEST, ids=lambda epoch: f"{epoch.parent.name}-{epoch.name}")
def test_documents(kubectl: str, tmp_path: Path, epoch: Path) -> None:
    """kubectl reads every document of an epoch as our own reader does."""
    expected = []
    for path in sorted(epoch.rglob("*.yaml")):
        expected += [document for document in yaml.load_all(path.read_bytes()) if "kind" in document]
    together = tmp_path / "all.yaml"
    together.write_text(yaml.dump_all(expected), encoding="utf-8")
    command = [kubectl, "annotate", "--local", "-f", str(together), "x=y", "-o", "json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    read, decoder = [], json.JSONDecoder()
    while output.strip():
        document, end = decoder.raw_decode(output.lstrip())
        read.append(plain_annotations(document))
        output = output.lstrip()[end:]
    assert len(read) == len(expected) > 5
    assert read == expected
