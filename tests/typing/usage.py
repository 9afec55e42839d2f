"""How users' type checkers see the library; checked by mypy and pyright, never run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import assert_type

from pydantic import SecretStr

from extcp_manifests import (
    ClusterCredentials,
    MeshCluster,
    MeshGateways,
    Plan,
    Topology,
    builders,
    injection,
    load,
    load_credentials,
    plan,
    yaml,
)
from extcp_manifests.documents.dropped import Dropped
from extcp_manifests.documents.istio_operator import IstioOperator
from extcp_manifests.documents.model import Model
from extcp_manifests.documents.secret import Secret
from extcp_manifests.istio.operator.compose import compose_files
from extcp_manifests.planning.step import Step

topology = Topology(
    release="1.24",
    mesh_id="mesh1",
    address="myhost.example.com",
    credential_name="cred",
    config_cluster=MeshCluster(name="cluster1", network="network1", gateways=MeshGateways(east_west=True)),
)
with_remotes = Topology(
    release="1.24",
    mesh_id="mesh1",
    address="192.0.2.10",
    config_cluster=MeshCluster(name="cluster1", network="network1"),
    remote_clusters=[MeshCluster(name="cluster2", network="network1")],
)
assert_type(with_remotes.remote_clusters, Sequence[MeshCluster])
assert_type(load("mesh.yaml"), Topology)
assert_type(load(Path("mesh.yaml"), release="1.24"), Topology)
assert_type(load({"apiVersion": "extcp-manifests/v1"}), Topology)
assert_type(load_credentials("credentials.yaml"), dict[str, ClusterCredentials])

the_plan = plan(topology, credentials={"cluster1": ClusterCredentials(server="", ca="", token=SecretStr(""))})
assert_type(the_plan, Plan)
assert_type(the_plan.render(), Mapping[str, bytes])
assert_type(the_plan.files(), Iterator[tuple[str, bytes]])
assert_type(the_plan.write("out"), list[str])
assert_type(the_plan.runbook(), str)
assert_type(the_plan.steps[0], Step)
assert_type(the_plan.steps[0].documents, tuple[Model, ...])
assert_type([step.why for step in the_plan.steps], list[str])

assert_type(
    builders.RemoteCluster(release="1.24", address="h.example.com", cluster="c", network="n").build(), IstioOperator
)
assert_type(builders.ServiceAccountToken().build(), Secret)
assert_type(injection.encode(cluster="c", network="n"), str)
assert_type(injection.decode("/inject/cluster/c"), dict[str, str])
assert_type(yaml.dump({"a": 1}), str)
composition = compose_files("kind: IstioOperator", {"kind": "IstioOperator"}, names=["a.yaml"], release="1.24")
assert_type(composition.operator, IstioOperator)
assert_type(composition.dropped, tuple[Dropped, ...])

# Wrong uses, which a checker must refuse; an ignore without need would be an error itself.
Topology(release="1.24", mesh_id="m", address="a.b")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
MeshCluster("cluster1", "network1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
topology.release = "1.15"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
