"""One process at a time: a lock that the system releases when its process ends, however it ends."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

# The package filelock empties the file on opening, so it could not say who holds the lock.


class Locked(Exception):
    """Another process has the lock; the text says which."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which is made for it and removed again.

    Raises Locked at once if another process holds it; OSError from the file system. A file that a killed process left
    does not matter: what counts is the lock that the system keeps on it.
    """
    descriptor = _acquire(path)
    try:
        with suppress(OSError):  # on a full disk the file cannot say who holds the lock
            os.ftruncate(descriptor, 0)
            os.write(descriptor, _this_process().encode())
        yield
    finally:
        _release(path, descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):
            holder = os.read(descriptor, 1000).decode("utf-8", "replace")
            os.close(descriptor)
            raise Locked(holder or "another process") from None
        except BaseException:
            os.close(descriptor)
            raise
        if _is_still_at(path, descriptor):
            return descriptor
        os.close(descriptor)  # the holder of before removed the file between our opening and our locking


def _is_still_at(path: Path, descriptor: int) -> bool:
    """Return whether the path still leads to the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _this_process() -> str:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    import socket  # only loaded where a lock is taken

    return f"process {os.getpid()} on {socket.gethostname()} since {now}"


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows makes locked bytes unreadable, so the locked one is beyond the text

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

    def _release(path: Path, descriptor: int) -> None:
        os.close(descriptor)
        with suppress(OSError):  # the next process has it open already
            path.unlink()

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _release(path: Path, descriptor: int) -> None:
        with suppress(OSError):  # a file that stays does no harm
            path.unlink()
        os.close(descriptor)
