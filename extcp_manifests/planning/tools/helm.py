"""What Helm does in a plan."""

from typing import ClassVar

from extcp_manifests.planning.step import Access, Command, Tool, piped
from extcp_manifests.records import Record


class InstallChart(Record):
    """Install one of Istio's charts, in the newest patch of the release."""

    name: str
    """The name of Helm's release."""
    namespace: str
    repository: str
    """URL of a chart repository, or the `oci://` place of charts."""
    release: str
    chart: str = "gateway"
    wait: bool = False
    """Whether the command waits until the pods run."""
    create_namespace: bool = False
    more_values: tuple[str, ...] = ()
    """Further files of values, of which later ones win."""
    tool: ClassVar[Tool] = "helm"

    @property
    def version(self) -> str:
        """The range of the chart's versions, as Helm reads it: the newest patch of the release."""
        return f"~{self.release}.0"

    def command(self, access: Access, file: str) -> Command:
        is_oci = self.repository.startswith("oci://")
        chart = (f"{self.repository}/{self.chart}",) if is_oci else (self.chart, f"--repo={self.repository}")
        values = [word for each in (file, *self.more_values) for word in ("-f", each)]
        install = ("helm", "upgrade", "--install", self.name, *chart, *self._where(access))
        flags = ["--version", self.version]
        if self.create_namespace:
            flags.append("--create-namespace")
        if self.wait:
            flags.append("--wait")
        return piped((*install, *flags, *values))

    def undo(self, access: Access, file: str) -> tuple[Command, ...]:  # noqa: ARG002
        return (piped(("helm", "uninstall", self.name, *self._where(access))),)

    def _where(self, access: Access) -> tuple[str, ...]:
        return ("-n", self.namespace, *access.flags("--kube-context"))
