"""Clusters of one shape are filled into templates, with the bytes that their own steps have."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extcp_manifests import (
    ClusterCredentials,
    GatewayOverrides,
    InvalidInput,
    MeshCluster,
    MeshGateways,
    Plan,
    Sample,
    Topology,
    plan,
)
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.pipelines.argocd import argocd
from extcp_manifests.pipelines.flux import flux
from extcp_manifests.pipelines.parts import Repository
from extcp_manifests.planning import kustomize, templates
from extcp_manifests.planning.folder.writing import Entry
from extcp_manifests.planning.kustomize import Base, PlacedStep
from extcp_manifests.planning.runbook import StageText, runbook, step_text, undo_text
from extcp_manifests.planning.shapes import Shapes
from extcp_manifests.planning.stages import StageRun, runs_of
from extcp_manifests.planning.step import Builder, Step, text_of

LOWER = "abcdefghijklmnopqrstuvwxyz"
LABELS = LOWER + "0123456789"


@pytest.fixture(autouse=True)
def every_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make templates for every shape, even if there are few clusters of it."""
    monkeypatch.setattr(templates, "_MANY", 1)


def texts(first: str, middle: str, most: int, last: str) -> st.SearchStrategy[str]:
    """Return texts of a first character, up to so many in the middle, and a last one.

    A strategy from a regular expression has the same texts, but draws characters one by one, which takes far longer.
    """
    return st.tuples(st.sampled_from(first), st.text(middle, max_size=most), st.sampled_from(last)).map("".join)


# Names of greatest length, names that YAML, shells, URLs, folders or Markdown write in another way, names that look
# like the marks of templates, and any others.
NAMES = (
    texts(LOWER, f"{LABELS}-", 61, LABELS)
    | st.text(LOWER, min_size=63, max_size=64)
    | st.sampled_from(["no", "on", "y", "null", "nan", "e1", "con", "lpt1", "overlays", "a--slash--b", "a--b", "a.b"])
    | st.sampled_from(["arn:aws:eks:x:1:cluster/prod", "A", "1", "0x1f", "1e5", "a_b", "a'b", "zqjv0n", "xzqjv0wx"])
    | texts(f"{LABELS}{LOWER.upper()}", f"{LABELS}{LOWER.upper()}-_./:@ ", 69, f"{LABELS}{LOWER.upper()}-_./:@ ")
    | st.sampled_from(f"{LABELS}{LOWER.upper()}")
)
NETWORKS = (
    texts(LOWER, f"{LABELS}-", 10, LABELS)
    | st.text(LOWER, min_size=63, max_size=63)
    | st.sampled_from(["no", "1", "A.b", "e1", "zqjv0c", "true"])
)
CONTEXTS = st.none() | NAMES | st.sampled_from(["-x", "a b", "$(x)", "a`b", "c" * 200, "c" * 201])
CLUSTERS = st.builds(
    MeshCluster,
    name=NAMES,
    network=NETWORKS,
    context=CONTEXTS,
    gateways=st.builds(
        MeshGateways,
        ingress=st.booleans(),
        egress=st.booleans(),
        east_west=st.booleans(),
        install=st.sampled_from(["istioctl", "helm"]),
        overrides=st.just(GatewayOverrides())
        | st.sampled_from([1, 1.0, True, {"a": 1, "b": 2}, {"b": 2, "a": 1}]).map(
            lambda value: GatewayOverrides(ingress={"values": {"x": value}})
        ),
    ),
    sample=st.none() | st.builds(Sample, version=st.sampled_from(["v1", "v2"])),
    api_server=st.none() | st.none() | st.just("https://192.0.2.1:6443"),
)
TOPOLOGIES = st.fixed_dictionaries(
    {
        "release": st.sampled_from(list(RELEASES)),
        "mesh_id": NAMES,
        "address": st.sampled_from(["istiod.example.com", "192.0.2.10", "2001:db8::1"]),
        "config_cluster": CLUSTERS,
        "remote_clusters": st.lists(CLUSTERS, max_size=5),
    }
)


def checked(values: dict[str, object], given: dict[str, ClusterCredentials]) -> None:
    """Compare files and runbook of a topology, where it is right, with what its steps give."""
    credential = {"credential_name": "c"} if values["address"] == "istiod.example.com" else {}
    try:
        the_plan = plan(Topology(**values, **credential), credentials=given)  # type: ignore[arg-type]
    except InvalidInput:
        return
    expected = [(step.path, text_of(step.builders)) for step in the_plan.steps if step.path is not None]
    assert list(the_plan.files()) == expected
    stages = (StageText(step.stage, step_text(step)) for step in the_plan.steps)
    clean_up = map(undo_text, reversed(the_plan.steps))
    assert the_plan.runbook() == "".join(runbook(the_plan.resolved, stages, clean_up))


