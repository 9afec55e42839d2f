"""From an IstioOperator's spec to the values of Helm charts, by release.

Source: istio 1.24.6 to 1.30.3: operator/pkg/render/manifest.go, operator/pkg/component/component.go; 1.15.7 to 1.23.6:
operator/pkg/translate, operator/pkg/helm/helm.go, read and not run.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.documents.lookup import at, copied, items_of, mapping_of
from extcp_manifests.istio.operator.merging import json_merge_patch, overlay, strategic_merge
from extcp_manifests.istio.operator.profiles import Tree
from extcp_manifests.istio.operator.set_flags import typed_value
from extcp_manifests.istio.operator.tree_paths import go_text
from extcp_manifests.istio.releases import Release
from extcp_manifests.records import Record


class SpecAndValues(Record):
    """An IstioOperator's spec over its profile, and what the charts get of it."""

    spec: dict[str, Any]
    values: dict[str, Any]


def spec_and_values(profile: dict[str, Any], user: Tree, release: Release) -> SpecAndValues:
    """Return the user's spec over a profile's, and the values that the charts get of both."""
    if release.merges_plain_trees:
        return _from_1_24(profile, user, release)
    return _to_1_23(profile, user)


# ------------------------------------------------------------------------------------------------------------ from 1.24


def _from_1_24(profile: dict[str, Any], user: Tree, release: Release) -> SpecAndValues:
    """Lay the user's spec over the profile, then write into the values what the spec says outside of them.

    Where both the spec and its values say something, the values win for what every profile has a mapping of (global)
    and for the revision; the spec wins for the mesh config and whether pilot is enabled.
    """
    spec = overlay(profile, user)
    own = mapping_of(user.get("values"))
    values = mapping_of(spec.get("values"))
    values = overlay(values, _of_the_spec(spec, own))
    for component in _components(spec):
        settings = _of_settings(component.settings, release)
        if settings:
            values = overlay(values, _at_path(component.chart_path, settings))
    values = overlay(values, _of_gateways(spec))
    # The user's own values come once more, and last, of which only nulls still make a difference.
    values = overlay(values, _only_nulls(own))
    if "values" in user and user["values"] is None:
        values = {}
    values = overlay(values, mapping_of(spec.get("unvalidatedValues")))
    return SpecAndValues({**spec, "values": values}, values)


def _of_the_spec(spec: Tree, own: Tree) -> dict[str, Any]:
    """Return the values that a spec sets outside of its own values."""
    values: dict[str, Any] = {}
    for key in ("hub", "tag"):
        if spec.get(key) is not None and key not in mapping_of(own.get("global")):
            values = overlay(values, {"global": {key: retyped(key, spec[key])}})
    for key in ("revision", "compatibilityVersion"):
        if spec.get(key) is not None and key not in own:
            values[key] = retyped(key, spec[key])
    if isinstance(spec.get("meshConfig"), Mapping):
        values["meshConfig"] = spec["meshConfig"]
    pilot_is_on = at(spec, "components", "pilot", "enabled") is True
    cni_is_on = at(spec, "components", "cni", "enabled") is True
    values["pilot"] = {"enabled": pilot_is_on, "cni": {"enabled": cni_is_on}}
    return values


def retyped(key: str, value: Any) -> Any:
    """Return a value of the spec as it gets into the chart's values, where istioctl reads text as one of `--set`."""
    if isinstance(value, str) and key not in ("tag", "compatibilityVersion"):
        return typed_value(value)
    return value


class _Component(Record):
    """A component whose settings become values of its chart."""

    chart_path: tuple[str, ...]
    """Where the values of its chart are."""
    settings: Tree


def _components(spec: Tree) -> Iterator[_Component]:
    for name in ("pilot", "cni", "ztunnel"):
        yield _Component((name,), mapping_of(at(spec, "components", name)))
    yield from _single_gateways(spec)


def _single_gateways(spec: Tree) -> Iterator[_Component]:
    """Yield the gateways that are the only one of their chart; of several, each is rendered with values of its own."""
    for key, chart in GATEWAY_CHARTS.items():
        enabled = [
            gateway
            for gateway in items_of(at(spec, "components", key))
            if isinstance(gateway, Mapping) and gateway and gateway.get("enabled", True)
        ]
        if len(enabled) == 1:
            yield _Component(("gateways", chart), enabled[0])


