"""The commands that apply our files, each with the one that takes it back.

Nothing here purges: `istioctl uninstall --purge` removes every control plane of a cluster, others' too. Without it,
`uninstall -f` removes what an installation of that name and namespace made, and leaves the CRDs
(istio 1.24.6: operator/pkg/uninstall/prune.go; deduced from code, never run).
"""

from dataclasses import dataclass

from extcp_manifests.step import Argv, Pipeline


@dataclass(frozen=True, slots=True)
class Action:
    """A command and its reverse."""

    command: Pipeline
    undo: Pipeline


def kubectl(context: str, *words: str) -> Argv:
    return ("kubectl", f"--context={context}", *words)


def apply(context: str, path: str) -> Action:
    """Apply a file as it is."""
    return Action((kubectl(context, "apply", "-f", path),), (_delete(context, path),))


def install(context: str, path: str) -> Action:
    """Have istioctl install an IstioOperator."""
    return Action(
        (("istioctl", "install", "-y", f"--context={context}", "-f", path),),
        (("istioctl", "uninstall", "-y", f"--context={context}", "-f", path),),
    )


def generate(context: str, path: str) -> Action:
    """Have istioctl render an IstioOperator, and apply what it rendered."""
    manifest = ("istioctl", "manifest", "generate", "-f", path)
    return Action((manifest, kubectl(context, "apply", "-f", "-")), (manifest, _delete(context, "-")))


def helm_gateway(context: str, namespace: str, name: str, path: str, release: str) -> Action:
    """Install a gateway with the chart istio/gateway, in the newest patch of the release."""
    where = ("-n", namespace, f"--kube-context={context}")
    return Action(
        (("helm", "install", name, "istio/gateway", *where, "--version", f"~{release}.0", "-f", path),),
        (("helm", "uninstall", name, *where),),
    )


def create_remote_secret(context: str, into: str, namespace: str, secret: str, *words: str) -> Action:
    """Have istioctl read a cluster's credentials, and apply the Secret that it writes in another cluster."""
    create = ("istioctl", "create-remote-secret", f"--context={context}", f"--namespace={namespace}", *words)
    return Action(
        (create, kubectl(into, "apply", "-f", "-")),
        (kubectl(into, "delete", "secret", secret, "-n", namespace, "--ignore-not-found"),),
    )


def _delete(context: str, path: str) -> Argv:
    return kubectl(context, "delete", "--ignore-not-found", "-f", path)
