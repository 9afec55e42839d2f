"""The legacy exec plugin of kustomize: a small program, at the path that the kind of our topologies gives.

Source: kustomize 5.8.1, run under kubectl: it looks below KUSTOMIZE_PLUGIN_HOME, or kustomize/plugin in the
user's configuration, for <group>/<version>/<kind in lower case>/<Kind>, and calls that with the file of the generator.
"""

import os
import sys
from pathlib import Path

from extcp_manifests.errors import OutputError
from extcp_manifests.planning.folder.exchange import reporting, write_file
from extcp_manifests.planning.step import piped
from extcp_manifests.topology.topology_file import API_VERSION, KIND


def plugin_home() -> Path:
    """Return the folder where kubectl looks for plugins."""
    home = os.environ.get("KUSTOMIZE_PLUGIN_HOME")
    if home:
        return Path(home)
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(settings) / "kustomize/plugin"


def install(home: str | os.PathLike[str] | None = None) -> Path:
    """Write the program, for the Python that runs now, and return its path.

    Raises OutputError where its path is a link, or it cannot be written.
    """
    target = (Path(home) if home else plugin_home()) / API_VERSION / KIND.lower() / KIND
    if target.is_symlink():
        raise OutputError(str(target), "is a link: remove it, or choose another folder with --home")
    with reporting(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    command = piped((sys.executable, "-m", "extcp_manifests", "plugin", "run"))
    program = f'#!/bin/sh\nexec {command} "$1"\n'
    write_file(target, program.encode(), mode=0o755)
    return target
