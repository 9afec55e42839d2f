"""Names with line breaks and invisible characters, in every command: they forge no line and are printed as escapes."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from extcp_manifests import yaml

ROOT = Path(__file__).parents[1]
FORGED = "::error file=x.py::forged"
HOSTILE = (
    f"a\n{FORGED}",
    f"a\r{FORGED}",
    f"a\u2028{FORGED}",
    "\x1b[31mred",
    "\u202egnp.exe",
    "zero\u200bwidth",
    "\x9b2J",
)
RELEASE = ("--release", "1.30")


@pytest.fixture(params=HOSTILE, ids=ascii)
def hostile(request: pytest.FixtureRequest) -> str:
    text: str = request.param
    return text


def files(folder: Path, **documents: Any) -> Mapping[str, str]:
    """Write documents as JSON, which holds any text, and return their paths."""
    paths = {}
    for name, content in documents.items():
        path = folder / f"{name}.yaml"
        several = content if isinstance(content, list) else [content]
        path.write_text("\n---\n".join(json.dumps(each) for each in several) + "\n", encoding="utf-8")
        paths[name] = str(path)
    return paths


def topology(**spec: Any) -> dict[str, Any]:
    guide = yaml.load((ROOT / "examples/guide.yaml").read_bytes())
    return {**guide, "spec": {**guide["spec"], **spec}}


def operator(text: str) -> dict[str, Any]:
    """Return an IstioOperator that has a text wherever a name can be."""
    overlay = {"kind": "Deployment", "name": text, "patches": [{"path": f"spec.[{text}]", "value": text}]}
    other = {"kind": "Deployment", "name": "istiod", "patches": [{"path": f"spec.{text}", "value": text}]}
    return {
        "apiVersion": "install.istio.io/v1alpha1",
        "kind": "IstioOperator",
        "metadata": {"name": text, "namespace": text},
        "spec": {
            "components": {"pilot": {"k8s": {"overlays": [overlay, other]}}},
            "values": {"global": {"meshID": text, text: text}, text: {text: text}},
            text: text,
        },
    }


def gateway(text: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": text, "namespace": text},
        "spec": {"servers": [{"port": {"number": 1, "name": text, "protocol": text}, "hosts": [text]}], text: 1},
    }


def commands(folder: Path, text: str) -> Sequence[tuple[Sequence[str], str]]:
    """Return every command, with a text wherever it takes one: its words, and its standard input."""
    mesh = {
        "rootNamespace": text,
        "extensionProviders": [{"name": text}],
        "defaultConfig": {"proxyMetadata": {text: text}},
    }
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": text}, "data": {text: text}}
    given = files(
        folder,
        topology=topology(meshID=text, meshConfig={"accessLogFile": text}),
        names=topology(configCluster={"name": text, "network": text, "context": text, text: 1}),
        operator=operator(text),
        plain=operator("a"),
        gateways=[gateway(text), gateway(text), {"kind": text, "metadata": {"name": text}, "spec": 5}],
        rendered=[{"kind": "Deployment", "metadata": {"name": "istiod", "namespace": text}, "spec": {"a": text}}, item],
        mesh=mesh,
        unknown={text: text},
        credentials={"apiVersion": "extcp-manifests/v1", "kind": text, "clusters": {text: {text: text}}},
        items={"kind": "ResourceList", "items": [gateway(text), item], "functionConfig": topology(meshID=text)},
    )
    for name, content in (("old", f"1\n{text}\n2\n"), ("new", f"1\n{text}\n3\n")):
        (folder / name).mkdir()
        (folder / name / "notes.md").write_text(content, encoding="utf-8", newline="")
        (folder / name / "c.yaml").write_text(json.dumps(gateway(f"{text} {name}")), encoding="utf-8")
    overlays = ("patch", "--overlays", given["operator"], given["rendered"], *RELEASE)
    resource_list = Path(given["items"]).read_text(encoding="utf-8")
    return [
        *((("generate", given[name]), "") for name in ("topology", "names", "gateways")),
        (("generate", given["topology"], "-o", f"{folder}/out", "--credentials", given["credentials"]), ""),
        (("generate", text), ""),
        (("plan", "-"), json.dumps(topology(name=text))),
        (("inject", "encode", "--cluster", text, "--network", text), ""),
        (("inject", "encode", "--cluster", "a", "--network", "b", "--address", text), ""),
        (("inject", "decode", f"/inject/cluster/{text}/net/{text}/{text}/{text}"), ""),
        (("merge-mesh", "--shared", given["mesh"], "--local", given["unknown"], "--explain", *RELEASE), ""),
        (("merge-mesh", "--shared", given["mesh"], "--local", given["mesh"], *RELEASE), ""),
        (("compose", "-f", given["operator"], "-f", given["operator"], "--set", f"values.{text}={text}", *RELEASE), ""),
        (("compose", "-f", given["operator"], "--preview", *RELEASE), ""),
        (overlays, ""),
        ((*overlays, "--diff"), ""),
        ((*overlays, "--json6902"), ""),
        ((*overlays, "--component", text), ""),
        *(
            (("validate", given["gateways"], given["operator"], "--format", form, *RELEASE), "")
            for form in ("text", "json")
        ),
        (("validate", given["names"], given["mesh"], *RELEASE), ""),
        (("validate", given["names"], "--release", text), ""),
        (("kustomize", given["names"], "-o", f"{folder}/tree", "--overlay", text), ""),
        (("argocd", given["topology"], "-o", f"{folder}/apps", "--repo", text, "--path", text), ""),
        (("flux", given["topology"], "-o", f"{folder}/flux", "--source", text, "--here", text), ""),
        (("krm",), resource_list),
        (("plugin", "run", given["names"]), ""),
        (("diff", f"{folder}/old", f"{folder}/new"), ""),
        (("diff", given["gateways"], given["operator"]), ""),
        (("diff", given["gateways"], text), ""),
        ((text,), ""),
        (("generate", text, text, f"--{text}"), ""),
    ]


def test_no_command_prints_what_is_not_seen(hostile: str, tmp_path: Path) -> None:
    """Output has no control or format character but line ends, and no line is forged by a name with a line break."""
    for words, stdin in commands(tmp_path, hostile):
        done = run(*words, stdin=stdin)
        for line in (done.stdout + done.stderr).split("\n"):
            unseen = {character for character in line if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")}
            assert not unseen, (words, line)
            assert _is_data(words, done.stdout) or not line.strip().startswith("::"), (words, line)


def _is_data(words: Sequence[str], output: str) -> bool:
    """Return whether a command printed YAML, where text of several lines is a block below its key."""
    return words[0] in ("generate", "compose", "patch", "merge-mesh", "krm", "plugin") and ": " in output
