"""The schema data against facts that were extracted from the sources of Istio and Kubernetes by other means."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from extcp_manifests.istio.releases import RELEASES, ReleaseRange
from extcp_manifests.istio.schema.model import EnumValue, Field, Schema
from extcp_manifests.istio.schema.tables import SCHEMAS, read_schema

# What differs from the facts on purpose: they were extracted before Istio 1.31.0, in which this has 32 bits.
CORRECTED = {("istio.networking.v1alpha3.ZoneAwareLoadBalancerSetting", "minClusterSize"): "uint32"}

Record = TypeVar("Record", Field, EnumValue)


def ends(releases: ReleaseRange) -> tuple[str, str | None]:
    """Return the first and last release of a range as the facts have them: they name the first release of all."""
    return releases.since or next(iter(RELEASES)), releases.until


def of_facts(records: Iterable[Record], facts: Any) -> list[Record]:
    """Return the records of fields or values that the releases of the facts know; later ones have no facts."""
    releases = [RELEASES[name] for name in facts["releases"]]
    return [each for each in records if any(release in each.releases for release in releases)]


def read_facts(guide: Path, name: str) -> Any:
    """Return extracted facts."""
    return json.loads((guide.parent / f"reference/schema/{name}.json").read_text())


def test_the_mesh_config_is_the_one_of_istio(guide: Path) -> None:
    """The mesh config has every field, spelling, type and range of the facts."""
    facts = read_facts(guide, "mesh_config")
    schema = read_schema("mesh_config")
    assert schema.messages.keys() == facts["messages"].keys()
    assert schema.enums.keys() == facts["enums"].keys()
    for name, message in facts["messages"].items():
        theirs = []
        for field in sorted(message["fields"], key=lambda field: field["index"]):
            type_ = str(CORRECTED.get((name, field["json"]), field["type"])).lower()
            proto = field.get("proto", field["json"])
            theirs.append((field["json"], proto, field.get("oneof"), (field["since"], field["until"]), type_))
        ours = []
        for each in of_facts(schema.messages[name], facts):
            type_ = each.type.split(":")[-1].lower()
            ours.append((each.name, each.proto, each.oneof, ends(each.releases), type_))
        assert ours == theirs, name
    for name, enum in facts["enums"].items():
        known = [(each.name, each.number, ends(each.releases)) for each in of_facts(schema.enums[name], facts)]
        assert known == [(each["name"], each["number"], (each["since"], each["until"])) for each in enum["values"]]


def kubernetes_type(raw: Any) -> str | None:
    """Return the name that our schema has for a Kubernetes type in the shape of protobuf, if it is one."""
    return f"proto.{raw.rpartition('.')[2]}" if str(raw).startswith("k8s.io") else None


def test_the_values_are_those_of_istio(guide: Path) -> None:
    """The values have every field, spelling, range and Kubernetes type of the facts."""
    facts = read_facts(guide, "values")
    schema = read_schema("values")
    included = read_schema("kubernetes").messages.keys() | read_schema("kubernetes_proto").messages.keys()
    assert schema.messages.keys() - included == facts["messages"].keys()
    order = list(RELEASES)
    for name, message in facts["messages"].items():
        theirs = []
        for field in message["fields"]:
            raws = field.get("raw")
            spans = raws if isinstance(raws, list) else [[field["since"], raws]]
            untils = [order[order.index(since) - 1] for since, _ in spans[1:]] + [field["until"]]
            for (since, raw), until in zip(spans, untils, strict=True):
                proto = field.get("proto", field["json"])
                theirs.append((field["json"], proto, (since, until), kubernetes_type(raw)))
        ours = []
        for each in of_facts(schema.messages[name], facts):
            type_ = each.type.rpartition("message:")[2] if "message:proto." in each.type else None
            ours.append((each.name, each.proto, ends(each.releases), type_))
        assert ours == theirs, name


@pytest.mark.parametrize(
    ("name", "last", "prefix"), [("istio_operator", "1.23", ""), ("kubernetes_proto", "1.28", "proto.")]
)
def test_the_kubernetes_types_are_those_of_istio(guide: Path, name: str, last: str, prefix: str) -> None:
    """Those of operator.proto and of Kubernetes' protobuf have every field and range of the facts, in one spelling."""
    facts = read_facts(guide, {"kubernetes_proto": "k8s_types"}.get(name, name))
    schema = read_schema(name)
    for message, facts_of_message in facts["messages"].items():
        short = prefix + message.rpartition(".")[2]
        if short[0].islower() or short == "IstioOperator":
            continue
        last_release = RELEASES[last]
        known = [each for each in schema.messages[short] if each.known_in(last_release) or each.releases.until]
        ours = [(each.name, each.proto, ends(each.releases)) for each in known]
        theirs = []
        for field in facts_of_message["fields"]:
            until = None if field["until"] == last else field["until"]
            theirs.append((field["json"], field["json"], (field["since"], until)))
        assert sorted(ours, key=str) == sorted(theirs, key=str), short


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_message_of_a_schema_is_there(name: str) -> None:
    """No type names a message or enum that neither the file nor what it refers to has."""
    schema: Schema = read_schema(name)
    known = schema.messages.keys() | schema.enums.keys()
    for fields in schema.messages.values():
        for field in fields:
            kind, _, inner = field.type.rpartition(":")
            if kind.endswith(("message", "enum")):
                assert inner in known
