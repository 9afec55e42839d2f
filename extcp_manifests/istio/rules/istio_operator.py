"""What istioctl reports of an IstioOperator by itself, without a profile, by release.

Source: istio 1.15.7: operator/pkg/validate, operator/pkg/apis/istio/v1alpha1/validation; 1.30.3:
operator/pkg/apis/validation/validation.go. Read and not run.

Of Kubernetes types (`k8s.*`, affinities, tolerations) keys and types are checked, but not what Kubernetes itself
demands of them: required keys, words, bounds, the form of Quantities. Not looked into: metadata up to 1.23; such types
in values up to 1.21, which istioctl leaves free; `global.waypoint.nodeSelector` from 1.29. A key in another case is
reported as unknown, although istioctl takes it from 1.24.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.findings import Findings, Found, as_errors, as_warnings, by_rule, error, warning
from extcp_manifests.documents.istio_operator import (
    EGRESS_INSTALLATION,
    GATEWAY_CHARTS,
    INGRESS_INSTALLATION,
    IstioOperator,
)
from extcp_manifests.documents.lookup import at, items_of, mapping_of, text_of
from extcp_manifests.errors import InvalidInput, Path, Problem, path_text
from extcp_manifests.istio.mesh.merging import merge_mesh_config
from extcp_manifests.istio.operator.merging import operator_values
from extcp_manifests.istio.operator.overlays import is_skipped, why_unreadable
from extcp_manifests.istio.releases import (
    Release,
    ReleaseRange,
    find_release,
    first_release_with,
    until,
)
from extcp_manifests.istio.rules.external_istiod import check_external_istiod
from extcp_manifests.istio.rules.service_ports import check_service_ports
from extcp_manifests.istio.rules.shared_checks import LABEL, is_subnet
from extcp_manifests.istio.schema.decoder import Decoded, Finding, decode
from extcp_manifests.istio.schema.tables import read_schema
from extcp_manifests.patterns import pattern
from extcp_manifests.records import Record


def validate_operator(document: IstioOperator | Mapping[str, Any], *, release: Release | str) -> Findings:
    """Validate an IstioOperator, typed or plain.

    Errors are what istioctl refuses, and lists of values that get lost; warnings what it accepts and then ignores, or
    only warns of. Raises InvalidInput for a document of another kind.
    """
    record = find_release(release)
    plain: Any = document.plain() if isinstance(document, IstioOperator) else document
    yaml.require_plain(plain)
    if not isinstance(plain, Mapping):
        raise InvalidInput([Problem((), "must be a mapping with `kind: IstioOperator`")])
    if plain.get("kind") != "IstioOperator":
        raise InvalidInput([Problem(("kind",), f"is {plain.get('kind')!r}: give an IstioOperator")])
    spec = mapping_of(plain, "spec")
    found = [*_structure(plain, record), *_values(spec, record)]
    for place, mesh_config in _mesh_configs(spec):
        # Up to 1.23 istioctl refuses keys that it does not know; later it only reports them.
        unknown = as_errors if record.refuses_unknown_mesh_config else as_warnings
        found += mesh_config_at(place, mesh_config, record, unknown)
    reported = {each.problem.place for each in found}
    for rule, check in _CHECKS:
        found += [each for each in by_rule(rule, check(spec, record)) if each.problem.place not in reported]
    found += by_rule("operator/webhooks", _webhooks_of_others(mapping_of(plain, "metadata"), spec))
    found += check_external_istiod(plain, release=record).found
    return Findings(tuple(found))


def _structure(plain: Mapping[str, Any], release: Release) -> Iterator[Found]:
    decoded = decode(read_schema("istio_operator"), "IstioOperator", plain, release)
    yield from _of_the_schema((), decoded)


def _values(spec: Mapping[str, Any], release: Release) -> Iterator[Found]:
    values = spec.get("values")
    if isinstance(values, Mapping):
        decoded = decode(read_schema("values"), "Values", values, release)
        if release.mounting_values == "unvalidatedValues":
            decoded = decoded.with_(unknown=[_of_a_volume(each, release) for each in decoded.unknown])
        yield from _of_the_schema(("spec", "values"), decoded)


def _of_a_volume(found: Finding, release: Release) -> Finding:
    """Return a finding of what Kubernetes knows of volumes and istioctl does not, with the way out."""
    if found.path[:2] != ("pilot", "volumes"):
        return found
    problem = f"is unknown to istioctl {release}: move the whole list to spec.unvalidatedValues.pilot.volumes"
    return found.with_(message=problem)


def _of_the_schema(start: Path, decoded: Decoded) -> Iterator[Found]:
    yield from as_errors((_problem(start, each) for each in decoded.errors), "operator/wrong-value")
    yield from as_errors((_problem(start, each) for each in decoded.unknown), "operator/unknown-key")


def _problem(start: Path, found: Finding) -> Problem:
    return Problem(found.path, found.message).under(*start)


def _mesh_configs(spec: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for place, found in (
        (("spec", "meshConfig"), at(spec, "meshConfig")),
        (("spec", "values", "meshConfig"), at(spec, "values", "meshConfig")),
    ):
        if isinstance(found, Mapping):
            yield place, found


def mesh_config_at(
    place: Path, source: Any, release: Release, ignored: Callable[[Iterable[Problem], str], Iterator[Found]]
) -> Iterator[Found]:
    """Yield what istiod refuses in a mesh config, what it logs, and what it ignores.

    `ignored` makes errors or warnings of the last.
    """
    try:
        merged = merge_mesh_config(shared=None, local=source, release=release)
    except InvalidInput as refusal:
        yield from as_errors(moved(refusal.problems, place), "mesh-config/wrong-value")
        return
    yield from as_errors(moved(merged.problems, place), "mesh-config/refused")
    yield from as_warnings(moved(merged.warnings, place), "mesh-config/logged")
    yield from ignored(
        [Problem(each.place, each.message).under(*place) for each in merged.ignored], "mesh-config/ignored"
    )


def moved(problems: Iterable[Problem], place: Path) -> Iterator[Problem]:
    """Yield problems of a part of a document as problems of the document, without the name that the part had."""
    for each in problems:
        yield each.with_(file="").under(*place)


# --------------------------------------------------------------------------------------------------------------- parts


def _gateways(spec: Mapping[str, Any]) -> Iterator[tuple[Path, str, Any]]:
    """Yield each gateway with its place, and where its values are."""
    for key, name in GATEWAY_CHARTS.items():
        for index, gateway in enumerate(items_of(spec, "components", key)):
            yield ("spec", "components", key, index), name, gateway


def _components(spec: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for name, component in mapping_of(spec, "components").items():
        if isinstance(component, Mapping):
            yield ("spec", "components", name), component
    yield from ((place, gateway) for place, _, gateway in _gateways(spec))


# An image's repository and tag as go-containerregistry takes them (github.com/google/go-containerregistry/pkg/name).
_HUB = pattern(r"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?[a-z0-9_./-]{1,255}")


_TAG = pattern(r"[A-Za-z0-9_.-]{1,128}")


_GATEWAY_NAME = pattern(r"[a-z0-9.-]{1,254}")


def _revision(spec: Mapping[str, Any], _: Release) -> Iterator[Found]:
    revision = text_of(spec, "revision")
    if revision and not LABEL.fullmatch(revision):
        problem = f"is {revision!r}, which is not a valid DNS label: use letters, digits and inner '-'"
        yield error(("spec", "revision"), problem)


def _images(spec: Mapping[str, Any], _: Release) -> Iterator[Found]:
    for place, part in ((("spec",), spec), *_components(spec)):
        hub, tag = at(part, "hub"), at(part, "tag")
        if isinstance(hub, str) and hub and not _HUB.fullmatch(f"{hub}/pilot"):
            problem = f"is {hub!r}, which is not a valid image repository: write it as in docker.io/istio"
            yield error((*place, "hub"), problem)
        if isinstance(tag, str | int | float) and not _TAG.fullmatch(str(tag)):
            problem = f"is {tag!r}, which is not a valid image tag: use letters, digits, '_', '.' and '-'"
            yield error((*place, "tag"), problem)


def _gateway_names(spec: Mapping[str, Any], _: Release) -> Iterator[Found]:
    for place, _chart, gateway in _gateways(spec):
        name = text_of(gateway, "name")
        if name and not _GATEWAY_NAME.fullmatch(name):
            yield error((*place, "name"), f"is {name!r}: use a-z, 0-9, '-' and '.', at most 254 characters")


def _disabled_gateways(spec: Mapping[str, Any], release: Release) -> Iterator[Found]:
    """With a profile that has no gateway, one without `enabled` is off up to 1.23 and on from 1.24."""
    if release.components_default_on or spec.get("profile") != "empty":
        return
    for place, chart, gateway in _gateways(spec):
        switches = (at(gateway, "enabled"), at(operator_values(spec), "gateways", chart, "enabled"))
        if isinstance(gateway, Mapping) and switches == (None, None):
            problem = f"has no `enabled`, so istioctl {release} installs nothing: add `enabled: true`"
            yield warning(place, problem)


def _webhooks_of_others(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Found]:
    """An installation of nothing but gateways, which makes the default revision tag unless its values forbid it.

    That is sure to be wrong in a remote cluster, whose istiod is elsewhere: by their names our own are there. Gateways
    that connect networks are rendered and not installed. Source: as in `builders.gateways`.
    """
    system = text_of(at(operator_values(spec), "global", "istioNamespace"))
    others = [part for key, part in mapping_of(spec, "components").items() if key not in GATEWAY_CHARTS]
    gateways = [gateway for _, _, gateway in _gateways(spec)]
    if spec.get("profile") != "empty" or not gateways or any(at(part, "enabled") is not False for part in others):
        return
    if system in ("", "istio-system") or any(at(each, "label", _NETWORK) is not None for each in gateways):
        return
    if at(operator_values(spec), "global", "operatorManageWebhooks") is True:
        return
    problem = "is not true, and `istioctl install` switches off the cluster's own injection webhooks: set it to true"
    place = ("spec", "values", "global", "operatorManageWebhooks")
    if metadata.get("name") in (INGRESS_INSTALLATION, EGRESS_INSTALLATION):
        yield error(place, problem)
    elif metadata.get("namespace") == system:
        yield warning(place, f"{problem}, unless istiod runs in this cluster")


_NETWORK = "topology.istio.io/network"


def _service_ports(spec: Mapping[str, Any], _: Release) -> Iterator[Found]:
    """A gateway that does not run as root cannot listen below 1024."""
    ingress = GATEWAY_CHARTS["ingressGateways"]
    places: list[tuple[Path, str, Any]] = [
        ((*place, "k8s", "service", "ports"), name, at(gateway, "k8s", "service", "ports"))
        for place, name, gateway in _gateways(spec)
    ]
    in_values = at(spec, "values", "gateways", ingress, "ingressPorts")
    places.append((("spec", "values", "gateways", ingress, "ingressPorts"), ingress, in_values))
    for place, name, ports in places:
        if not at(spec, "values", "gateways", name, "runAsRoot"):
            for index, port in enumerate(items_of(ports)):
                yield from _target_port((*place, index), port)


def _target_port(place: Path, port: Any) -> Iterator[Found]:
    if not isinstance(port, Mapping):
        yield error(place, "must be a mapping with the key port")
        return
    target, own = (port.get(key) or 0 for key in ("targetPort", "port"))
    above = isinstance(own, int) and own > 1024
    if isinstance(target, int) and target < 1024 and not (target == 0 and above):
        shown = f"has the target port {target}" if target else f"has no target port beside {port.get('port')}"
        yield error(place, f"{shown}, where a gateway without root cannot listen: use 1024 or more")


def _ranges(spec: Mapping[str, Any], release: Release) -> Iterator[Found]:
    proxy = mapping_of(spec, "values", "global", "proxy")
    blanks = " " if release.trims_address_ranges else ""
    for key in ("includeIPRanges", "excludeIPRanges"):
        parts = _scalar_text(proxy.get(key)).split(",") if proxy.get(key) not in (None, "", "*") else ()
        for part in (each.strip(blanks) if blanks else each for each in parts):
            if "/" not in part or not is_subnet(part):
                problem = (
                    f"has {part!r}, which is not a valid range of addresses: write them as in 10.0.0.0/8,192.168.0.0/16"
                )
                yield error(("spec", "values", "global", "proxy", key), problem)
    for key in ("includeInboundPorts", "excludeInboundPorts"):
        for part in _scalar_text(proxy.get(key)).split(","):
            if part not in ("", "*") and not (re.fullmatch("[0-9]{1,5}", part) and int(part) <= 65535):
                problem = f"has {part!r}, which is not a valid port: write them as in 80,443"
                yield error(("spec", "values", "global", "proxy", key), problem)


def _scalar_text(value: Any) -> str:
    return "" if value is None or isinstance(value, Mapping | list | tuple) else str(value)


def _profile(spec: Mapping[str, Any], release: Release) -> Iterator[Found]:
    profile = spec.get("profile")
    if profile in ("external", "remote") and profile not in release.profiles_of_remotes:
        other = release.remote_profile
        yield error(("spec", "profile"), f"is {profile!r}, which Istio {release} does not have: use {other!r}")


_TO_1_23 = until("1.23")


class _Outdated(Record):
    """A setting that istioctl refuses or warns of, unless it is absent or has a value that is fine."""

    place: tuple[str, ...]
    """The place in the spec."""
    fine: tuple[Any, ...]
    is_refused: bool
    message: str
    releases: ReleaseRange = _TO_1_23


_ADDON = "is refused, since Istio has no such add-on any more: install it from samples/addons"


# operator/pkg/apis/istio/v1alpha1/validation/validation.go: checkDeprecatedSettings. Settings that no schema of these
# releases knows, such as values.global.centralIstiod and values.grafana, are unknown keys already.
_OUTDATED = (
    _Outdated(("values", "global", "jwtPolicy"), ("third-party-jwt",), False, "is deprecated: use third-party-jwt"),
    _Outdated(("values", "global", "arch"), (), False, "is deprecated: use the affinity in the k8s of components"),
    _Outdated(("addonComponents", "grafana", "enabled"), (False,), True, _ADDON),
    _Outdated(("addonComponents", "kiali", "enabled"), (False,), True, _ADDON),
    _Outdated(("addonComponents", "prometheus", "enabled"), (False,), True, _ADDON),
    _Outdated(("addonComponents", "tracing", "enabled"), (False,), True, _ADDON),
)


def _outdated(spec: Mapping[str, Any], release: Release) -> Iterator[Found]:
    for row in _OUTDATED:
        value = at(spec, *row.place)
        if release in row.releases and value is not None and value not in row.fine:
            report = error if row.is_refused else warning
            yield report(("spec", *row.place), row.message)


def _ignored_volumes(spec: Mapping[str, Any], _: Release) -> Iterator[Found]:
    for place, component in _components(spec):
        for key in ("volumes", "volumeMounts"):
            if at(component, "k8s", key):
                yield warning((*place, "k8s", key), "is ignored by istioctl in every release: use overlays")


def _ignored_values(spec: Mapping[str, Any], release: Release) -> Iterator[Found]:
    """istiod's chart has no values for mounts in early releases; in `values` they are unknown keys already."""
    if release.mounting_values is None:
        first = first_release_with("mounting_values", "values")
        for key in ("volumes", "volumeMounts"):
            if at(spec, "unvalidatedValues", "pilot", key):
                problem = f"is known to Istio from {first}, not to {release}: use spec.components.pilot.k8s.overlays"
                yield error(("spec", "unvalidatedValues", "pilot", key), problem)


