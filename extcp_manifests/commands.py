"""The commands that apply our files, each with the one that takes it back.

Nothing here purges: `istioctl uninstall --purge` removes every control plane of a cluster, others' too. Without it,
`uninstall -f` leaves the CRDs, and removes from 1.21 what an installation of that name and namespace made, before that
only istiod (istio 1.20.8: operator/cmd/mesh/uninstall.go; 1.24.6: operator/pkg/uninstall/prune.go; read, not run).
"""

from collections.abc import Callable
from dataclasses import dataclass

from extcp_manifests.step import Argv, Pipeline


@dataclass(frozen=True, slots=True)
class Action:
    """A command and its reverse."""

    command: Pipeline
    undo: tuple[Pipeline, ...]


How = Callable[[str, str], Action]
"""Makes an action of a context and a file's path."""


def kubectl(context: str, *words: str) -> Argv:
    return ("kubectl", f"--context={context}", *words)


def apply(context: str, path: str) -> Action:
    """Apply a file as it is."""
    return Action((kubectl(context, "apply", "-f", path),), ((_delete(context, path),),))


def install(context: str, path: str) -> Action:
    """Have istioctl install an IstioOperator, and remove all that it made."""
    return Action(_install(context, path), (_uninstall(context, path),))


def install_rendered(context: str, path: str) -> Action:
    """Have istioctl install an IstioOperator, and remove what the same file renders."""
    return Action(_install(context, path), generate(context, path).undo)


def install_shared_gateway(name: str, namespace: str) -> How:
    """Have istioctl install the external cluster's gateway, and remove istiod, the gateway and istiod's webhooks.

    The file also renders the CRDs, which must stay as long as anything else of Istio is in the cluster.
    """
    names = (
        *(f"{kind}/{name}" for kind in ("deployment", "service", "horizontalpodautoscaler", "poddisruptionbudget")),
        f"serviceaccount/{name}-service-account",
        f"role/{name}-sds",
        f"rolebinding/{name}-sds",
        "mutatingwebhookconfiguration/istio-revision-tag-default",
        "validatingwebhookconfiguration/istiod-default-validator",
    )

    def how(context: str, path: str) -> Action:
        rest = (kubectl(context, "delete", "--ignore-not-found", "-n", namespace, *names),)
        return Action(_install(context, path), (_uninstall(context, path), rest))

    return how


def generate(context: str, path: str) -> Action:
    """Have istioctl render an IstioOperator, and apply what it rendered."""
    manifest = ("istioctl", "manifest", "generate", "-f", path)
    return Action((manifest, kubectl(context, "apply", "-f", "-")), ((manifest, _delete(context, "-")),))


def helm_gateway(context: str, namespace: str, name: str, path: str, release: str) -> Action:
    """Install a gateway with the chart istio/gateway, in the newest patch of the release."""
    where = ("-n", namespace, f"--kube-context={context}")
    return Action(
        (("helm", "install", name, "istio/gateway", *where, "--version", f"~{release}.0", "-f", path),),
        ((("helm", "uninstall", name, *where),),),
    )


def create_remote_secret(context: str, into: str, namespace: str, secret: str, *words: str) -> Action:
    """Have istioctl read a cluster's credentials, and apply the Secret that it writes in another cluster."""
    create = ("istioctl", "create-remote-secret", f"--context={context}", f"--namespace={namespace}", *words)
    return Action(
        (create, kubectl(into, "apply", "-f", "-")),
        ((kubectl(into, "delete", "secret", secret, "-n", namespace, "--ignore-not-found"),),),
    )


def _install(context: str, path: str) -> Pipeline:
    return (("istioctl", "install", "-y", f"--context={context}", "-f", path),)


def _uninstall(context: str, path: str) -> Pipeline:
    return (("istioctl", "uninstall", "-y", f"--context={context}", "-f", path),)


def _delete(context: str, path: str) -> Argv:
    return kubectl(context, "delete", "--ignore-not-found", "-f", path)
