"""Private root certificates: what makes API servers and proxies trust a gateway whose certificate no public CA signed.

Webhooks carry the certificates. Proxies read them from a ConfigMap, which istiod mounts into the pods that it injects:
by a template of ours, which it lays over its own. Source: istio 1.22.8 to 1.30.3: pkg/kube/inject/inject.go,
istio-discovery/files/injection-template.yaml; injection was run with istioctl 1.31 (`kube-inject`).
"""

import base64
from typing import Any

from extcp_manifests.builders.address import PrivateRoot
from extcp_manifests.builders.builder import Builder
from extcp_manifests.documents.kubernetes import ConfigMap, ObjectMeta
from extcp_manifests.istio.releases import Release

ROOT_KEY = "ca.crt"
"""The key of the certificates in the ConfigMap."""


_FOLDER = "/etc/istiod-root"
ROOT_FILE = f"{_FOLDER}/{ROOT_KEY}"
"""Where proxies find the certificates."""


_SIDECARS = "istiod-root"
_GATEWAYS = "istiod-root-of-gateway"


def ca_bundle(root: PrivateRoot) -> str:
    """Return the certificates as webhooks carry them."""
    return base64.b64encode(root.certificates.encode()).decode()


def gateway_templates(root: PrivateRoot | None) -> str:
    """Return the templates by which pods of gateways are injected."""
    return "gateway" if root is None else f"gateway,{_GATEWAYS}"


def injector_values(root: PrivateRoot, release: Release) -> dict[str, Any]:
    """Return the values `sidecarInjectorWebhook` that mount the certificates into every pod that is injected.

    A sidecar may be an init container that goes on running, as its own template decides.
    """
    of_gateways = f"spec:\n  containers:\n{_container()}{_volumes(root)}"
    of_sidecars = (
        f"{{{{- if {release.native_sidecar} }}}}\nspec:\n  initContainers:\n{_container()}{_volumes(root)}"
        f"{{{{- else }}}}\n{of_gateways}{{{{- end }}}}\n"
    )
    return {
        "defaultTemplates": ["sidecar", _SIDECARS],
        "templates": {_SIDECARS: of_sidecars, _GATEWAYS: of_gateways},
    }


def _container() -> str:
    return (
        "  - name: istio-proxy\n"
        "    volumeMounts:\n"
        f"    - name: istiod-root\n      mountPath: {_FOLDER}\n      readOnly: true\n"
    )


def _volumes(root: PrivateRoot) -> str:
    return f'  volumes:\n  - name: istiod-root\n    configMap:\n      name: "{root.config_map}"\n'


class PrivateRootConfigMap(Builder[ConfigMap]):
    """The ConfigMap with the certificates, which every namespace needs whose pods are injected."""

    name: str
    namespace: str
    certificates: str

    def _document(self) -> ConfigMap:
        metadata = ObjectMeta(name=self.name, namespace=self.namespace)
        return ConfigMap(metadata=metadata, data={ROOT_KEY: self.certificates})
