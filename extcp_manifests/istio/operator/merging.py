"""Merging of plain data; no argument is ever changed."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from deepmerge import Merger

from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.yaml.emitter import require_plain

_OVERLAY = Merger([(dict, ["merge"])], ["override"], ["override"])


def overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings as one, key by key on every level; where both have a value that is no mapping, `over` wins."""
    merged: dict[str, Any] = _OVERLAY.merge(deepcopy(dict(base)), deepcopy(dict(over)))
    return merged


def json_merge_patch(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as RFC 7386 does: null deletes, lists replace."""
    result = deepcopy(dict(base))
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            before = result.get(key)
            result[key] = json_merge_patch(before if isinstance(before, Mapping) else {}, value)
        else:
            result[key] = deepcopy(value)
    return result


def operator_values(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that an IstioOperator's spec gives to charts, with those that istioctl does not validate."""
    return overlay(_mapping(spec.get("values")), _mapping(spec.get("unvalidatedValues")))


def operator_mesh_config(spec: Mapping[str, Any], release: Release | str) -> dict[str, Any]:
    """Return the mesh config of an IstioOperator's spec, which may stand in three places.

    Up to 1.23 that of the values beats `spec.meshConfig`, and null deletes; from 1.24 it is beaten. What stands in
    `unvalidatedValues` comes last.
    Source: istio 1.30.3: operator/pkg/render/manifest.go, run; 1.15.7: operator/pkg/helm/helm.go, read.
    """
    own = _mapping(spec.get("meshConfig"))
    of_values = _mapping(_mapping(spec.get("values")).get("meshConfig"))
    last = _mapping(_mapping(spec.get("unvalidatedValues")).get("meshConfig"))
    if find_release(release).spec_mesh_config_wins:
        return overlay(overlay(of_values, own), last)
    return json_merge_patch(json_merge_patch(own, of_values), last)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class MergedEnv:
    """The environment variables of a container after `k8s.env` was merged in."""

    env: tuple[dict[str, Any], ...]
    problems: tuple[Problem, ...]
    """Variables that Kubernetes will refuse."""


def merge_env(
    chart: Sequence[Mapping[str, Any]], patch: Sequence[Mapping[str, Any]] | None, *, release: Release | str
) -> MergedEnv:
    """Merge `k8s.env` into the variables that a chart renders, in the order that comes out of istioctl.

    A variable of the same name is merged field by field; null deletes a field, `$patch: delete` the variable, a null
    patch all of them. New variables come first, unless a variable before them in the patch is one of the chart's.
    Up to 1.23 empty text in the patch is lost on the way. Raises InvalidInput for a variable without name.
    Source: k8s.io/apimachinery: pkg/util/strategicpatch, merge key `name`; istio 1.30.3: operator/pkg/render.
    """
    _require_variables("chart", chart)
    _require_variables("env", [] if patch is None else patch)
    if patch is None:
        return MergedEnv((), ())
    keep_empty = find_release(release).keeps_empty_text
    if any(entry.get("$patch") == "replace" for entry in patch):
        chart, patch = (), [entry for entry in patch if entry.get("$patch") != "replace"]
    if nameless := [index for index, entry in enumerate(patch) if not entry.get("name")]:
        raise InvalidInput(Problem(("env", index, "name"), "is required: name the variable") for index in nameless)
    changes: dict[str, dict[str, Any]] = {}
    for entry in patch:
        change = {key: value for key, value in entry.items() if value != "" or keep_empty}
        changes[str(entry["name"])] = {**changes.get(str(entry["name"]), {}), **change}
    place = {str(entry["name"]): index for index, entry in enumerate(chart)}
    merged = {str(entry["name"]): dict(entry) for entry in chart} | {
        name: _merged_variable(chart[place[name]] if name in place else {}, change) for name, change in changes.items()
    }
    left = [name for name in place if name not in changes]
    right = [name for name, change in changes.items() if change.get("$patch") != "delete"]
    env = tuple(merged[name] for name in interleaved(left, right, place))
    both = [entry["name"] for entry in env if "value" in entry and "valueFrom" in entry]
    return MergedEnv(
        env,
        tuple(
            Problem(
                ("env", name), "has value and valueFrom, which Kubernetes refuses: set valueFrom to null beside value"
            )
            for name in both
        ),
    )


def _require_variables(name: str, variables: Any) -> None:
    require(variables, list | tuple, (name,), "a list of variables")
    for index, entry in enumerate(variables):
        require(entry, Mapping, (name, index), "a mapping with a name")
    require_plain(variables, (name,))
    if name == "chart" and (nameless := [index for index, entry in enumerate(variables) if not entry.get("name")]):
        raise InvalidInput(Problem(("chart", index, "name"), "is required: name the variable") for index in nameless)


def _merged_variable(before: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in overlay(before, change).items() if value is not None}


def interleaved(left: Sequence[str], right: Sequence[str], place: Mapping[str, int]) -> list[str]:
    """The order of a list that was merged by key: what only the base has (left), and what the patch has (right).

    A key of the base alone keeps its place before one that both have; all else goes as the patch has it.
    """
    result: list[str] = []
    rest = list(left)
    for name in right:
        while rest and name in place and place[rest[0]] < place[name]:
            result.append(rest.pop(0))
        result.append(name)
    return result + rest


# ------------------------------------------------------------------------------------------------- merging up to 1.23

# Lists whose items are merged by a key.
_BY_KEY: Mapping[tuple[str, ...], str] = {
    ("spec", "components", "ingressGateways"): "name",
    ("spec", "components", "egressGateways"): "name",
    ("spec", "meshConfig", "extensionProviders"): "name",
    ("spec", "meshConfig", "configSources"): "address",
    ("spec", "meshConfig", "certificates"): "secretName",
    **{
        ("spec", "values", "gateways", gateway, key): "name"
        for gateway in GATEWAY_CHARTS.values()
        for key in ("ports", "secretVolumes", "meshExpansionPorts")
    },
}


# Lists of text that become a union.
_UNIONS = {
    ("spec", "meshConfig", key)
    for key in (
        "trustDomainAliases",
        "defaultServiceExportTo",
        "defaultVirtualServiceExportTo",
        "defaultDestinationRuleExportTo",
    )
}


# Mappings that are replaced as a whole.
_REPLACED = {("spec", "meshConfig", "defaultConfig", key) for key in ("tracing", "gatewayTopology", "sds")}


def strategic_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Kubernetes' strategic merge with istioctl's keys; null deletes.

    istioctl also refuses mappings and lists that stand on both sides under a key that it does not know; those are
    merged here as if it did.
    """
    merged: dict[str, Any] = _STRATEGIC.merge(deepcopy(dict(base)), deepcopy(dict(over)))
    return merged


def _mappings(merger: Merger, path: list[Any], base: dict[str, Any], over: dict[str, Any]) -> Any:
    directive = over.pop("$patch", None)
    if directive == "delete":
        return {}
    if directive == "replace" or tuple(path) in _REPLACED:
        return _without_nulls(over)
    for key, value in over.items():
        if value is None:
            base.pop(key, None)
        elif key in base:
            base[key] = merger.value_strategy([*path, key], base[key], value)
        elif not (isinstance(value, dict) and value.get("$patch") == "delete"):
            base[key] = _without_nulls(value)
    return base


def _lists(merger: Merger, path: list[Any], base: list[Any], over: list[Any]) -> Any:
    key = _BY_KEY.get(tuple(path))
    if key is not None:
        return _by_key(merger, path, key, base, over)
    if tuple(path) in _UNIONS and all(isinstance(item, str) for item in (*base, *over)):
        place = {item: index for index, item in enumerate(base)}
        return interleaved([item for item in place if item not in over], list(dict.fromkeys(over)), place)
    return over


def _by_key(merger: Merger, path: list[Any], key: str, base: list[Any], over: list[Any]) -> list[Any]:
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in over):
        return [_without_nulls(item) for item in over if not (isinstance(item, dict) and "$patch" in item)]
    _require_names(tuple(path), key, base, in_base=True)
    _require_names(tuple(path), key, over, in_base=False)
    names = [item[key] for item in base]
    items = dict(zip(names, base, strict=True))
    changes = {item[key]: item for item in over}
    for name, item in changes.items():
        items[name] = merger.value_strategy([*path, "*"], items[name], item) if name in items else _without_nulls(item)
    left = [name for name in names if name not in changes]
    right = [name for name, item in changes.items() if items[name]]
    return [items[name] for name in interleaved(left, right, {name: place for place, name in enumerate(names)})]


class NamelessItem(InvalidInput):
    """An item of a list that is merged by a key, and lacks it."""

    def __init__(self, problem: Problem, list_path: tuple[str, ...], *, in_base: bool) -> None:
        super().__init__([problem])
        self.list_path = list_path
        self.in_base = in_base
        """Whether the item was there already, or is one of the file that is merged in."""


def _require_names(path: tuple[str, ...], key: str, items: Sequence[Any], *, in_base: bool) -> None:
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get(key), str | None):
            problem = Problem((*path, index), f"must be a mapping whose {key} is text: correct it")
            raise NamelessItem(problem, path, in_base=in_base)
        if not item.get(key):
            problem = Problem((*path, index, key), "is required where two files have the list: add it")
            raise NamelessItem(problem, path, in_base=in_base)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None and key != "$patch"}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


_STRATEGIC = Merger([(dict, [_mappings]), (list, [_lists])], ["override"], ["override"])
