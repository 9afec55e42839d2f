"""The plan: steps in order, commands, the runbook."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from extcp_manifests import (
    ClusterCredentials,
    InvalidInput,
    MeshCluster,
    MeshGateways,
    Plan,
    Sample,
    Topology,
    load,
    plan,
    yaml,
)
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.planning.step import Command

ROOT = Path(__file__).parents[2]
CA = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
CREDENTIALS = ClusterCredentials(server="https://192.0.2.20:6443", ca=CA, token=SecretStr("hunter2"))


def guide(release: str | None = None, **credentials: ClusterCredentials) -> Plan:
    """Return the plan of the guide's topology."""
    return plan(load(ROOT / "examples/guide.yaml", release=release), credentials=credentials)


def commands(the_plan: Plan) -> Iterator[str]:
    """Yield each step's command in one line."""
    for step in the_plan.steps:
        yield in_one_line(step.command)


def in_one_line(command: Command) -> str:
    return str(command).replace("\n  ", " ").replace("&&\n", "&& ")


def test_the_guide_step_by_step() -> None:
    """The steps of the guide, in its order, with the commands of 1.24."""
    assert list(commands(guide())) == [
        "istioctl install -y --context=ctx-external -f external/controlplane-gateway.yaml",
        "kubectl --context=ctx-cluster1 apply -f cluster1/namespace.yaml",
        "istioctl manifest generate -f cluster1/remote-config-cluster.yaml > "
        "cluster1/remote-config-cluster.yaml.rendered && "
        "kubectl --context=ctx-cluster1 apply -f cluster1/remote-config-cluster.yaml.rendered",
        "kubectl --context=ctx-external apply -f external/namespace.yaml",
        "istioctl create-remote-secret --context=ctx-cluster1 --namespace=external-istiod --type=config "
        "--service-account=istiod --create-service-account=false | "
        "kubectl label --local -f - istio/multiCluster- -o yaml | kubectl --context=ctx-external apply -f -",
        "istioctl install -y --context=ctx-external -f external/external-istiod.yaml",
        "kubectl --context=ctx-external apply -f external/external-istiod-gw.yaml",
        "kubectl --context=ctx-cluster1 apply -f cluster1/sample/namespace.yaml",
        "kubectl --context=ctx-cluster1 apply -f cluster1/sample/helloworld.yaml",
        "kubectl --context=ctx-cluster1 apply -f cluster1/sample/curl.yaml",
        "istioctl install -y --context=ctx-cluster1 -f cluster1/istio-ingressgateway.yaml",
        "istioctl install -y --context=ctx-cluster1 -f cluster1/istio-egressgateway.yaml",
        "kubectl --context=ctx-cluster1 apply -f cluster1/sample/helloworld-gateway.yaml",
        "kubectl --context=ctx-cluster2 apply -f cluster2/namespace.yaml",
        "istioctl manifest generate -f cluster2/remote-cluster.yaml > cluster2/remote-cluster.yaml.rendered && "
        "kubectl --context=ctx-cluster2 apply -f cluster2/remote-cluster.yaml.rendered",
        "istioctl create-remote-secret --context=ctx-cluster2 --namespace=external-istiod --type=remote "
        "--name=cluster2 --create-service-account=false | kubectl --context=ctx-external apply -f -",
        "istioctl manifest generate -f cluster1/eastwest-gateway.yaml > cluster1/eastwest-gateway.yaml.rendered && "
        "kubectl --context=ctx-cluster1 apply -f cluster1/eastwest-gateway.yaml.rendered",
        "istioctl manifest generate -f cluster2/eastwest-gateway.yaml > cluster2/eastwest-gateway.yaml.rendered && "
        "kubectl --context=ctx-cluster2 apply -f cluster2/eastwest-gateway.yaml.rendered",
        "kubectl --context=ctx-cluster1 apply -f cluster1/expose-services.yaml",
        "kubectl --context=ctx-cluster2 apply -f cluster2/sample/namespace.yaml",
        "kubectl --context=ctx-cluster2 apply -f cluster2/sample/helloworld.yaml",
        "kubectl --context=ctx-cluster2 apply -f cluster2/sample/curl.yaml",
    ]


