"""The legacy exec plugin of kustomize: a small program, at the place that the kind of our topologies has.

Source: kustomize 5.8.1, run under kubectl: it looks below KUSTOMIZE_PLUGIN_HOME, or kustomize/plugin in the
user's configuration, for <group>/<version>/<kind in lower case>/<Kind>, and calls that with the file of the generator.
"""

import os
import sys
from pathlib import Path

from extcp_manifests.errors import OutputError
from extcp_manifests.planning.folder.exchange import telling, write_file
from extcp_manifests.planning.step import piped
from extcp_manifests.topology.file import API_VERSION, KIND


def plugin_home() -> Path:
    """The folder where kubectl looks for plugins."""
    home = os.environ.get("KUSTOMIZE_PLUGIN_HOME")
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) if home else Path(settings) / "kustomize/plugin"


def install(home: str | os.PathLike[str] | None = None) -> Path:
    """Write the program, for the Python that runs now, and return its path.

    Raises OutputError where a link stands in its place, or it cannot be written.
    """
    target = (Path(home) if home else plugin_home()) / API_VERSION / KIND.lower() / KIND
    if target.is_symlink():
        raise OutputError(str(target), "is a link: remove it, or choose another folder with --home")
    with telling(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    command = piped((sys.executable, "-m", "extcp_manifests", "plugin", "run"))
    program = f'#!/bin/sh\nexec {command} "$1"\n'
    write_file(target, program.encode(), mode=0o755)
    return target
