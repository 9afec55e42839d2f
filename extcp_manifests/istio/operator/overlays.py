"""`k8s.overlays`: what istioctl makes of their paths and patches on rendered manifests.

Source: istio 1.15.7: operator/pkg/patch/patch.go; 1.30.3: operator/pkg/render/postprocess.go. Where istioctl crashes,
or from 1.24 says nothing, the result has a problem instead.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.istio_operator import Component, GatewayComponent, IstioOperator, Overlay
from extcp_manifests.documents.lookup import at, copied, mapping_of
from extcp_manifests.errors import InvalidInput, Path, Problem, kind_of, require
from extcp_manifests.istio.operator.tree_paths import PatchError, TreeWriter, interpret, split_path
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.records import Record

Object = Mapping[str, Any]
"""A rendered manifest."""

Operation = Mapping[str, Any]
"""One operation of a JSON patch (RFC 6902)."""


class AppliedOverlays(Record, kw_only=True):
    """What overlays made of rendered objects."""

    objects: tuple[dict[str, Any], ...]
    """All objects, in their order, as patched."""
    operations: tuple[tuple[Operation, ...], ...]
    """For each object the JSON patch that makes the same change."""
    problems: tuple[Problem, ...]
    """What was not applied, each with the place of the patch: `overlays[0].patches[1]`."""


def apply_overlays(
    objects: Iterable[Object],
    overlays: IstioOperator | Iterable[Overlay],
    *,
    release: Release | str,
    component: str = "pilot",
    namespace: str | None = None,
) -> AppliedOverlays:
    """Apply overlays to rendered objects as istioctl of a release does; neither is changed.

    From an IstioOperator the overlays of a component are taken: `pilot`, another key of `components`, or the name of a
    gateway. Up to 1.23 an object must be in the component's namespace or in none; `namespace` says which that is, None
    lets any pass. Raises InvalidInput for a component that the IstioOperator does not have.
    """
    require(namespace, str | None, ("namespace",), "text")
    rules = _Rules(find_release(release), namespace)
    originals = _objects(objects)
    writers = [TreeWriter(copied(each)) for each in originals]
    numbers = _numbers_by_target(originals)
    problems: list[Problem] = []
    for index, overlay in enumerate(_overlays(overlays, component)):
        place = ("overlays", index)
        candidates = numbers.get((overlay.kind, overlay.name), ())
        found = [number for number in candidates if rules.matches(overlay, originals[number])]
        problems += rules.wrong_matches(overlay, len(found), place)
        for number in found:
            if not rules.release.overlays_accumulate:
                writers[number].start_anew(originals[number])
            problems += _apply(writers[number], overlay, place, rules.release)
    return AppliedOverlays(
        objects=tuple(writer.tree for writer in writers),
        operations=tuple(tuple(writer.operations) for writer in writers),
        problems=tuple(problems),
    )


def _numbers_by_target(objects: Iterable[Object]) -> Mapping[tuple[str, str], Sequence[int]]:
    """Return the numbers of objects by what an overlay finds them by: kind and name."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for number, each in enumerate(objects):
        kind, name = each.get("kind"), at(each, "metadata", "name")
        if isinstance(kind, str) and isinstance(name, str):
            numbers.setdefault((kind, name), []).append(number)
    return numbers


def to_json6902(
    overlays: IstioOperator | Iterable[Overlay],
    objects: Iterable[Object],
    *,
    release: Release | str,
    component: str = "pilot",
    namespace: str | None = None,
) -> list[dict[str, Any]]:
    """Return the same change as entries for `patches` of a kustomization, for manifests that Helm renders.

    Raises InvalidInput where a patch cannot be applied.
    """
    originals = _objects(objects)
    applied = apply_overlays(originals, overlays, release=release, component=component, namespace=namespace)
    if applied.problems:
        raise InvalidInput(applied.problems)
    return [
        {"target": _patch_target(each), "patch": yaml.dump(list(operations))}
        for each, operations in zip(originals, applied.operations, strict=True)
        if operations
    ]


