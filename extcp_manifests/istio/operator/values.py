"""From an IstioOperator's spec to the values of Helm charts, by release."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.istio.operator.merging import json_merge_patch, overlay, strategic_merge
from extcp_manifests.istio.operator.profiles import Tree
from extcp_manifests.istio.operator.set_flags import typed_value
from extcp_manifests.istio.operator.tree_paths import go_text
from extcp_manifests.istio.releases import Release

# ------------------------------------------------------------------------------------------------------------ from 1.24


def values_from_1_24(base: dict[str, Any], user: Tree, release: Release) -> tuple[dict[str, Any], dict[str, Any]]:
    """The profile under the user's tree, then what the spec says of values.

    Where both the spec and its values say something, the values win for what every profile has a mapping of (global)
    and for the revision; the spec wins for the mesh config and whether pilot is enabled.
    """
    spec = overlay(base, user)
    values = spec.get("values") or {}
    mine = user.get("values") or {}
    for key in ("hub", "tag"):
        if spec.get(key) is not None and key not in (mine.get("global") or {}):
            values = overlay(values, {"global": {key: retyped(key, spec[key])}})
    for key in ("revision", "compatibilityVersion"):
        if spec.get(key) is not None and key not in mine:
            values = overlay(values, {key: retyped(key, spec[key])})
    if isinstance(spec.get("meshConfig"), Mapping):
        values = overlay(values, {"meshConfig": spec["meshConfig"]})
    components = spec.get("components") or {}
    for name, where in (("pilot", ()), ("cni", ("pilot",))):
        enabled = (components.get(name) or {}).get("enabled") is True
        values = overlay(values, _nested((*where, name, "enabled"), enabled))
    for place, component in _rendered(components):
        if said := _of_component(component, release):
            values = overlay(values, _nested(place, said))
    values = overlay(_with_gateways(values, components), _nulls(mine)) if user.get("values", {}) is not None else {}
    if isinstance(spec.get("unvalidatedValues"), Mapping):
        values = overlay(values, spec["unvalidatedValues"])
    return {**spec, "values": values}, values


def _nested(path: Iterable[str], value: Any) -> dict[str, Any]:
    for key in reversed(tuple(path)):
        value = {key: value}
    nested: dict[str, Any] = value
    return nested


def _rendered(components: Tree) -> Iterator[tuple[tuple[str, ...], Tree]]:
    """Each component with the place of its chart's values; of several gateways each renders with its own."""
    for name in ("pilot", "cni", "ztunnel"):
        yield (name,), components.get(name) or {}
    yield from ((("gateways", chart), gateway) for chart, gateway in _single_gateways(components))


def _single_gateways(components: Tree) -> Iterator[tuple[str, Tree]]:
    for key, chart in GATEWAY_CHARTS.items():
        gateways = [each for each in components.get(key) or () if each and each.get("enabled", True)]
        if len(gateways) == 1:
            yield chart, gateways[0]


def _of_component(component: Tree, release: Release) -> dict[str, Any]:
    """What a component's own settings make of its chart's values."""
    said = {key: component.get(key) for key in ("hub", "tag")}
    k8s = component.get("k8s") or {}
    hpa = k8s.get("hpaSpec") or {}
    if release.copies_replicas:
        said["replicaCount"] = k8s.get("replicaCount")
        said |= {"autoscaleMin": hpa.get("minReplicas"), "autoscaleMax": hpa.get("maxReplicas")}
    return {key: value for key, value in said.items() if value is not None}


def _nulls(values: Tree) -> dict[str, Any]:
    """The nulls of the user's values, which come last and stay."""
    return {key: None if value is None else _nulls(value) for key, value in values.items() if _has_null(value)}


def _has_null(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and any(map(_has_null, value.values())))


def retyped(key: str, value: Any) -> Any:
    """A value on its way into the chart's, which istioctl takes as one of `--set`."""
    return typed_value(value) if isinstance(value, str) and key not in ("tag", "compatibilityVersion") else value


def _with_gateways(values: Tree, components: Tree) -> dict[str, Any]:
    """A single gateway's name, labels and ports become chart values; of several each renders with its own."""
    result = dict(values)
    for chart, gateway in _single_gateways(components):
        ports = ((gateway.get("k8s") or {}).get("service") or {}).get("ports")
        given = {"name": gateway.get("name"), "labels": gateway.get("label"), "ports": ports}
        known = {name: value for name, value in given.items() if value is not None}
        result = overlay(result, {"gateways": {chart: known}})
    return result


# ------------------------------------------------------------------------------------------------------------- to 1.23


# Values of pilot that become settings of the component.
_MOVED = (
    *("env", "resources", "nodeSelector", "tolerations", "podAnnotations", "replicaCount", "imagePullPolicy"),
    *("priorityClassName", "readinessProbe", "podDisruptionBudget", "serviceAnnotations"),
)


_ROLLING = {"rollingMaxSurge": "maxSurge", "rollingMaxUnavailable": "maxUnavailable"}


def values_to_1_23(base: dict[str, Any], user: Tree, _release: Release) -> tuple[dict[str, Any], dict[str, Any]]:
    """The user's tree over the profile by strategic merge; then values beat what the spec says of them."""
    moved = _moved(user)
    spec = strategic_merge({"spec": base}, {"spec": moved})["spec"]
    said: dict[str, Any] = {}
    for key in ("hub", "tag"):
        if spec.get(key) is not None:
            said = overlay(said, {"global": {key: spec[key]}})
    if spec.get("revision") is not None:
        said["revision"] = spec["revision"]
    if isinstance(spec.get("meshConfig"), Mapping):
        said["meshConfig"] = deepcopy(spec["meshConfig"])
    values = json_merge_patch(json_merge_patch(said, spec.get("values") or {}), spec.get("unvalidatedValues") or {})
    return spec, _with_gateways(values, spec.get("components") or {})


def _moved(user: Tree) -> dict[str, Any]:
    """values.pilot.env and its like, which istioctl takes for settings of the component; env comes as a list."""
    tree = deepcopy(dict(user))
    pilot = (tree.get("values") or {}).get("pilot") or {}
    k8s: dict[str, Any] = {key: pilot.pop(key) for key in _MOVED if key in pilot}
    rolling = {name: pilot.pop(key) for key, name in _ROLLING.items() if key in pilot}
    if rolling:
        k8s["strategy"] = {"rollingUpdate": rolling}
    if not k8s:
        return tree
    given = ((tree.get("components") or {}).get("pilot") or {}).get("k8s") or {}
    if isinstance(k8s.get("env"), Mapping):
        added = [{"name": name, "value": go_text(value)} for name, value in sorted(k8s["env"].items())]
        k8s["env"] = [*(given.get("env") or ()), *added]
    return overlay(tree, {"components": {"pilot": {"k8s": k8s}}})
