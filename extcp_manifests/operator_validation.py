"""What istioctl says of an IstioOperator by itself, without a profile, by release.

Source: istio 1.15.7: operator/pkg/validate, operator/pkg/apis/istio/v1alpha1/validation; 1.30.3:
operator/pkg/apis/validation/validation.go. Read and not run.

Of Kubernetes types (`k8s.*`, affinities, tolerations) keys and types are checked, but not what Kubernetes itself
demands of them: required keys, words, bounds, the form of Quantities. Not looked into: metadata up to 1.23; such types
in values up to 1.21, which istioctl leaves free; `global.waypoint.nodeSelector` from 1.29. A key in another case is
told as unknown, although istioctl takes it from 1.24.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.checks import LABEL, Findings, is_subnet
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.external_istiod import check_external_istiod
from extcp_manifests.istio_operator import IstioOperator
from extcp_manifests.mesh import merge_mesh_config, path_text
from extcp_manifests.release import RELEASES, Release, find_release
from extcp_manifests.schema import Finding, decode, read_schema
from extcp_manifests.service_ports import check_service_ports


def validate_operator(document: IstioOperator | Mapping[str, Any], *, release: Release | str) -> Findings:
    """Validate an IstioOperator, typed or plain.

    Errors are what istioctl refuses; warnings what it accepts and then ignores, or only warns of. Raises InvalidInput
    for a document of another kind.
    """
    record = find_release(release)
    plain: Any = document.plain() if isinstance(document, IstioOperator) else document
    yaml.require_plain(plain)
    if not isinstance(plain, Mapping):
        raise InvalidInput([Problem("", "must be a mapping with `kind: IstioOperator`")])
    if plain.get("kind") != "IstioOperator":
        raise InvalidInput([Problem("kind", f"is {plain.get('kind')!r}: give an IstioOperator")])
    given = plain.get("spec")
    spec: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    errors = [*_structure(plain, record), *_values(spec, record)]
    warnings: list[Problem] = []
    for place, mesh_config in _mesh_configs(spec):
        refused, logged, dropped = _mesh_config(place, mesh_config, record)
        errors += refused
        warnings += logged
        (warnings if record.untyped_operator else errors).extend(dropped)
    errors += check_service_ports(spec)
    external = check_external_istiod(plain, release=record)
    errors, warnings = [*errors, *external.errors], [*warnings, *external.warnings]
    if not errors:
        errors += [*_scalars(spec), *_service_ports(spec), *_ranges(spec, record), *_profile(spec, record)]
        errors += _outdated(spec, record, refused=True)
        warnings += _outdated(spec, record, refused=False)
        warnings += [*_ignored_volumes(spec), *_istiod_remote(spec, record), *_replicas(spec)]
    return Findings(tuple(errors), tuple(warnings))


def _problem(start: str, found: Finding) -> Problem:
    path = path_text(found.path)
    return Problem(f"{start}.{path}" if start and path else start or path, found.message)


def _structure(plain: Mapping[str, Any], release: Release) -> Iterator[Problem]:
    decoded = decode(read_schema("istio_operator"), "IstioOperator", plain, release)
    yield from (_problem("", found) for found in (*decoded.errors, *decoded.unknown))


def _values(spec: Mapping[str, Any], release: Release) -> Iterator[Problem]:
    values = spec.get("values")
    if isinstance(values, Mapping):
        decoded = decode(read_schema("values"), "Values", values, release)
        yield from (_problem("spec.values", found) for found in (*decoded.errors, *decoded.unknown))


def _mesh_configs(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    values = spec.get("values")
    inner = values.get("meshConfig") if isinstance(values, Mapping) else None
    for place, found in (("spec.meshConfig", spec.get("meshConfig")), ("spec.values.meshConfig", inner)):
        if isinstance(found, Mapping):
            yield place, found


def _mesh_config(place: str, mesh_config: Mapping[str, Any], release: Release) -> tuple[list[Problem], ...]:
    """What istiod refuses in a mesh config, what it logs, and what it drops, which istioctl only tells up to 1.23."""
    try:
        merged = merge_mesh_config(shared=None, local=mesh_config, release=release)
    except InvalidInput as error:
        return [Problem(each.path, each.message).under(place) for each in error.problems], [], []
    return tuple(
        [Problem(f"{place}.{each.path}", each.message) for each in found]
        for found in (merged.problems, merged.warnings, merged.ignored)
    )


_GATEWAY_CHARTS = {"ingressGateways": "istio-ingressgateway", "egressGateways": "istio-egressgateway"}


def _gateways(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Each gateway with its place, and where its values are."""
    components = spec.get("components") or {}
    for key, name in _GATEWAY_CHARTS.items():
        for index, gateway in enumerate(components.get(key) or ()):
            yield f"spec.components.{key}[{index}]", name, gateway or {}


