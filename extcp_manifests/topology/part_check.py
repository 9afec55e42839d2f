"""The check of what people add to parts of a topology; it needs a topology that is right in all else."""

from collections.abc import Collection, Iterator, Sequence

from extcp_manifests import yaml
from extcp_manifests.builders.address import WEBHOOK_PORT, IPAddress
from extcp_manifests.builders.exposure import XDS_PORT, why_not_private_root
from extcp_manifests.documents.lookup import at
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.patterns import pattern
from extcp_manifests.topology.clusters import SAMPLE_NAMESPACE, GatewayOverrides, MeshCluster
from extcp_manifests.topology.inputs import Key, Place, place_of
from extcp_manifests.topology.model import Topology, placed_clusters
from extcp_manifests.topology.parts import OverriddenPart, merged_mesh_config, namespace_of_cni, overridden_parts
from extcp_manifests.topology.rules_between_values import ending_registries, why_not_hub_of
from extcp_manifests.topology.workloads import SharedGateway, Workload


def part_problems(topology: Topology, *, from_file: bool) -> list[Problem]:
    """Return what is wrong with settings and overrides, with places spelled as in a file or as in Python."""
    start = ("spec",) if from_file else ()
    return [
        problem.with_(place=(*place_of(place, from_file=from_file, start=start), *problem.place))
        for place, problem in _problems(topology)
    ]


def _problems(topology: Topology) -> Iterator[tuple[Place, Problem]]:
    """Yield each problem with the place of the field that it is about; its own place is below that."""
    unwritable = list(_unwritable(topology))
    if unwritable:
        yield from unwritable  # nothing else can be said of what no document can hold
        return
    yield from _tags(topology)
    yield from _hubs(topology)
    yield from _workload(("gateway",), topology.gateway)
    yield from _workload(("istiod",), topology.istiod)
    yield from _way_in(topology)
    yield from _trust(topology)
    yield from _methods(topology)
    yield from _mesh_configs(topology)
    yield from _gateways(topology)
    for part in overridden_parts(topology):
        try:
            found = [*_settings(part, topology), *((part.place, each) for each in _overrides(part, topology))]
        except InvalidInput:
            continue  # what the values of a chart are made of was refused before
        yield from found


def _unwritable(topology: Topology) -> Iterator[tuple[Place, Problem]]:
    """Yield what YAML cannot carry, wherever a topology takes any text or data but the operator's mesh config."""
    for place, data in _any_data(topology):
        if data:
            yield from ((place, problem) for problem in yaml.unwritable(data))


def _any_data(topology: Topology) -> Iterator[tuple[Place, object]]:
    """Yield each value of a topology that may be any text or data, with its place."""
    workloads: list[tuple[str, Workload]] = [("gateway", topology.gateway), ("istiod", topology.istiod)]
    for name, workload in workloads:
        for key in ("env", "node_selector", "tolerations", "affinity", "pod_annotations", "pod_disruption_budget"):
            yield (name, key), getattr(workload, key)
        yield (name, "overrides"), workload.overrides
        if workload.resources is not None:
            yield (name, "resources", "requests"), workload.resources.requests
            yield (name, "resources", "limits"), workload.resources.limits
    for name, service in (("gateway", topology.gateway.service), ("istiod", topology.istiod.service)):
        if service is not None:
            yield (name, "service", "annotations"), service.annotations
            yield (name, "service", "load_balancer_ip"), service.load_balancer_ip
            yield (name, "service", "load_balancer_source_ranges"), service.load_balancer_source_ranges
    for place, cluster in placed_clusters(topology):
        yield (*place, "mesh_config"), cluster.mesh_config
        yield (*place, "overrides"), cluster.overrides
        if cluster.gateways.overrides == _NO_OVERRIDES:
            continue
        for name in _GATEWAYS:
            yield (*place, "gateways", "overrides", name), getattr(cluster.gateways.overrides, name)


_NO_OVERRIDES = GatewayOverrides()


_GATEWAYS = ("ingress", "egress", "east_west")


def _tags(topology: Topology) -> Iterator[tuple[Place, Problem]]:
    tags: list[tuple[Place, str | None]] = [(("tag",), topology.tag)]
    tags += [(("gateway", "tag"), topology.gateway.tag), (("istiod", "tag"), topology.istiod.tag)]
    for place, tag in tags:
        if tag is not None and (problem := _why_not_tag_of(topology.release, tag)):
            yield place, Problem((), problem)


