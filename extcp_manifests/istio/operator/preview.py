"""What istioctl goes on to make of composed files: laid over a profile, and translated into Helm values.

Source: istio 1.24.6 to 1.30.3: operator/pkg/render/manifest.go, operator/pkg/component/component.go, 1.30.3 by running
it; 1.15.7 to 1.23.6: operator/pkg/manifest/shared.go, operator/pkg/translate, operator/pkg/helm/helm.go, read and not
run. Not shown: what istioctl finds out in a cluster, its own hub and tag, what charts add by themselves, and up to 1.23
the values that istioctl makes of which components are on and where.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests.documents.dropped import Dropped
from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.documents.lookup import at, copied, items_of, mapping_of
from extcp_manifests.documents.paths import leaves
from extcp_manifests.errors import InvalidInput, Problem, path_text
from extcp_manifests.istio.operator.compose import Input, compose_files, compose_plain
from extcp_manifests.istio.operator.merging import overlay, overlay_onto, strategic_merge_onto
from extcp_manifests.istio.operator.profiles import Tree, read_profile
from extcp_manifests.istio.operator.set_flags import checked_flags, split_flag
from extcp_manifests.istio.operator.tree_paths import split_path
from extcp_manifests.istio.operator.values import SpecAndValues, retyped, spec_and_values
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.istio.schema.decoder import decode
from extcp_manifests.istio.schema.tables import read_schema
from extcp_manifests.records import Record


class ComponentPreview(Record):
    """Whether a component is installed, and where."""

    name: str
    """The key of `components`, or the name of a gateway."""
    enabled: bool
    namespace: str


class Preview(Record):
    """What istioctl will install, as far as files, flags and profiles say."""

    spec: dict[str, Any]
    """The whole spec over its profile."""
    values: dict[str, Any]
    """The values that the charts get."""
    components: tuple[ComponentPreview, ...]
    """What the spec turns on or off, and what is on without it."""
    dropped: tuple[Dropped, ...]
    """What files and flags took away from earlier ones by replacing a list or a mapping; profiles aside."""
    _origins: Mapping[str, str]

    def origin(self, path: str) -> str:
        """Return who set a value of `values`, by the path of a leaf: a profile, a file, `set[0]` or `istioctl`.

        A list is one leaf. Raises KeyError where there is no leaf.
        """
        return self._origins[path]

    def origins(self) -> Iterator[tuple[str, Any, str]]:
        """Yield each leaf of the values with its path and who set it."""
        for path, value in _leaves(self.values):
            yield path, value, self._origins[path]


def preview(
    *files: Input,
    names: Sequence[str] = (),
    set: Iterable[str] = (),  # noqa: A002
    release: Release | str,
    profile: str | None = None,
) -> Preview:
    """Return what istioctl makes of files and flags; a profile given here beats theirs, as `--set profile=` does.

    Files are called by `names`; one without a name is `files[0]`.
    Raises InvalidInput as `compose` does, and for a profile that the release does not have.
    """
    record = find_release(release)
    flags = list(checked_flags(set))
    if profile is not None:
        flags.append(f"profile={profile}")
    composition = compose_files(*files, names=names, set=flags, release=record)
    try:
        user = _checked_spec(composition.plain, record)
    except InvalidInput as error:
        raise InvalidInput(map(composition.located, error.problems)) from None
    profiles = _profiles(user.get("profile") or "default", record)
    base = _merged([layer.spec for layer in profiles], record)
    result = spec_and_values(base, user, record)
    components = _Components(result, mapping_of(composition.plain.get("metadata")), record)
    layers = [*profiles, *_user_layers(files, names, flags, record)]
    return Preview(
        result.spec,
        result.values,
        tuple(components.previews()),
        composition.dropped,
        _origins_of(result.values, layers),
    )


# ----------------------------------------------------------------------------------------------------- the user's input


def _checked_spec(tree: Tree, release: Release) -> Tree:
    """Return the spec of a tree. Raises InvalidInput where a value has another type than istioctl takes."""
    decoded = decode(read_schema("istio_operator"), "IstioOperator", tree, release)
    values = mapping_of(at(decoded.value, "spec", "values"))
    decoded_values = decode(read_schema("values"), "Values", values, release)
    wrong = [Problem(found.path, found.message) for found in decoded.errors]
    wrong += [Problem(("spec", "values", *found.path), found.message) for found in decoded_values.errors]
    spec = mapping_of(tree.get("spec"))
    if release.keeps_nulls and not wrong:
        wrong += _harmful_nulls(spec)
    if wrong:
        raise InvalidInput(wrong)
    return spec


def _harmful_nulls(spec: Tree) -> Iterator[Problem]:
    """Find nulls that istioctl does not take for keys that are left out, and goes wrong at."""
    for key in ("hub", "tag", "revision", "compatibilityVersion", "meshConfig"):
        if key in spec and spec[key] is None:
            yield Problem(("spec", key), "is null, of which istioctl makes the text <nil>: leave the key out")
    components = mapping_of(spec.get("components"))
    for key in GATEWAY_CHARTS:
        for index, gateway in enumerate(items_of(components.get(key))):
            if gateway is None:
                yield Problem(("spec", "components", key, index), "is null: leave it out")
    for key in GATEWAY_CHARTS:
        if key in components and components[key] is None:
            problem = "is null, at which istioctl crashes: leave the key out"
            yield Problem(("spec", "components", key), problem)


# ------------------------------------------------------------------------------------------------------- what is merged


class _Layer(Record):
    """A spec that takes part in a preview."""

    name: str
    """Who set its values: a profile, a file, `set[0]`."""
    spec: Tree


def _profiles(name: str, release: Release) -> list[_Layer]:
    """Return the profiles that the user's spec is laid over; the default one is below every other."""
    layers = [_Layer("profile default", read_profile("default", release))]
    if name != "default":
        layers.append(_Layer(f"profile {name}", read_profile(name, release)))
    return layers


