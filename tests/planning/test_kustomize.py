"""The kustomize tree, built by a real kubectl."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from bases import CASES, built, the_plan
from click.testing import CliRunner
from goldens import TOPOLOGIES

from extcp_manifests import InvalidInput, load, plan, yaml
from extcp_manifests.cli import cli
from extcp_manifests.errors import OutputError
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.istio.validation import validate_text

ROOT = Path(__file__).parents[2]
OPERATOR = {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator"}


def stored(folder: Path) -> list[Any]:
    """Return the documents in the files of a base."""
    files = yaml.load((folder / "kustomization.yaml").read_bytes())["resources"]
    return [document for file in files for document in yaml.load_all((folder / file).read_bytes())]


def bases(root: Path, *, below: str = "") -> Iterator[Path]:
    for path in sorted((root / below).rglob("kustomization.yaml")):
        if below or path.relative_to(root).parts[0] != "overlays":
            yield path.parent


@pytest.mark.parametrize(("name", "release"), CASES)
def test_every_base_is_what_we_wrote(kubectl: str, tmp_path: Path, name: str, release: str) -> None:
    """kubectl builds from the bases exactly the documents of the plan, in order."""
    source = the_plan(name, release)
    source.kustomize().write(tmp_path)
    folders = list(bases(tmp_path))
    with ThreadPoolExecutor() as pool:
        outputs = dict(zip(folders, pool.map(partial(built, kubectl), folders), strict=True))
    found: list[Any] = []
    for folder, documents in outputs.items():
        parts = folder.relative_to(tmp_path).parts
        if len(parts) == 1:
            stages = yaml.load((folder / "kustomization.yaml").read_bytes())["resources"]
            assert documents == [each for stage in stages for each in outputs[folder / stage]]
        elif parts[1] == "values":
            (config_map,) = documents
            assert (config_map["kind"], config_map["metadata"]) == ("ConfigMap", {"name": f"{parts[2]}-values"})
            found.append(yaml.load(config_map["data"]["values.yaml"]))
        else:
            assert documents == stored(folder)
            assert parts[1] != "install" or len(documents) == 1
            found += documents
    expected = [document for content in source.render().values() for document in yaml.load_all(content)]
    as_text = partial(json.dumps, sort_keys=True)
    assert sorted(map(as_text, found)) == sorted(map(as_text, expected))


PATCH = {
    **OPERATOR,
    "metadata": {"name": "external-istiod", "namespace": "external-istiod"},
    "spec": {
        "components": {
            "pilot": {
                "k8s": {
                    "env": [{"name": "CLUSTER_ID", "value": "other"}, {"name": "MINE", "value": "yes"}],
                    "overlays": [
                        {"kind": "Service", "name": "istiod", "patches": [{"path": "spec.x", "value": 1}]},
                        {"kind": "Deployment", "name": "istiod", "patches": [{"path": "spec.y", "value": 2}]},
                    ],
                }
            }
        }
    },
}


def patched(kubectl: str, folder: Path, patch: Any) -> Any:
    """Return what a strategic merge patch in an overlay makes of a base with one document."""
    kustomization = yaml.load((folder / "kustomization.yaml").read_bytes())
    (folder / "patch.yaml").write_text(yaml.dump(patch))
    (folder / "kustomization.yaml").write_text(yaml.dump({**kustomization, "patches": [{"path": "patch.yaml"}]}))
    (document,) = built(kubectl, folder)
    return document


def test_lists_merge_by_name(kubectl: str, tmp_path: Path) -> None:
    """A patch of one variable or one overlay keeps the others; an overlay's own patches are replaced."""
    tree = the_plan("guide", "1.31").kustomize(overlays=["prod"])
    tree.write(tmp_path)
    (before,) = stored(tmp_path / "external/install/external-istiod")
    after = patched(kubectl, tmp_path / "overlays/prod/external/install/external-istiod", PATCH)
    old, new = (document["spec"]["components"]["pilot"]["k8s"] for document in (before, after))
    values = {each["name"]: each["value"] for each in old["env"]} | {"CLUSTER_ID": "other", "MINE": "yes"}
    assert {each["name"]: each["value"] for each in new["env"]} == values
    assert len(new["env"]) == len(old["env"]) + 1
    overlays = {each["kind"]: [patch["path"] for patch in each["patches"]] for each in new["overlays"]}
    assert overlays == {"Service": ["spec.x"], "Deployment": ["spec.y"]}


