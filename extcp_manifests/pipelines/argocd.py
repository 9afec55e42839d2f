"""Argo CD Applications for a kustomize tree."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from extcp_manifests.pipelines.notes import NOTES, REPOSITORY, notes
from extcp_manifests.pipelines.parts import Part, Parts, Repository, document_entry, fleet_entries, require_names
from extcp_manifests.planning.fleet import FleetPlan
from extcp_manifests.planning.folder.writing import Entry, Streamed
from extcp_manifests.planning.plan import Plan
from extcp_manifests.planning.stages import StageRun, runs_of
from extcp_manifests.planning.templates import filled_entries


def argocd(
    plan: Plan | FleetPlan, repository: Repository, *, namespace: str = "argocd", project: str = "default"
) -> Iterator[Entry]:
    """Return Applications whose sync waves follow the plan, and notes; of a fleet those of each plan in its folder.

    Argo CD must know the clusters by their names in the topology. Raises InvalidInput for names that Kubernetes does
    not take.
    """
    require_names(namespace=namespace, project=project)

    def of(folder: str, each: Plan, parts: Parts) -> Iterator[Entry]:
        return _argocd(each, parts, repository.below(folder), namespace, project)

    if isinstance(plan, FleetPlan):
        return fleet_entries(plan, of, guide=NOTES, place=REPOSITORY)
    return of(".", plan, Parts(plan))


def _argocd(plan: Plan, parts: Parts, repository: Repository, namespace: str, project: str) -> Iterator[Entry]:

    def applications(run: StageRun) -> Iterator[Entry]:
        for ordered in parts.in_order(run):
            part = ordered.part
            annotations = {"argocd.argoproj.io/sync-wave": str(ordered.wave)}
            metadata = {"name": part.name, "namespace": namespace, "annotations": annotations}
            spec = {
                "project": project,
                **_source(part, repository),
                "destination": {"name": part.cluster, "namespace": plan.topology.namespace},
                **_sync(part),
            }
            document = {**_APPLICATION, "metadata": metadata, "spec": spec}
            yield document_entry(f"applications/{part.name}.yaml", document)

    resolved = plan.resolved
    yield from filled_entries(runs_of(resolved), applications, longest_name=parts.longest_name, of_one_stage=False)
    yield Entry(NOTES, Streamed(partial(notes, plan, repository, _ARGOCD)))


_APPLICATION = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"}


def _source(part: Part, repository: Repository) -> dict[str, Any]:
    """Return where an Application has its manifests, or its chart with the values."""
    tree = {"repoURL": repository.url, "targetRevision": repository.revision}
    if part.chart is None:
        return {"source": {**tree, "path": repository.folder(part.folder)}}
    chart = {
        "repoURL": part.chart.repository.removeprefix("oci://"),  # Argo CD knows OCI registries without the scheme
        "chart": part.chart.chart,
        "targetRevision": part.chart.version,
    }
    if repository.overlay is None:
        (values,) = part.step.documents
        return {"source": {**chart, "helm": {"releaseName": part.chart.name, "valuesObject": values.plain()}}}
    # Values of an Application beat those of files, so that an overlay needs both as files.
    files = [f"$values/{file}" for file in repository.values(part.base)]
    from_files = {**chart, "helm": {"releaseName": part.chart.name, "valueFiles": files}}
    return {"sources": [from_files, {**tree, "ref": "values"}]}


def _sync(part: Part) -> dict[str, Any]:
    """Return how an Application is synchronised, and what of it istiod may write."""
    options = []
    if part.base.kind == "install":
        options.append("ServerSideApply=true")
    if part.chart is not None and part.chart.create_namespace:
        options.append("CreateNamespace=true")
    if part.written_by_istiod:
        options.append("RespectIgnoreDifferences=true")
    policy: dict[str, Any] = {"automated": {"prune": True}}
    if options:
        policy["syncOptions"] = options
    if not part.written_by_istiod:
        return {"syncPolicy": policy}
    ignored = [
        {
            "group": "admissionregistration.k8s.io",
            "kind": webhook.kind,
            "name": webhook.name,
            "jqPathExpressions": webhook.jq_paths,
        }
        for webhook in part.written_by_istiod
    ]
    return {"syncPolicy": policy, "ignoreDifferences": ignored}


_ARGOCD = """\
Apply `applications/` by a parent Application: sync waves order what one Application applies, and they only wait for
Applications where `resource.customizations.health.argoproj.io_Application` of `argocd-cm` tells how healthy one is.
Every cluster must be known to Argo CD by its name here.
"""