def _merged(specs: Sequence[Tree], release: Release) -> dict[str, Any]:
    """Merge specs as istioctl does, the first one as it is."""
    merge_onto = overlay_onto if release.merges_plain_trees else strategic_merge_onto
    merged: dict[str, Any] = {"spec": copied(specs[0])}
    for spec in specs[1:]:
        merge_onto(merged, {"spec": spec})
    whole: dict[str, Any] = merged["spec"]
    return whole


def _user_layers(
    files: Sequence[Input], names: Sequence[str], flags: Sequence[str], release: Release
) -> Iterator[_Layer]:
    for index, file in enumerate(files):
        name = names[index] if index < len(names) else f"files[{index}]"
        yield _Layer(name, mapping_of(compose_plain(file, release=release).get("spec")))
    for index, flag in enumerate(flags):
        path, value = split_flag(flag, release)
        tree: Any = value
        for piece in reversed(split_path(f"spec.{path}")[1:]):
            tree = {piece: tree}
        yield _Layer(f"set[{index}]", tree)


# ---------------------------------------------------------------------------------------------------------- components


class _Components(Record):
    """Which components a spec turns on, and where they go."""

    result: SpecAndValues
    metadata: Tree
    release: Release

    def previews(self) -> Iterator[ComponentPreview]:
        """Yield each component, in istioctl's order."""
        for name in ("base", "pilot", "cni", "ztunnel", "istiodRemote"):
            component = at(self.result.spec, "components", name)
            if component is not None:
                yield self._preview(name, component)
            elif self.release.components_default_on and name in ("base", "pilot"):
                yield ComponentPreview(name, True, self._namespace)
        yield from self._gateways()

    def _gateways(self) -> Iterator[ComponentPreview]:
        components = mapping_of(self.result.spec.get("components"))
        if self.release.components_default_on and "ingressGateways" not in components:
            yield ComponentPreview("istio-ingressgateway", True, self._namespace)
        for key, chart in GATEWAY_CHARTS.items():
            turned_on = at(self.result.values, "gateways", chart, "enabled") is True
            for gateway in items_of(components.get(key)):
                preview_of_it = self._preview(gateway.get("name") or key.removesuffix("s"), gateway)
                if self.release.values_turn_gateways_on and turned_on:
                    preview_of_it = preview_of_it.with_(enabled=True)
                yield preview_of_it

    def _preview(self, name: str, component: Tree) -> ComponentPreview:
        enabled = component.get("enabled", self.release.components_default_on) is True
        return ComponentPreview(name, enabled, component.get("namespace") or self._namespace)

    @property
    def _namespace(self) -> str:
        """The namespace of components that name none themselves."""
        of_values = at(self.result.values, "global", "istioNamespace") or ""
        if self.release.components_default_to_metadata_namespace:
            return of_values or self.metadata.get("namespace") or "istio-system"
        return self.result.spec.get("namespace") or of_values


# ------------------------------------------------------------------------------------------------------------- origins


def _origins_of(values: Tree, layers: Iterable[_Layer]) -> dict[str, str]:
    """Return for each leaf the last layer that has its value; what none has is istioctl's own."""
    final = dict(_leaves(values))
    origins = dict.fromkeys(final, "istioctl")
    for layer in layers:
        for path, value in _leaves(_as_values(layer.spec)):
            if path in final and final[path] == value:
                origins[path] = layer.name
    return origins


def _as_values(spec: Tree) -> dict[str, Any]:
    """Return what a spec sets of the values, in its values and outside of them."""
    values: dict[str, Any] = {}
    if isinstance(spec.get("meshConfig"), Mapping):
        values["meshConfig"] = spec["meshConfig"]
    for key in ("revision", "compatibilityVersion"):
        if spec.get(key) is not None:
            values[key] = retyped(key, spec[key])
    for key in ("hub", "tag"):
        if spec.get(key) is not None:
            values = overlay(values, {"global": {key: spec[key]}})
    for key in ("values", "unvalidatedValues"):
        values = overlay(values, mapping_of(spec.get(key)))
    return values


def _leaves(values: Tree) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of values with their paths as text; a list is one leaf."""
    for path, value in leaves(values, whole_lists=True):
        if path:
            yield path_text(path), value