def test_validate_tells_what_a_patch_took_away(kubectl: str, tmp_path: Path) -> None:
    """Up to 1.18, where values cannot mount, a patch of istiod's overlay takes both mounts away."""
    the_plan("guide", "1.18").kustomize().write(tmp_path)
    after = patched(kubectl, tmp_path / "external/install/external-istiod", PATCH)
    told = [(each.level, each.path) for each in validate_text("x", yaml.dump(after), release="1.18")]
    assert told == [
        ("error", "spec.components.pilot.k8s.env[0]"),  # CLUSTER_ID is another one than the values say
        ("error", "spec.components.pilot.k8s.overlays"),
        ("error", "spec.components.pilot.k8s.overlays"),
    ]


PORTS = [
    {"name": "status-port", "port": 15021, "targetPort": 15021},
    {"name": "tls-xds", "port": 15012, "targetPort": 15012},
    {"name": "tls-webhook", "port": 15017, "targetPort": 15017},
]


@pytest.mark.parametrize(
    ("ports", "merged"),
    [
        pytest.param(
            [{"name": "tls-webhook", "port": 443, "targetPort": 15017}],
            [{"name": "tls-webhook", "port": 443, "targetPort": 15017}, *PORTS[:2]],
            id="the port of a name is replaced",
        ),
        pytest.param(
            [{"name": "https", "port": 443, "targetPort": 8443}],
            [{"name": "https", "port": 443, "targetPort": 8443}, *PORTS],
            id="a port of another name is added",
        ),
        pytest.param([{"name": "tls-xds", "$patch": "delete"}], [PORTS[0], PORTS[2]], id="a port is deleted"),
        pytest.param([{"port": 443, "targetPort": 15017}], [], id="a port without a name empties the list"),
        pytest.param(
            [{"name": "tls-webhook", "port": 443}, {"port": 444}],
            [{"name": "tls-webhook", "port": 443, "targetPort": 15017}],
            id="beside others it loses itself and all that are not named",
        ),
    ],
)
def test_ports_merge_by_name(kubectl: str, tmp_path: Path, ports: Any, merged: Any) -> None:
    """A patch merges a port of the gateway's Service by its name; `validate` reports a Service without ports."""
    the_plan("guide", "1.31").kustomize().write(tmp_path)
    folder = tmp_path / "external/install/controlplane-gateway"
    (before,) = stored(folder)
    gateway = {"name": "istio-ingressgateway", "k8s": {"service": {"ports": ports}}}
    spec = {"components": {"ingressGateways": [gateway]}}
    after = patched(kubectl, folder, {**OPERATOR, "metadata": before["metadata"], "spec": spec})
    assert before["spec"]["components"]["ingressGateways"][0]["k8s"]["service"]["ports"] == PORTS
    assert after["spec"]["components"]["ingressGateways"][0]["k8s"]["service"]["ports"] == merged
    told = [result.path for result in validate_text("x", yaml.dump(after), release="1.31")]
    assert told == ([] if merged else ["spec.components.ingressGateways[0].k8s.service.ports"])


def test_overlays_merge_by_kind_and_name(kubectl: str, tmp_path: Path) -> None:
    """An overlay of another Deployment is added to that of istiod, which keeps its patches."""
    folder = tmp_path / "base"
    added = {"kind": "Deployment", "name": "other", "patches": [{"path": "spec.x", "value": 1}]}
    ours = {"kind": "Deployment", "name": "istiod", "patches": [{"path": "spec.y", "value": 2}]}
    after = patched_operator(kubectl, folder, with_pilot(overlays=[ours]), with_pilot(overlays=[added]))
    assert after["spec"]["components"]["pilot"]["k8s"]["overlays"] == [added, ours]


