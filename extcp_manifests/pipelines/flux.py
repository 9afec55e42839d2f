"""Flux Kustomizations for a kustomize tree."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.pipelines.notes import NOTES, REPOSITORY, notes
from extcp_manifests.pipelines.parts import (
    CHARTS,
    OrderedPart,
    Part,
    Parts,
    Repository,
    WebhookFields,
    document_entry,
    fleet_entries,
    require_names,
)
from extcp_manifests.planning.fleet import FleetPlan
from extcp_manifests.planning.folder.writing import Entry, Streamed
from extcp_manifests.planning.plan import Plan
from extcp_manifests.planning.stages import StageRun, runs_of
from extcp_manifests.planning.templates import filled_entries
from extcp_manifests.planning.tools.helm import InstallChart


def flux(
    plan: Plan | FleetPlan,
    repository: Repository,
    *,
    source: str = "flux-system",
    namespace: str = "flux-system",
    here: str | None = None,
) -> Iterator[Entry]:
    """Return Kustomizations and HelmReleases that depend on each other as the plan says, and notes.

    `source` is the GitRepository of Flux; `here` is the cluster that Flux runs in, the others are reached by Secrets
    with a kubeconfig. Of a fleet, the folder of each plan has its own. Raises InvalidInput for names that Kubernetes
    does not take, for an unknown cluster, and for an overlay where charts are installed, whose values it would not
    change.
    """
    require_names(namespace=namespace, source=source)
    require(here, str | None, ("here",), "text")
    if repository.overlay is not None and any(each.resolved.needs_helm for each in _plans(plan)):
        problem = (
            "would be read for manifests alone, since HelmReleases carry the values of charts themselves: say what it "
            "changes by `overrides` in the topology, or leave it out"
        )
        raise InvalidInput([Problem(("overlay",), problem)])
    if here is not None:
        _require_cluster(here, _plans(plan))

    def of(folder: str, each: Plan, parts: Parts) -> Iterator[Entry]:
        return _flux(each, parts, repository.below(folder), source, namespace, here)

    if isinstance(plan, FleetPlan):
        return fleet_entries(plan, of, guide=NOTES, place=REPOSITORY)
    return of(".", plan, Parts(plan))


def _plans(plan: Plan | FleetPlan) -> Iterator[Plan]:
    """Yield a plan, or those of a fleet."""
    if isinstance(plan, FleetPlan):
        yield from (each for _, each in plan.plans())
    else:
        yield plan


def _require_cluster(name: str, plans: Iterable[Plan]) -> None:
    known: dict[str, None] = {}
    for plan in plans:
        topology = plan.topology
        known |= dict.fromkeys([topology.external_cluster.name, *(cluster.name for cluster in topology.mesh_clusters)])
    if name not in known:
        problem = f"{name!r} is not a cluster of this topology: use {', '.join(list(known)[:5])}"
        raise InvalidInput([Problem(("here",), problem)])


def _flux(
    plan: Plan, parts: Parts, repository: Repository, source: str, namespace: str, here: str | None
) -> Iterator[Entry]:
    resolved = plan.resolved

    def documents(run: StageRun) -> Iterator[Entry]:
        for ordered in parts.in_order(run):
            part = ordered.part
            reach: dict[str, Any] = {} if part.cluster == here else _kubeconfig(part)
            metadata = {"name": part.name, "namespace": namespace}
            if part.chart is None:
                git = {"kind": "GitRepository", "name": source}
                spec = _kustomization_spec(ordered, repository, git, reach)
                document = {**_KUSTOMIZATION, "metadata": metadata, "spec": spec}
            else:
                document = {
                    **_HELM_RELEASE,
                    "metadata": metadata,
                    "spec": _release_spec(ordered, part.chart, reach, parts.charts),
                }
            yield document_entry(f"kustomizations/{part.name}.yaml", document)

    yield from filled_entries(
        runs_of(resolved), documents, longest_name=parts.longest_name, unlike=here, of_one_stage=False
    )
    if resolved.needs_helm:
        document = _helm_repository(parts.charts, plan.topology.chart_repository, namespace)
        yield document_entry(f"kustomizations/{CHARTS}", document)
    yield Entry(NOTES, Streamed(partial(notes, plan, repository, _FLUX)))


_KUSTOMIZATION = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}


_HELM_RELEASE = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease"}


_HELM_REPOSITORY = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository"}


def _kubeconfig(part: Part) -> dict[str, Any]:
    return {"kubeConfig": {"secretRef": {"name": f"kubeconfig-{part.base.cluster}"}}}


def _kustomization_spec(
    ordered: OrderedPart, repository: Repository, git: Mapping[str, str], reach: Mapping[str, Any]
) -> dict[str, Any]:
    part = ordered.part
    spec: dict[str, Any] = {
        "interval": "10m",
        "sourceRef": git,
        "path": f"./{repository.folder(part.folder)}",
        "prune": True,
        "wait": not part.is_ready_later,
        **reach,
    }
    if ordered.after:
        spec["dependsOn"] = [{"name": name} for name in ordered.after]
    if part.written_by_istiod:
        spec["patches"] = [_applied_once(webhook) for webhook in part.written_by_istiod]
    return spec


def _release_spec(ordered: OrderedPart, chart: InstallChart, reach: Mapping[str, Any], charts: str) -> dict[str, Any]:
    (values,) = ordered.part.step.documents
    chart_spec = {
        "chart": chart.chart,
        "version": chart.version,
        "sourceRef": {"kind": "HelmRepository", "name": charts},
    }
    spec = {
        "interval": "10m",
        "releaseName": chart.name,
        "targetNamespace": chart.namespace,
        "storageNamespace": chart.namespace,
        "chart": {"spec": chart_spec},
        **reach,
        "install": {**({"createNamespace": True} if chart.create_namespace else {}), **_UNTIL_IT_CAN},
        "values": values.plain(),
    }
    if chart.chart == "base":
        spec["upgrade"] = {"crds": "CreateReplace"}
    if ordered.after:
        spec["dependsOn"] = [{"name": name} for name in ordered.after]
    if ordered.part.written_by_istiod:
        spec["driftDetection"] = {"ignore": [_left_alone(each) for each in ordered.part.written_by_istiod]}
    return spec


# A HelmRelease cannot wait for a Kustomization, such as the one with its namespace.
_UNTIL_IT_CAN = {"remediation": {"retries": -1}}


def _helm_repository(name: str, url: str, namespace: str) -> dict[str, Any]:
    """Return the repository of all charts of a plan."""
    spec = {"interval": "1h", "url": url}
    if url.startswith("oci://"):
        spec["type"] = "oci"
    return {**_HELM_REPOSITORY, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _left_alone(webhook: WebhookFields) -> dict[str, Any]:
    """Return a rule for the detection of drift, which Flux does where it is switched on."""
    return {"paths": webhook.json_pointers, "target": {"kind": webhook.kind, "name": webhook.name}}


def _applied_once(webhook: WebhookFields) -> dict[str, Any]:
    """Return a patch by which Flux applies a webhook only where it is missing.

    Flux cannot leave alone the single fields that istiod writes.
    """
    patch = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": webhook.kind,
        "metadata": {"name": webhook.name, "annotations": {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}},
    }
    return {"target": {"kind": webhook.kind, "name": webhook.name}, "patch": yaml.dump(patch)}


_FLUX = """\
Kustomizations wait for Kustomizations by `dependsOn`, and HelmReleases for HelmReleases. Neither can wait for the other
kind, so a HelmRelease is installed again until what it needs is there, and a Kustomization is applied again at its next
interval. Secrets named `kubeconfig-CLUSTER`, with the key `value`, tell Flux how to reach the
other clusters. Webhooks that istiod writes to are applied once and then left alone.
"""