class _Kept(Record):
    """A list of values that becomes a setting of a component, which unvalidatedValues do not replace."""

    path: tuple[str, ...]
    releases: ReleaseRange


_KEPT = (_Kept(("pilot", "tolerations"), until("1.23")),)  # istio 1.23.6: operator/pkg/translate


def _replaced_lists(spec: Mapping[str, Any], release: Release) -> Iterator[Found]:
    """Lists are not merged: those of unvalidatedValues replace those of values."""
    kept = [row.path for row in _KEPT if release in row.releases]
    for path in _lists_of_both(mapping_of(spec, "values"), mapping_of(spec, "unvalidatedValues")):
        if path not in kept:
            there = path_text(("spec", "unvalidatedValues", *path))
            yield error(("spec", "values", *path), f"is replaced by {there}: add it there")


def _lists_of_both(values: Mapping[str, Any], over: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the path of each list of which another one at the same path does not have all items."""
    for key in values:
        below, other = values[key], over.get(key)
        if isinstance(below, Mapping) and isinstance(other, Mapping):
            yield from ((key, *path) for path in _lists_of_both(below, other))
        elif isinstance(other, list | tuple) and {_as_text(each) for each in items_of(below)} - set(
            map(_as_text, other)
        ):
            yield (key,)


def _as_text(item: Any) -> str:
    """Return an item as a text that is the same for equal ones."""
    return json.dumps(item, sort_keys=True, default=repr)


def _istiod_remote(spec: Mapping[str, Any], release: Release) -> Iterator[Found]:
    if at(spec, "components", "istiodRemote", "enabled") and not release.has_istiod_remote_chart:
        problem = f"has no chart in Istio {release}: use the profile 'remote' instead"
        yield warning(("spec", "components", "istiodRemote"), problem)


def _replicas(spec: Mapping[str, Any], _: Release) -> Iterator[Found]:
    """A fixed number of replicas has no effect beside autoscaling, as far as the document itself turns that on."""
    parts: list[tuple[Path, Any, Any, int]] = [
        (("spec", "components", "pilot"), at(spec, "components", "pilot"), at(spec, "values", "pilot"), 1)
    ]
    parts += [(place, gateway, at(spec, "values", "gateways", name), 0) for place, name, gateway in _gateways(spec)]
    for place, component, chart, most in parts:
        replicas = at(component, "k8s", "replicaCount")
        if at(chart, "autoscaleEnabled") and isinstance(replicas, int) and replicas > most:
            problem = "is overruled by autoscaling: leave it out, or autoscaleEnabled"
            yield warning((*place, "k8s", "replicaCount"), problem)


def _overlays(spec: Mapping[str, Any], release: Release) -> Iterator[Found]:
    """Find entries of `k8s.overlays` that do not do what people mean."""
    for place, component in _components(spec):
        for number, overlay in enumerate(items_of(component, "k8s", "overlays")):
            start = (*place, "k8s", "overlays", number)
            patches = at(overlay, "patches")
            if isinstance(overlay, Mapping) and patches in (None, [], ()):
                yield warning((*start, "patches"), "is empty, so the overlay changes nothing: add a patch")
            for key in ("kind", "name"):
                if isinstance(overlay, Mapping) and not overlay.get(key):
                    yield error((*start, key), "is missing, so the overlay finds no object: add it")
            for index, patch in enumerate(items_of(patches)):
                if isinstance(patch, Mapping):
                    yield from _patch((*start, "patches", index), patch, release)


def _patch(place: Path, patch: Mapping[str, Any], release: Release) -> Iterator[Found]:
    path = patch.get("path")
    if path is None:
        yield error((*place, "path"), "is missing, so istioctl skips the patch: add it")
    elif isinstance(path, str) and is_skipped(path, release):
        yield error((*place, "path"), f"is {path!r}, so istioctl skips the patch: name a path")
    elif isinstance(path, str) and (problem := why_unreadable(path, patch.get("value"))):
        yield error(place, problem)
    elif isinstance(path, str) and patch.get("value") is None:
        yield warning(
            (*place, "value"), f"is missing, so the patch deletes what is at {path!r}: add a value if not meant"
        )


_Check = Callable[[Mapping[str, Any], Release], Iterator[Found]]


def _ports_of_services(spec: Mapping[str, Any], _release: Release) -> Iterator[Found]:
    return as_errors(check_service_ports(spec), "operator/service-port")


_CHECKS: tuple[tuple[str, _Check], ...] = (
    ("operator/revision", _revision),
    ("operator/image", _images),
    ("operator/gateway-name", _gateway_names),
    ("operator/ignored", _disabled_gateways),
    ("operator/port", _service_ports),
    ("operator/range", _ranges),
    ("operator/profile", _profile),
    ("operator/outdated", _outdated),
    ("operator/ignored", _ignored_volumes),
    ("operator/ignored", _ignored_values),
    ("operator/ignored", _replaced_lists),
    ("operator/ignored", _istiod_remote),
    ("operator/replicas", _replicas),
    ("operator/overlay", _overlays),
    ("operator/service-port", _ports_of_services),
)
"""What is checked of a spec beside its types, each with the id of its rule."""
