"""The documents for Argo CD and Flux."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bases import CASES, the_plan
from click.testing import CliRunner
from goldens import TOPOLOGIES

from extcp_manifests import InvalidInput, load, plan, yaml
from extcp_manifests.cli import cli
from extcp_manifests.pipelines.argocd import argocd
from extcp_manifests.pipelines.flux import flux
from extcp_manifests.pipelines.parts import Repository
from extcp_manifests.planning.folder.listing import Owner
from extcp_manifests.planning.folder.writing import Entry, write

REPOSITORY = Repository(url="https://git.example.com/mesh.git", revision="v1", path="meshes/one")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

# The keys that the tools know, of those that are used here; lists of keys are required.
# argoproj/argo-cd: docs/operator-manual/application.yaml; fluxcd/kustomize-controller: docs/spec/v1/kustomizations.md;
# fluxcd/helm-controller: docs/spec/v2/helmreleases.md; fluxcd/source-controller: docs/spec/v1/helmrepositories.md.
KNOWN: dict[str, dict[str, set[str]]] = {
    "argoproj.io/v1alpha1 Application": {
        "required": {"project", "destination"},
        "allowed": {"source", "sources", "syncPolicy", "ignoreDifferences"},
    },
    "kustomize.toolkit.fluxcd.io/v1 Kustomization": {
        "required": {"interval", "prune", "sourceRef"},
        "allowed": {"path", "wait", "dependsOn", "kubeConfig", "patches"},
    },
    "helm.toolkit.fluxcd.io/v2 HelmRelease": {
        "required": {"interval", "chart"},
        "allowed": {
            *("releaseName", "targetNamespace", "storageNamespace", "kubeConfig", "values"),
            *("install", "upgrade", "dependsOn", "driftDetection"),
        },
    },
    "source.toolkit.fluxcd.io/v1 HelmRepository": {"required": {"url"}, "allowed": {"interval"}},
}


def documents(entries: Any) -> list[Any]:
    """Return the documents of all files but the notes, in their order."""
    found: list[Entry] = list(entries)
    assert found[-1].path == "NOTES.md"
    return [yaml.load(b"".join(entry.pieces)) for entry in found[:-1]]


def notes(entries: Any) -> str:
    return b"".join(list(entries)[-1].pieces).decode()


@pytest.mark.parametrize(("name", "release"), CASES)
def test_documents_have_the_keys_of_their_kind(name: str, release: str) -> None:
    """Each document has the keys that its kind requires and no unknown one; names are labels, each used once."""
    plan = the_plan(name, release)
    for found in (documents(argocd(plan, REPOSITORY)), documents(flux(plan, REPOSITORY))):
        for document in found:
            keys = KNOWN[f"{document['apiVersion']} {document['kind']}"]
            spec = set(document["spec"])
            assert spec >= keys["required"]
            assert spec <= keys["required"] | keys["allowed"]
        names = [document["metadata"]["name"] for document in found]
        assert len(set(names)) == len(names) > 4
        assert all(NAME.fullmatch(each) for each in names)


@pytest.mark.parametrize(("name", "release"), CASES)
def test_everything_of_the_tree_is_there_once(name: str, release: str) -> None:
    """Each base is one Application, but for those of Secrets; for an IstioOperator it is the rendered manifest.

    Values of a chart are in the Application itself, and with an overlay in two files.
    """
    plan = the_plan(name, release)
    files = dict(plan.kustomize().files())
    bases = {
        path.rpartition("/")[0].replace("/install/", "/rendered/")
        for path in files
        if path.count("/") > 1 and "/secrets/" not in path
    }
    charts = sorted(base for base in bases if "/values/" in base)
    found, values = [], []
    for document in documents(argocd(plan, REPOSITORY)):
        source = document["spec"]["source"]
        if "chart" in source:
            values.append(source["helm"]["valuesObject"])
        else:
            found.append(source["path"])
            assert (source["repoURL"], source["targetRevision"]) == (REPOSITORY.url, "v1")
    assert sorted(found) == sorted(f"meshes/one/{base}" for base in bases.difference(charts))
    assert sorted(map(str, values)) == sorted(str(yaml.load(files[f"{base}/values.yaml"])) for base in charts)
    with_overlay = [each["spec"] for each in documents(argocd(plan, REPOSITORY.with_(overlay="prod")))]
    chosen = [spec["sources"] for spec in with_overlay if "sources" in spec]
    assert sorted(chart["helm"]["valueFiles"] for chart, _ in chosen) == [
        [f"$values/meshes/one/{base}/values.yaml", f"$values/meshes/one/overlays/prod/{base}/values.yaml"]
        for base in charts
    ]
    assert all(tree == {"repoURL": REPOSITORY.url, "targetRevision": "v1", "ref": "values"} for _, tree in chosen)


@pytest.mark.parametrize(("name", "release"), CASES)
def test_the_order_is_the_plans(name: str, release: str) -> None:
    """Waves rise along the external and the config cluster and within each further cluster; dependsOn looks back."""
    plan = the_plan(name, release)
    topology = plan.topology
    spine = {topology.external_cluster.name, topology.config_cluster.name}
    waves: dict[str, list[int]] = {}
    for document in documents(argocd(plan, REPOSITORY)):
        cluster = document["spec"]["destination"]["name"]
        wave = int(document["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        waves.setdefault("" if cluster in spine else cluster, []).append(wave)
    assert all(found == sorted(set(found)) for found in waves.values())
    assert len(waves) == 1 + len(topology.remote_clusters)
    seen: dict[str, set[str]] = {}
    for document in documents(flux(plan, REPOSITORY)):
        waits = [each["name"] for each in document["spec"].get("dependsOn", ())]
        assert len(waits) == len(set(waits))
        same_kind = seen.setdefault(document["kind"], set())
        assert same_kind >= set(waits)
        assert waits or not same_kind  # all but the first one of a kind wait
        same_kind.add(document["metadata"]["name"])


@pytest.mark.parametrize(("name", "owned"), [("guide", False), ("ip", True), ("revision", False), ("ipv6", True)])
def test_what_istiod_owns_is_left_alone(name: str, owned: bool) -> None:
    """By IP address istiod writes to webhooks, whose fields are ignored there alone; by host name to none."""
    plan = the_plan(name, "1.31")
    found = {
        document["spec"]["source"]["path"].rpartition("/")[2]: document["spec"]
        for document in documents(argocd(plan, REPOSITORY))
        if "ignoreDifferences" in document["spec"]
    }
    remotes = {"remote-cluster"} if plan.topology.remote_clusters else set()
    assert set(found) == ({"remote-config-cluster", *remotes} if owned else set())
    for spec in found.values():
        assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"]
        for each in spec["ignoreDifferences"]:
            fields = [".webhooks[]?.clientConfig.caBundle", ".webhooks[]?.failurePolicy"]
            mutating = each["kind"] == "MutatingWebhookConfiguration"
            assert each["group"] == "admissionregistration.k8s.io"
            assert each["jqPathExpressions"] == (fields[:1] if mutating else fields)
    patched = [document for document in documents(flux(plan, REPOSITORY)) if "patches" in document["spec"]]
    assert bool(patched) == owned
    for document in patched:
        for patch in document["spec"]["patches"]:
            metadata = yaml.load(patch["patch"])["metadata"]
            assert metadata["annotations"] == {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}
            assert metadata["name"] == patch["target"]["name"]


def test_notes_tell_what_a_pipeline_renders() -> None:
    """Every IstioOperator and every Secret that must be made by hand has its command; no token is anywhere."""
    plan = the_plan("guide", "1.31")
    for entries in (argocd(plan, REPOSITORY), flux(plan, REPOSITORY)):
        text = notes(entries)
        operators = [path for path in plan.render() if b"kind: IstioOperator" in plan.render()[path]]
        assert text.count("istioctl manifest generate -f ") == len(operators)
        assert "istioctl manifest generate -f -" not in text
        assert text.count("istioctl create-remote-secret") == 2
        assert "with istioctl 1.31" in text
    hostile = the_plan("hostile", "1.31")
    tokens = [each.token.get_secret_value() for each in hostile.credentials.values()]
    for entries in (argocd(hostile, REPOSITORY), flux(hostile, REPOSITORY)):
        text = "".join(b"".join(entry.pieces).decode() for entry in entries)
        assert not any(token in text for token in tokens)


def test_secrets_of_a_store_are_applied_like_all_else() -> None:
    """With a store no Secret is left to a pipeline: people fill the store, and ExternalSecrets are in the tree."""
    entries = list(flux(the_plan("secret_store", "1.30"), REPOSITORY))
    text = notes(entries)
    assert "put the text below `stringData` into the store" in text
    assert text.count("istioctl create-remote-secret") == 2  # a third cluster has a name that istioctl refuses
    assert "apply -f -" not in text
    assert "rollout restart deployment/istiod" in text


def test_notes_name_the_part_before_each_secret() -> None:
    """istioctl needs the cluster's ServiceAccount and the external cluster's namespace before it can make a Secret."""
    text = notes(argocd(the_plan("guide", "1.31"), REPOSITORY))
    found = re.findall(r"^After `(.*)`:\n\n```sh\nistioctl create-remote-secret --context=(\S+)", text, re.MULTILINE)
    assert found == [
        ("mesh1-external-start-the-control-plane", "ctx-cluster1"),
        ("mesh1-cluster2-install-remote-cluster", "ctx-cluster2"),
    ]
    assert "kubectl --context=ctx-external rollout restart deployment/istiod -n external-istiod\n" in text


def test_the_gateways_namespace_is_made_and_kept(kubectl: str, tmp_path: Path) -> None:
    """istioctl renders no namespace, so the notes make one, which neither tool removes again."""
    text = notes(argocd(the_plan("guide", "1.31"), Repository(url="https://git.example.com/x")))
    [command] = re.findall(r"^kubectl create namespace .*\n .*", text, re.MULTILINE)
    assert command.endswith("> external/rendered/controlplane-gateway/namespace.yaml")
    folder = tmp_path / "external/rendered/controlplane-gateway"
    folder.mkdir(parents=True)
    env = {"PATH": f"{Path(kubectl).parent}{os.pathsep}{os.environ['PATH']}", "KUBECONFIG": os.devnull}
    subprocess.run(["sh", "-c", command], check=True, cwd=tmp_path, env=env)
    metadata = yaml.load((folder / "namespace.yaml").read_bytes())["metadata"]
    metadata.pop("creationTimestamp", None)
    assert metadata == {
        "name": "istio-system",
        "annotations": {
            "argocd.argoproj.io/sync-options": "Prune=false",
            "kustomize.toolkit.fluxcd.io/prune": "disabled",
        },
    }


def test_flux_in_one_of_the_clusters() -> None:
    """The cluster that Flux runs in needs no kubeconfig, the others have one each."""
    found = documents(flux(the_plan("guide", "1.31"), REPOSITORY, here="external"))
    secrets = {(each["spec"].get("kubeConfig") or {}).get("secretRef", {}).get("name") for each in found}
    assert secrets == {None, "kubeconfig-cluster1", "kubeconfig-cluster2"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"path": "../up"}, "path: '../up' leads out of the repository: name a folder in it"),
        ({"path": "/abs"}, "path: '/abs' leads out of the repository: name a folder in it"),
        ({"path": "..\\\\x"}, "path: '..\\\\\\\\x' leads out of the repository: name a folder in it"),
        ({"path": "-rf"}, "path: begins with '-', which commands take for an option: '-rf'"),
        ({"url": "--upload-pack=x"}, "repo: begins with '-', which commands take for an option: '--upload-pack=x'"),
        ({"url": ""}, "repo: has 0 characters: use 1 to 253"),
        ({"revision": "a\nb"}, "revision: 'a\\nb' has a control character: leave it out"),
    ],
)
def test_repositories(change: dict[str, str], problem: str) -> None:
    """Texts that no tool accepts, and folders outside of the repository, are refused."""
    with pytest.raises(InvalidInput) as caught:
        Repository(**{"url": "https://x", **change})
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["argocd", "--repo", "x", "--namespace", "A/b"], "namespace: 'A/b' is not a valid DNS subdomain"),
        (["argocd", "--repo", "x", "--project", ""], "project: '' is not a valid DNS subdomain"),
        (["flux", "--source", "A"], "source: 'A' is not a valid DNS subdomain"),
        (
            ["flux", "--here", "nope"],
            "here: 'nope' is not a cluster of this topology: use external, cluster1, cluster2",
        ),
    ],
)
def test_names_that_nobody_takes(options: list[str], problem: str, tmp_path: Path) -> None:
    """Names are checked before anything is written."""
    name, *rest = options
    with pytest.raises(InvalidInput, match=re.escape(problem)):
        CliRunner().invoke(
            cli, [name, str(TOPOLOGIES["guide"]), "-o", str(tmp_path / "o"), *rest], catch_exceptions=False
        )
    assert list(tmp_path.iterdir()) == []
    assert CliRunner().invoke(cli, [name, str(TOPOLOGIES["guide"]), "-o", "", "--help"]).exit_code in (0, 2)


@pytest.mark.parametrize("command", [["argocd", "--repo", "https://git.example.com/x"], ["flux"]])
def test_the_commands(command: list[str], tmp_path: Path) -> None:
    """Both commands write their files and name the notes to follow."""
    name, *options = command
    done = CliRunner().invoke(cli, [name, str(TOPOLOGIES["guide"]), "-o", str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    place = "the top of the repository"
    assert done.output.endswith(f"Next: follow {tmp_path / 'NOTES.md'}, with {place} as the current folder.\n")
    assert len(list(tmp_path.rglob("*.yaml"))) > 10


def test_folders_of_both_are_written_like_others(tmp_path: Path) -> None:
    """A further run removes files that are no longer written."""
    owner = Owner("argocd", "mesh1")
    write(tmp_path, argocd(the_plan("guide", "1.24"), REPOSITORY), owner=owner)
    before = set(tmp_path.rglob("*.yaml"))
    write(tmp_path, argocd(the_plan("ip", "1.24"), REPOSITORY), owner=owner)
    assert not before & set(tmp_path.rglob("*.yaml"))


def test_charts_are_installed_natively() -> None:
    """By Helm nothing is rendered in a pipeline: each part is a chart, and what istiod writes is left to it."""
    topology = load(TOPOLOGIES["helm_ip"])
    repository = Repository(url="https://g.example.com/x")
    entries = {entry.path: b"".join(entry.pieces) for entry in argocd(plan(topology), repository)}
    assert b"To render in a pipeline" not in entries["NOTES.md"]
    applications = [yaml.load(content) for path, content in entries.items() if path.startswith("applications/")]
    sources = [(each["spec"]["destination"]["name"], each["spec"]["source"]) for each in applications]
    charts = {(name, source["helm"]["releaseName"]): source["chart"] for name, source in sources if "chart" in source}
    assert charts == {
        ("external", "istio-base"): "base",
        ("external", "istiod"): "istiod",
        ("external", "istio-ingressgateway"): "gateway",
        ("cluster1", "istio-base"): "base",
        ("cluster1", "istiod"): "istiod",
        ("cluster1", "istio-ingressgateway"): "gateway",
        ("cluster1", "istio-egressgateway"): "gateway",
        ("cluster1", "istio-eastwestgateway"): "gateway",
        ("cluster2", "istio-base"): "base",
        ("cluster2", "istiod"): "istiod",
        ("cluster2", "istio-eastwestgateway"): "gateway",
    }
    ignored = {
        each["metadata"]["name"]: [rule["name"] for rule in each["spec"]["ignoreDifferences"]]
        for each in applications
        if "ignoreDifferences" in each["spec"]
    }
    assert ignored == {
        "by-ip-cluster1-values-istio-base": ["istiod-default-validator"],
        "by-ip-cluster1-values-remote-config-cluster": [
            "istio-sidecar-injector-canary-external-istiod",
            "istio-validator-canary-external-istiod",
        ],
        "by-ip-cluster2-values-remote-cluster": ["istio-sidecar-injector-canary-external-istiod"],
    }
    releases = [
        yaml.load(b"".join(entry.pieces))
        for entry in flux(plan(topology), Repository())
        if entry.path.startswith("kustomizations/") and b"kind: HelmRelease\n" in b"".join(entry.pieces)
    ]
    assert sorted(each["spec"]["chart"]["spec"]["chart"] for each in releases) == sorted([*charts.values(), "istiod"])


def test_helm_releases_follow_the_plan() -> None:
    """Each HelmRelease waits for the one before it, tries again, and leaves to istiod what istiod writes."""
    topology = load(TOPOLOGIES["helm_ip"]).with_(release="1.23", revision=None)
    found = {each["metadata"]["name"]: each["spec"] for each in documents(flux(plan(topology), Repository()))}
    releases = {name: spec for name, spec in found.items() if "releaseName" in spec}
    assert {name: [each["name"] for each in spec.get("dependsOn", ())] for name, spec in releases.items()} == {
        "by-ip-external-values-istio-base": [],
        "by-ip-external-values-istiod": ["by-ip-external-values-istio-base"],
        "by-ip-external-values-istio-ingressgateway": ["by-ip-external-values-istiod"],
        "by-ip-cluster1-values-remote-config-cluster": ["by-ip-external-values-istio-ingressgateway"],
        "by-ip-external-values-external-istiod": ["by-ip-cluster1-values-remote-config-cluster"],
        "by-ip-cluster1-values-istio-ingressgateway": ["by-ip-external-values-external-istiod"],
        "by-ip-cluster1-values-istio-egressgateway": ["by-ip-cluster1-values-istio-ingressgateway"],
        "by-ip-cluster2-values-remote-cluster": ["by-ip-cluster1-values-istio-egressgateway"],
        "by-ip-cluster1-values-istio-eastwestgateway": ["by-ip-cluster1-values-istio-egressgateway"],
        "by-ip-cluster2-values-istio-eastwestgateway": [
            "by-ip-cluster2-values-remote-cluster",
            "by-ip-cluster1-values-istio-eastwestgateway",
        ],
    }
    assert all(spec["install"]["remediation"] == {"retries": -1} for spec in releases.values())
    base = releases["by-ip-external-values-istio-base"]
    assert (base["install"]["createNamespace"], base["upgrade"]) == (True, {"crds": "CreateReplace"})
    both = ["/webhooks/0/clientConfig/caBundle", "/webhooks/0/failurePolicy"]
    assert releases["by-ip-cluster1-values-remote-config-cluster"]["driftDetection"]["ignore"] == [
        {
            "paths": [f"/webhooks/{index}/clientConfig/caBundle" for index in range(4)],
            "target": {"kind": "MutatingWebhookConfiguration", "name": "istio-sidecar-injector-external-istiod"},
        },
        *(
            {"paths": both, "target": {"kind": "ValidatingWebhookConfiguration", "name": name}}
            for name in ("istio-validator-external-istiod", "istiod-default-validator")
        ),
    ]


def test_overlays_of_values_are_refused_for_flux() -> None:
    """A HelmRelease carries values itself, so that what an overlay says of them would be lost."""
    with pytest.raises(InvalidInput) as caught:
        flux(plan(load(TOPOLOGIES["helm_ip"])), Repository(overlay="prod"))
    assert str(caught.value) == (
        "overlay: would be read for manifests alone, since HelmReleases carry the values of charts themselves: say "
        "what it changes by `overrides` in the topology, or leave it out"
    )


def test_nothing_waits_for_istio_resources_of_remote_clusters() -> None:
    """Such a resource is ready only when istiod serves its cluster, which comes later, and by host name never."""
    found = {each["metadata"]["name"]: each["spec"] for each in documents(flux(the_plan("sail", "1.30"), Repository()))}
    unready = {name for name, spec in found.items() if spec.get("wait") is False}
    assert unready == {"mesh1-cluster1-set-up-the-config-cluster", "mesh1-cluster2-join-the-further-clusters"}
