"""Argo CD Applications for a kustomize tree."""

from collections.abc import Iterator
from typing import Any

from extcp_manifests.pipelines.notes import NOTES, notes
from extcp_manifests.pipelines.parts import Repository, document_entry, parts_of, release_name, require_names
from extcp_manifests.planning.folder.writing import Entry
from extcp_manifests.planning.plan import Plan
from extcp_manifests.topology.model import Topology


def argocd(
    plan: Plan, repository: Repository, *, namespace: str = "argocd", project: str = "default"
) -> Iterator[Entry]:
    """Applications whose sync waves follow the plan, and notes; clusters have the names that Argo CD knows them by.

    Raises InvalidInput for names that Kubernetes does not take.
    """
    require_names(namespace=namespace, project=project)
    return _argocd(plan, repository, namespace, project)


def _argocd(plan: Plan, repository: Repository, namespace: str, project: str) -> Iterator[Entry]:
    for part in parts_of(plan):
        source = {"repoURL": repository.url, "targetRevision": repository.revision}
        spec: dict[str, Any] = {"project": project}
        if part.base.kind == "values":
            values = [f"$values/{file}" for file in repository.values(part.base)]
            chart = {**_chart(plan.topology), "helm": {"releaseName": release_name(part), "valueFiles": values}}
            spec["sources"] = [chart, {**source, "ref": "values"}]
        else:
            spec["source"] = {**source, "path": repository.folder(part.folder)}
        spec["destination"] = {"name": part.cluster, "namespace": plan.topology.namespace}
        options = ["ServerSideApply=true"] if part.base.kind == "install" else []
        options += ["RespectIgnoreDifferences=true"] if part.owned else []
        spec["syncPolicy"] = {"automated": {"prune": True}, **({"syncOptions": options} if options else {})}
        if part.owned:
            spec["ignoreDifferences"] = part.owned
        annotations = {"argocd.argoproj.io/sync-wave": str(part.wave)}
        metadata = {"name": part.name, "namespace": namespace, "annotations": annotations}
        document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "spec": spec}
        yield document_entry(f"applications/{part.name}.yaml", document)
    yield Entry(NOTES, (line.encode() for line in notes(plan, repository, _ARGOCD)))


def _chart(topology: Topology) -> dict[str, str]:
    repository = topology.chart_repository.removeprefix("oci://")  # Argo CD knows OCI registries without the scheme
    return {"repoURL": repository, "chart": "gateway", "targetRevision": f"~{topology.release}.0"}


_ARGOCD = """\
Apply `applications/` by a parent Application: sync waves order what one Application applies, and they only wait for
Applications where `resource.customizations.health.argoproj.io_Application` of `argocd-cm` tells how healthy one is.
Every cluster must be known to Argo CD by its name here.
"""