def test_the_same_commands_in_every_release() -> None:
    """In every release the guide's steps have the same commands, but for the sample client's name."""
    for release in RELEASES:
        client = RELEASES[release].client
        assert [command.replace(client, "curl") for command in commands(guide(release))] == list(commands(guide()))


def undone(the_plan: Plan, path: str) -> list[str]:
    """Return the commands that undo the step of a file."""
    [step] = [step for step in the_plan.steps if step.path == path]
    return list(map(in_one_line, step.undo))


def test_ways_back_from_1_21() -> None:
    """istioctl removes all that an installation made, by its name, and kubectl what istioctl skips."""
    for path in ("external/external-istiod.yaml", "cluster1/istio-egressgateway.yaml"):
        context = f"ctx-{path.split('/')[0]}"
        assert undone(guide("1.21"), path) == [f"istioctl uninstall -y --context={context} -f {path}"]
    path = "external/controlplane-gateway.yaml"
    assert undone(guide("1.28"), path) == [
        f"istioctl uninstall -y --context=ctx-external -f {path}",
        "kubectl --context=ctx-external delete --ignore-not-found -n istio-system "
        "validatingwebhookconfiguration/istiod-default-validator "
        "mutatingwebhookconfiguration/istio-revision-tag-default service/istiod-revision-tag-default "
        "serviceaccount/istio-reader-service-account",
    ]


def test_ways_back_before_1_21() -> None:
    """istioctl only removes istiod, of all control planes, so what a file renders is deleted, with the saved state."""
    old = guide("1.20")
    for path, name in (
        ("external/external-istiod.yaml", "external-istiod"),
        ("cluster1/istio-ingressgateway.yaml", "ingress-install"),
    ):
        context = f"ctx-{path.split('/')[0]}"
        assert undone(old, path) == [
            f"istioctl manifest generate -f {path} > {path}.rendered && "
            f"kubectl --context={context} delete --ignore-not-found -f {path}.rendered",
            f"kubectl --context={context} delete --ignore-not-found -n external-istiod "
            f"istiooperator/installed-state-{name}",
        ]
    delete = "kubectl --context=ctx-external delete --ignore-not-found -n istio-system "
    objects, state = undone(old, "external/controlplane-gateway.yaml")
    assert objects.startswith(delete)
    assert "customresourcedefinition" not in objects
    assert state == f"{delete}istiooperator/installed-state-controlplane-gateway"


def test_ways_back_of_remote_clusters() -> None:
    """What a remote cluster got is deleted by name, since its CRDs, which the file renders too, must stay."""
    assert undone(guide("1.30"), "cluster2/remote-cluster.yaml") == [
        "kubectl --context=ctx-cluster2 delete --ignore-not-found -n external-istiod "
        "mutatingwebhookconfiguration/istio-sidecar-injector-external-istiod service/istiod endpointslice/istiod "
        "configmap/values serviceaccount/istio-reader-service-account "
        "clusterrolebinding/istio-reader-clusterrole-external-istiod "
        "clusterrole/istio-reader-clusterrole-external-istiod"
    ]


@pytest.mark.parametrize(("release", "rendered"), [("1.20", True), ("1.21", False)])
def test_gateways_of_further_clusters(release: str, rendered: bool) -> None:
    """Up to 1.20 istioctl install ends in an error where there are no CRDs, so gateways there are rendered."""
    [step] = [
        step
        for step in plan(load(ROOT / "tests/topologies/revision.yaml", release=release)).steps
        if step.path == "east/istio-ingressgateway.yaml"
    ]
    assert str(step.command).startswith("istioctl manifest generate") == rendered