@pytest.mark.parametrize("key", ["values", "unvalidatedValues"])
def test_mounts_in_values_merge(kubectl: str, tmp_path: Path, key: str) -> None:
    """Volumes of the chart merge by name, mounts by their path."""
    base = {
        "volumes": [{"name": "config-volume", "configMap": {"name": "istio"}}],
        "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/istio/config"}],
    }
    patch = {
        "volumes": [{"name": "ca", "secret": {"secretName": "ca"}}],
        "volumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}, {"mountPath": "/etc/istio/config", "readOnly": True}],
    }
    before, over = ({key: {"pilot": pilot}} for pilot in (base, patch))
    after = patched_operator(kubectl, tmp_path / "base", before, over)["spec"][key]["pilot"]
    assert sorted(each["name"] for each in after["volumes"]) == ["ca", "config-volume"]
    assert {each["mountPath"]: each for each in after["volumeMounts"]} == {
        "/etc/ca": {"name": "ca", "mountPath": "/etc/ca"},
        "/etc/istio/config": {"name": "config-volume", "mountPath": "/etc/istio/config", "readOnly": True},
    }


def with_pilot(**k8s: Any) -> Any:
    return {"components": {"pilot": {"k8s": k8s}}}


def patched_operator(kubectl: str, folder: Path, before: Any, patch: Any) -> Any:
    """Return what a patch makes of an IstioOperator by the schema in every base."""
    the_plan("guide", "1.31").kustomize().write(folder)
    base = folder / "external/install/external-istiod"
    metadata = {"name": "external-istiod", "namespace": "external-istiod"}
    (base / "external-istiod.yaml").write_text(yaml.dump({**OPERATOR, "metadata": metadata, "spec": before}))
    return patched(kubectl, base, {**OPERATOR, "metadata": metadata, "spec": patch})


def test_what_a_patch_does_not_name_stays(kubectl: str, tmp_path: Path) -> None:
    """A patch of replicas keeps all four patches of istiod's overlay, in which two paths appear twice."""
    the_plan("guide", "1.18").kustomize().write(tmp_path)
    folder = tmp_path / "external/install/external-istiod"
    (before,) = stored(folder)
    k8s = {"replicaCount": 2, "env": [{"name": "MINE", "value": "x"}]}
    after = patched(kubectl, folder, {**PATCH, "spec": {"components": {"pilot": {"k8s": k8s}}}})
    old, new = (document["spec"]["components"]["pilot"]["k8s"] for document in (before, after))
    assert (new["overlays"], new["replicaCount"]) == (old["overlays"], 2)
    assert len(new["overlays"][0]["patches"]) == 4


def test_bases_keep_the_plans_order() -> None:
    """What comes after an installation in the plan is in a base of its own, which also comes after it."""
    tree = the_plan("guide", "1.31").kustomize()
    places = {path: index for index, step in enumerate(placed.step for placed in tree.placed()) if (path := step.path)}
    routing = "external/start-the-control-plane-2/external-istiod-gw.yaml"
    assert places[routing] > places["external/install/external-istiod/external-istiod.yaml"]
    assert places["external/start-the-control-plane/namespace.yaml"] < places[routing]
    token = next(
        step for step in the_plan("hostile", "1.31").kustomize().runbook_steps if "reader-token" in str(step.path)
    )
    assert str(token.path).split("/")[1] == "join-the-further-clusters-2"


def test_gateways_and_their_ports_merge(kubectl: str, tmp_path: Path) -> None:
    """A patch of one gateway's port keeps the gateway's other ports and settings."""
    the_plan("guide", "1.31").kustomize().write(tmp_path)
    folder = tmp_path / "cluster1/install/eastwest-gateway"
    (before,) = stored(folder)
    (gateway,) = before["spec"]["components"]["ingressGateways"]
    port = {"name": "tls", "port": 15443, "nodePort": 31443}
    change = {"name": gateway["name"], "k8s": {"service": {"ports": [port]}}}
    patch = {**OPERATOR, "metadata": before["metadata"], "spec": {"components": {"ingressGateways": [change]}}}
    after = patched(kubectl, folder, patch)
    (changed,) = after["spec"]["components"]["ingressGateways"]
    old, new = ({each["port"]: each for each in one["k8s"]["service"]["ports"]} for one in (gateway, changed))
    assert {number: each.get("nodePort") for number, each in new.items()} == {**dict.fromkeys(old), 15443: 31443}
    assert changed["k8s"]["env"] == gateway["k8s"]["env"]
    assert {key: value for key, value in changed.items() if key != "k8s"} == {
        key: value for key, value in gateway.items() if key != "k8s"
    }


