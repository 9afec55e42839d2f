"""The text of a first topology file, with comments that say what each line is for."""

from collections.abc import Sequence

from extcp_manifests import yaml
from extcp_manifests.builders.address import IPAddress, parse_address
from extcp_manifests.errors import InvalidInput
from extcp_manifests.records import Record


class FirstCluster(Record):
    """A remote cluster of a first topology file."""

    name: str
    network: str = "network1"


class FirstTopology(Record, kw_only=True):
    """What a first topology file says; `text()` is the file."""

    release: str
    address: str
    clusters: Sequence[FirstCluster]
    """The remote clusters, the config cluster first."""
    name: str = "mesh1"
    credential_name: str = "istiod-certificate"
    """The TLS secret for a host name; an IP address needs none."""
    external: str = "external"
    """The name of the cluster where istiod runs."""
    install: str = "istioctl"
    revision: str | None = None
    schema: str | None = None
    """The path of the JSON Schema, for editors."""

    def text(self) -> str:
        """Return the file's text, which need not be right: `load` says what is wrong with it."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Sequence[str]:
        lines = [] if self.schema is None else [f"# yaml-language-server: $schema={self.schema}"]
        lines += [
            "# An Istio external control plane. `extcp-manifests explain spec` lists every key.",
            "apiVersion: extcp-manifests/v1",
            "kind: ExternalControlPlane",
            "metadata:",
            f"  name: {_scalar(self.name)}",
            "spec:",
            f"  release: {yaml.dump(self.release).rstrip()} # the Istio minor; `extcp-manifests releases` lists them",
            f"  meshID: {_scalar(self.name)}",
            f"  address: {_scalar(self.address)} # where remote clusters reach istiod: a host name or an IP address",
        ]
        if not _is_ip_address(self.address):
            lines += [
                "  # The TLS secret for it beside the gateway; API servers and proxies must trust its certificate.",
                f"  credentialName: {_scalar(self.credential_name)}",
            ]
        if self.revision is not None:
            lines.append(f"  revision: {_scalar(self.revision)} # a part of every name that carries it")
        lines += [
            f"  install: {_scalar(self.install)} # or {_others(self.install)}",
            "  externalCluster:",
            f"    name: {_scalar(self.external)}",
            f"    context: {_scalar(self.external)} # in the kubeconfig",
        ]
        first, *others = self.clusters or (FirstCluster("cluster1"),)
        lines += [
            "  configCluster: # the first remote cluster, from which istiod reads the mesh's configuration",
            *self._cluster_lines(first),
        ]
        if others:
            lines.append("  remoteClusters: # those that only run workloads")
        for cluster in others:
            name, *rest = self._cluster_lines(cluster)
            lines += [f"  - {name.lstrip()}", *rest]
        return lines

    def _cluster_lines(self, cluster: FirstCluster) -> list[str]:
        lines = [
            f"    name: {_scalar(cluster.name)}",
            f"    context: {_scalar(cluster.name)}",
            f"    network: {_scalar(cluster.network)}",
        ]
        if len({each.network for each in self.clusters}) > 1:
            lines.append("    gateways: {eastWest: true} # by which other networks reach its services")
        return lines


def _scalar(text: str) -> str:
    return yaml.dump(text).rstrip()


def _is_ip_address(text: str) -> bool:
    try:
        return isinstance(parse_address(text), IPAddress)
    except InvalidInput:
        return False


def _others(install: str) -> str:
    return " or ".join(each for each in ("istioctl", "helm", "sail") if each != install)