def test_what_to_verify() -> None:
    """Each installation is waited for, or checked with commands that fail if something is missing."""
    checks = {
        step.path or in_one_line(step.command): [(in_one_line(check.command), check.expect) for check in step.verify]
        for step in guide().steps
    }
    assert checks["cluster1/remote-config-cluster.yaml"] == [
        (
            "kubectl --context=ctx-cluster1 get mutatingwebhookconfiguration istio-sidecar-injector-external-istiod "
            "-o 'jsonpath={.webhooks[*].name} {.webhooks[*].namespaceSelector.matchLabels}' | grep -v never-match",
            "the names of 4 webhooks; nothing, if another installation switched them off: then remove its tag by "
            "istioctl tag remove default -i external-istiod, delete this configuration, and repeat the step",
        ),
        (
            "kubectl --context=ctx-cluster1 get validatingwebhookconfiguration istio-validator-external-istiod "
            "istiod-default-validator",
            "istio-validator-external-istiod and istiod-default-validator, each with 1 webhook",
        ),
    ]
    assert checks["external/external-istiod.yaml"] == [
        (
            "kubectl --context=ctx-external rollout status deployment/istiod -n external-istiod --timeout=5m",
            '"istiod" successfully rolled out',
        )
    ]
    injection = (
        "kubectl --context={} run injection-check -n default --image=none --labels={} --dry-run=server -o yaml "
        "| grep istio-proxy"
    )
    label = "sidecar.istio.io/inject=true"
    assert checks["external/external-istiod-gw.yaml"][0][0] == injection.format("ctx-cluster1", label)
    [joined] = [found for command, found in checks.items() if "--name=cluster2" in command]
    assert joined[-1][0] == injection.format("ctx-cluster2", label)
    revised = plan(load(ROOT / "tests/topologies/revision.yaml"))
    [step] = [step for step in revised.steps if step.path == "east/remote-cluster.yaml"]
    assert step.verify[0].expect.startswith("the names of 2 webhooks; nothing, if another installation")
    assert "--labels=istio.io/rev=canary" in revised.runbook()


def test_api_servers_with_an_address_of_their_own() -> None:
    """Where istiod reaches an API server at another address than in the kubeconfig, istioctl gets that address."""
    topology = Topology(
        release="1.24",
        mesh_id="m",
        address="192.0.2.10",
        config_cluster=MeshCluster(name="c1", network="n", api_server="https://10.0.0.1:6443"),
        remote_clusters=(MeshCluster(name="c2", network="n"),),
    )
    created = [command for command in commands(plan(topology)) if "create-remote-secret" in command]
    assert ["--server=https://10.0.0.1:6443 " in command for command in created] == [True, False]
    assert "  or, where the topology has an `apiServer`, at that.\n" in plan(topology).runbook()


def test_charts_from_elsewhere() -> None:
    """A gateway's chart comes from Istio's repository, from a mirror, or from an OCI registry."""
    gateways = MeshGateways(ingress=True, install="helm")
    for charts, words in (
        (None, "gateway --repo=https://blob.istio.io/istio-release/charts"),
        ("https://charts.example.com/istio", "gateway --repo=https://charts.example.com/istio"),
        ("oci://registry.example.com/charts", "oci://registry.example.com/charts/gateway"),
    ):
        topology = Topology(
            release="1.24",
            mesh_id="m",
            address="192.0.2.10",
            charts=charts,
            config_cluster=MeshCluster(name="c1", network="n", gateways=gateways),
        )
        [command] = [command for command in commands(plan(topology)) if command.startswith("helm")]
        assert command == (
            f"helm upgrade --install istio-ingressgateway {words} -n external-istiod --kube-context=c1 "
            "--version '~1.24.0' -f c1/istio-ingressgateway.values.yaml"
        )


def test_steps_are_a_sequence() -> None:
    """Steps can be counted, indexed, sliced and reversed, with the same result each time."""
    steps = guide().steps
    assert len(steps) == 22
    assert steps[0].path == "external/controlplane-gateway.yaml"
    assert steps[-1].path == "cluster2/sample/curl.yaml"
    assert [step.path for step in steps[1:3]] == ["cluster1/namespace.yaml", "cluster1/remote-config-cluster.yaml"]
    assert list(reversed(steps)) == list(reversed(list(steps)))


def test_every_step_is_complete() -> None:
    """Each step has a cluster, a sentence that says why, a command and an undo; files have documents."""
    for step in guide().steps:
        assert step.cluster in {"external", "cluster1", "cluster2"}
        assert step.why.endswith(".")
        assert "\n" not in step.why
        assert step.command
        assert step.undo
        assert bool(step.documents) == (step.path is not None)


