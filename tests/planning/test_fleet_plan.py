"""Plans of several control planes."""

import traceback
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from extcp_manifests import (
    ClusterCredentials,
    Fleet,
    FleetPlan,
    InvalidInput,
    SharedGateway,
    load_fleet,
    plan,
    plan_fleet,
    yaml,
)
from extcp_manifests.cli import cli
from extcp_manifests.errors import OutputError
from extcp_manifests.pipelines.argocd import argocd
from extcp_manifests.pipelines.flux import flux
from extcp_manifests.pipelines.parts import Repository
from extcp_manifests.planning.fleet import plan_read_fleet

EXAMPLES = Path(__file__).parents[2] / "examples"
FLEET = EXAMPLES / "fleet.yaml"


def the_plan() -> FleetPlan:
    return plan_fleet(load_fleet(FLEET))


def test_a_folder_is_the_plan_of_its_control_plane() -> None:
    """Each control plane's folder has what its own plan has, for a gateway that is there already if it is shared."""
    fleet = load_fleet(FLEET)
    files = the_plan().render()
    for topology in fleet.control_planes:
        if topology.name != "lab":
            topology = topology.with_(gateway=SharedGateway(install="none"))
        own = {path.split("/", 1)[1]: text for path, text in files.items() if path.startswith(f"{topology.name}/")}
        assert own == plan(topology).render()


def test_a_gateway_is_installed_once() -> None:
    """The gateway that two share is in a folder of its own, of the newest release; that of an IP address is not."""
    fleet = load_fleet(FLEET)
    older, newer, lab = fleet.control_planes
    mixed = Fleet(control_planes=[older.with_(release="1.29"), newer, lab])
    [(folder, gateway)] = plan_fleet(mixed).gateways()
    assert (folder, gateway.topology.release) == ("gateway-hub-istio-system", "1.30")
    whole = dict(plan(newer).files())
    assert gateway.render() == {"hub/controlplane-gateway.yaml": whole["hub/controlplane-gateway.yaml"]}
    found = [path for path in the_plan().render() if "controlplane-gateway" in path]
    assert found == ["gateway-hub-istio-system/hub/controlplane-gateway.yaml", "lab/lab/controlplane-gateway.yaml"]


def test_the_order() -> None:
    """The runbook of the whole has the gateways first, then the control planes, and the clean-up the other way."""
    assert the_plan().runbook() == (
        "# fleet: external control planes of Istio\n"
        "\n"
        "Each folder has a RUNBOOK.md of its own, whose commands are run in that folder. Follow them in this order;\n"
        "those of control planes in any order, or at once.\n"
        "\n"
        "1. `gateway-hub-istio-system/RUNBOOK.md`: the gateway of control planes in `hub`\n"
        "2. `payments/RUNBOOK.md`: Istio 1.30 at `payments.istiod.example.com`\n"
        "3. `search/RUNBOOK.md`: Istio 1.30 at `search.istiod.example.com`\n"
        "4. `lab/RUNBOOK.md`: Istio 1.31 at `192.0.2.30`\n"
        "\n"
        "To clean up, begin with the control planes; a gateway goes only when no control plane uses it any more.\n"
    )


def test_the_runbook_of_a_gateway() -> None:
    """It names no control plane, checks the gateway alone, and says when it may be removed."""
    [(_, gateway)] = the_plan().gateways()
    text = gateway.runbook()
    assert text.startswith("# istio-ingressgateway: gateway of external control planes in hub\n")
    assert "payments" not in text
    assert "get secret" not in text
    assert "Expect: the address to which the host names of its control planes resolve; repeat this" in text
    assert "When no control plane uses the gateway any more." in text
    assert [step.part for step in gateway.steps] == ["shared gateway"]


def test_writing(tmp_path: Path) -> None:
    """All folders are written together, belong to the fleet, and are right afterwards."""
    paths = the_plan().write(tmp_path)
    assert paths[-1] == "RUNBOOK.md"
    assert {path.split("/")[0] for path in paths} == {
        *("gateway-hub-istio-system", "payments", "search", "lab", "RUNBOOK.md")
    }
    assert list(the_plan().changes(tmp_path)) == []
    assert (tmp_path / ".extcp-manifests").read_text("utf-8").splitlines()[1] == '# Owner: generate "fleet fleet"'


def test_kustomize_trees(tmp_path: Path) -> None:
    """Each folder is the kustomize tree of its plan, and all overlays stay people's own."""
    whole = the_plan()
    written = whole.kustomize(overlays=["prod"]).write(tmp_path)
    for folder, each in whole.plans():
        for path, content in each.kustomize(overlays=["prod"]).files():
            assert (tmp_path / folder / path).read_bytes() == content
    skeletons = [path for path in written if "/overlays/prod/" in path]
    assert len(skeletons) > 10
    (tmp_path / skeletons[0]).write_text("# mine\n", "utf-8")
    whole.kustomize(overlays=["prod"]).write(tmp_path)
    assert (tmp_path / skeletons[0]).read_text("utf-8") == "# mine\n"