def checked_trees(values: dict[str, object], given: dict[str, ClusterCredentials]) -> None:
    """Compare the kustomize tree of a topology, where it is right, and what Argo CD and Flux get, without templates."""
    try:
        the_plan = plan(Topology(**values, credential_name=None), credentials=given)  # type: ignore[arg-type]
    except InvalidInput:
        return
    found = trees(the_plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shapes, "shape", lambda *_: None)
        assert found == trees(plan(the_plan.topology, credentials=given))


def trees(the_plan: Plan) -> list[tuple[str, bytes, bool, bool]]:
    """Return all entries of the tree, without overlays and with some, of Argo CD, and of Flux in the last cluster."""
    plain, over = the_plan.kustomize(), the_plan.kustomize(overlays=["a", "b"])
    here = the_plan.topology.mesh_clusters[-1].name
    entries = chain(
        plain.entries(),
        over.entries(),
        over.skeletons(),
        argocd(the_plan, Repository(url="https://git.example.com/x", path="tree", overlay="a")),
        flux(the_plan, Repository(), here=here),
    )
    return [(entry.path, b"".join(entry.pieces), entry.secret, entry.keep) for entry in entries]


@given(TOPOLOGIES)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_any_clusters(values: dict[str, object]) -> None:
    """Whatever the clusters are called, files and runbook have the bytes that the steps give."""
    checked(values, {})


