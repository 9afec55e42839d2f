"""The names that a topology takes."""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import StrictStr
from pydantic_core import PydanticCustomError

from extcp_manifests import injection, yaml
from extcp_manifests.documents.name_forms import has_user, why_not_dns_label, why_not_printable, why_placeholder
from extcp_manifests.errors import InvalidInput
from extcp_manifests.patterns import pattern
from extcp_manifests.topology.inputs import matching

DEFAULT_NAMESPACE = "external-istiod"
"""The namespace of the control plane in Istio's guide."""


# Kubernetes makes these namespaces itself; local-path-storage: istio 1.30.3: pkg/kube/inject/inject.go.
_RESERVED = ("default", "kube-system", "kube-public", "kube-node-lease", "local-path-storage")


# istioctl sets values.revision as it does with --set, by Go's ParseFloat and ParseBool
# (istio 1.30.3: operator/pkg/render/manifest.go); in DNS labels these are:
_RETYPED = pattern(r"[0-9]+(?:e-?[0-9]+)?|0x[0-9a-f]+p-?[0-9]+|inf|infinity|nan|t|true|f|false")


def why_not_cluster_name(name: str) -> str | None:
    """Return why istiod cannot know a cluster by the name, or None."""
    return why_not_printable(name) or injection.why_not_encodable(name)


def why_not_namespace(name: str) -> str | None:
    """Return why the name is not a valid namespace of a control plane, or None."""
    if name in _RESERVED:
        return f"{name!r} is one of Kubernetes' own namespaces: choose another"
    return _why_retyped(name) or why_not_dns_label(name)


def why_not_revision(name: str) -> str | None:
    """Return why the name is not a valid revision, or None; `istiod-REVISION` must be a DNS label too."""
    if name == "default":
        return "'default' is what no revision means: leave it out"
    return _why_retyped(name) or why_not_dns_label(name, 63 - len("istiod-"))


def _why_retyped(name: str) -> str | None:
    """Return why YAML does not read the name as text, or None.

    Istio's charts write such names without quotes into labels and keys (istio 1.31; issue 60239 for namespaces).
    """
    if _RETYPED.fullmatch(name) or not isinstance(yaml.resolve(name), str):
        return f"Istio would read {name!r} as a number or a boolean: choose a name with other letters"
    return None


def why_not_gateway_name(name: str) -> str | None:
    """Return why the name is not a valid name of a gateway, or None."""
    return _why_retyped(name) or why_not_dns_label(name)


def why_not_mesh_id(name: str) -> str | None:
    """Return why the name is not a valid mesh ID, or None."""
    return why_not_printable(name) or why_breaks_charts(name)


def why_breaks_charts(name: str) -> str | None:
    """Return why the name cannot be between the double quotes of Istio's charts, or None.

    The charts write such names as they are, without escapes (istio 1.31: rendering was run).
    """
    if not set(name) & set('"\\'):
        return None
    return f"{name!r} has a quotation mark or backslash, which breaks Istio's charts: leave it out"


def plain_mapping(value: object) -> Mapping[str, Any]:
    """Return a copy of a mapping of plain data; the rules report what is not plain."""
    if type(value) is dict and not value:  # as most are
        return {}
    if not isinstance(value, Mapping):
        raise PydanticCustomError("mapping_type", "must be a mapping")
    try:
        yaml.dump({"spec": {"meshConfig": value}})
    except InvalidInput:
        return value
    copied: dict[str, Any] = _copied(value)
    return copied


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value


def why_not_hub(text: str) -> str | None:
    """Return why the text is not a registry of images, or None; it is not shown where it may hold a password."""
    if _HUB.fullmatch(text) and len(text) <= 255:
        return None
    if has_user(text):
        return (
            "has something before an '@': leave user, password and digest out, since it would appear in the "
            "files that are written; a password belongs in an image pull secret"
        )
    return (
        _why_no_query(text)
        or why_placeholder(text)
        or f"{text!r} is not a registry of images: write it as in registry.example.com/istio, without https:// and tag"
    )


def why_not_certificates(text: str) -> str | None:
    """Return why a text is not certificates as PEM, or None."""
    if "PRIVATE KEY-----" in text:
        return "has a private key: give certificates alone"
    if "-----BEGIN CERTIFICATE-----" in text and text.isascii():
        return None
    return "is not a certificate: give the text of ca.crt, in PEM form"


