"""The runbook: a plan as Markdown that a person follows."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from extcp_manifests.errors import visible
from extcp_manifests.istio.releases import Release
from extcp_manifests.pictures.mermaid import mermaid
from extcp_manifests.planning.resolved import Resolved
from extcp_manifests.planning.step import Access, Check, Command, Step, piped

RUNBOOK = "RUNBOOK.md"
"""The name of its file."""


class StageText(NamedTuple):
    """What the runbook says of some steps of a stage."""

    title: str
    text: str


def runbook(resolved: Resolved, stages: Iterable[StageText], clean_up: Iterable[str]) -> Iterator[str]:
    """Yield the runbook, piece by piece, from what it says of the steps in order, and what removes them again."""
    topology, release = resolved.topology, resolved.release
    yield _HEAD.format(
        title=_title(resolved),
        release=topology.release,
        kubernetes=_kubernetes(release),
        helm=", Helm" if resolved.needs_helm else "",
        kubeconfig="the kubeconfigs" if _has_own_kubeconfigs(resolved) else "a kubeconfig",
    )
    yield from _contexts(resolved)
    if needs := "".join(_needs(resolved)):
        yield f"\n{needs}"
    if not resolved.gateway_alone:
        yield f"\nWhat it comes to:\n\n```mermaid\n{mermaid(topology)}```\n"
    number = 0
    title = ""
    for stage in stages:
        if stage.title != title:
            number += 1
            title = stage.title
            yield f"\n## {number}. {title}\n"
        yield stage.text
    yield from _before_the_clean_up(resolved)
    yield from clean_up
    yield "```\n"


def _title(resolved: Resolved) -> str:
    topology = resolved.topology
    if resolved.gateway_alone:
        return f"{topology.gateway.name}: gateway of external control planes in {markdown(resolved.external.name)}"
    name = markdown(topology.name or topology.mesh_id)
    return f"{name}: external control plane of Istio {topology.release} at {topology.address}"


def _needs(resolved: Resolved) -> Iterator[str]:
    """Yield what must be so before the first step."""
    topology = resolved.topology
    if not resolved.gateway_alone:
        has_own = any(remote.cluster.api_server is not None for remote in resolved.remotes)
        yield _REACH_OWN if has_own else _REACH
    if topology.install == "sail":
        yield _SAIL.format(release=topology.release, operators=resolved.release.sail)
    if resolved.gateway_alone:
        return
    if topology.gateway.install == "none":
        gateway = topology.gateway
        text = _GATEWAY if gateway.api == "istio" else _GATEWAY_OF_KUBERNETES
        yield text.format(
            name=gateway.name,
            namespace=gateway.namespace,
            port=gateway.webhook_port,
            listeners="HTTPS, with the certificate" if resolved.exposure.needs_credential else "TLS, mode Passthrough",
            namespace_of_routes=topology.namespace,
        )
        if topology.credential_name is not None:
            yield f"- The Secret {topology.credential_name} is in that namespace.\n"
    service = topology.istiod.service
    if service is not None and service.install == "none":
        yield _SERVICE.format(address=topology.address, istiod=resolved.names.istiod, namespace=topology.namespace)
    if topology.secret_store is not None:
        yield _STORE.format(name=topology.secret_store.name)
    if topology.private_ca is not None:
        yield _PRIVATE_CA.format(config_map=topology.private_ca.config_map)
    elif resolved.exposure.needs_credential:
        yield _TRUST.format(address=topology.address)


def _before_the_clean_up(resolved: Resolved) -> Iterator[str]:
    topology, exposure = resolved.topology, resolved.exposure
    if resolved.gateway_alone:
        yield _CLEAN_UP_OF_GATEWAY
        return
    has_gateway = topology.gateway.install != "none" and topology.istiod.service is None
    yield _CLEAN_UP.format(
        shared=_SHARED if has_gateway and exposure.shares_gateway else "",
        namespace=_NAMESPACE if has_gateway else "",
        certificate=_CERTIFICATE if exposure.needs_credential else "",
        plugin=_PLUGIN if topology.cni is not None and topology.cni.install != "none" else "",
        config_maps=_listed("ConfigMap", resolved.release.config_maps_everywhere),
    )


_HEAD = """\
# {title}

Run these commands in this folder, in this order, and go on only when a check shows what it should. They need kubectl,
istioctl {release}{helm}, and {kubeconfig} with the contexts below. {kubernetes}

Before you begin:

- istioctl is of release {release}; another one would install something else without an error:

  ```sh
  istioctl version --remote=false
  ```

- Every context is there:

"""


_REACH = """\
- The API servers of the remote clusters can be reached from the external cluster, at the addresses in the kubeconfig.
"""


_REACH_OWN = """\
- The API servers of the remote clusters can be reached from the external cluster, at the addresses in the kubeconfig
  or, where the topology has an `apiServer`, at that.
"""


_SAIL = """\
- The Sail Operator runs in every cluster, in a release that installs Istio {release}: {operators}.
"""


_GATEWAY = """\
- The gateway {name} in the namespace {namespace} of the external cluster is there, reads Gateways of other namespaces,
  and its Service has the ports 15012 and {port}.