def _of_settings(settings: Tree, release: Release) -> dict[str, Any]:
    """Return what a component's settings make of its chart's values."""
    values = {"hub": settings.get("hub"), "tag": settings.get("tag")}
    if release.copies_replicas:
        values["replicaCount"] = at(settings, "k8s", "replicaCount")
        values["autoscaleMin"] = at(settings, "k8s", "hpaSpec", "minReplicas")
        values["autoscaleMax"] = at(settings, "k8s", "hpaSpec", "maxReplicas")
    return _given(values)


def _of_gateways(spec: Tree) -> dict[str, Any]:
    """Return what names, labels and ports of single gateways make of their charts' values."""
    values: dict[str, Any] = {}
    for gateway in _single_gateways(spec):
        ports = at(gateway.settings, "k8s", "service", "ports")
        settings = {"name": gateway.settings.get("name"), "labels": gateway.settings.get("label"), "ports": ports}
        values = overlay(values, _at_path(gateway.chart_path, _given(settings)))
    return values


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not left out."""
    return {key: value for key, value in values.items() if value is not None}


def _at_path(path: Iterable[str], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value as a tree in which it is at a path."""
    tree: Any = value
    for key in reversed(tuple(path)):
        tree = {key: tree}
    whole: dict[str, Any] = tree
    return whole


def _only_nulls(values: Tree) -> dict[str, Any]:
    """Return the nulls of values, and the mappings that lead to them."""
    nulls: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            nulls[key] = None
        elif isinstance(value, Mapping):
            below = _only_nulls(value)
            if below:
                nulls[key] = below
    return nulls


# ------------------------------------------------------------------------------------------------------------- to 1.23


# Values of pilot that become settings of the component.
_MOVED = (
    "env",
    "resources",
    "nodeSelector",
    "tolerations",
    "podAnnotations",
    "replicaCount",
    "imagePullPolicy",
    "priorityClassName",
    "readinessProbe",
    "podDisruptionBudget",
    "serviceAnnotations",
)
# Values of pilot that become settings of how its Deployment is updated.
_MOVED_TO_ROLLING_UPDATE = {"rollingMaxSurge": "maxSurge", "rollingMaxUnavailable": "maxUnavailable"}


def _to_1_23(profile: dict[str, Any], user: Tree) -> SpecAndValues:
    """Merge the user's spec into the profile by its types; then values beat what the spec says outside of them."""
    moved = _with_moved_settings(user)
    spec: dict[str, Any] = strategic_merge({"spec": profile}, {"spec": moved})["spec"]
    values: dict[str, Any] = {}
    for key in ("hub", "tag"):
        if spec.get(key) is not None:
            values = overlay(values, {"global": {key: spec[key]}})
    if spec.get("revision") is not None:
        values["revision"] = spec["revision"]
    if isinstance(spec.get("meshConfig"), Mapping):
        values["meshConfig"] = copied(spec["meshConfig"])
    values = json_merge_patch(values, mapping_of(spec.get("values")))
    values = json_merge_patch(values, mapping_of(spec.get("unvalidatedValues")))
    return SpecAndValues(spec, overlay(values, _of_gateways(spec)))


def _with_moved_settings(user: Tree) -> dict[str, Any]:
    """Return a spec with `values.pilot.env` and its like as settings of the component, where env is a list."""
    spec: dict[str, Any] = copied(user)
    pilot: Any = at(spec, "values", "pilot")
    if not isinstance(pilot, dict):
        return spec
    k8s: dict[str, Any] = {key: pilot.pop(key) for key in _MOVED if key in pilot}
    rolling = {name: pilot.pop(key) for key, name in _MOVED_TO_ROLLING_UPDATE.items() if key in pilot}
    if rolling:
        k8s["strategy"] = {"rollingUpdate": rolling}
    if not k8s:
        return spec
    if isinstance(k8s.get("env"), Mapping):
        variables = [{"name": name, "value": go_text(value)} for name, value in sorted(k8s["env"].items())]
        k8s["env"] = [*items_of(at(spec, "components", "pilot", "k8s", "env")), *variables]
    return overlay(spec, {"components": {"pilot": {"k8s": k8s}}})
