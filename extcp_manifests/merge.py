"""Merging of plain data; no argument is ever changed."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from deepmerge import Merger

from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.release import Release, find_release
from extcp_manifests.yaml import require_plain

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
    if find_release(release).untyped_operator:
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
    keep_empty = find_release(release).untyped_operator
    if any(entry.get("$patch") == "replace" for entry in patch):
        chart, patch = (), [entry for entry in patch if entry.get("$patch") != "replace"]
    if nameless := [index for index, entry in enumerate(patch) if not entry.get("name")]:
        raise InvalidInput(Problem(f"env[{index}].name", "is required: name the variable") for index in nameless)
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
                f"env.{name}", "has value and valueFrom, which Kubernetes refuses: set valueFrom to null beside value"
            )
            for name in both
        ),
    )


def _require_variables(place: str, variables: Any) -> None:
    require(variables, list | tuple, place, "a list of variables")
    for index, entry in enumerate(variables):
        require(entry, Mapping, f"{place}[{index}]", "a mapping with a name")
    require_plain(variables, place)
    if place == "chart" and (nameless := [index for index, entry in enumerate(variables) if not entry.get("name")]):
        raise InvalidInput(Problem(f"chart[{index}].name", "is required: name the variable") for index in nameless)


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
