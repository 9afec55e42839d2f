"""What Python users expect of every value: pickling, threads, and tables in notebooks."""

import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor
from inspect import isfunction
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import pydantic.dataclasses
import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

import extcp_manifests
from extcp_manifests import (
    ClusterCredentials,
    InvalidInput,
    MeshCluster,
    OutputError,
    Topology,
    builders,
    load,
    load_fleet,
    plan,
    plan_fleet,
)
from extcp_manifests.errors import ExtcpError, Problem
from extcp_manifests.istio import merge_mesh_config
from extcp_manifests.istio.validation import validate

EXAMPLES = Path(__file__).parents[1] / "examples"
GUIDE = load(EXAMPLES / "guide.yaml")
FLEET = load_fleet(EXAMPLES / "fleet.yaml")


@pytest.mark.parametrize(
    "value",
    [
        GUIDE,
        plan(GUIDE),
        plan(GUIDE).steps[0],
        FLEET,
        plan_fleet(FLEET),
        builders.SystemNamespace(),
        builders.SystemNamespace().build(),
        merge_mesh_config(shared={"accessLogFile": "/x"}, local={}, release="1.24"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_pickled(value: Any) -> None:
    """Values come back equal from a pickle, so that they cross processes."""
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own pickle


@pytest.mark.parametrize(
    "error",
    [
        InvalidInput([Problem(("a", 0), "b", "f.yaml", 3), Problem((), "c")]),
        OutputError("out", "is no folder", Problem((), "more")),
    ],
)
def test_errors_are_pickled(error: ExtcpError) -> None:
    """Errors come back with their problems and their text."""
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own pickle
    assert (type(again), str(again), again.path, again.problems) == (
        type(error),
        str(error),
        error.path,
        error.problems,  # type: ignore[attr-defined]
    )


def test_threads() -> None:
    """Many threads may plan and render at once, also what nothing has loaded before."""
    expected = plan(GUIDE).render()
    with ThreadPoolExecutor(8) as pool:
        for rendered in pool.map(lambda _: plan(load(EXAMPLES / "guide.yaml")).render(), range(8)):
            assert rendered == expected


def test_tables_for_notebooks() -> None:
    """A plan is a table of its steps, a merge one of its values; every cell is text."""
    table = plan(GUIDE)._repr_html_()
    assert table.startswith("<table><tr><th>stage</th><th>cluster</th><th>file</th><th>command</th></tr>")
    assert table.count("<tr>") == 1 + len(plan(GUIDE).steps)
    merged = merge_mesh_config(shared={"accessLogFile": "<b>"}, local={"enableTracing": True}, release="1.24")
    assert merged._repr_html_() == (
        "<table><tr><th>path</th><th>value</th><th>set by</th></tr>"
        "<tr><td>enableTracing</td><td>true</td><td>local</td></tr>"
        "<tr><td>accessLogFile</td><td>&quot;&lt;b&gt;&quot;</td><td>shared</td></tr></table>"
    )


def test_what_is_exported_says_what_it_is() -> None:
    """Everything that the package hands on has a docstring, and every error is one of a family."""
    for name in extcp_manifests.__all__:
        value = getattr(extcp_manifests, name)
        assert value.__doc__, name
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, ExtcpError)


def test_parts_are_dataclasses() -> None:
    """The parts of a topology work with the functions of `dataclasses`, and show no token there either."""
    cluster = MeshCluster(name="a", network="n")
    assert dataclasses.is_dataclass(cluster)
    assert dataclasses.replace(cluster, network="m") == MeshCluster(name="a", network="m")
    assert [field.name for field in dataclasses.fields(cluster)][:3] == ["name", "context", "kubeconfig"]
    assert dataclasses.asdict(cluster)["gateways"]["overrides"] == {"ingress": {}, "egress": {}, "east_west": {}}
    assert [field.name for field in dataclasses.fields(ClusterCredentials) if not field.repr] == ["token"]


def test_a_dataclass_may_inherit_from_a_part() -> None:
    """A user's frozen dataclass with fields of its own is a cluster like others."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Owned(MeshCluster):
        owner: str = "nobody"

    owned = Owned(name="a", network="n", owner="me")
    assert (owned.owner, owned.network, owned.gateways) == ("me", "n", MeshCluster(name="a", network="n").gateways)
    assert owned == Owned(name="a", network="n", owner="me")
    assert hash(owned) == hash(Owned(name="a", network="n", owner="me"))
    topology = Topology(release="1.31", mesh_id="m", address="192.0.2.10", config_cluster=owned)
    assert topology.config_cluster.name == "a"
    match owned:
        case MeshCluster(name="a"):
            pass
        case _:
            raise AssertionError("the pattern of a class does not match")


@pytest.mark.filterwarnings("ignore:`frozen` is set via both")  # by the part's own configuration for pydantic
def test_a_pydantic_dataclass_may_inherit_from_a_part() -> None:
    """So may one of pydantic, which then checks its fields itself."""

    @pydantic.dataclasses.dataclass(frozen=True, kw_only=True)
    class Owned(MeshCluster):
        owner: "Literal['nobody', 'me']" = "nobody"

    assert dataclasses.asdict(Owned(name="a", network="n"))["owner"] == "nobody"
    with pytest.raises(pydantic.ValidationError, match="owner"):
        Owned(name="a", network="n", owner=1)  # type: ignore[arg-type]


def test_a_part_of_others_is_left_to_pydantic() -> None:
    """Validators, constraints and references to itself work in a user's own part, and wrong keys are refused."""

    class Owned(MeshCluster):
        shares: Annotated[int, Field(ge=1)] = 1
        of: "Owned | None" = None

        @field_validator("shares")
        @classmethod
        def is_no_dozen(cls, shares: int) -> int:
            if shares == 12:
                raise ValueError("a dozen")
            return shares

    adapter = TypeAdapter(Owned)
    owned = adapter.validate_python({"name": "a", "network": "n", "shares": 2, "of": {"name": "b", "network": "n"}})
    assert (owned.shares, owned.of) == (2, Owned(name="b", network="n"))
    mistakes: list[dict[str, Any]] = [{"shares": 0}, {"shares": 12}, {"share": 1}, {"meshConfig": {}}]
    for wrong in mistakes:
        with pytest.raises(pydantic.ValidationError):
            adapter.validate_python({"name": "a", "network": "n", **wrong})


def test_schemas_of_parts_in_models_of_others() -> None:
    """A model with a cluster has a JSON Schema for reading and for writing, which its own settings do not change."""

    class Site(BaseModel):
        model_config = ConfigDict(str_max_length=3)
        cluster: MeshCluster

    for mode in ("validation", "serialization"):
        name = Site.model_json_schema(mode=mode)["$defs"]["MeshCluster"]["properties"]["name"]
        assert "maxLength" not in name
    assert Site(cluster=MeshCluster(name="abcdef", network="n")).model_dump()["cluster"]["name"] == "abcdef"


def test_type_hints_can_be_resolved() -> None:
    """`typing.get_type_hints` knows every name in the annotations of the public functions, classes and methods."""
    for name in extcp_manifests.__all__:
        value = getattr(extcp_manifests, name)
        own = [each for each in getattr(value, "__mro__", ()) if each.__module__.startswith("extcp_manifests")]
        for each in [value, *(method for kind in own for method in vars(kind).values() if isfunction(method))]:
            if callable(each):
                get_type_hints(each)


def test_a_part_has_no_slots() -> None:
    """A dataclass with slots is refused where it is defined, since its fields would be missed later."""
    with pytest.raises(TypeError, match=r"^Owned cannot have slots, which a part has no fields in: leave them out$"):

        @dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
        class Owned(MeshCluster):
            owner: str = "nobody"


def test_parts_share_no_defaults() -> None:
    """What somebody puts into a mapping of one part is in no other, however the parts were made."""
    for _ in range(40):
        cluster = MeshCluster(name="a", network="n")
        assert cluster.gateways.overrides.ingress == {}
        cluster.gateways.overrides.ingress["x"] = 1  # type: ignore[index]
        topology = Topology(release="1.31", mesh_id="m", address="192.0.2.10", config_cluster=cluster.with_(name="b"))
        assert (topology.gateway.env, topology.istiod.env) == ({}, {})
        topology.gateway.env["x"] = topology.istiod.env["x"] = "y"  # type: ignore[index]
    adapter = TypeAdapter(MeshCluster)
    for _ in range(2):
        cluster = adapter.validate_python({"name": "a", "network": "n"})
        assert cluster.gateways.overrides.ingress == {}
        cluster.gateways.overrides.ingress["x"] = 1  # type: ignore[index]


def test_documents_within_plain_data_are_refused() -> None:
    """Rules look at plain data alone; a typed document among it would go unchecked."""
    with pytest.raises(InvalidInput, match=r"^documents\[0\]: a SystemNamespace|^documents\[0\]: a Namespace"):
        list(validate([builders.SystemNamespace().build()], release="1.31"))
