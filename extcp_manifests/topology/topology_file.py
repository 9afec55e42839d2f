"""Topology files."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.topology.inputs import CONFIG, FROM_FILE, Part, Readable, from_file, read
from extcp_manifests.topology.model import Topology
from extcp_manifests.topology.names import GatewayName
from extcp_manifests.topology.part_check import part_problems


def load(source: Readable, *, release: str | None = None, name: str = "") -> Topology:
    """Read a topology from a file, from a YAML text or from a mapping with a file's keys.

    Bytes are a text, and so is a str with a newline or `: `, or one that begins with `{`; any other str is a path. A
    release given here replaces the input's own. Problems call a file by its path and a text by `name`, and have the
    line. Raises InvalidInput with every problem, OSError for a file that cannot be read.
    """
    content = read(source, name=name)
    topology, problems = topology_of(content.data, release=release)
    if topology is None:
        raise InvalidInput(content.located(problems))
    return topology


def topology_of(data: Any, *, release: str | None = None) -> tuple[Topology | None, list[Problem]]:
    """Return the topology of what a file has, or None and all that is wrong with it."""
    file, problems = from_file(_File, data)
    spec = data.get("spec") if isinstance(data, Mapping) else None
    topology = None
    if isinstance(spec, Mapping):
        values = {key: value for key, value in spec.items() if key != "name"}
        if file is not None:
            values["name"] = file.metadata.name
        if release is not None:
            values["release"] = release
        if "name" in spec:
            problems.append(Problem(("spec", "name"), "unknown key: the name belongs in metadata.name"))
        try:
            topology = Topology.model_validate(values, context=FROM_FILE, by_alias=True, by_name=False)
            problems += part_problems(topology, from_file=True)
        except InvalidInput as error:
            problems += error.problems
    return (None if problems else topology), problems


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a topology file.

    It has the shape and the descriptions; only `load` checks the rules between values.
    """
    whole = _File.model_json_schema(by_alias=True)
    spec = Topology.model_json_schema(by_alias=True)
    definitions = whole.pop("$defs") | spec.pop("$defs")
    del spec["properties"]["name"]
    whole["properties"]["spec"] = spec
    # The default of a mapping is that of its keys; pydantic writes it in words of Python.
    for key in spec["properties"].values():
        if isinstance(key.get("default"), dict):
            del key["default"]
    return {
        **whole,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ExternalControlPlane",
        "description": "An Istio external control plane with all its clusters.",
        "$defs": definitions,
    }


class Metadata(Part):
    """What the installation is called."""

    name: Annotated[GatewayName, Field(description="Name of the installation.")]


API_VERSION = "extcp-manifests/v1"


KIND = "ExternalControlPlane"


KIND_OF_FLEETS = "ExternalControlPlanes"


class _File(BaseModel):
    model_config = CONFIG

    api_version: Literal["extcp-manifests/v1"]
    kind: Literal["ExternalControlPlane"]
    metadata: Metadata
    spec: Mapping[str, Any]