def _hubs(topology: Topology) -> Iterator[tuple[Place, Problem]]:
    """Refuse registries of single parts that have no images of the release."""
    for name, workload in (("gateway", topology.gateway), ("istiod", topology.istiod)):
        if problem := why_not_hub_of(topology.istio, workload.hub):
            yield (name, "hub"), Problem((), problem)


def _why_not_tag_of(release: str, tag: str) -> str | None:
    """Return why a tag is not one of a release, or None; a tag of another form may be one of any."""
    minor = _MINOR.match(tag)
    if minor is None or minor[1] == release:
        return None
    return f"{tag!r} is not a tag of Istio {release}: write one that begins with {release}., or leave it out"


_MINOR = pattern(r"([0-9]+\.[0-9]+)(?![0-9])")


def _workload(place: Place, workload: Workload) -> Iterator[tuple[Place, Problem]]:
    scaling = workload.autoscaling
    if scaling is None:
        return
    if workload.replicas is not None:
        yield (*place, "replicas"), Problem((), "excludes autoscaling, which decides how many pods there are: keep one")
    if scaling.min > scaling.max:
        yield (*place, "autoscaling", "min"), Problem((), f"is {scaling.min}, more than max: use at most {scaling.max}")


def _way_in(topology: Topology) -> Iterator[tuple[Place, Problem]]:
    """Refuse what does not fit to the way by which remote clusters reach istiod."""
    gateway, service = topology.gateway, topology.istiod.service
    if service is not None and topology.exposure.needs_credential:
        problem = "needs an istiod that ends TLS itself: set tlsTermination to istiod, or give an IP address"
        yield ("istiod", "service"), Problem((), problem)
    if service is not None and gateway != SharedGateway():
        yield ("gateway",), Problem((), "has no use where istiod has a service of its own: leave one of them out")
    if gateway.install == "none" and gateway != gateway.as_there_already():
        problem = "has settings or overrides, but install is none, so that nothing is installed: leave them out"
        yield ("gateway",), Problem((), problem)
    why_not = _why_not_gateway_api(topology) if gateway.api == "kubernetes" else None
    if why_not is not None:
        yield ("gateway", "api"), Problem((), why_not)
    if gateway.api == "kubernetes" and gateway.selector:
        problem = "has no use for a Gateway of the Gateway API, to which routes attach by name: leave it out"
        yield ("gateway", "selector"), Problem((), problem)
    elif gateway.install != "none" and gateway.selector:
        problem = "follows from the gateway's name, unless install is none: leave it out"
        yield ("gateway", "selector"), Problem((), problem)


def _why_not_gateway_api(topology: Topology) -> str | None:
    """Return why routes to istiod cannot attach to a Gateway of the Gateway API, or None."""
    if topology.gateway.install != "none":
        return "is kubernetes, for a gateway that is there already: set install to none"
    from extcp_manifests.builders.gateway_api import why_no_routes  # for such gateways alone

    reason = why_no_routes(topology.istio, topology.reached_at)
    return reason and f"is kubernetes, but {reason}: leave it out"


def _methods(topology: Topology) -> Iterator[tuple[Place, Problem]]:
    """Refuse what the method cannot install, or has no values for."""
    release = topology.istio
    if topology.install == "helm" and release.mounting_values is None:
        first = next(each.name for each in RELEASES.values() if each.mounting_values is not None)
        problem = (
            f"is helm, but the charts of Istio {release} have no values for what istiod must mount: use istioctl, or "
            f"{first} or later"
        )
        yield ("install",), Problem((), problem)
    if topology.install == "sail":
        yield from _sail(topology)
    if topology.cni is not None and topology.cni.install != "none":
        taken = {topology.namespace: "the control plane", SAMPLE_NAMESPACE: "the sample workloads"}
        if (namespace := namespace_of_cni(topology)) in taken:
            problem = f"{namespace!r} is the namespace of {taken[namespace]}: choose another"
            yield ("cni", "namespace"), Problem((), problem)
    if topology.install != "istioctl" and topology.istiod.pod_disruption_budget:
        problem = "has no value in the chart of istiod, which makes a budget by itself: leave it out"
        yield ("istiod", "pod_disruption_budget"), Problem((), problem)
    if topology.platform is not None and topology.platform not in release.platforms:
        known = ", ".join(release.platforms)
        way_out = f"use one of {known}, or leave it out" if known else "leave it out"
        problem = f"is {topology.platform}, for which Istio {release} has no settings: {way_out}"
        yield ("platform",), Problem((), problem)


