"""What Argo CD or Flux applies in one go."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.name_forms import stand_in, why_not_dns_label, why_not_dns_subdomain, why_not_printable
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.planning.folder.writing import Entry
from extcp_manifests.planning.kustomize import OVERLAYS, VALUES, Base
from extcp_manifests.planning.plan import Plan
from extcp_manifests.planning.step import Step
from extcp_manifests.topology.model import Topology


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """Where a kustomize tree lies in Git. Raises InvalidInput for what is no text, or leads out of the repository."""

    url: str | None = None
    """Where Git finds it; Flux knows that by itself."""
    revision: str = "main"
    path: str = "."
    """The folder of the tree."""
    overlay: str | None = None
    """The overlay of the tree that is applied, instead of the bases themselves."""

    def __post_init__(self) -> None:
        texts = {"revision": self.revision, "path": self.path} | ({"repo": self.url} if self.url is not None else {})
        for key, text in texts.items():
            require(text, str, (key,), "text")
        problems = [Problem((key,), problem) for key, text in texts.items() if (problem := why_not_printable(text))]
        problems += [
            Problem((key,), f"begins with '-', which commands take for an option: {text!r}")
            for key, text in texts.items()
            if text.startswith("-")
        ]
        if self.path.startswith("/") or ".." in re.split(r"[/\\]", self.path):
            problems.append(Problem(("path",), f"{self.path!r} leads out of the repository: name a folder in it"))
        if self.overlay is not None and (problem := why_not_dns_label(self.overlay)):
            problems.append(Problem(("overlay",), problem))
        if problems:
            raise InvalidInput(problems)

    def folder(self, path: str) -> str:
        """The folder of a base, or of the overlay that stands over it."""
        above = "" if self.overlay is None else f"{OVERLAYS}/{self.overlay}/"
        return normpath(f"{self.path}/{above}{path}")

    def values(self, base: Base) -> list[str]:
        """The files of a chart's values, of which later ones win."""
        files = [normpath(f"{self.path}/{base.path}/{VALUES}")]
        if self.overlay is not None:
            files.append(f"{self.folder(base.path)}/{VALUES}")
        return files


@dataclass(frozen=True, slots=True)
class Part:
    """What a tool applies in one go: a base of the tree, or a file that istioctl rendered or Helm takes."""

    name: str
    cluster: str
    step: Step
    base: Base
    wave: int
    after: tuple[str, ...]
    """The parts that it waits for, which are no charts."""
    owned: tuple[Mapping[str, Any], ...] = field(default=())
    """What istiod changes in it."""

    @property
    def folder(self) -> str:
        """Where its manifests are: those of an IstioOperator must be rendered first."""
        return self.base.rendered if self.base.kind == "install" else self.base.path


def parts_of(plan: Plan) -> Iterator[Part]:
    """Yield the parts of a plan, in its order.

    The external and the config cluster follow the plan step by step; a further cluster waits for what is before it
    there, and for its own steps.
    """
    topology = plan.topology
    prefix = topology.name or topology.mesh_id
    main = {topology.external_cluster.name, topology.config_cluster.name}
    last: dict[str, Part] = {}
    applied: dict[str, Part] = {}
    seen: set[Base] = set()
    for placed in plan.kustomize().placed():
        step, base = placed.step, placed.base
        if base is None or step.secret or base in seen:
            continue
        seen.add(base)
        line = "" if step.cluster in main else step.cluster
        lines = ("",) if line == "" else (line, "")
        before = [last[key] for key in lines if key in last]
        awaited = [applied[key] for key in lines if key in applied]
        part = Part(
            name=_name(f"{prefix}-{base.path.replace('/', '-')}"),
            cluster=step.cluster,
            step=step,
            base=base,
            wave=max((each.wave + 1 for each in before), default=0),
            after=tuple(each.name for each in awaited),
            owned=tuple(_owned(topology, step)),
        )
        last[line] = part
        if base.kind != "values":
            applied[line] = part
        yield part


def _name(text: str) -> str:
    return stand_in(text) if why_not_dns_label(text) else text


_CA = ".webhooks[]?.clientConfig.caBundle"
_POLICY = ".webhooks[]?.failurePolicy"


def _owned(topology: Topology, step: Step) -> Iterator[Mapping[str, Any]]:
    """Yield the fields of webhooks that istiod writes, where the topology lets it (istio 1.30.3: pkg/webhooks)."""
    injector, validator = topology.exposure.webhook_names(topology.names)
    if injector and step.part in ("config cluster", "remote cluster"):
        yield _webhook("MutatingWebhookConfiguration", injector, _CA)
    if validator and step.part == "config cluster":
        for name in (validator, "istiod-default-validator"):
            yield _webhook("ValidatingWebhookConfiguration", name, _CA, _POLICY)


def _webhook(kind: str, name: str, *fields: str) -> Mapping[str, Any]:
    return {"group": "admissionregistration.k8s.io", "kind": kind, "name": name, "jqPathExpressions": fields}


def require_names(**names: str) -> None:
    for key, name in names.items():
        require(name, str, (key,), "text")
    problems = [Problem((key,), problem) for key, name in names.items() if (problem := why_not_dns_subdomain(name))]
    if problems:
        raise InvalidInput(problems)


def release_name(part: Part) -> str:
    return part.base.name


def document_entry(path: str, document: Mapping[str, Any]) -> Entry:
    return Entry(path, (yaml.dump(document).encode(),))
