"""What a key of a topology file does, from the same descriptions as its JSON Schema."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.lookup import mapping_of
from extcp_manifests.errors import InvalidInput, Problem, unknown_key
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.records import Record
from extcp_manifests.topology.fleet_file import fleet_schema
from extcp_manifests.topology.topology_file import schema


class Explanation(Record):
    """A key of a topology file."""

    path: str
    """The keys that lead there, such as `spec.gateway.name`; items of lists are left out."""
    type: str
    """What it holds, in words."""
    required: bool
    default: Any
    """What holds where the key is left out; None for nothing."""
    description: str
    below: tuple["Explanation", ...]
    """The keys of a mapping, or of the items of a list, without what is below them."""

    def __str__(self) -> str:
        """Return lines for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.path}  {self.type}{self._note()}".lstrip()
        if self.description:
            yield f"  {self.description}"
        if self.below:
            yield ""
            width = max(len(key.path.rpartition(".")[2]) for key in self.below)
            for key in self.below:
                name = key.path.rpartition(".")[2]
                yield f"  {name.ljust(width)}  {key.type}{key._note()}"
                if key.description:
                    yield f"  {' ' * width}    {key.description}"

    def _note(self) -> str:
        if self.required:
            return ", required"
        if self.default in (None, {}, [], ""):
            return ""
        return f", {yaml.dump(self.default).rstrip()} if left out"


def explain(path: str = "") -> Explanation:
    """Return what a key of a topology file does, by its path, such as `spec.configCluster.gateways`; empty for all.

    Keys of a file of several control planes begin with `spec.defaults` or `spec.controlPlanes`.
    Raises InvalidInput for a path that there is not, with the key that was most likely meant.
    """
    names = [part.partition("[")[0] for part in path.split(".")]
    is_of_fleets = names[:2] in (["spec", "defaults"], ["spec", "controlPlanes"])
    whole = _whole(is_of_fleets=is_of_fleets)
    key = _key("", whole, whole, required=True)
    node: Mapping[str, Any] = whole
    for number, part in enumerate(path.split(".") if path else ()):
        known = mapping_of(_held(node, whole).get("properties"))
        name = part.partition("[")[0]
        if name not in known:
            raise InvalidInput([Problem(tuple(path.split(".")[:number]), _unknown(name, known, whole))])
        required = name in _held(node, whole).get("required", ())
        node = known[name]
        key = _key(".".join((*path.split(".")[:number], name)), node, whole, required=required)
    return key


@cache
def _whole(*, is_of_fleets: bool) -> dict[str, Any]:
    return fleet_schema() if is_of_fleets else schema()


def _unknown(name: str, known: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """Return the sentence for a key that there is not; most often `spec.` was left out before it."""
    if name in mapping_of(whole, "properties", "spec", "properties"):
        return f"{name!r} is an unknown key: did you mean 'spec.{name}'?"
    return f"{name!r} is an {unknown_key(name, known)}"


def _key(path: str, node: Mapping[str, Any], whole: Mapping[str, Any], *, required: bool) -> Explanation:
    held = _held(node, whole)
    below = [
        Explanation(
            f"{path}.{name}" if path else name,
            _type(each, whole),
            name in held.get("required", ()),
            each.get("default"),
            each.get("description", _held(each, whole).get("description", "")),
            (),
        )
        for name, each in mapping_of(held.get("properties")).items()
    ]
    description = node.get("description", held.get("description", ""))
    return Explanation(path, _type(node, whole), required, node.get("default"), description, tuple(below))


def _held(node: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of the mapping that a key holds, alone or as an item of a list; else that of the key."""
    if "$ref" in node:
        definition: Mapping[str, Any] = whole["$defs"][node["$ref"].rpartition("/")[2]]
        return definition
    for each in node.get("anyOf", ()):
        if "$ref" in each:
            return _held(each, whole)
    if node.get("type") == "array":
        return _held(node["items"], whole)
    return node


def _type(node: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """Return what a key holds, in words."""
    if "enum" in node or "const" in node:
        words = list(map(str, node.get("enum", [node.get("const")])))
        return f"{words[0]} to {words[-1]}" if words == list(RELEASES) else " or ".join(words)
    alternatives = [each for each in node.get("anyOf", ()) if each.get("type") != "null"]
    if alternatives:
        return " or ".join(_type(each, whole) for each in alternatives)
    if node.get("type") == "array":
        return f"list of {_type(node['items'], whole)}"
    return _WORDS.get(node.get("type", "object"), "mapping")


_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "mapping"}