def _sail(topology: Topology) -> Iterator[tuple[Place, Problem]]:
    """Refuse what the Sail Operator cannot install (sail-operator main: pkg/istioversion, controllers/istio)."""
    if topology.istio.sail is None:
        names = [each.name for each in RELEASES.values() if each.sail is not None]
        problem = (
            f"is sail, but no Sail Operator is known to install an external control plane of Istio {topology.istio}: "
            f"use {names[0]} to {names[-1]}, or another way to install"
        )
        yield ("install",), Problem((), problem)
    if topology.revision is None:
        problem = "is required with install: sail, which names all that it makes by it: add one, such as the namespace"
        yield ("revision",), Problem((), problem)


def _trust(topology: Topology) -> Iterator[tuple[Place, Problem]]:
    """Refuse a private CA and a port of webhooks where the address leaves no room for them."""
    if topology.private_ca is not None and not topology.exposure.needs_credential:
        problem = "has no use where istiod ends TLS with a certificate of its own: leave it out"
        yield ("private_ca",), Problem((), problem)
    elif topology.private_ca is not None and not topology.istio.ca_bundles:
        yield ("private_ca",), Problem((), why_not_private_root(topology.istio))
    elif topology.private_ca is not None and topology.private_ca.config_map in _maps_of_istiod(topology):
        problem = f"{topology.private_ca.config_map!r} is a ConfigMap that istiod or Kubernetes writes: choose another"
        yield ("private_ca", "config_map"), Problem((), problem)
    if topology.private_ca is not None:
        for key in _ROOTS:
            if at(topology.mesh_config, "defaultConfig", "proxyMetadata", key) is not None:
                problem = "is what privateCA sets, for every proxy: leave it out"
                place = ("mesh_config", "defaultConfig", "proxyMetadata", key)
                yield tuple(Key(part) if index else part for index, part in enumerate(place)), Problem((), problem)
    port = topology.gateway.webhook_port
    if port != WEBHOOK_PORT and isinstance(topology.reached_at, IPAddress):
        problem = "has no use by IP address, where Istio's charts let API servers call 15017: leave it out"
        yield ("gateway", "webhook_port"), Problem((), problem)
    elif port in (XDS_PORT, _STATUS_PORT):
        yield ("gateway", "webhook_port"), Problem((), f"is {port}, another port of the gateway: choose another")


_STATUS_PORT = 15021


_ROOTS = ("XDS_ROOT_CA", "CA_ROOT_CA")
"""The variables by which proxies find root certificates for istiod."""


def _maps_of_istiod(topology: Topology) -> Collection[str]:
    """Return the ConfigMaps of the control plane's namespace, and those that istiod writes into every one."""
    names = topology.names
    suffix = "" if topology.revision is None else f"-{topology.revision}"
    return {*_OF_ISTIOD, "kube-root-ca.crt", names.mesh_config_map, names.injector_config_map, f"values{suffix}"}


_OF_ISTIOD = frozenset(name for release in RELEASES.values() for name in release.config_maps_everywhere)
"""ConfigMaps that istiod writes into every namespace, now or after an upgrade."""


def _mesh_configs(topology: Topology) -> Iterator[tuple[Place, Problem]]:
    for index, cluster in enumerate(topology.remote_clusters):
        if cluster.mesh_config:
            problem = "is read in the config cluster alone: set spec.configCluster.meshConfig instead"
            yield ("remote_clusters", index, "mesh_config"), Problem((), problem)
    if not topology.config_cluster.mesh_config:
        return
    from extcp_manifests.istio.mesh.merging import mesh_config_problems  # only for topologies that have one

    for each in mesh_config_problems(topology.config_cluster.mesh_config, topology.istio):
        yield ("config_cluster", "mesh_config"), each


def _gateways(topology: Topology) -> Iterator[tuple[Place, Problem]]:
    """Refuse a namespace that others need, and overrides of gateways that a cluster does not get."""
    for place, cluster in placed_clusters(topology):
        if problem := _why_not_of_gateways(topology, cluster):
            yield (*place, "gateways", "namespace"), Problem((), problem)
        if cluster.gateways.overrides == _NO_OVERRIDES:
            continue
        for name in _GATEWAYS:
            if getattr(cluster.gateways.overrides, name) and not getattr(cluster.gateways, name):
                problem = "belongs to a gateway that the cluster does not get: turn it on, or leave this out"
                yield (*place, "gateways", "overrides", name), Problem((), problem)