def _objects(given: Any) -> tuple[Object, ...]:
    """Return rendered objects. Raises InvalidInput for what is not a list of mappings, or not plain data."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidInput([Problem(("objects",), f"must be a list of mappings, not {kind_of(given)}")])
    objects = tuple(given)
    for index, each in enumerate(objects):
        if not isinstance(each, Mapping):
            raise InvalidInput([Problem(("objects", index), "must be a mapping: leave it out")])
        yaml.require_plain(each, ("objects", index))
    return objects


def _patch_target(each: Object) -> dict[str, str]:
    """Return what selects an object in a kustomization."""
    group, _, version = str(each.get("apiVersion", "")).rpartition("/")
    target = {
        "group": group,
        "version": version,
        "kind": each.get("kind"),
        "name": at(each, "metadata", "name"),
        "namespace": at(each, "metadata", "namespace"),
    }
    return {key: value for key, value in target.items() if value}


def _overlays(overlays: IstioOperator | Iterable[Overlay], component: str) -> Sequence[Overlay]:
    if not isinstance(overlays, IstioOperator):
        return _given_overlays(overlays)
    require(component, str, ("component",), "text")
    found = _component(overlays, component)
    if found is None:
        problem = f"{component!r} is no component of this IstioOperator: name a key of components or a gateway"
        raise InvalidInput([Problem(("component",), problem)])
    if found.k8s is None or found.k8s.overlays is None:
        return ()
    return found.k8s.overlays


def _component(operator: IstioOperator, name: str) -> Component | GatewayComponent | None:
    """Return a component by its key or a gateway's name; a gateway that is called as a component comes first."""
    components = operator.spec.components
    if components is None:
        return None
    gateways = (*(components.ingressGateways or ()), *(components.egressGateways or ()))
    for gateway in reversed(gateways):  # of two gateways of one name the last one counts
        if gateway.name == name:
            return gateway
    if name not in _SINGLE_COMPONENTS:
        return None
    component: Component | None = getattr(components, name)
    return component


_SINGLE_COMPONENTS = ("base", "pilot", "cni", "ztunnel", "istiodRemote")


def _given_overlays(given: Any) -> tuple[Overlay, ...]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        problem = f"must be an IstioOperator or a list of Overlay, not {kind_of(given)}"
        raise InvalidInput([Problem(("overlays",), problem)])
    overlays = tuple(given)
    for index, each in enumerate(overlays):
        require(each, Overlay, ("overlays", index), "an Overlay")
    return overlays


class _Rules(Record):
    """How a release finds the object of an overlay."""

    release: Release
    namespace: str | None

    def matches(self, overlay: Overlay, each: Object) -> bool:
        """Return whether an overlay is for an object."""
        if each.get("kind") != overlay.kind or at(each, "metadata", "name") != overlay.name:
            return False
        if self.release.overlays_reach_all_namespaces or self.namespace is None:
            return True
        return mapping_of(each.get("metadata")).get("namespace", "") in ("", self.namespace)

    def wrong_matches(self, overlay: Overlay, found: int, place: Path) -> Iterator[Problem]:
        """Find an overlay that fits no object, or more than one of a release that allows only one."""
        target = f"{overlay.kind} {overlay.name!r}"
        reaction = reaction_to_a_misfit(self.release)
        if found == 0:
            yield Problem(place, f"no object is {target}, and istioctl {self.release} {reaction}: correct kind or name")
        if found > 1 and not self.release.overlays_patch_every_match:
            problem = f"{found} objects are {target}, and istioctl {self.release} {reaction}: leave one of them"
            yield Problem(place, problem)


def reaction_to_a_misfit(release: Release) -> str:
    """Return what istioctl does with an overlay that fits no object, or several, in words."""
    return "ignores this overlay silently" if release.ignores_unmatched_overlays else "stops with an error"


# ------------------------------------------------------------------------------------------------ one object's patches


def _apply(writer: TreeWriter, overlay: Overlay, place: Path, release: Release) -> Iterator[Problem]:
    """Write the patches of an overlay into its object, and yield what istioctl cannot do."""
    writer.start_overlay()
    for index, patch in enumerate(overlay.patches):
        patch_place = (*place, "patches", index)
        if is_skipped(patch.path, release):
            yield Problem(patch_place, f"{patch.path!r} is blank, and istioctl skips it: name a path")
            continue
        yaml.require_plain(patch.value, (*patch_place, "value"))
        if problem := why_unreadable(patch.path, patch.value):
            yield Problem(patch_place, problem)
            continue
        try:
            writer.write(patch.path, copied(patch.value))
        except PatchError as error:
            yield Problem(patch_place, f"{patch.path!r} {error}")


def is_skipped(path: str, release: Release) -> bool:
    """Return whether the path of a patch is as good as none for istioctl."""
    if release.trims_patch_paths:
        path = path.strip()
    return not path


def why_unreadable(path: str, value: Any) -> str | None:
    """Return why a patch makes an object unreadable for Kubernetes' decoder, at which istioctl stops, or None.

    Source: istio 1.30.3: operator/pkg/render/postprocess.go, run; k8s.io/apimachinery: pkg/apis/meta/v1/unstructured.
    """
    pieces = split_path(path)
    if not pieces or pieces[0] not in _NEEDED_TEXTS:
        return None
    if len(pieces) == 1 and isinstance(value, str) and value and not _reads_as_map(value):
        return None
    return f"{path!r} leaves the object without a readable {pieces[0]}, at which istioctl stops: leave it alone"


_NEEDED_TEXTS = ("kind", "apiVersion")


def _reads_as_map(text: str) -> bool:
    try:
        return isinstance(interpret(text), dict)
    except PatchError:
        return True
