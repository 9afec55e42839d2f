"""The runbook: a plan as Markdown that a person follows."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from extcp_manifests.step import Check, Pipeline, Step
from extcp_manifests.topology import Topology

RUNBOOK = "RUNBOOK.md"
"""The name of its file."""


def runbook(topology: Topology, steps: Sequence[Step]) -> Iterator[str]:
    """The runbook, piece by piece; steps are gone through forwards, then backwards."""
    yield _HEAD.format(
        title=topology.name or topology.mesh_id,
        release=topology.release,
        kubernetes=topology.istio.kubernetes,
        address=topology.address,
    )
    yield from _prerequisites(topology)
    for number, (stage, members) in enumerate(groupby(steps, key=lambda step: step.stage), start=1):
        yield f"\n## {number}. {stage}\n"
        for step in members:
            yield from _step(step)
    yield _CLEAN_UP.format(crds=_CRDS_STAY if topology.istio.install_remotes else _CRDS_GO)
    for step in reversed(steps):
        for pipeline in step.undo:
            yield f"{_shell(pipeline)}\n"
    yield "```\n"


_HEAD = """\
# {title}: external control plane of Istio {release} at {address}

Run these commands in this folder, in this order. They need kubectl, istioctl {release}, and a kubeconfig with the
contexts named below. Istio {release} supports Kubernetes {kubernetes}.

Before you begin:

- The API servers of the remote clusters can be reached from the external cluster, at the addresses in the kubeconfig.
"""

_TRUST = """\
- The API servers and the proxies of the remote clusters trust the certificate of {address} by their own root
  certificates, since the webhooks carry none.
"""

_HELM = """\
- Helm knows Istio's repository: `helm repo add istio https://istio-release.storage.googleapis.com/charts`, then
  `helm repo update`.
"""

_CLEAN_UP = """
## Clean-up

In this order. Nothing here uses `--purge`, which would remove every other control plane of a cluster too. Leave out
what removes the shared ingress gateway, at the end, while another control plane uses it.

{crds} The gateway's namespace stays, and so does the ConfigMap `istio-ca-root-cert` in every namespace.

```sh
"""

_CRDS_STAY = (
    "Istio's CRDs stay in every cluster, with all Istio configuration outside of the namespaces that are deleted."
)

_CRDS_GO = """\
`istioctl manifest generate` of the config cluster into `kubectl delete` also removes Istio's CRDs there, and with them
all Istio configuration of that cluster: leave it out where another control plane lives. The external cluster's CRDs
stay."""


def _prerequisites(topology: Topology) -> Iterator[str]:
    if topology.exposure.needs_credential:
        yield _TRUST.format(address=topology.address)
    wanted = (each.gateways for each in topology.mesh_clusters)
    if any(each.install == "helm" and (each.ingress or each.egress) for each in wanted):
        yield _HELM


def _step(step: Step) -> Iterator[str]:
    yield f"\n### {_code(step.cluster)}{f': {_code(step.path)}' if step.path else ''}\n\n{step.why}\n\n"
    yield _fenced([step.command])
    if step.verify:
        yield "\nThen check:\n"
        yield from map(_check, step.verify)


def _check(check: Check) -> str:
    return f"\n{_fenced([(check.command,)])}\nExpect: {check.expect}.\n"


def _fenced(commands: Iterable[Pipeline]) -> str:
    return "```sh\n" + "".join(f"{_shell(command)}\n" for command in commands) + "```\n"


def _shell(pipeline: Pipeline) -> str:
    return " |\n  ".join(map(shlex.join, pipeline))


def _code(text: str) -> str:
    """Text as Markdown code, whatever backticks it has."""
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"