def why_not_pem(text: str) -> str | None:
    """Return why a text is not whole certificates as PEM, which API servers and proxies read, or None."""
    if problem := why_not_certificates(text):
        return problem
    blocks = ["".join(block.split()) for block in _PEM_BLOCK.findall(text)]
    is_all = not _PEM_BLOCK.sub("", text).strip()
    if is_all and blocks and all(map(_is_der, blocks)):
        return None
    return "has something else than whole certificates: give BEGIN CERTIFICATE, base64 and END CERTIFICATE of each"


_PEM_BLOCK = pattern(r"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE-----\n?")
_BASE64 = pattern(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def _is_der(block: str) -> bool:
    """Return whether base64 is that of a sequence, as every certificate is; Pythons differ in what they decode."""
    return _BASE64.fullmatch(block) is not None and b64decode(block).startswith(b"\x30")


def why_not_tag(text: str) -> str | None:
    """Return why the text is not a valid tag of images, or None."""
    if _TAG.fullmatch(text):
        return None
    return why_placeholder(text) or f"{text!r} is not a valid tag of images: write it as in 1.24.6 or 1.24.6-distroless"


_TAG = pattern(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}")


def why_not_kubeconfig(text: str) -> str | None:
    """Return why commands cannot name the file as a kubeconfig, or None."""
    if text.startswith("~"):
        return f"{text!r} begins with '~', which no shell replaces there: write the whole path"
    return why_placeholder(text) or why_not_printable(text)


def why_not_charts(text: str) -> str | None:
    """Return why the text is not a chart repository, or None; it is not shown where it may hold a password."""
    if has_user(text):
        return (
            "has something before an '@': leave user and password out, since it would appear in the files that "
            "are written; give them to what fetches the charts, as by `helm registry login` or a repository of Argo CD"
        )
    if problem := _why_no_query(text) or why_placeholder(text):
        return problem
    if _CHARTS.fullmatch(text):
        return None
    return f"{text!r} is not a chart repository: write its URL, as in https://charts.example.com/istio or oci://..."


def _why_no_query(text: str) -> str | None:
    """Return why the text may not have a query, if it has one; a query may hold a token, so it is not shown."""
    if "?" in text:
        return "has a query, after its '?': leave it out, since it would appear in the files that are written"
    return None


# A host, perhaps with a port, and a path, as images begin (github.com/distribution/reference: regexp.go).
_HUB = pattern(r"[a-zA-Z0-9](?:[-a-zA-Z0-9.]*[a-zA-Z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")


_CHARTS = pattern(r"(?:https?|oci)://[-a-zA-Z0-9.:\[\]]+(?:/[-\w.~%!$&'()*+,;=:@/]*)?", re.ASCII)


# Places that are taken down in December 2026 and have nothing of Istio 1.31, and what to write for each
# (istio.io: content/en/blog/2026/retirement-of-gcp and retirement-of-gcr.io-follow-up).
_ENDING = {
    "hub": (("gcr.io/istio-release", "docker.io/istio"), ("registry.istio.io", "docker.io/istio")),
    "charts": (
        ("https://istio-release.storage.googleapis.com", "https://blob.istio.io/istio-release/charts"),
        ("http://istio-release.storage.googleapis.com", "https://blob.istio.io/istio-release/charts"),
        ("oci://gcr.io/istio-release", "oci://ghcr.io/istio/release/charts"),
        ("oci://registry.istio.io", "oci://ghcr.io/istio/release/charts"),
    ),
}


def instead_of_ending(name: str, text: str | None) -> str | None:
    """Return what to write instead of a registry or a repository that ends; None for every other, and for no text."""
    if text is None:
        return None
    place = f"{text}/".lower()
    for ending, instead in _ENDING[name]:
        if place.startswith(f"{ending}/"):
            return instead
    return None


Text = Annotated[StrictStr, matching(why_not_printable)]


NamespaceName = Annotated[StrictStr, matching(why_not_namespace)]


GatewayName = Annotated[StrictStr, matching(why_not_gateway_name)]
