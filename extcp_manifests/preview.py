"""What istioctl goes on to make of composed files: laid over a profile, and translated into Helm values.

Source: istio 1.24.6 to 1.30.3: operator/pkg/render/manifest.go, operator/pkg/component/component.go, 1.30.3 by running
it; 1.15.7 to 1.23.6: operator/pkg/manifest/shared.go, operator/pkg/translate, operator/pkg/helm/helm.go, read and not
run. Not shown: what istioctl finds out in a cluster, its own hub and tag, what charts add by themselves, and up to 1.23
the values that istioctl makes of which components are on and where.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.compose import (
    Input,
    checked_flags,
    compose_files,
    compose_plain,
    split_flag,
    strategic_merge,
    typed_value,
)
from extcp_manifests.dropped import Dropped
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio_operator import GATEWAY_CHARTS
from extcp_manifests.merge import json_merge_patch, overlay
from extcp_manifests.mesh import path_text
from extcp_manifests.patch import go_text, split_path
from extcp_manifests.release import Release, find_release, in_release
from extcp_manifests.schema import decode, read_schema

Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ComponentPreview:
    """Whether a component is installed, and where."""

    name: str
    enabled: bool
    namespace: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What istioctl will install, as far as files, flags and profiles say."""

    spec: dict[str, Any]
    """The whole spec over its profile."""
    values: dict[str, Any]
    """The values that the charts get."""
    components: tuple[ComponentPreview, ...]
    dropped: tuple[Dropped, ...]
    """What files and flags took away from earlier ones by replacing a list or a mapping; profiles aside."""
    _origins: Mapping[str, str]

    def origin(self, path: str) -> str:
        """Who set a value of `values`, by the path of a leaf: a profile, a file, `set[0]` or `istioctl`.

        A list is one leaf. Raises KeyError where there is no leaf.
        """
        return self._origins[path]

    def origins(self) -> Iterator[tuple[str, Any, str]]:
        """Each leaf of the values with its path and who set it."""
        for path, value in _leaves(self.values, ()):
            text = path_text(path)
            yield text, value, self._origins[text]


def preview(
    *files: Input,
    names: Sequence[str] = (),
    set: Iterable[str] = (),  # noqa: A002
    release: Release | str,
    profile: str | None = None,
) -> Preview:
    """What istioctl makes of files and flags; a profile given here beats theirs, as `--set profile=` does.

    Files are called by `names`; one without a name is `files[0]`.
    Raises InvalidInput as `compose` does, and for a profile that the release does not have.
    """
    record = find_release(release)
    flags = [*checked_flags(set), *([f"profile={profile}"] if profile is not None else [])]
    composition = compose_files(*files, names=names, set=flags, release=record)
    tree = composition.plain
    try:
        user = _well_typed(tree, record)
    except InvalidInput as error:
        raise InvalidInput(map(composition.located, error.problems)) from None
    name = user.get("profile") or "default"
    layers = [("profile default", read_profile("default", record))]
    if name != "default":
        layers.append((f"profile {name}", read_profile(name, record)))
    merge = overlay if record.untyped_operator else strategic_merge
    base: dict[str, Any] = {}
    for _, spec in layers:
        base = merge(base, {"spec": spec}) if base else {"spec": deepcopy(dict(spec))}
    how = _new_values if record.untyped_operator else _old_values
    spec, values = how(base["spec"], user, record)
    sources = [*layers, *_user_layers(files, names, flags, record)]
    components = tuple(_components(spec, values, tree.get("metadata") or {}, record))
    return Preview(spec, values, components, composition.dropped, _origins_of(values, sources))


def _well_typed(tree: Tree, release: Release) -> Tree:
    """The spec of a tree, whose values have the types that istioctl takes. Raises InvalidInput for others."""
    decoded = decode(read_schema("istio_operator"), "IstioOperator", tree, release)
    spec = decoded.value.get("spec") or {}
    values = decode(read_schema("values"), "Values", spec.get("values") or {}, release)
    wrong = [Problem(path_text(found.path), found.message) for found in decoded.errors]
    wrong += [Problem(f"spec.values.{path_text(found.path)}", found.message) for found in values.errors]
    given: Tree = tree.get("spec") or {}
    if release.untyped_operator and not wrong:
        wrong += [
            Problem(f"spec.{key}", "is null, of which istioctl makes the text <nil>: leave the key out")
            for key in ("hub", "tag", "revision", "compatibilityVersion", "meshConfig")
            if key in given and given[key] is None
        ]
        wrong += [
            Problem(f"spec.components.{key}[{index}]", "is null: leave it out")
            for key in GATEWAY_CHARTS
            for index, gateway in enumerate((given.get("components") or {}).get(key) or ())
            if gateway is None
        ]
        wrong += [
            Problem(f"spec.components.{key}", "is null, at which istioctl crashes: leave the key out")
            for key in GATEWAY_CHARTS
            if key in (given.get("components") or {}) and given["components"][key] is None
        ]
    if wrong:
        raise InvalidInput(wrong)
    return given