def test_clean_up_is_the_reverse_without_purge() -> None:
    """The runbook ends with the undo of each step in reverse order; nothing purges a cluster."""
    the_plan = guide()
    end = the_plan.runbook().split("```sh\n")[-1]
    assert end == "".join(f"{command}\n" for step in reversed(the_plan.steps) for command in step.undo) + "```\n"
    assert "--purge" not in the_plan.runbook()


def test_credentials_make_files_instead_of_commands() -> None:
    """With credentials the Secrets are files, marked as holding a token; the commands do not show it."""
    the_plan = guide("1.28", cluster1=CREDENTIALS, cluster2=CREDENTIALS)
    secrets = [step for step in the_plan.steps if step.secret]
    assert [step.path for step in secrets] == [
        "external/remote-secret-cluster1.yaml",
        "external/remote-secret-cluster2.yaml",
    ]
    assert [step.documents[0].plain()["metadata"]["name"] for step in secrets] == [
        "istio-kubeconfig",
        "istio-remote-secret-cluster2",
    ]
    assert not any("create-remote-secret" in command for command in commands(the_plan))
    assert "hunter2" not in the_plan.runbook()
    assert "hunter2" not in repr(the_plan)
    assert "hunter2" not in repr(list(the_plan.steps))
    assert b"hunter2" in the_plan.render()["external/remote-secret-cluster2.yaml"]


def test_credentials_that_fit_nothing() -> None:
    """Wrong credentials, those of unknown clusters and those that the release cannot write are refused together."""
    named = ClusterCredentials(server="https://h:1", ca=CA, token=SecretStr("hunter2"), tls_server_name="a.b")
    wrong = ClusterCredentials(server="hunter2", ca="hunter2", token=SecretStr("hunter2\n"))
    with pytest.raises(InvalidInput) as caught:
        guide("1.25", cluster1=wrong, cluster2=named, cluster9=CREDENTIALS)
    assert str(caught.value).splitlines() == [
        "credentials.cluster1.server: is not the URL of an API server: write it as in https://192.0.2.20:6443",
        "credentials.cluster1.ca: is not a certificate: give the text of ca.crt, in PEM form",
        "credentials.cluster1.token: is not a valid token: give its text, without blanks or line breaks",
        "credentials.cluster2.tls_server_name: Istio 1.25 has no tls-server-name in remote secrets: "
        "leave it out or use 1.26 or later",
        "credentials.cluster9: no remote cluster of the topology has this name: correct it or leave it out",
    ]


def test_credentials_for_another_api_server() -> None:
    """The topology and the credentials must agree on the URL of a cluster's API server."""
    topology = Topology(
        release="1.24",
        mesh_id="m",
        address="192.0.2.10",
        config_cluster=MeshCluster(name="c1", network="n", api_server="https://10.0.0.1:6443"),
    )
    with pytest.raises(InvalidInput) as caught:
        plan(topology, credentials={"c1": CREDENTIALS})
    assert str(caught.value) == (
        "credentials.c1.server: is not the apiServer that the topology gives to the cluster, https://10.0.0.1:6443: "
        "give both the same"
    )


