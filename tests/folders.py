"""Folders as values, and processes that end in the middle of writing them."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")


def content(folder: Path) -> dict[str, bytes | str]:
    """Return all files with content, all links with target and all folders below a folder, hidden ones too."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        short = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[short] = str(path.readlink())
        else:
            found[short] = "folder" if path.is_dir() else path.read_bytes()
    return found


def in_child(action: Callable[[], object]) -> int:
    """Run an action in a process of its own, and return 0 if it returns, 3 if it raises, -9 if it is killed."""
    process = start_child(action)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def start_child(action: Callable[[], object]) -> int:
    """Start an action in a process of its own, and return the process's ID."""
    process = os.fork()
    if process == 0:
        try:
            action()
        except BaseException:  # whatever it is, the test must not go on in this process
            os._exit(3)
        os._exit(0)
    return process


def at_change(number: int, happens: Callable[[], None], *, only_once: bool = True) -> None:
    """Have something called just before this process changes the file system for the nth time from now on."""
    count = 0
    sys.dont_write_bytecode = True  # what a late import writes is no change of the folder

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if not _changes(event, arguments):
            return
        count += 1
        if count == number or (count > number and not only_once):
            happens()

    sys.addaudithook(hook)


def changes_of(action: Callable[[], object]) -> int:
    """Return how many times an action changes the file system, counted in a process of its own."""
    process = os.fork()
    if process == 0:
        count = 0
        sys.dont_write_bytecode = True

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            count += _changes(event, arguments)

        sys.addaudithook(hook)
        action()
        os._exit(count)
    count = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert 5 < count < 250
    return count


def kill_this_process() -> None:
    """End this process at once, without any clean-up of Python."""
    os.kill(os.getpid(), signal.SIGKILL)


# https://docs.python.org/3/library/audit_events.html; dlsym is the lookup of the function that exchanges two names
_EVENTS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.chmod", "ctypes.dlsym"}


def _changes(event: str, arguments: tuple[object, ...]) -> bool:
    """Return whether an audit event of Python precedes a change of the file system."""
    if event == "open":
        flags = arguments[2]
        return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    return event in _EVENTS
