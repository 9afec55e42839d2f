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
from extcp_manifests.release import RELEASES

ROOT = Path(__file__).parents[1]
CA = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
CREDENTIALS = ClusterCredentials(server="https://192.0.2.20:6443", ca=CA, token=SecretStr("hunter2"))


def guide(release: str | None = None, **credentials: ClusterCredentials) -> Plan:
    """The plan of the guide's topology."""
    return plan(load(ROOT / "examples/guide.yaml", release=release), credentials=credentials)


def commands(the_plan: Plan) -> Iterator[str]:
    """Each step's command in one line."""
    for step in the_plan.steps:
        yield " | ".join(" ".join(argv) for argv in step.command)


def test_the_guide_step_by_step() -> None:
    """The steps of the guide, in its order, with the commands of 1.24."""
    assert list(commands(guide())) == [
        "istioctl install -y --context=ctx-external -f external/controlplane-gateway.yaml",
        "kubectl --context=ctx-cluster1 apply -f cluster1/namespace.yaml",
        "istioctl install -y --context=ctx-cluster1 -f cluster1/remote-config-cluster.yaml",
        "kubectl --context=ctx-external apply -f external/namespace.yaml",
        "istioctl create-remote-secret --context=ctx-cluster1 --namespace=external-istiod --type=config "
        "--service-account=istiod --create-service-account=false | kubectl --context=ctx-external apply -f -",
        "istioctl install -y --context=ctx-external -f external/external-istiod.yaml",
        "kubectl --context=ctx-external apply -f external/external-istiod-gw.yaml",
        "kubectl --context=ctx-cluster1 apply -f cluster1/sample/namespace.yaml",
        "kubectl --context=ctx-cluster1 apply -f cluster1/sample/helloworld.yaml",
        "kubectl --context=ctx-cluster1 apply -f cluster1/sample/curl.yaml",
        "istioctl install -y --context=ctx-cluster1 -f cluster1/istio-ingressgateway.yaml",
        "istioctl install -y --context=ctx-cluster1 -f cluster1/istio-egressgateway.yaml",
        "kubectl --context=ctx-cluster1 apply -f cluster1/sample/helloworld-gateway.yaml",
        "kubectl --context=ctx-cluster2 apply -f cluster2/namespace.yaml",
        "istioctl install -y --context=ctx-cluster2 -f cluster2/remote-cluster.yaml",
        "istioctl create-remote-secret --context=ctx-cluster2 --namespace=external-istiod --type=remote "
        "--name=cluster2 --create-service-account=false | kubectl --context=ctx-external apply -f -",
        "istioctl manifest generate -f cluster1/eastwest-gateway.yaml | kubectl --context=ctx-cluster1 apply -f -",
        "istioctl manifest generate -f cluster2/eastwest-gateway.yaml | kubectl --context=ctx-cluster2 apply -f -",
        "kubectl --context=ctx-cluster1 apply -f cluster1/expose-services.yaml",
        "kubectl --context=ctx-cluster2 apply -f cluster2/sample/namespace.yaml",
        "kubectl --context=ctx-cluster2 apply -f cluster2/sample/helloworld.yaml",
        "kubectl --context=ctx-cluster2 apply -f cluster2/sample/curl.yaml",
    ]


def test_remotes_before_1_24() -> None:
    """Up to 1.23 remote clusters are set up by rendering and applying, all else as later."""
    different = [
        (before, after)
        for before, after in zip(commands(guide("1.23")), commands(guide("1.24")), strict=True)
        if before != after.replace("curl", "sleep")
    ]
    assert different == [
        (
            f"istioctl manifest generate -f {cluster}/{file}.yaml | kubectl --context=ctx-{cluster} apply -f -",
            f"istioctl install -y --context=ctx-{cluster} -f {cluster}/{file}.yaml",
        )
        for cluster, file in (
            ("cluster1", "remote-config-cluster"),
            ("cluster2", "remote-cluster"),
        )
    ]


def undone(the_plan: Plan, path: str) -> list[str]:
    """The commands that take back the step of a file."""
    [step] = [step for step in the_plan.steps if step.path == path]
    return [" | ".join(" ".join(argv) for argv in pipeline) for pipeline in step.undo]


def test_ways_back_from_1_21() -> None:
    """istioctl removes all that an installation made, by its name."""
    for path in (
        "external/controlplane-gateway.yaml",
        "external/external-istiod.yaml",
        "cluster1/istio-egressgateway.yaml",
    ):
        context = f"ctx-{path.split('/')[0]}"
        assert undone(guide("1.21"), path) == [f"istioctl uninstall -y --context={context} -f {path}"]


def test_ways_back_before_1_21() -> None:
    """istioctl only removes istiod, so what a file renders is deleted, and of the shared gateway all but the CRDs."""
    old = guide("1.20")
    for path in ("external/external-istiod.yaml", "cluster1/istio-ingressgateway.yaml"):
        context = f"ctx-{path.split('/')[0]}"
        assert undone(old, path) == [
            f"istioctl manifest generate -f {path} | kubectl --context={context} delete --ignore-not-found -f -"
        ]
    first, second = undone(old, "external/controlplane-gateway.yaml")
    assert first == "istioctl uninstall -y --context=ctx-external -f external/controlplane-gateway.yaml"
    assert second == (
        "kubectl --context=ctx-external delete --ignore-not-found -n istio-system deployment/istio-ingressgateway "
        "service/istio-ingressgateway horizontalpodautoscaler/istio-ingressgateway "
        "poddisruptionbudget/istio-ingressgateway serviceaccount/istio-ingressgateway-service-account "
        "role/istio-ingressgateway-sds rolebinding/istio-ingressgateway-sds "
        "mutatingwebhookconfiguration/istio-revision-tag-default "
        "validatingwebhookconfiguration/istiod-default-validator"
    )


