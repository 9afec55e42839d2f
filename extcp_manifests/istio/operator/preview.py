"""What istioctl goes on to make of composed files: laid over a profile, and translated into Helm values.

Source: istio 1.24.6 to 1.30.3: operator/pkg/render/manifest.go, operator/pkg/component/component.go, 1.30.3 by running
it; 1.15.7 to 1.23.6: operator/pkg/manifest/shared.go, operator/pkg/translate, operator/pkg/helm/helm.go, read and not
run. Not shown: what istioctl finds out in a cluster, its own hub and tag, what charts add by themselves, and up to 1.23
the values that istioctl makes of which components are on and where.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from extcp_manifests.documents.dropped import Dropped
from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.errors import InvalidInput, Problem, path_text
from extcp_manifests.istio.operator.compose import Input, compose_files, compose_plain
from extcp_manifests.istio.operator.merging import overlay, strategic_merge
from extcp_manifests.istio.operator.profiles import Tree, read_profile
from extcp_manifests.istio.operator.set_flags import checked_flags, split_flag
from extcp_manifests.istio.operator.tree_paths import split_path
from extcp_manifests.istio.operator.values import retyped, values_from_1_24, values_to_1_23
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.istio.schema.decoder import decode
from extcp_manifests.istio.schema.tables import read_schema


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
    merge = overlay if record.merges_plain_trees else strategic_merge
    base: dict[str, Any] = {}
    for _, spec in layers:
        base = merge(base, {"spec": spec}) if base else {"spec": deepcopy(dict(spec))}
    how = values_from_1_24 if record.merges_plain_trees else values_to_1_23
    spec, values = how(base["spec"], user, record)
    sources = [*layers, *_user_layers(files, names, flags, record)]
    components = tuple(_components(spec, values, tree.get("metadata") or {}, record))
    return Preview(spec, values, components, composition.dropped, _origins_of(values, sources))


def _well_typed(tree: Tree, release: Release) -> Tree:
    """The spec of a tree, whose values have the types that istioctl takes. Raises InvalidInput for others."""
    decoded = decode(read_schema("istio_operator"), "IstioOperator", tree, release)
    spec = decoded.value.get("spec") or {}
    values = decode(read_schema("values"), "Values", spec.get("values") or {}, release)
    wrong = [Problem(found.path, found.message) for found in decoded.errors]
    wrong += [Problem(("spec", "values", path_text(found.path)), found.message) for found in values.errors]
    given: Tree = tree.get("spec") or {}
    if release.keeps_nulls and not wrong:
        wrong += [
            Problem(("spec", key), "is null, of which istioctl makes the text <nil>: leave the key out")
            for key in ("hub", "tag", "revision", "compatibilityVersion", "meshConfig")
            if key in given and given[key] is None
        ]
        wrong += [
            Problem(("spec", "components", key, index), "is null: leave it out")
            for key in GATEWAY_CHARTS
            for index, gateway in enumerate((given.get("components") or {}).get(key) or ())
            if gateway is None
        ]
        wrong += [
            Problem(("spec", "components", key), "is null, at which istioctl crashes: leave the key out")
            for key in GATEWAY_CHARTS
            if key in (given.get("components") or {}) and given["components"][key] is None
        ]
    if wrong:
        raise InvalidInput(wrong)
    return given


# -------------------------------------------------------------------------------------------------- components, origins


def _components(spec: Tree, values: Tree, metadata: Tree, release: Release) -> Iterator[ComponentPreview]:
    components = spec.get("components") or {}
    default = (values.get("global") or {}).get("istioNamespace") or ""
    if release.components_default_to_metadata_namespace:
        default = default or metadata.get("namespace") or "istio-system"
    else:
        default = spec.get("namespace") or default
    for name in ("base", "pilot", "cni", "ztunnel", "istiodRemote"):
        component = components.get(name)
        if component is None:
            if release.components_default_on and name in ("base", "pilot"):
                yield ComponentPreview(name, True, default)
            continue
        yield ComponentPreview(name, _enabled(component, release), component.get("namespace") or default)
    charts = values.get("gateways") or {}
    if release.components_default_on and "ingressGateways" not in components:
        yield ComponentPreview("istio-ingressgateway", True, default)
    for key, chart in GATEWAY_CHARTS.items():
        forced = release.values_turn_gateways_on and (charts.get(chart) or {}).get("enabled") is True
        for gateway in components.get(key) or ():
            name = gateway.get("name") or key.removesuffix("s")
            yield ComponentPreview(name, forced or _enabled(gateway, release), gateway.get("namespace") or default)


def _enabled(component: Tree, release: Release) -> bool:
    """Without a word a component is off up to 1.23 and on from 1.24."""
    return component.get("enabled", release.components_default_on) is True


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
            said[key] = retyped(key, spec[key])
    named = {key: spec[key] for key in ("hub", "tag") if spec.get(key) is not None}
    return {**said, "global": named} if named else said


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif path:
        yield path, value