"""


_GATEWAY_OF_KUBERNETES = """\
- The Gateway {name} of the Gateway API in the namespace {namespace} of the external cluster is there, of Istio's class,
  with listeners on 15012 and {port} ({listeners}) that take routes of the namespace {namespace_of_routes}.
"""


_SERVICE = """\
- At {address}, the ports 15012 and 15017 lead to those of the pods of {istiod} in the namespace {namespace} of the
  external cluster, as soon as they run, and TLS is passed through.
"""


_STORE = """\
- The External Secrets Operator runs in the external cluster, in release 0.16 or later, with the store {name}.
"""


_TRUST = """\
- The API servers and the proxies of the remote clusters trust the certificate of {address} by their own root
  certificates, since the webhooks carry none.
"""


_PRIVATE_CA = """\
- Every namespace whose pods will be injected has the ConfigMap {config_map} with the root certificates below `ca.crt`,
  or gets it before its pods start: without it they do not. This runbook makes it in the namespaces that it makes.
"""


_CLEAN_UP = """
## Clean-up

In this order. Each command takes back what one step made, and nothing else. A namespace goes with everything that is in
it, also what others put there.{shared}{plugin}

What stays:

- Istio's CRDs wherever they were made, with all Istio configuration outside of the namespaces that are deleted.
{namespace}{certificate}- {config_maps} in every namespace of the remote clusters.

```sh
"""


_CLEAN_UP_OF_GATEWAY = """
## Clean-up

When no control plane uses the gateway any more. What stays: Istio's CRDs with all Istio configuration outside of the
namespaces that are deleted, the namespace of the gateway with what its own istiod wrote there, and the Secrets with
certificates, which you made.

```sh
"""


_NAMESPACE = """\
- The namespace of the external cluster's gateway, with what its own istiod wrote there.
"""


_CERTIFICATE = """\
- The Secret with the gateway's certificate, which you made.
"""


_PLUGIN = """ Leave out what removes the CNI plugin
of a cluster while other pods of the cluster need it."""


_SHARED = """ Leave out what removes the ingress gateway of the external cluster, at the
end, while another control plane uses it."""


def _kubernetes(release: Release) -> str:
    """Return the sentence about the Kubernetes minors that a release supports."""
    if release.kubernetes is None:
        return f"The Kubernetes minors that Istio {release} supports are not known."
    return f"Istio {release} supports Kubernetes {release.kubernetes}."


def _contexts(resolved: Resolved) -> Iterator[str]:
    """Yield a command that fails for a context that is missing, and say where API servers are."""
    contexts: dict[str | None, list[str]] = {}
    for access in _accesses(resolved):
        contexts.setdefault(access.kubeconfig, []).append(access.context)
    yield "  ```sh"
    for kubeconfig, names in contexts.items():
        flags = () if kubeconfig is None else (f"--kubeconfig={kubeconfig}",)
        yield f"\n  {piped(('kubectl', *flags, 'config', 'get-contexts'))}"
        if any(name.startswith("-") for name in names):
            yield " --"  # none of them is an option
        for name in names:
            yield f" \\\n    {piped((name,))}"
    yield "\n  ```\n"


def _has_own_kubeconfigs(resolved: Resolved) -> bool:
    return any(access.kubeconfig is not None for access in _accesses(resolved))


def _accesses(resolved: Resolved) -> Iterator[Access]:
    """Yield how every cluster is reached."""
    yield resolved.external.access
    if not resolved.gateway_alone:
        yield from (remote.target.access for remote in resolved.remotes)


def _listed(kind: str, names: Sequence[str]) -> str:
    """Names that begin a sentence: "The ConfigMap `a`", "The ConfigMaps `a` and `b`"."""
    codes = " and ".join(map(code, names))
    return f"The {kind} {codes}" if len(names) == 1 else f"The {kind}s {codes}"


def step_text(step: Step) -> str:
    """Return what the runbook says of a step."""
    file = f": {code(step.path)}" if step.path else ""
    text = f"\n### {code(step.cluster)}{file}\n\n{step.why}\n\n{fenced(step.command)}"
    if not step.verify:
        return text
    return f"{text}\nThen check:\n{''.join(map(_check, step.verify))}"


def undo_text(step: Step) -> str:
    """Return the commands that undo a step, a line each."""
    return "".join(f"{command}\n" for command in step.undo)


def _check(check: Check) -> str:
    return f"\n{fenced(check.command)}\nExpect: {check.expect}.\n"


def fenced(command: Command) -> str:
    """Return a command as a block of Markdown."""
    return f"```sh\n{command}\n```\n"


def code(text: str) -> str:
    """Return text as Markdown code, whatever backticks it has."""
    text = visible(text)
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"


def markdown(text: str) -> str:
    """Return text as it is read, whatever Markdown makes of its characters."""
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in visible(text))


_SPECIAL = frozenset("\\`*_{}[]<>()#+!|~&")