@cache
def read_profile(name: str, release: Release) -> Tree:
    """The spec of a profile. Raises InvalidInput for one that the release does not have."""
    known = [each for each in _profiles() if in_release(each["since"], each["until"], release)]
    for each in known:
        if each["name"] == name:
            spec: Tree = each["spec"]
            return spec
    names = ", ".join(each["name"] for each in known)
    raise InvalidInput(
        [Problem("spec.profile", f"is {name!r}, which Istio {release} does not have: known are {names}")]
    )


@cache
def _profiles() -> list[dict[str, Any]]:
    text = resources.files("extcp_manifests.schemas").joinpath("profiles.yaml").read_text("utf-8")
    profiles: list[dict[str, Any]] = yaml.load(text)
    return profiles


# ------------------------------------------------------------------------------------------------------------ from 1.24


def _new_values(base: dict[str, Any], user: Tree, release: Release) -> tuple[dict[str, Any], dict[str, Any]]:
    """The profile under the user's tree, then what the spec says of values.

    Where both the spec and its values say something, the values win for what every profile has a mapping of (global)
    and for the revision; the spec wins for the mesh config and whether pilot is enabled.
    """
    spec = overlay(base, user)
    values = spec.get("values") or {}
    mine = user.get("values") or {}
    for key in ("hub", "tag"):
        if spec.get(key) is not None and key not in (mine.get("global") or {}):
            values = overlay(values, {"global": {key: _retyped(key, spec[key])}})
    for key in ("revision", "compatibilityVersion"):
        if spec.get(key) is not None and key not in mine:
            values = overlay(values, {key: _retyped(key, spec[key])})
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


def _retyped(key: str, value: Any) -> Any:
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


def _old_values(base: dict[str, Any], user: Tree, _release: Release) -> tuple[dict[str, Any], dict[str, Any]]:
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


# -------------------------------------------------------------------------------------------------- components, origins


def _components(spec: Tree, values: Tree, metadata: Tree, release: Release) -> Iterator[ComponentPreview]:
    components = spec.get("components") or {}
    default = (values.get("global") or {}).get("istioNamespace") or ""
    if release.untyped_operator:
        default = default or metadata.get("namespace") or "istio-system"
    else:
        default = spec.get("namespace") or default
    for name in ("base", "pilot", "cni", "ztunnel", "istiodRemote"):
        component = components.get(name)
        if component is None:
            if release.untyped_operator and name in ("base", "pilot"):
                yield ComponentPreview(name, True, default)
            continue
        yield ComponentPreview(name, _enabled(component, release), component.get("namespace") or default)
    charts = values.get("gateways") or {}
    if release.untyped_operator and "ingressGateways" not in components:
        yield ComponentPreview("istio-ingressgateway", True, default)
    for key, chart in GATEWAY_CHARTS.items():
        forced = release.untyped_operator and (charts.get(chart) or {}).get("enabled") is True
        for gateway in components.get(key) or ():
            name = gateway.get("name") or key.removesuffix("s")
            yield ComponentPreview(name, forced or _enabled(gateway, release), gateway.get("namespace") or default)


def _enabled(component: Tree, release: Release) -> bool:
    """Without a word a component is off up to 1.23 and on from 1.24."""
    return component.get("enabled", release.untyped_operator) is True


def _user_layers(
    files: Sequence[Input], names: Sequence[str], flags: Sequence[str], release: Release
) -> Iterator[tuple[str, Tree]]:
    for index, file in enumerate(files):
        spec = compose_plain(file, release=release).get("spec")
        name = names[index] if index < len(names) else f"files[{index}]"
        yield name, spec if isinstance(spec, Mapping) else {}
    for index, flag in enumerate(flags):
        path, value = split_flag(flag, release)
        tree: Any = value
        for piece in reversed(split_path(f"spec.{path}")[1:]):
            tree = {piece: tree}
        yield f"set[{index}]", tree


def _origins_of(values: Tree, sources: Iterable[tuple[str, Tree]]) -> dict[str, str]:
    """For each leaf the last source that says its value; what none says is istioctl's."""
    origins = {path_text(path): "istioctl" for path, _ in _leaves(values, ())}
    final = {path_text(path): value for path, value in _leaves(values, ())}
    for name, spec in sources:
        said = _as_values(spec)
        for own in (spec.get("values"), spec.get("unvalidatedValues")):
            said = overlay(said, own if isinstance(own, Mapping) else {})
        for path, value in _leaves(said, ()):
            text = path_text(path)
            if text in final and final[text] == value:
                origins[text] = name
    return origins


def _as_values(spec: Tree) -> dict[str, Any]:
    """What a spec says of values outside of them."""
    said: dict[str, Any] = {}
    if isinstance(spec.get("meshConfig"), Mapping):
        said["meshConfig"] = spec["meshConfig"]
    for key in ("revision", "compatibilityVersion"):
        if spec.get(key) is not None:
            said[key] = _retyped(key, spec[key])
    named = {key: spec[key] for key in ("hub", "tag") if spec.get(key) is not None}
    return {**said, "global": named} if named else said


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif path:
        yield path, value