def test_gitops() -> None:
    """Argo CD and Flux read each control plane's tree in its folder, under names that no other one has."""
    repository = Repository(url="https://git.example.com/x", path="fleets")
    for entries in (argocd(the_plan(), repository), flux(the_plan(), repository)):
        found = {entry.path: b"".join(entry.pieces) for entry in entries}
        documents = {path: yaml.load(content) for path, content in found.items() if path.endswith(".yaml")}
        names = [document["metadata"]["name"] for document in documents.values()]
        assert len(set(names)) == len(names) > 15
        for path, document in documents.items():
            spec = document["spec"]
            source = spec.get("source", spec)
            assert source["path"].removeprefix("./").startswith(f"fleets/{path.split('/')[0]}/")
        assert found["NOTES.md"].decode().count("/NOTES.md`") == 4
        assert b"rollout restart" not in found["gateway-hub-istio-system/NOTES.md"]


def test_problems_of_parts() -> None:
    """What a part cannot be is refused with the place of its control plane."""
    fleet = load_fleet(FLEET)
    wrong = fleet.control_planes[1].with_(release="1.18", install="helm")
    alone = Fleet(control_planes=[fleet.control_planes[2], wrong])
    with pytest.raises(InvalidInput) as caught:
        plan_fleet(alone)
    assert str(caught.value).startswith("control_planes[1].install: is helm, but the charts of Istio 1.18 have no")


def test_the_commands(tmp_path: Path) -> None:
    """Every command that takes a topology takes a fleet, from a file, from standard input or from a folder."""
    runner = CliRunner()
    written = runner.invoke(cli, ["generate", str(FLEET), "-o", str(tmp_path / "out")])
    assert written.exit_code == 0, written.output
    assert runner.invoke(cli, ["generate", str(FLEET), "-o", str(tmp_path / "out"), "--check"]).exit_code == 0
    stream = runner.invoke(cli, ["generate", "-"], input=FLEET.read_bytes())
    assert stream.output.startswith("# gateway-hub-istio-system/hub/controlplane-gateway.yaml\n")
    runbooks = runner.invoke(cli, ["plan", str(FLEET)]).output
    assert [line for line in runbooks.splitlines() if line.startswith("# ")] == [
        "# fleet: external control planes of Istio",
        "# istio-ingressgateway: gateway of external control planes in hub",
        "# payments: external control plane of Istio 1.30 at payments.istiod.example.com",
        "# search: external control plane of Istio 1.30 at search.istiod.example.com",
        "# lab: external control plane of Istio 1.31 at 192.0.2.30",
    ]
    explained = runner.invoke(cli, ["plan", str(FLEET), "--explain"]).output.splitlines()
    assert 'search  spec.istiod  components.pilot.k8s.resources.requests.cpu: "1"  (settings)' in explained
    for words in (["kustomize"], ["argocd", "--repo", "https://git.example.com/x"], ["flux"]):
        done = runner.invoke(cli, [*words, str(FLEET), "-o", str(tmp_path / words[0])])
        assert done.exit_code == 0, done.output
        assert runner.invoke(cli, [*words, str(FLEET), "-o", str(tmp_path / words[0]), "--diff"]).exit_code == 0
    folder = tmp_path / "meshes"
    folder.mkdir()
    (folder / "one.yaml").write_bytes((EXAMPLES / "guide.yaml").read_bytes())
    only = runner.invoke(cli, ["generate", str(folder)])
    assert only.output.startswith("# gateway-external-istio-system/external/controlplane-gateway.yaml\n")


def test_a_folder_of_another_fleet_is_refused(tmp_path: Path) -> None:
    """A fleet is called as its folder or file where no document names it, so that none takes over another's output."""
    for team in ("team-a", "team-b"):
        (tmp_path / team).mkdir()
        (tmp_path / team / "one.yaml").write_bytes((EXAMPLES / "guide.yaml").read_bytes())
    runner = CliRunner()
    out = str(tmp_path / "out")
    assert runner.invoke(cli, ["generate", str(tmp_path / "team-a"), "-o", out]).exit_code == 0
    with pytest.raises(OutputError) as caught:
        plan_fleet(load_fleet(tmp_path / "team-b")).write(out)
    assert "holds the manifests of 'fleet team-a'" in str(caught.value)


def credentials(*names: str) -> dict[str, ClusterCredentials]:
    ca = "-----BEGIN CERTIFICATE-----\n"
    return {
        name: ClusterCredentials(server="https://192.0.2.9", ca=ca, token=SecretStr(f"token-{name}")) for name in names
    }


