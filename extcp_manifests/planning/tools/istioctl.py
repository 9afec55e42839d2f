"""What istioctl does in a plan."""

from typing import ClassVar, Literal

from extcp_manifests.planning.step import Access, Argv, Command, Pipeline, Tool, piped
from extcp_manifests.planning.tools.kubectl import build, delete_objects, kubectl
from extcp_manifests.records import Record


class RenderAndApply(Record):
    """Have istioctl render an IstioOperator into a file, and kubectl apply that; this makes no revision tag.

    A file, since kubectl would apply what istioctl wrote into a pipe before it failed.
    """

    removal: Literal["rendered", "objects"]
    """What the undo removes: what is rendered, where no CRDs are among that, or the objects."""
    namespace: str = ""
    """The namespace of the objects."""
    objects: tuple[str, ...] = ()
    """What the undo deletes, as `kind/name`."""
    tool: ClassVar[Tool] = "istioctl"

    def command(self, access: Access, file: str) -> Command:
        return _rendered(file, kubectl(access, "apply", "-f", rendered(file)))

    def undo(self, access: Access, file: str) -> tuple[Command, ...]:
        return (*self.undo_by_file(access, file), *self.undo_by_name(access))

    def undo_by_file(self, access: Access, file: str) -> tuple[Command, ...]:
        """Return the part of the undo that reads the file."""
        return (_delete_rendered(access, file),) if self.removal == "rendered" else ()

    def undo_by_name(self, access: Access) -> tuple[Command, ...]:
        """Return the part of the undo that names objects."""
        return () if self.removal == "rendered" else (delete_objects(access, self.namespace, self.objects),)


class Install(Record):
    """Have istioctl install an IstioOperator, wait until it runs, and mark all that it made by the operator's name."""

    removal: Literal["owner", "rendered", "objects"]
    """What the undo removes: what has that mark, or what is rendered, or nothing but the objects.

    From 1.21 `istioctl uninstall -f` goes by the mark; before that it removed istiod alone, of every control plane of
    the revision (istio 1.20.8: operator/cmd/mesh/uninstall.go; 1.24.6: operator/pkg/uninstall/prune.go).
    """
    namespace: str = ""
    """The namespace of the objects."""
    objects: tuple[str, ...] = ()
    """What the undo deletes besides, as `kind/name`."""
    state: str | None = None
    """What istioctl saves, as `kind/name`; by itself, since kubectl knows its kind only with the CRDs."""
    tool: ClassVar[Tool] = "istioctl"

    def command(self, access: Access, file: str) -> Command:
        return piped(("istioctl", "install", "-y", *access.flags(), "-f", file))

    def undo(self, access: Access, file: str) -> tuple[Command, ...]:
        return (*self.undo_by_file(access, file), *self.undo_by_name(access))

    def undo_by_file(self, access: Access, file: str) -> tuple[Command, ...]:
        """Return the part of the undo that reads the file."""
        if self.removal == "owner":
            return (piped(("istioctl", "uninstall", "-y", *access.flags(), "-f", file)),)
        if self.removal == "rendered":
            return (_delete_rendered(access, file),)
        return ()

    def undo_by_name(self, access: Access) -> tuple[Command, ...]:
        """Return the part of the undo that names objects."""
        commands = []
        if self.objects:
            commands.append(delete_objects(access, self.namespace, self.objects))
        if self.state is not None:
            commands.append(delete_objects(access, self.namespace, (self.state,)))
        return tuple(commands)


class Built(Record):
    """An action of istioctl on a file that kubectl first builds from a base.

    istioctl must not read it from a pipe: where kubectl fails, the pipe is empty, and istioctl would install its whole
    default profile.
    """

    action: RenderAndApply | Install
    base: str
    tool: ClassVar[Tool] = "istioctl"

    @property
    def file(self) -> str:
        """What kubectl builds; the base itself does not read it."""
        return f"{self.base}/{BUILT}"

    def command(self, access: Access, file: str) -> Command:  # noqa: ARG002
        return self._after_building(self.action.command(access, self.file))

    def undo(self, access: Access, file: str) -> tuple[Command, ...]:  # noqa: ARG002
        by_file = self.action.undo_by_file(access, self.file)
        return (*map(self._after_building, by_file), *self.action.undo_by_name(access))

    def _after_building(self, command: Command) -> Command:
        """Return the command, run only after its file was built."""
        return Command((build(self.base, self.file), *command.pipelines))


BUILT = "built.yaml"
"""The name of a file that kubectl builds for istioctl."""


class CreateRemoteSecret(Record):
    """Have istioctl read a cluster's credentials, and apply the Secret that it writes in another one."""

    source: Access
    """The cluster whose credentials are read."""
    namespace: str
    secret: str
    words: tuple[str, ...]
    token: str
    """The Secret with the token, which istioctl makes in the source cluster from Kubernetes 1.24 on."""
    server: str | None = None
    """URL of the cluster's API server as istiod reaches it; None for the one in the kubeconfig."""
    without_label: str | None = None
    """A label that istioctl gives the Secret, and that must go."""
    tool: ClassVar[Tool] = "istioctl"

    def printing(self) -> Argv:
        """Return the program that writes the Secret, token and all, to its standard output."""
        server = () if self.server is None else (f"--server={self.server}",)
        create = ("istioctl", "create-remote-secret", *self.source.flags(), f"--namespace={self.namespace}")
        return (*create, *self.words, *server, "--create-service-account=false")

    def command(self, access: Access, file: str) -> Command:  # noqa: ARG002
        programs = [self.printing()]
        if self.without_label is not None:
            programs.append(("kubectl", "label", "--local", "-f", "-", f"{self.without_label}-", "-o", "yaml"))
        return piped(*programs, kubectl(access, "apply", "-f", "-"))

    def undo(self, access: Access, file: str) -> tuple[Command, ...]:  # noqa: ARG002
        return (
            delete_objects(access, self.namespace, (f"secret/{self.secret}",)),
            delete_objects(self.source, self.namespace, (f"secret/{self.token}",)),
        )


class PrintRemoteSecret(Record):
    """Have istioctl print such a Secret, whose kubeconfig people put into a store; nothing is applied."""

    created: CreateRemoteSecret
    tool: ClassVar[Tool] = "istioctl"

    def command(self, access: Access, file: str) -> Command:  # noqa: ARG002
        return piped(self.created.printing())

    def undo(self, access: Access, file: str) -> tuple[Command, ...]:
        return self.created.undo(access, file)[1:]  # the token that istioctl has made, not the Secret


def rendered(file: str) -> str:
    """Return the file for what istioctl renders of another; by its ending no tool reads it as a manifest."""
    return f"{file}.rendered"


def _rendered(file: str, use: Argv) -> Command:
    """Render a file, and use the result where istioctl succeeded."""
    render = ("istioctl", "manifest", "generate", "-f", file)
    return Command((Pipeline((render,), into=rendered(file)), Pipeline((use,))))


def _delete_rendered(access: Access, file: str) -> Command:
    return _rendered(file, kubectl(access, "delete", "--ignore-not-found", "-f", rendered(file)))
