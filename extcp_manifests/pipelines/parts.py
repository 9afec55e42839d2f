"""What Argo CD or Flux applies in one go."""

import re
from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.name_forms import stand_in, why_not_dns_label, why_not_dns_subdomain, why_not_printable
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.planning.folder.writing import Entry
from extcp_manifests.planning.kustomize import OVERLAYS, VALUES, Base
from extcp_manifests.planning.plan import Plan
from extcp_manifests.planning.resolved import Resolved
from extcp_manifests.planning.step import Step
from extcp_manifests.planning.tools.helm import InstallGatewayChart
from extcp_manifests.records import Record


class Repository(Record, kw_only=True):
    """Where a kustomize tree is in Git. Raises InvalidInput for what is not text, or leads out of the repository."""

    url: str | None = None
    """The repository's URL; Flux has it from its own GitRepository."""
    revision: str = "main"
    path: str = "."
    """The folder of the tree."""
    overlay: str | None = None
    """The overlay of the tree that is applied, instead of the bases themselves."""

    def __post_init__(self) -> None:
        texts = {"revision": self.revision, "path": self.path}
        if self.url is not None:
            texts["repo"] = self.url
        for key, text in texts.items():
            require(text, str, (key,), "text")
        problems = []
        for key, text in texts.items():
            if problem := why_not_printable(text):
                problems.append(Problem((key,), problem))
            if text.startswith("-"):
                problems.append(Problem((key,), f"begins with '-', which commands take for an option: {text!r}"))
        if self.path.startswith("/") or ".." in re.split(r"[/\\]", self.path):
            problems.append(Problem(("path",), f"{self.path!r} leads out of the repository: name a folder in it"))
        if self.overlay is not None and (problem := why_not_dns_label(self.overlay)):
            problems.append(Problem(("overlay",), problem))
        if problems:
            raise InvalidInput(problems)

    def folder(self, path: str) -> str:
        """Return the folder of a base, or of the overlay over it."""
        above = "" if self.overlay is None else f"{OVERLAYS}/{self.overlay}/"
        return normpath(f"{self.path}/{above}{path}")

    def values(self, base: Base) -> list[str]:
        """Return the files of a chart's values, of which later ones win."""
        files = [normpath(f"{self.path}/{base.path}/{VALUES}")]
        if self.overlay is not None:
            files.append(f"{self.folder(base.path)}/{VALUES}")
        return files


class Part(Record):
    """What a tool applies in one go: a base of the tree, what istioctl rendered of one, or a chart."""

    name: str
    cluster: str
    step: Step
    """The first step of the base."""
    base: Base
    wave: int
    """Its place in the order of Argo CD: a part is applied after those of lower waves."""
    after: tuple[str, ...]
    """The names of the parts that it waits for; charts are not among them."""
    written_by_istiod: tuple["WebhookFields", ...] = ()
    """The fields of its webhooks that istiod writes."""

    @property
    def chart(self) -> InstallGatewayChart | None:
        """The chart that is installed; None for manifests that are applied."""
        return self.step.action if isinstance(self.step.action, InstallGatewayChart) else None

    @property
    def folder(self) -> str:
        """The folder of its manifests; those of an IstioOperator must be rendered first."""
        return self.base.rendered if self.base.kind == "install" else self.base.path


def parts_of(plan: Plan) -> Iterator[Part]:
    """Yield the parts of a plan, in its order.

    The parts of the external and the config cluster form one chain, in which each waits for the one before it. Those of
    a further cluster form a chain of their own, in which each waits for what is before it in both chains.
    """
    topology = plan.topology
    prefix = topology.name or topology.mesh_id
    main_clusters = {topology.external_cluster.name, topology.config_cluster.name}
    last: dict[str, Part] = {}  # the last part of each chain so far
    last_applied: dict[str, Part] = {}  # the same without charts
    seen: set[Base] = set()
    for placed in plan.kustomize().placed():
        step, base = placed.step, placed.base
        if base is None or step.secret or base in seen:
            continue
        seen.add(base)
        chain = _MAIN if step.cluster in main_clusters else step.cluster
        chains = [_MAIN] if chain == _MAIN else [chain, _MAIN]
        waves_before = [last[each].wave for each in chains if each in last]
        part = Part(
            name=_name(f"{prefix}-{base.path.replace('/', '-')}"),
            cluster=step.cluster,
            step=step,
            base=base,
            wave=max(waves_before, default=-1) + 1,
            after=tuple(last_applied[each].name for each in chains if each in last_applied),
            written_by_istiod=tuple(_written_by_istiod(plan.resolved, step)),
        )
        last[chain] = part
        if part.chart is None:
            last_applied[chain] = part
        yield part


_MAIN = ""
"""The chain of the external and the config cluster; others have the names of their clusters."""


def _name(text: str) -> str:
    return stand_in(text) if why_not_dns_label(text) else text


class WebhookFields(Record):
    """The fields of a webhook configuration that istiod writes."""

    kind: str
    name: str
    fields: tuple[str, ...]
    """Paths in the language of jq."""


_CA = ".webhooks[]?.clientConfig.caBundle"
_POLICY = ".webhooks[]?.failurePolicy"


def _written_by_istiod(resolved: Resolved, step: Step) -> Iterator[WebhookFields]:
    """Yield the fields of webhooks that istiod writes, where the topology lets it (istio 1.30.3: pkg/webhooks)."""
    injector, validator = resolved.exposure.webhook_names(resolved.names)
    if injector and step.part in ("config cluster", "remote cluster"):
        yield WebhookFields("MutatingWebhookConfiguration", injector, (_CA,))
    if validator and step.part == "config cluster":
        for name in (validator, "istiod-default-validator"):
            yield WebhookFields("ValidatingWebhookConfiguration", name, (_CA, _POLICY))


def require_names(**names: str) -> None:
    """Refuse names that Kubernetes does not take. Raises InvalidInput with all of them."""
    for key, name in names.items():
        require(name, str, (key,), "text")
    problems = [Problem((key,), problem) for key, name in names.items() if (problem := why_not_dns_subdomain(name))]
    if problems:
        raise InvalidInput(problems)


def document_entry(path: str, document: Mapping[str, Any]) -> Entry:
    """Return a file with one document."""
    return Entry(path, (yaml.dump(document).encode(),))