def test_credentials_of_a_fleet() -> None:
    """Credentials go to the control plane that has the cluster; tokens are in no repr."""
    the_fleet_plan = plan_fleet(load_fleet(FLEET), credentials=credentials("payments2"))
    files = the_fleet_plan.render()
    assert [path for path in files if "remote-secret" in path] == ["payments/hub/remote-secret-payments2.yaml"]
    assert "token-payments2" not in repr(the_fleet_plan)


def test_credentials_that_do_not_fit_a_fleet() -> None:
    """An unknown cluster, and one that several control planes lead, are refused."""
    whole = yaml.load(FLEET.read_bytes())
    whole["spec"]["controlPlanes"][1]["remoteClusters"] = [{"name": "payments2", "network": "network1"}]
    whole["spec"]["controlPlanes"][1]["revision"] = "search"
    with pytest.raises(InvalidInput) as caught:
        plan_fleet(load_fleet(whole), credentials=credentials("payments2", "nowhere"))
    assert str(caught.value).splitlines() == [
        "credentials.payments2: is a cluster of control planes 'payments' and 'search', which need tokens of accounts "
        "of their own: leave it out, and let the runbooks make its Secrets",
        "credentials.nowhere: no remote cluster of the topology has this name: correct it or leave it out",
    ]


def test_credentials_are_checked_by_the_release_of_their_control_plane() -> None:
    """What the release of a control plane does not have is refused for its clusters, whatever the others' releases."""
    whole = yaml.load(FLEET.read_bytes())
    whole["spec"]["controlPlanes"][1]["release"] = "1.25"
    given = {
        name: ClusterCredentials(**{**vars_of(each), "tls_server_name": "api"})
        for name, each in credentials("payments2", "search1").items()
    }
    with pytest.raises(InvalidInput) as caught:
        plan_fleet(load_fleet(whole), credentials=given)
    assert str(caught.value) == (
        "credentials.search1.tls_server_name: Istio 1.25 has no tls-server-name in remote secrets: leave it out or use "
        "1.26 or later"
    )


def test_no_traceback_shows_a_token() -> None:
    """Tokens that are given as plain text are in no variable of the calls that refuse them."""
    given: Any = {"nowhere": {"server": "https://192.0.2.9", "ca": "x", "token": "hunter2"}}
    for call in (plan_fleet, plan_read_fleet):
        with pytest.raises(InvalidInput) as caught:
            call(load_fleet(FLEET), credentials=given)
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = "".join(line for frame in shown.stack[1:] for line in map(str, (frame.locals or {}).values()))
        assert "hunter2" not in ours


def vars_of(each: ClusterCredentials) -> dict[str, Any]:
    return {"server": each.server, "ca": each.ca, "token": each.token}


def test_control_planes_come_after_their_gateway() -> None:
    """In Flux and Argo CD the first part of a control plane waits for the last one of the gateway that it shares."""
    repository = Repository(url="https://git.example.com/x")
    of_flux = {entry.path: b"".join(entry.pieces).decode() for entry in flux(the_plan(), repository)}
    first = of_flux["payments/kustomizations/payments-payments1-set-up-the-config-cluster.yaml"]
    waited_for = yaml.load(first)["spec"]["dependsOn"][0]["name"]
    assert f"gateway-hub-istio-system/kustomizations/{waited_for}.yaml" in of_flux
    of_argo = {entry.path: b"".join(entry.pieces).decode() for entry in argocd(the_plan(), repository)}
    waves = {
        path: int(yaml.load(text)["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for path, text in of_argo.items()
        if path.endswith(".yaml")
    }
    of_gateway = [wave for path, wave in waves.items() if path.startswith("gateway-")]
    assert max(of_gateway) < min(wave for path, wave in waves.items() if path.startswith(("payments/", "search/")))


@pytest.mark.parametrize(
    ("name", "cluster", "context", "problem"),
    [
        (
            "search",
            "payments1",
            "other",
            "control_planes[1].config_cluster.name: 'payments1' is the name of another cluster of the fleet too: "
            "choose another",
        ),
        (
            "payments-x",
            "y",
            None,
            "control_planes: 'payments-x' and a cluster of it have the joined name "
            "'payments-x-y-set-up-the-config-cluster', as 'payments' and one of its own do: rename a control plane "
            "or a cluster",
        ),
    ],
)
def test_names_that_gitops_tools_would_mix_up(name: str, cluster: str, context: str | None, problem: str) -> None:
    """GitOps tools know clusters and parts by their names, so that no two in a fleet may have the same."""
    whole = yaml.load(FLEET.read_bytes())
    payments, search = whole["spec"]["controlPlanes"][:2]
    payments["remoteClusters"] = []
    if context is None:
        payments["configCluster"]["name"] = "x-y"
    search["name"], search["configCluster"]["name"] = name, cluster
    search["configCluster"]["context"] = context or cluster
    with pytest.raises(InvalidInput) as caught:
        list(flux(plan_fleet(load_fleet(whole)), Repository()))
    assert str(caught.value) == problem