@pytest.mark.parametrize(("release", "rendered"), [("1.20", True), ("1.21", False)])
def test_gateways_of_further_clusters(release: str, rendered: bool) -> None:
    """Up to 1.20 istioctl install ends in an error where there are no CRDs, so gateways there are rendered."""
    [step] = [
        step
        for step in plan(load(ROOT / "tests/topologies/revision.yaml", release=release)).steps
        if step.path == "east/istio-ingressgateway.yaml"
    ]
    assert (step.command[0][:3] == ("istioctl", "manifest", "generate")) == rendered


def test_what_to_verify() -> None:
    """Each installation says what to look at, and what the guide shows there."""
    checks = {step.path: [(" ".join(check.command), check.expect) for check in step.verify] for step in guide().steps}
    assert checks["cluster1/remote-config-cluster.yaml"] == [
        (
            "kubectl --context=ctx-cluster1 get mutatingwebhookconfiguration istio-sidecar-injector-external-istiod",
            "istio-sidecar-injector-external-istiod with 4 webhooks",
        ),
        (
            "kubectl --context=ctx-cluster1 get validatingwebhookconfiguration istio-validator-external-istiod "
            "istiod-default-validator",
            "istio-validator-external-istiod and istiod-default-validator, each with 1 webhook",
        ),
    ]
    revised = plan(load(ROOT / "tests/topologies/revision.yaml"))
    [check] = [step.verify[0] for step in revised.steps if step.path == "east/remote-cluster.yaml"]
    assert check.expect == "istio-sidecar-injector-canary-mesh-control with 2 webhooks"


def test_steps_are_a_sequence() -> None:
    """Steps can be counted, indexed, sliced and gone through backwards, each time alike."""
    steps = guide().steps
    assert len(steps) == 22
    assert steps[0].path == "external/controlplane-gateway.yaml"
    assert steps[-1].path == "cluster2/sample/curl.yaml"
    assert [step.path for step in steps[1:3]] == ["cluster1/namespace.yaml", "cluster1/remote-config-cluster.yaml"]
    assert list(reversed(steps)) == list(reversed(list(steps)))


def test_every_step_is_complete() -> None:
    """Each step has a cluster, one sentence why, a command, and a way back; files have documents."""
    for step in guide().steps:
        assert step.cluster in {"external", "cluster1", "cluster2"}
        assert step.why.endswith(".")
        assert "\n" not in step.why
        assert step.command
        assert step.undo
        assert bool(step.documents) == (step.path is not None)


def test_clean_up_is_the_reverse_without_purge() -> None:
    """The runbook ends with the ways back in reverse order; nothing purges a cluster."""
    the_plan = guide()
    runbook = the_plan.runbook()
    end = runbook.split("```sh\n")[-1]
    undo = [pipeline for step in reversed(the_plan.steps) for pipeline in step.undo]
    positions = [
        end.index(" ".join(pipeline[0])) for pipeline in undo if pipeline[0][0] != "kubectl" or "-f" in pipeline[0]
    ]
    assert positions == sorted(positions)
    assert "--purge" not in "".join(line for line in runbook.splitlines() if line.startswith(("istioctl", "kubectl")))


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
        "credentials.cluster1.server: is no URL of an API server: write it as in https://192.0.2.20:6443",
        "credentials.cluster1.ca: is no certificate: give the text of ca.crt, in PEM form",
        "credentials.cluster1.token: is no token: give its text, without blanks or line breaks",
        "credentials.cluster2.tls_server_name: Istio 1.25 has no tls-server-name in remote secrets: "
        "leave it out or use 1.26 or later",
        "credentials.cluster9: no remote cluster of the topology has this name: correct it or leave it out",
    ]


def test_credentials_of_wrong_types() -> None:
    """Credentials that are no ClusterCredentials, or hold a plain token, are checked, and shown nowhere."""
    plain: Any = ClusterCredentials(server="https://h:1", ca=CA, token="hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in repr(list(guide("1.24", cluster2=plain).steps))
    assert b"hunter2" in guide("1.24", cluster2=plain).render()["external/remote-secret-cluster2.yaml"]
    wrong: Any = {"server": "https://h:1", "token": "hunter2"}
    for credentials in ({"cluster2": wrong}, ["hunter2"], {"cluster2": "hunter2"}):
        with pytest.raises(InvalidInput) as caught:
            plan(load(ROOT / "examples/guide.yaml"), credentials=credentials)  # type: ignore[arg-type]
        assert "hunter2" not in str(caught.value)


def test_a_name_that_istioctl_refuses_gets_a_token_to_fetch() -> None:
    """istioctl names remote clusters by DNS labels alone; for others the plan has the token from which we make it."""
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
    """The one Gateway for east-west traffic is in the config cluster, wherever the gateways are."""
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
    """Any topology is refused with sentences, or gives the same bytes twice, in files of their own below the folder."""
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