def test_overlays_are_the_users(tmp_path: Path) -> None:
    """A further run adds overlays for new bases, and neither changes nor removes those that exist."""
    run = CliRunner().invoke
    command = ["kustomize", str(TOPOLOGIES["guide"]), "-o", str(tmp_path), "--overlay", "prod"]
    assert run(cli, command).exit_code == 0
    kept, gone = (tmp_path / f"overlays/prod/{name}/kustomization.yaml" for name in ("cluster1", "cluster2"))
    kept.write_text("# mine\n")
    gone.unlink()
    assert run(cli, command).exit_code == 0
    assert kept.read_text() == "# mine\n"
    assert gone.exists()
    assert run(cli, [*command, "--check"]).exit_code == 0
    added = run(cli, [*command[:-1], "test", "--check"]).output.splitlines()
    assert f"{tmp_path / 'overlays/test/cluster1/kustomization.yaml'}: new" in added
    assert run(cli, command[:-2]).exit_code == 0
    assert kept.exists()


def test_overlays_that_are_a_link(tmp_path: Path) -> None:
    """Where `overlays` is a link, nothing is written at all."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/overlays").symlink_to(tmp_path / "elsewhere")
    command = ["kustomize", str(TOPOLOGIES["guide"]), "-o", str(tmp_path / "out"), "--overlay", "prod"]
    with pytest.raises(OutputError, match=r"is where a folder of the output belongs: move it away$"):
        CliRunner().invoke(cli, command, catch_exceptions=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["overlays"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "A", "", "a/b"])
def test_overlays_stay_inside(name: str, tmp_path: Path) -> None:
    """An overlay name that is not a DNS label is refused, so that it cannot be a path; nothing is written then."""
    command = ["kustomize", str(TOPOLOGIES["guide"]), "-o", str(tmp_path / "out"), "--overlay", name]
    with pytest.raises(InvalidInput, match=r"^overlay: .* is not a valid DNS label"):
        CliRunner().invoke(cli, command, catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_named_overlays() -> None:
    """A cluster named `overlays` has another folder, so that it cannot collide with overlays."""
    text = TOPOLOGIES["guide"].read_text().replace("cluster2", "overlays")
    folders = {path.split("/")[0] for path, _ in plan(load(text.encode())).kustomize().files()}
    assert folders == {
        "external",
        "cluster1",
        "overlays-" + next(f for f in folders if f[:9] == "overlays-")[9:],
        "RUNBOOK.md",
    }


def test_secrets_have_bases_of_their_own(tmp_path: Path) -> None:
    """A file with a token is readable by its owner alone, and in a base of its own."""
    the_plan("hostile", "1.31").kustomize().write(tmp_path)
    secrets = [
        path for path in tmp_path.rglob("*.yaml") if "kind: Secret" in path.read_text() and "token:" in path.read_text()
    ]
    assert len(secrets) > 1
    for path in secrets:
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.parent.name == "secrets"


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("overlays", [(), ("prod",)])
def test_the_runbook_reads_the_bases(release: str, overlays: tuple[str, ...]) -> None:
    """Every path in a command is a base, a file of the tree or one built before, and each base is deleted once.

    With an overlay all bases are those of the overlay.
    """
    tree = the_plan("guide", release).kustomize(overlays=overlays)
    files = {path for path, _ in tree.files()} | {entry.path for entry in tree.skeletons()}
    above = f"overlays/{overlays[0]}/" if overlays else ""
    folders = {path.rpartition("/")[0] for path in files}
    deleted = []
    for step in tree.runbook_steps:
        for command in (step.command, *step.undo):
            build_output = ""
            rendered = [pipeline.into for pipeline in command.pipelines]
            for argv in command.programs:
                if argv[:2] == ("kubectl", "kustomize"):
                    assert argv[2] in folders
                    assert argv[2].startswith(above)
                    build_output = argv[argv.index("-o") + 1]
                    assert build_output not in files
                for option, word in pairwise(argv):
                    if option == "-k":
                        assert word in folders
                        assert word.startswith(above)
                        deleted += [word] if "delete" in argv else []
                    if option == "-f":
                        assert word in (*files, build_output, *rendered, "-")
    assert len(deleted) == len(set(deleted)) > 3


def test_nothing_is_read_before_it_is_built() -> None:
    """What istioctl reads is built into a file first, and only read if that succeeded."""
    tree = the_plan("guide", "1.30").kustomize(overlays=["prod"])
    [step] = [
        step for step in tree.runbook_steps if step.path == "external/install/external-istiod/external-istiod.yaml"
    ]
    base = "overlays/prod/external/install/external-istiod"
    assert str(step.command) == (
        f"kubectl kustomize {base} -o {base}/built.yaml &&\n"
        f"istioctl install -y --context=ctx-external -f {base}/built.yaml"
    )


def test_values_of_charts_have_a_further_file_in_overlays() -> None:
    """Helm reads the base's values, then those of the overlay, which the skeleton has from the start."""
    text = TOPOLOGIES["guide"].read_text().replace("{ingress: true,", "{install: helm, ingress: true,")
    tree = plan(load(text)).kustomize(overlays=["prod"])
    [step] = [step for step in tree.runbook_steps if step.path and step.path.endswith("ingressgateway/values.yaml")]
    more = "overlays/prod/cluster1/values/istio-ingressgateway/values.yaml"
    assert str(step.command).endswith(f"-f cluster1/values/istio-ingressgateway/values.yaml -f {more}")
    assert {entry.path: b"".join(entry.pieces) for entry in tree.skeletons()}[more] == (
        b"# Values that beat those of the base.\n{}\n"
    )