@given(TOPOLOGIES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_trees_of_any_clusters(values: dict[str, object]) -> None:
    """Whatever the clusters are called, the tree and its pipelines have the bytes that the steps give."""
    checked_trees({**values, "address": "192.0.2.10"}, {})


@given(st.data())
@settings(max_examples=100)
def test_plain_clusters(data: st.DataObject) -> None:
    """The same for clusters that templates are for, some of which have credentials."""
    values, given = plain_clusters(data)
    checked(values, given)


@given(st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_trees_of_plain_clusters(data: st.DataObject) -> None:
    """The same for the tree and its pipelines, whose parts have names of limited length."""
    values, given = plain_clusters(data)
    checked_trees({**values, "address": "192.0.2.10"}, given)


def plain_clusters(data: st.DataObject) -> tuple[dict[str, object], dict[str, ClusterCredentials]]:
    """Return the values of a topology whose clusters have plain names, and credentials of some of them."""
    plain = texts(LOWER, LABELS, 60, LABELS)
    names = data.draw(st.lists(plain, min_size=2, max_size=6, unique=True))
    clusters = [MeshCluster(name=name, network=data.draw(plain)) for name in names]
    credentials = ClusterCredentials(
        server="https://192.0.2.1:6443",
        ca="-----BEGIN CERTIFICATE-----",
        token="abc",  # type: ignore[arg-type]
    )
    values: dict[str, object] = {
        "release": data.draw(st.sampled_from(list(RELEASES))),
        "mesh_id": "mesh1",
        "address": "istiod.example.com",
        "config_cluster": clusters[0],
        "remote_clusters": clusters[1:],
    }
    return values, {name: credentials for name in names if data.draw(st.booleans())}


@given(TOPOLOGIES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_stages_share_no_base(values: dict[str, object]) -> None:
    """Each stage of a cluster can number its bases alone, since no other one has bases of these names."""
    try:
        the_plan = plan(Topology(**{**values, "address": "192.0.2.10"}))  # type: ignore[arg-type]
    except InvalidInput:
        return
    tree = the_plan.kustomize()
    seen: set[Base] = set()
    for run in runs_of(the_plan.resolved):
        bases = {placed.base for placed in tree.placed_in(run) if placed.base is not None}
        assert seen.isdisjoint(bases)
        seen |= bases


TREES: Mapping[str, Callable[[Plan], Iterable[Entry]]] = {
    "entries": lambda the_plan: the_plan.kustomize().entries(),
    "skeletons": lambda the_plan: the_plan.kustomize(overlays=["a"]).skeletons(),
    "argocd": lambda the_plan: argocd(the_plan, Repository(url="https://git.example.com/x")),
    "flux": lambda the_plan: flux(the_plan, Repository()),
}


@pytest.mark.parametrize("name", TREES)
def test_most_trees_are_filled_in(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of a stage get their places in the tree for the stand-ins of a shape, and not for many clusters."""
    calls: list[object] = []

    def counted(steps: Iterable[Step], overlay_folder: str) -> Iterator[PlacedStep]:
        calls.append(steps)
        return placed(steps, overlay_folder)

    placed = kustomize._placed
    monkeypatch.setattr(kustomize, "_placed", counted)
    entries = [(entry.path, b"".join(entry.pieces)) for entry in TREES[name](many_clusters(300))]
    assert len(entries) > 600
    assert len(calls) < 200


@pytest.mark.parametrize("name", TREES)
def test_memory_does_not_grow(name: str) -> None:
    """Entries of a thousand clusters take no more memory than those of a hundred, beside the topology."""
    peaks = [peak(partial(TREES[name], many_clusters(count))) for count in (100, 1000)]
    assert abs(peaks[1] - peaks[0]) < 30_000


def many_clusters(count: int) -> Plan:
    """Return the plan of clusters of one shape."""
    clusters = [MeshCluster(name=f"c{n}", network=f"n{n}") for n in range(count)]
    topology = Topology(
        release="1.31", mesh_id="m", address="192.0.2.10", config_cluster=clusters[0], remote_clusters=clusters[1:]
    )
    return plan(topology)


def peak(entries: Callable[[], Iterable[Entry]]) -> int:
    """Return the greatest memory while entries are read, in bytes, once caches are full."""
    found = 0
    for _ in range(2):
        tracemalloc.start()
        for entry in entries():
            for _ in entry.pieces:
                pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found


def test_most_clusters_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A builder's document is made for the stand-ins of a shape, and not for a thousand clusters."""
    clusters = [MeshCluster(name=f"cluster{number}", network=f"network{number}") for number in range(1001)]
    topology = Topology(
        release="1.31",
        mesh_id="mesh1",
        address="192.0.2.10",
        config_cluster=clusters[0],
        remote_clusters=clusters[1:],
    )
    calls: list[object] = []

    def counted(builders: tuple[Builder, ...]) -> bytes:
        calls.append(builders)
        return text_of(builders)

    monkeypatch.setattr("extcp_manifests.planning.step.text_of", counted)
    assert len(list(plan(topology).files())) > 2000
    assert len(calls) < 20


def test_equal_overrides_that_are_written_in_other_ways() -> None:
    """Each cluster gets its own override, where 1 and true are equal to Python, and so are keys in any order."""
    values = [1, True, 1.0, {"a": 1, "b": True}, {"b": True, "a": 1}, {"a": 1, "b": 1}]
    clusters = [
        MeshCluster(
            name=f"c{number}",
            network=f"n{number}",
            gateways=MeshGateways(ingress=True, overrides=GatewayOverrides(ingress={"values": {"x": value}})),
        )
        for number, value in enumerate(values * 3)
    ]
    checked(
        {
            "release": "1.31",
            "mesh_id": "m",
            "address": "192.0.2.10",
            "config_cluster": clusters[0],
            "remote_clusters": clusters[1:],
        },
        {},
    )


def test_a_shape_that_looks_at_names_is_not_trusted() -> None:
    """Where what is made depends on the length of a name, clusters get what their own steps give."""
    clusters = [MeshCluster(name=name, network="net") for name in ("a1", "b1", "c1")]
    topology = Topology(
        release="1.31", mesh_id="m", address="192.0.2.10", config_cluster=clusters[0], remote_clusters=clusters[1:]
    )
    resolved = plan(topology).resolved
    looking = templates.Templates[StageRun](lambda run: [(str(len(step.cluster)).encode(),) for step in run.steps()])
    plain = templates.Templates[StageRun](lambda run: [(step.cluster.encode(),) for step in run.steps()])
    runs = [run for run in runs_of(resolved) if run.remote.cluster.name == "b1"]
    assert all(looking.filled(run) is None for run in runs if list(run.steps()))
    assert {text for run in runs for text in plain.filled(run) or ()} == {(b"b1",), (b"external",)}


def test_a_single_cluster_is_made_as_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates are made for a shape of which there is more than one cluster, and for no other."""
    monkeypatch.undo()
    clusters = [MeshCluster(name=f"cluster{number}", network="net") for number in range(6)]
    topology = Topology(
        release="1.31", mesh_id="m", address="192.0.2.10", config_cluster=clusters[0], remote_clusters=clusters[1:]
    )
    resolved = plan(topology).resolved
    made = templates.Templates[StageRun](lambda run: [(step.cluster.encode(),) for step in run.steps()])
    (join,) = {run.number for run in runs_of(resolved) if run.title == "Join the further clusters"}
    filled = [made.filled(run) is not None for run in runs_of(resolved) if run.number == join]
    assert filled == [False, True, True, True, True]


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_parts_of_pipelines_look_at_all_stages(first: int) -> None:
    """What a part waits for is right however the clusters before it differ in gateways and sample."""
    shapes = [
        (MeshGateways(east_west=True, ingress=True), Sample(version="v1")),
        (MeshGateways(ingress=True), Sample(version="v1")),
        (MeshGateways(east_west=True, ingress=True), None),
        (MeshGateways(ingress=True), None),
    ]
    ordered = [shapes[first], shapes[first], *shapes, *reversed(shapes)]
    clusters = [
        MeshCluster(name=f"a{number}", network="n2", gateways=gateways, sample=sample)
        for number, (gateways, sample) in enumerate(ordered)
    ]
    checked_trees(
        {
            "name": "inst",
            "release": "1.30",
            "mesh_id": "m",
            "address": "203.0.113.5",
            "config_cluster": MeshCluster(name="cfg", network="n1", gateways=MeshGateways(east_west=True)),
            "remote_clusters": clusters,
        },
        {},
    )