def test_credentials_of_wrong_types() -> None:
    """Credentials that are not ClusterCredentials, or have a plain token, are checked and never shown."""
    plain: Any = ClusterCredentials(server="https://h:1", ca=CA, token="hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in repr(list(guide("1.24", cluster2=plain).steps))
    assert b"hunter2" in guide("1.24", cluster2=plain).render()["external/remote-secret-cluster2.yaml"]
    wrong: Any = {"server": "https://h:1", "token": "hunter2"}
    for credentials in ({"cluster2": wrong}, ["hunter2"], {"cluster2": "hunter2"}):
        with pytest.raises(InvalidInput) as caught:
            plan(load(ROOT / "examples/guide.yaml"), credentials=credentials)  # type: ignore[arg-type]
        assert "hunter2" not in str(caught.value)


def test_a_name_that_istioctl_refuses_gets_a_token_to_fetch() -> None:
    """istioctl takes only DNS labels as cluster names; for others the plan has the token for credentials."""
    topology = Topology(
        release="1.24",
        mesh_id="m",
        address="h.example.com",
        credential_name="c",
        config_cluster=MeshCluster(name="cluster1", network="n"),
        remote_clusters=(MeshCluster(name="Cluster_2", network="n"),),
    )
    [step] = [step for step in plan(topology).steps if step.path and "reader-token" in step.path]
    assert step.cluster == "Cluster_2"
    assert step.documents[0].plain()["type"] == "kubernetes.io/service-account-token"
    paths = [step.path for step in plan(topology, credentials={"Cluster_2": CREDENTIALS}).steps if step.secret]
    assert paths == [f"external/remote-secret-{step.path.split('/')[0]}.yaml"]  # type: ignore[union-attr]


def test_services_are_exposed_for_any_cluster_with_an_east_west_gateway() -> None:
    """The single Gateway for east-west traffic is in the config cluster, wherever the gateways are."""
    topology = load(ROOT / "examples/guide.yaml").model_copy(
        update={"config_cluster": MeshCluster(name="cluster1", network="network1")}
    )
    paths = list(plan(topology).render())
    assert "cluster1/eastwest-gateway.yaml" not in paths
    assert paths.index("cluster2/eastwest-gateway.yaml") < paths.index("cluster1/expose-services.yaml")


def test_a_small_topology_has_nothing_optional() -> None:
    """Without gateways, samples and further clusters, what istiod needs remains."""
    topology = Topology(
        release="1.31",
        mesh_id="m",
        address="192.0.2.10",
        config_cluster=MeshCluster(name="cluster1", network="n"),
    )
    assert list(plan(topology).render()) == [
        "external/controlplane-gateway.yaml",
        "cluster1/namespace.yaml",
        "cluster1/remote-config-cluster.yaml",
        "external/namespace.yaml",
        "external/external-istiod.yaml",
        "external/external-istiod-gw.yaml",
    ]


NAMES = st.text(min_size=1, max_size=12)
CLUSTERS = st.builds(
    MeshCluster,
    name=NAMES,
    context=st.none() | NAMES,
    network=st.sampled_from(["n1", "on", "1e3", "N_2"]),
    gateways=st.builds(
        MeshGateways,
        ingress=st.booleans(),
        egress=st.booleans(),
        east_west=st.booleans(),
        install=st.sampled_from(["istioctl", "helm"]),
    ),
    sample=st.none() | st.builds(Sample, version=st.sampled_from(["v1", "v2"])),
)


@given(
    st.sampled_from(list(RELEASES)),
    st.none() | st.sampled_from(["canary", "v1"]),
    st.sampled_from(["h.example.com", "192.0.2.10", "2001:db8::1"]),
    CLUSTERS,
    st.lists(CLUSTERS, max_size=3),
)
def test_whatever_is_accepted_can_be_planned(
    release: str, revision: str | None, address: str, config: MeshCluster, remotes: list[MeshCluster]
) -> None:
    """Any topology is refused with sentences, or gives the same bytes twice, in distinct files below the folder."""
    try:
        topology = Topology(
            release=release,
            mesh_id="m",
            revision=revision,
            address=address,
            credential_name="c" if address == "h.example.com" else None,
            config_cluster=config,
            remote_clusters=tuple(remotes),
        )
    except InvalidInput as error:
        assert all(problem.path and ": " in str(problem) for problem in error.problems)
        return
    files = list(plan(topology).files())
    assert files == list(plan(topology).files())
    paths = [path.lower() for path, _ in files]
    assert len(set(paths)) == len(paths)
    for path, content in files:
        assert not {"", ".", ".."} & set(path.split("/"))
        names = [document.get("metadata", {}).get("name") for document in yaml.load_all(content)]
        assert all(names) or path.endswith(".values.yaml")
    assert plan(topology).runbook() == plan(topology).runbook()


@given(st.integers(0, 3))
def test_names_of_operators_are_unique_in_their_cluster(index: int) -> None:
    """No two IstioOperators of one cluster share a name, or they would prune each other."""
    name = ["examples/guide", "tests/topologies/ip", "tests/topologies/revision", "tests/topologies/hostile"][index]
    seen = set()
    for step in plan(load(ROOT / f"{name}.yaml")).steps:
        for document in step.documents:
            plain = document.plain()
            if plain.get("kind") == "IstioOperator":
                key = step.cluster, plain["metadata"]["name"]
                assert key not in seen
                seen.add(key)