def test_each_of_several_overlays_has_a_runbook() -> None:
    """With one overlay RUNBOOK.md reads it; with several each has a runbook of its own."""
    source = the_plan("guide", "1.30")
    one, two = (dict(source.kustomize(overlays=names).files()) for names in (["a"], ["a", "b"]))
    assert b"overlays/a/" in one["RUNBOOK.md"]
    assert sorted(path for path in two if "RUNBOOK" in path) == ["RUNBOOK-a.md", "RUNBOOK-b.md"]
    assert b"overlays/b/" in two["RUNBOOK-b.md"]
    assert b"overlays/a/" not in two["RUNBOOK-b.md"]


def test_overlays_that_stand_over_nothing(tmp_path: Path) -> None:
    """Overlays of clusters that have left the topology are reported with the command that removes them."""
    text = TOPOLOGIES["guide"].read_text()
    CliRunner().invoke(cli, ["kustomize", "-", "-o", str(tmp_path), "--overlay", "prod"], input=text)
    without = text.split("  remoteClusters:")[0]
    done = CliRunner().invoke(cli, ["kustomize", "-", "-o", str(tmp_path), "--overlay", "prod"], input=without)
    assert done.stderr == (
        f"warning: {tmp_path}/overlays/prod/cluster2: is an overlay of a base that is gone: "
        f"remove it with `rm -r {tmp_path}/overlays/prod/cluster2`\n"
    )
    done = CliRunner().invoke(cli, ["kustomize", "-", "-o", str(tmp_path)], input=text)
    assert done.stderr == (
        f"warning: {tmp_path}/overlays/prod: is not read by any command of the runbook: add --overlay prod\n"
    )


def test_a_thousand_clusters_stay_small() -> None:
    """However many clusters there are, no base has more documents than one cluster."""
    topology = load(TOPOLOGIES["guide"])
    (remote,) = topology.remote_clusters
    many = tuple(
        replace(remote, name=f"c{number}", network=f"n{number}", context=f"x{number}") for number in range(200)
    )
    big = plan(topology.model_copy(update={"remote_clusters": many})).kustomize()
    sizes: dict[str, int] = {}
    for path, _ in big.files():
        folder = path.rpartition("/")[0]
        sizes[folder] = sizes.get(folder, 0) + 1
    assert max(sizes.values()) < 10
    assert len(sizes) > 800


def test_steps_are_a_sequence() -> None:
    """The steps of the tree are as many as the plan's, in the same order, forwards and backwards."""
    source = the_plan("guide", "1.24")
    relocated = source.kustomize().runbook_steps
    assert len(relocated) == len(source.steps)
    assert [step.why for step in relocated] == [step.why for step in source.steps]
    assert list(reversed(relocated)) == list(relocated)[::-1]
    assert relocated[0] == relocated[:1][0] == source.steps[0].with_(path=relocated[0].path, action=relocated[0].action)


def test_kubectl_is_there_in_ci(kubectl: str) -> None:
    """The tests of this file run with the kubectl that a Python package brings."""
    assert shutil.which(kubectl)