def _why_not_of_gateways(topology: Topology, cluster: MeshCluster) -> str | None:
    """Return why a cluster's gateways cannot have the namespace that is named for them, or None."""
    namespace, wanted = cluster.gateways.namespace, cluster.gateways
    if namespace is None:
        return None
    if not (wanted.ingress or wanted.egress):
        return "has no use in a cluster without ingress and egress gateway: leave it out"
    others = {SAMPLE_NAMESPACE: "sample workloads"}
    if topology.cni is not None:
        others[namespace_of_cni(topology)] = "CNI plugin"
    return f"{namespace!r} is the namespace of the {others[namespace]}: choose another" if namespace in others else None


def _settings(part: OverriddenPart, topology: Topology) -> Iterator[tuple[Place, Problem]]:
    """Refuse variables that the library sets itself, and settings that the release refuses."""
    from extcp_manifests.istio.operator.override_check import problems_of_operator  # loads the rules of IstioOperators

    whole = part.place[:-1]
    for problem in part.builder.with_settings().problems:
        *place, index, _ = problem.place
        variable = at(part.builder.settings, *place, index, "name")
        yield (*whole, "env", Key(str(variable))), problem.with_(place=())
    for problem in problems_of_operator(part.ours, part.with_settings, topology.istio):
        if "k8s" in problem.place:
            keys = problem.place[problem.place.index("k8s") + 1 :]
            yield (*whole, *map(_as_key, keys)), problem.with_(place=())


def _as_key(part: str | int) -> str | int:
    return part if isinstance(part, int) else Key(part)


def _overrides(part: OverriddenPart, topology: Topology) -> Iterator[Problem]:
    """Yield why the overrides of a part cannot be laid over its document; places are in the overrides."""
    from extcp_manifests.istio.operator.override_check import at_lists, problems_of_operator

    result = part.builder.overridden()
    found = [*result.problems]
    for place in _TAGS:
        tag = at(part.builder.overrides, *place)
        if isinstance(tag, str) and (problem := _why_not_tag_of(topology.release, tag)):
            found.append(Problem(place, problem))
    known = {each.place for each in found}  # of one place one problem is enough
    by_rules = map(at_lists, problems_of_operator(part.with_settings, part.whole(result.plain), topology.istio))
    found += [each for each in by_rules if each.place not in known]
    if not found:
        found += _untyped(part)
    yield from found


_TAGS: Sequence[tuple[str, ...]] = (
    ("tag",),
    ("components", "pilot", "tag"),
    ("values", "global", "tag"),
    ("values", "pilot", "tag"),
    ("global", "tag"),
    ("pilot", "tag"),
)


def _untyped(part: OverriddenPart) -> Sequence[Problem]:
    """Return what the release takes, and the document has no place for, such as a number for a tag."""
    try:
        part.builder.build()
    except InvalidInput as error:
        return [each.with_(place=each.place[1:]) if each.place[:1] == ("spec",) else each for each in error.problems]
    return []


def part_warnings(topology: Topology) -> list[Problem]:
    """Return what is allowed and may not be meant; places are spelled as in a file."""
    return [*_hubs_that_end(topology), *_images_of_sail(topology), *_beaten_mesh_config(topology)]


def _hubs_that_end(topology: Topology) -> Iterator[Problem]:
    for name, workload in (("gateway", topology.gateway), ("istiod", topology.istiod)):
        for each in ending_registries(workload.hub, None):
            yield Problem(("spec", name, "hub"), each.message)


def _images_of_sail(topology: Topology) -> Iterator[Problem]:
    """Warn of the images with which the Sail Operator is built (sail-operator main: bundle/manifests)."""
    if topology.install == "sail" and topology.hub is None and topology.platform != "openshift":
        problem = (
            "is left out, so that the Sail Operator takes the images that it was built with, and the community's may "
            "come from registries that end in December 2026: set it to docker.io/istio or a mirror"
        )
        yield Problem(("spec", "hub"), problem)


def _beaten_mesh_config(topology: Topology) -> list[Problem]:
    """Return the mesh admin's settings that the operator's mesh config beats."""
    merged = merged_mesh_config(topology)
    if merged is None:
        return []
    return [
        Problem(
            ("spec", "configCluster", "meshConfig", *each.place),
            f"has no effect, since the operator's mesh config has {yaml.dump(each.local).rstrip()} there: leave it "
            "out, or change spec.meshConfig",
        )
        for each in merged.overridden
    ]
