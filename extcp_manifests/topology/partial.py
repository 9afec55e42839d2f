"""Topologies of which parts are wrong."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from extcp_manifests.topology.clusters import ExternalCluster, MeshCluster, SharedGateway
from extcp_manifests.topology.reading import file_spelling

_T = TypeVar("_T", bound="Topology")

if TYPE_CHECKING:
    from extcp_manifests.topology.model import Topology


def draft(cls: type[_T], data: Any, *, from_file: bool) -> tuple[_T, set[str]]:
    """A topology of the values that are right by themselves, for the rules to look at, and those values' names."""
    given = data if isinstance(data, Mapping) else {}
    names = cls.model_fields.keys()
    values = _valid(_adapters(cls, names), given, from_file)
    for name, part in (("gateway", SharedGateway), ("external_cluster", ExternalCluster)):
        if (key := _key(name, from_file)) in given and name not in values:
            values[name] = part(**_valid_part(part, given[key], from_file))
    config, remotes = (given.get(_key(name, from_file)) for name in ("config_cluster", "remote_clusters"))
    values["config_cluster"] = _draft_cluster(config, from_file)
    if isinstance(remotes, Iterable) and not isinstance(remotes, Mapping | str):
        values["remote_clusters"] = tuple(_draft_cluster(remote, from_file) for remote in remotes)
    draft = cls.model_construct(**values)
    left_out = {name for name in names if _key(name, from_file) not in given and hasattr(draft, name)}
    return draft, values.keys() | left_out


def _draft_cluster(data: Any, from_file: bool) -> MeshCluster | None:
    valid = _valid_part(MeshCluster, data, from_file)
    return MeshCluster(**{"network": "unknown", **valid}) if "name" in valid else None


def _valid_part(part: type[Any], data: Any, from_file: bool) -> dict[str, Any]:
    """The right values of a part; a context that is wrong becomes one that no other cluster has."""
    names = [item.name for item in fields(part)]
    if isinstance(data, part):
        data, from_file = {name: getattr(data, name) for name in names}, False
    if not isinstance(data, Mapping):
        return {}
    valid = _valid(_adapters(part, names), data, from_file)
    if data.get("context") is not None and "context" not in valid:
        valid["context"] = f"\0{id(data)}"
    return valid


_Adapters = Mapping[str, TypeAdapter[Any]]


_KNOWN_ADAPTERS: dict[type[Any], _Adapters] = {}


def _adapters(model: type[Any], names: Iterable[str]) -> _Adapters:
    if model not in _KNOWN_ADAPTERS:
        hints = get_type_hints(model, include_extras=True)
        _KNOWN_ADAPTERS[model] = {name: TypeAdapter(hints[name]) for name in names}
    return _KNOWN_ADAPTERS[model]


def _valid(adapters: _Adapters, data: Mapping[str, Any], from_file: bool) -> dict[str, Any]:
    """Those values of the data that are right, by the names of their fields."""
    valid = {}
    for name, adapter in adapters.items():
        if (key := _key(name, from_file)) in data:
            with suppress(ValidationError):
                valid[name] = adapter.validate_python(data[key], by_alias=from_file, by_name=not from_file)
    return valid


def _key(name: str, from_file: bool) -> str:
    return file_spelling(name) if from_file else name
