"""The names of an external control plane's objects; every name that carries the revision follows it.

Source: istio 1.15.7 to 1.30.3: istio-discovery/templates (deployment, service, configmap, mutatingwebhook,
validatingwebhookconfiguration), the same in every release.
"""

from collections.abc import Mapping

from extcp_manifests.records import Record


class Names(Record, kw_only=True):
    """The names for a namespace and, where there is one, a revision."""

    namespace: str
    """The namespace of istiod."""
    revision: str | None = None
    """Istio's control-plane revision, the value of `istio.io/rev`; None is the default one."""

    @property
    def istiod(self) -> str:
        """The Deployment, the Service and the ServiceAccount."""
        return f"istiod{self._suffix}"

    @property
    def istiod_host(self) -> str:
        """The host name of istiod's Service."""
        return f"{self.istiod}.{self.namespace}.svc.cluster.local"

    @property
    def mesh_config_map(self) -> str:
        """The ConfigMap that holds the mesh config."""
        return f"istio{self._suffix}"

    @property
    def injector_config_map(self) -> str:
        """The ConfigMap that holds the templates of sidecars."""
        return f"istio-sidecar-injector{self._suffix}"

    @property
    def injector_webhook(self) -> str:
        """The MutatingWebhookConfiguration of injection; Istio leaves its own default namespace out of the name."""
        namespace = "" if self.namespace == "istio-system" else f"-{self.namespace}"
        return f"istio-sidecar-injector{self._suffix}{namespace}"

    @property
    def injector_webhooks(self) -> int:
        """How many webhooks that configuration has; those for unrevised namespaces and pods go with a revision."""
        return 2 if self.revision else 4

    @property
    def validator_webhook(self) -> str:
        """The ValidatingWebhookConfiguration of Istio's own configuration."""
        return f"istio-validator{self._suffix}-{self.namespace}"

    @property
    def default_tag(self) -> str:
        """The MutatingWebhookConfiguration of the revision tag `default`."""
        namespace = "" if self.namespace == "istio-system" else f"-{self.namespace}"
        return f"istio-revision-tag-default{namespace}"

    @property
    def default_revision(self) -> str:
        """What `values.defaultRevision` must be for the default validator to be installed."""
        return self.revision or "default"

    @property
    def injection_label(self) -> Mapping[str, str]:
        """The label of a namespace whose pods get a sidecar."""
        if self.revision:
            return {"istio.io/rev": self.revision}
        return {"istio-injection": "enabled"}

    @property
    def injection_of_a_pod(self) -> str:
        """The label of a pod that gets a sidecar in a namespace without such a label, as `key=value`."""
        return f"istio.io/rev={self.revision}" if self.revision else "sidecar.istio.io/inject=true"

    @property
    def _suffix(self) -> str:
        return f"-{self.revision}" if self.revision else ""


class ConfigFiles(Record):
    """A ConfigMap that istiod reads as files, before it asks the config cluster; no chart mounts it by itself.

    Source: istio 1.15.7 to 1.30.3: istio-discovery/templates/deployment.yaml, pilot/cmd/pilot-discovery/app/cmd.go.
    """

    volume: str
    """The name that our documents give the volume."""
    directory: str
    """Where istiod looks for the files."""


MESH_CONFIG_FILES = ConfigFiles("config-volume", "/etc/istio/config")
"""The files of the ConfigMap `Names.mesh_config_map`."""


INJECTOR_FILES = ConfigFiles("inject-volume", "/var/lib/istio/inject")
"""The files of the ConfigMap `Names.injector_config_map`."""


def gateway_labels(name: str) -> dict[str, str]:
    """Return the labels of a gateway's pods, on whose form istioctl's charts and the chart istio/gateway agree.

    Source: istio 1.24.6: manifests/charts/gateway/templates/_helpers.tpl.
    """
    return {"app": name, "istio": name.removeprefix("istio-")}
