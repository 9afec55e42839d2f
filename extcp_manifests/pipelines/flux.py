"""Flux Kustomizations for a kustomize tree."""

from collections.abc import Iterator, Mapping
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.pipelines.notes import NOTES, notes
from extcp_manifests.pipelines.parts import Part, Repository, document_entry, parts_of, release_name, require_names
from extcp_manifests.planning.folder.writing import Entry
from extcp_manifests.planning.plan import Plan

# ----------------------------------------------------------------------------------------------------------------- Flux


def flux(
    plan: Plan,
    repository: Repository,
    *,
    source: str = "flux-system",
    namespace: str = "flux-system",
    here: str | None = None,
) -> Iterator[Entry]:
    """Kustomizations that depend on each other as the plan says, and notes.

    `source` is the GitRepository of Flux; `here` is the cluster that Flux runs in, the others are reached by Secrets
    with a kubeconfig. Raises InvalidInput for names that Kubernetes does not take, and for an unknown cluster.
    """
    require_names(namespace=namespace, source=source)
    require(here, str | None, ("here",), "text")
    topology = plan.topology
    known = [topology.external_cluster.name, *(cluster.name for cluster in topology.mesh_clusters)]
    if here is not None and here not in known:
        raise InvalidInput([Problem(("here",), f"{here!r} is no cluster of this topology: use {', '.join(known[:5])}")])
    return _flux(plan, repository, source, namespace, here)


def _flux(plan: Plan, repository: Repository, source: str, namespace: str, here: str | None) -> Iterator[Entry]:
    charts = False
    for part in parts_of(plan):
        reach: dict[str, Any] = {} if part.cluster == here else _kubeconfig(part)
        if part.base.kind == "values":
            charts = True
            yield document_entry(f"kustomizations/{part.name}.yaml", _helm_release(plan, part, namespace, reach))
            continue
        spec: dict[str, Any] = {
            "interval": "10m",
            "sourceRef": {"kind": "GitRepository", "name": source},
            "path": f"./{repository.folder(part.folder)}",
            "prune": True,
            "wait": True,
            **reach,
            **({"dependsOn": [{"name": name} for name in part.after]} if part.after else {}),
            **({"patches": [_once(each) for each in part.owned]} if part.owned else {}),
        }
        metadata = {"name": part.name, "namespace": namespace}
        yield document_entry(f"kustomizations/{part.name}.yaml", {**_KUSTOMIZATION, "metadata": metadata, "spec": spec})
    if charts:
        metadata = {"name": "istio", "namespace": namespace}
        url = plan.topology.chart_repository
        spec = {"interval": "1h", "url": url, **({"type": "oci"} if url.startswith("oci://") else {})}
        yield document_entry("kustomizations/istio-charts.yaml", {**_REPOSITORY, "metadata": metadata, "spec": spec})
    yield Entry(NOTES, (line.encode() for line in notes(plan, repository, _FLUX)))


_KUSTOMIZATION = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}


_REPOSITORY = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository"}


def _kubeconfig(part: Part) -> dict[str, Any]:
    return {"kubeConfig": {"secretRef": {"name": f"kubeconfig-{part.base.cluster}"}}}


def _helm_release(plan: Plan, part: Part, namespace: str, reach: Mapping[str, Any]) -> dict[str, Any]:
    chart: dict[str, Any] = {
        "chart": "gateway",
        "version": f"~{plan.topology.release}.0",
        "sourceRef": {"kind": "HelmRepository", "name": "istio"},
    }
    (values,) = part.step.documents
    spec = {
        "interval": "10m",
        "releaseName": release_name(part),
        "targetNamespace": plan.topology.namespace,
        "storageNamespace": plan.topology.namespace,
        "chart": {"spec": chart},
        **reach,
        "values": values.plain(),
    }
    metadata = {"name": part.name, "namespace": namespace}
    return {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": metadata, "spec": spec}


def _once(owned: Mapping[str, Any]) -> dict[str, Any]:
    """Flux cannot leave single fields alone, so what istiod writes to is only applied where it is missing."""
    patch = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": owned["kind"],
        "metadata": {"name": owned["name"], "annotations": {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}},
    }
    return {"target": {"kind": owned["kind"], "name": owned["name"]}, "patch": yaml.dump(patch)}


_FLUX = """\
Kustomizations wait for each other by `dependsOn`. HelmReleases cannot wait for Kustomizations, so those of gateways are
tried again until istiod injects. Secrets named `kubeconfig-CLUSTER`, with the key `value`, tell Flux how to reach the
other clusters. Webhooks that istiod writes to are applied once and then left alone.
"""