def _components(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, component in (spec.get("components") or {}).items():
        if isinstance(component, Mapping):
            yield f"spec.components.{name}", component
    yield from ((place, gateway) for place, _, gateway in _gateways(spec))


# An image's repository and tag as go-containerregistry takes them (github.com/google/go-containerregistry/pkg/name).
_HUB = re.compile(r"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?[a-z0-9_./-]{1,255}")
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_GATEWAY_NAME = re.compile(r"[a-z0-9.-]{1,254}")


def _scalars(spec: Mapping[str, Any]) -> Iterator[Problem]:
    revision = spec.get("revision")
    if revision and not LABEL.fullmatch(revision):
        yield Problem("spec.revision", f"is {revision!r}, which is no DNS label: use letters, digits and inner '-'")
    for place, part in (("spec", spec), *_components(spec)):
        hub, tag = part.get("hub"), part.get("tag")
        if hub and not _HUB.fullmatch(f"{hub}/pilot"):
            yield Problem(f"{place}.hub", f"is {hub!r}, which is no image repository: write it as in docker.io/istio")
        if tag is not None and not _TAG.fullmatch(str(tag)):
            yield Problem(f"{place}.tag", f"is {tag!r}, which is no image tag: use letters, digits, '_', '.' and '-'")
    for place, _, gateway in _gateways(spec):
        if gateway.get("name") and not _GATEWAY_NAME.fullmatch(gateway["name"]):
            yield Problem(f"{place}.name", f"is {gateway['name']!r}: use a-z, 0-9, '-' and '.', at most 254 characters")


def _service_ports(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Without root a gateway cannot listen below 1024."""
    values = (spec.get("values") or {}).get("gateways") or {}
    ingress = _GATEWAY_CHARTS["ingressGateways"]
    places = [
        (f"{place}.k8s.service.ports", name, ((gateway.get("k8s") or {}).get("service") or {}).get("ports"))
        for place, name, gateway in _gateways(spec)
    ]
    places.append(
        (f"spec.values.gateways.{ingress}.ingressPorts", ingress, (values.get(ingress) or {}).get("ingressPorts"))
    )
    for place, name, ports in places:
        if not (values.get(name) or {}).get("runAsRoot"):
            for index, port in enumerate(ports if isinstance(ports, list | tuple) else ()):
                yield from _target_port(f"{place}[{index}]", port)


def _target_port(place: str, port: Any) -> Iterator[Problem]:
    if not isinstance(port, Mapping):
        yield Problem(place, "must be a mapping with the key port")
        return
    target, own = (port.get(key) or 0 for key in ("targetPort", "port"))
    above = isinstance(own, int) and own > 1024
    if isinstance(target, int) and target < 1024 and not (target == 0 and above):
        shown = f"has the target port {target}" if target else f"has no target port beside {port.get('port')}"
        yield Problem(place, f"{shown}, where a gateway without root cannot listen: use 1024 or more")


def _ranges(spec: Mapping[str, Any], release: Release) -> Iterator[Problem]:
    proxy = ((spec.get("values") or {}).get("global") or {}).get("proxy") or {}
    blanks = "" if release.untyped_operator else " "  # istioctl up to 1.23 trims them
    for key in ("includeIPRanges", "excludeIPRanges"):
        parts = str(proxy.get(key) or "").split(",") if proxy.get(key) not in (None, "", "*") else ()
        for part in (each.strip(blanks) if blanks else each for each in parts):
            if "/" not in part or not is_subnet(part):
                problem = f"has {part!r}, which is no range of addresses: write them as in 10.0.0.0/8,192.168.0.0/16"
                yield Problem(f"spec.values.global.proxy.{key}", problem)
    for key in ("includeInboundPorts", "excludeInboundPorts"):
        for part in str(proxy.get(key) or "").split(","):
            if part not in ("", "*") and not (re.fullmatch("[0-9]{1,5}", part) and int(part) <= 65535):
                problem = f"has {part!r}, which is no port: write them as in 80,443"
                yield Problem(f"spec.values.global.proxy.{key}", problem)


def _profile(spec: Mapping[str, Any], release: Release) -> Iterator[Problem]:
    profile = spec.get("profile")
    if profile in ("external", "remote") and profile not in release.profiles_of_remotes:
        other = release.remote_profile
        yield Problem("spec.profile", f"is {profile!r}, which Istio {release} does not have: use {other!r}")


@dataclass(frozen=True, slots=True)
class _Outdated:
    """A setting that istioctl refuses or warns of, unless it is absent or has a value that is fine."""

    path: str
    fine: tuple[Any, ...]
    refused: bool
    message: str
    since: str = "1.15"
    until: str = "1.23"


_ADDON = "is refused, since Istio has no such add-on any more: install it from samples/addons"
# operator/pkg/apis/istio/v1alpha1/validation/validation.go: checkDeprecatedSettings. Settings that no schema of these
# releases knows, such as values.global.centralIstiod and values.grafana, are unknown keys already.
_OUTDATED = (
    _Outdated("values.global.jwtPolicy", ("third-party-jwt",), False, "is deprecated: use third-party-jwt"),
    _Outdated("values.global.arch", (), False, "is deprecated: use the affinity in the k8s of components"),
    _Outdated("addonComponents.grafana.enabled", (False,), True, _ADDON),
    _Outdated("addonComponents.kiali.enabled", (False,), True, _ADDON),
    _Outdated("addonComponents.prometheus.enabled", (False,), True, _ADDON),
    _Outdated("addonComponents.tracing.enabled", (False,), True, _ADDON),
)


def _outdated(spec: Mapping[str, Any], release: Release, *, refused: bool) -> Iterator[Problem]:
    order = list(RELEASES)
    for row in _OUTDATED:
        value: Any = spec
        for key in row.path.split("."):
            value = (value or {}).get(key)
        known = order.index(row.since) <= order.index(release.name) <= order.index(row.until)
        if known and row.refused == refused and value is not None and value not in row.fine:
            yield Problem(f"spec.{row.path}", row.message)


def _ignored_volumes(spec: Mapping[str, Any]) -> Iterator[Problem]:
    for place, component in _components(spec):
        for key in ("volumes", "volumeMounts"):
            if (component.get("k8s") or {}).get(key):
                yield Problem(f"{place}.k8s.{key}", "is ignored by istioctl in every release: use overlays")


def _istiod_remote(spec: Mapping[str, Any], release: Release) -> Iterator[Problem]:
    remote = (spec.get("components") or {}).get("istiodRemote") or {}
    if remote.get("enabled") and release.untyped_operator:
        problem = f"has no chart in Istio {release}: use the profile 'remote' instead"
        yield Problem("spec.components.istiodRemote", problem)


def _replicas(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """A fixed number of replicas beside autoscaling, as far as the document itself turns that on."""
    values = spec.get("values") or {}
    pilot = (spec.get("components") or {}).get("pilot") or {}
    parts = [("spec.components.pilot", pilot, values.get("pilot") or {}, 1)]
    parts += [
        (place, gateway, (values.get("gateways") or {}).get(name) or {}, 0) for place, name, gateway in _gateways(spec)
    ]
    for place, component, chart, most in parts:
        if chart.get("autoscaleEnabled") and (component.get("k8s") or {}).get("replicaCount", 0) > most:
            yield Problem(f"{place}.k8s.replicaCount", "is overruled by autoscaling: leave it out, or autoscaleEnabled")
