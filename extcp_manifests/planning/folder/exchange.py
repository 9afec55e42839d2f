"""Changing all files of a folder at once: it has the old files or the new ones, even where the process is killed.

    OUT/                                 the folder
    .OUT.extcp-manifests.lock            held while it is written
    .OUT.extcp-manifests.stage/new/      the new files
    .OUT.extcp-manifests.stage/old/      the files that were there before
    .OUT.extcp-manifests.stage/journal   the moves, where there is more than one

Where every file in the folder is ours, the folder and the stage's `new` exchange names in one step. Otherwise a journal
of moves is written, and then the largest parts that are ours are moved; whoever comes after a killed process, to write
or to read, finishes the moves of the journal. Lock and stage are beside the folder, or inside of it, without OUT in
their names, where it is a mount point or nobody may write beside it.

That holds when a process is killed. When the machine stops, file systems may lose what they have not stored yet: only
single files and journals are synced, since syncing thousands of files takes minutes.
"""

import errno
import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from extcp_manifests.errors import OutputError
from extcp_manifests.planning.folder.listing import stays_inside
from extcp_manifests.planning.folder.locking import Locked, locked
from extcp_manifests.records import Record


@contextmanager
def prepare(folder: Path) -> Iterator["Stage"]:
    """Hold the lock of a folder, finish what a killed process left, and remove the stage at the end.

    A link is followed. Raises OutputError if another process is writing the folder or one that contains it, or if it
    cannot be written.
    """
    with ExitStack() as undo:
        with reporting(folder):
            root = Path(os.path.realpath(folder))
            if os.path.lexists(root) and not root.is_dir():
                raise OutputError(str(folder), "is not a folder: choose another")
            _recover(folder, writes=True)
            make_folder(root.parent, undo)
            paths = _paths_of(root, folder)
            if paths.inside:
                make_folder(root, undo)
        undo.enter_context(_held(paths))
        with reporting(folder, _UNFINISHED):
            _finish_stage(paths)
        stage = Stage(paths)
        undo.callback(stage.close)
        yield stage


def recover(path: str | os.PathLike[str]) -> None:
    """Finish what killed processes began in a folder or file, and in the folders that contain it.

    What is read after this is old or new as a whole. Raises OutputError if another process is doing the same, or if it
    cannot be finished.
    """
    _recover(path, writes=False)


def recover_below(folder: str | os.PathLike[str]) -> None:
    """Do as `recover` for a folder and all folders in it, at any depth; links are not followed. Raises OutputError."""
    recover(folder)
    for parent, folders, _ in os.walk(folder):
        stages = [name for name in folders if name.endswith(_STAGE)]
        for stage in stages:
            recover(Path(parent, stage.removesuffix(_STAGE)[1:]))  # empty for a stage inside its folder
        folders[:] = [name for name in folders if name not in stages and name != ".git"]


def _recover(path: str | os.PathLike[str], *, writes: bool) -> None:
    real = Path(os.path.realpath(path))
    for root in reversed((real, *real.parents)):  # the outermost first, for it may move those in it
        for paths in (_beside(root, root), _inside(root, root)):
            if os.access(paths.stage, os.F_OK) or os.access(paths.lock, os.W_OK):
                _recover_folder(paths.with_(shown=_as_named(root, Path(path))), writes=writes)


def _as_named(root: Path, path: Path) -> Path:
    """Return a folder that contains a path as the user named it, or its real path where the user did not name it."""
    for named in (path, *path.parents):
        if os.path.realpath(named) == str(root):
            return named
    return root


def _recover_folder(paths: "_Paths", *, writes: bool) -> None:
    """Finish what a killed process began; a reader goes on without the lock where nothing has moved yet."""
    try:
        with reporting(paths.shown, _UNFINISHED), locked(paths.lock):
            _finish_stage(paths)
    except Locked as holder:
        if writes or _may_be_a_mixture(paths):
            raise _busy(paths, holder) from None
    except OutputError:
        if writes or _may_be_a_mixture(paths):
            raise


def _may_be_a_mixture(paths: "_Paths") -> bool:
    """Return whether the folder may have old and new files, because moves of a journal are not finished."""
    if not os.path.lexists(paths.stage):
        return False
    return not os.access(paths.stage, os.X_OK) or os.path.lexists(paths.journal)


def write_file(target: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write one file, whole or not at all, and wait until it is stored. Raises OutputError."""
    with reporting(target):
        _replace(target, content, mode)


def _replace(target: Path, content: bytes, mode: int) -> None:
    beside = target.with_name(f".{target.name[:100]}.{os.urandom(4).hex()}")
    try:
        _create(beside, (content,), mode, store=True)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def reporting(path: Path, outcome: str = "nothing was changed") -> Iterator[None]:
    """Raise OutputError for what the file system refuses: the user's file, the way out, and the state of the folder."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        way_out = _WAYS_OUT.get(error.errno or 0, "correct this and run again")
        raise OutputError(str(path), f"{reason}: {way_out}; {outcome}") from error


_UNFINISHED = "until then the folder may be a mixture, since a run ended early"


_WAYS_OUT = {
    errno.ENOSPC: "free some space and run again",
    errno.EDQUOT: "free some space and run again",
    errno.EACCES: "make it writable for you, or choose another folder",
    errno.EPERM: "make it writable for you, or choose another folder",
    errno.EROFS: "choose another folder",
    errno.ENAMETOOLONG: "choose shorter names",
    errno.ENOTDIR: "choose a folder that does not lie below a file",
    errno.EEXIST: "move it away and run again",
    errno.EISDIR: "move the folder away, or choose another name",
    errno.ELOOP: "correct the link, or choose another folder",
}


def make_folder(folder: Path, undo: ExitStack) -> None:
    """Make a folder and its parents; `undo` removes those that are still empty."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        undo.callback(_remove_if_empty, each)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # not empty, or gone already
        folder.rmdir()


# --------------------------------------------------------------------------------------------------------------- paths


class _Paths(Record):
    """The paths of a folder, its lock and its stage."""

    root: Path
    shown: Path
    """The folder as the user named it."""
    lock: Path
    stage: Path
    inside: bool
    """Whether lock and stage are inside of the folder."""

    @property
    def new(self) -> Path:
        return self.stage / "new"

    @property
    def old(self) -> Path:
        return self.stage / "old"

    @property
    def journal(self) -> Path:
        return self.stage / "journal"


def _paths_of(root: Path, shown: Path) -> _Paths:
    """Return where lock and stage are.

    Every process must find the same, so this depends on nothing but the folder and the permissions of its parent.
    """
    beside = not os.path.ismount(root) and os.access(root.parent, os.W_OK | os.X_OK)
    if beside and len(os.fsencode(root.name)) <= _LONGEST_NAME:
        return _beside(root, shown)
    return _inside(root, shown)


_LONGEST_NAME = 200  # most file systems take 255 bytes, and the names of lock and stage are longer


def _beside(root: Path, shown: Path) -> _Paths:
    name = f".{root.name}"
    return _Paths(root, shown, root.parent / f"{name}{_LOCK}", root.parent / f"{name}{_STAGE}", inside=False)


def _inside(root: Path, shown: Path) -> _Paths:
    return _Paths(root, shown, root / _LOCK, root / _STAGE, inside=True)


_LOCK = ".extcp-manifests.lock"


_STAGE = ".extcp-manifests.stage"


@contextmanager
def _held(paths: _Paths) -> Iterator[None]:
    with ExitStack() as held:
        try:
            with reporting(paths.shown):
                held.enter_context(locked(paths.lock))
        except Locked as holder:
            raise _busy(paths, holder) from None
        yield


def _busy(paths: _Paths, holder: Locked) -> OutputError:
    return OutputError(str(paths.shown), f"is being written by {holder}: wait for it, or stop it")


# --------------------------------------------------------------------------------------------------------------- stage


class Stage:
    """The new files of a folder, until they are moved into it; nothing is made before the first one is added."""

    def __init__(self, paths: _Paths) -> None:
        self._paths = paths
        self._staged: set[str] = set()
        self._folders: set[str] = set()

    def add(self, path: str, pieces: Iterable[bytes], *, secret: bool = False) -> None:
        """Write a file that is new or changed into the stage."""
        with reporting(self._paths.shown / path):
            self._make_folders(_parent(path))
            _create(self._paths.new / path, pieces, 0o600 if secret else 0o666)
        self._staged.add(path)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._staged

    def commit(self, before: Collection[str], after: Collection[str]) -> None:
        """Make the folder's files those of `after` instead of those of `before`; what was not added stays as it is.

        Both list only files of ours, `before` those that are there. Raises OutputError with nothing changed.
        """
        changed = self._staged.union(path for path in before if path not in after)
        if not changed:
            return
        with reporting(self._paths.shown):
            self._make_folders("")
            moves = list(_moves(self._paths, before, after, changed))
            self._complete(moves, after)
            if len(moves) == 1 and self._in_one_step(moves[0]):
                return
            text = json.dumps([vars(move) for move in moves])
            _replace(self._paths.journal, text.encode(), 0o600)
        self._make_moves(moves)

    def close(self) -> None:
        """Remove the stage, unless it holds what only a further run can put right."""
        if not self._paths.journal.exists():
            _remove_tree(self._paths.stage, ignore_errors=True)

    def _make_folders(self, folder: str) -> None:
        """Make a folder of the stage and those above it, with the permissions of those that they replace."""
        missing = []
        while folder not in self._folders:
            missing.append(folder)
            if not folder:
                self._paths.stage.mkdir(0o700, exist_ok=True)
                break
            folder = _parent(folder)
        for each in reversed(missing):
            new, old = self._paths.new / each, self._paths.root / each
            new.mkdir()
            if old.is_dir() and not old.is_symlink():
                _copy_rights(old, new)
            self._folders.add(each)

    def _complete(self, moves: Iterable["_Move"], after: Iterable[str]) -> None:
        """Add to folders that are replaced as a whole the files in them that stay as they are."""
        moved = {move.path for move in moves}
        for path in after:
            if path in self._staged:
                continue
            if not moved.isdisjoint((path, *_folders_above(path))):
                self._make_folders(_parent(path))
                _link(self._paths.root / path, self._paths.new / path)

    def _in_one_step(self, move: "_Move") -> bool:
        """Make a single move without a journal; return False, with nothing changed, if the system cannot do that."""
        new, target = self._paths.new / move.path, self._paths.root / move.path
        with reporting(self._paths.shown / move.path):
            if move.new and move.old:
                return swap(new, target)
            _make_move(self._paths, move)
        return True

    def _make_moves(self, moves: list["_Move"]) -> None:
        done: list[_Move] = []
        try:
            for move in moves:
                done.append(move)
                with reporting(self._paths.shown / move.path):
                    _make_move(self._paths, move)
            with reporting(self._paths.shown):
                self._paths.journal.unlink()
        except BaseException:  # an interrupt too
            self._undo_moves(done)
            raise

    def _undo_moves(self, done: list["_Move"]) -> None:
        for move in reversed(done):
            with reporting(self._paths.shown / move.path, _UNFINISHED):
                _undo_move(self._paths, move)
        with reporting(self._paths.shown, _UNFINISHED):
            self._paths.journal.unlink(missing_ok=True)


def _create(target: Path, pieces: Iterable[bytes], mode: int, *, store: bool = False) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(pieces)
        if store:
            file.flush()
            os.fsync(file.fileno())


def _remove_tree(folder: Path, *, ignore_errors: bool = False) -> None:
    from shutil import rmtree

    rmtree(folder, ignore_errors=ignore_errors)


def _copy_rights(old: Path, new: Path) -> None:
    if sys.platform != "win32":
        with suppress(PermissionError):  # a group that we are not in
            os.chown(new, -1, old.stat().st_gid)
    from shutil import copystat  # takes as long to load as this module

    copystat(old, new)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # not every file system has links
        from shutil import copy2

        copy2(source, target)


# --------------------------------------------------------------------------------------------------------------- moves


class _Move(Record):
    """A file or folder that is moved as a whole: out of the folder into `old`, from `new` into the folder, or both."""

    path: str
    """Relative to the folder; "" is the folder itself."""
    old: bool
    """Whether there is something of ours to move out."""
    new: bool
    """Whether there is something to move in."""


def _moves(paths: _Paths, before: Collection[str], after: Collection[str], changed: Collection[str]) -> Iterator[_Move]:
    """Yield the fewest moves that leave alone what is not ours."""
    root = paths.root
    if not root.exists():
        yield _Move("", old=False, new=True)
        return
    fixed = _folders_that_stay(root, before)
    if not _may_be_replaced(paths):
        fixed.add("")
    if "" not in fixed:
        yield _Move("", old=True, new=True)
        return
    old, new, touched = _names_by_folder(before), _names_by_folder(after), _names_by_folder(changed)
    folders = [""]
    while folders:
        folder = folders.pop()
        for name in sorted(touched.get(folder, ())):
            path = f"{folder}/{name}" if folder else name
            # Of folders without a file of ours, only the outermost was looked at.
            stays = path in fixed or (path not in old and (root / path).is_dir())
            if stays and path in after:
                raise OutputError(str(paths.shown / path), "is a folder where a file belongs: move it away")
            if stays:
                folders.append(path)
            else:
                yield _Move(path, old=name in old.get(folder, ()), new=name in new.get(folder, ()))


def _names_by_folder(paths: Iterable[str]) -> dict[str, set[str]]:
    """Return the names in each folder, those of folders too."""
    names: dict[str, set[str]] = {}
    for path in paths:
        while path:
            folder = _parent(path)
            name = path.rpartition("/")[2]
            if name in names.setdefault(folder, set()):
                break
            names[folder].add(name)
            path = folder
    return names


def _folders_that_stay(root: Path, ours: Collection[str]) -> set[str]:
    """Return the folders that have something that is not ours, at any depth, and the current folder of this process."""
    known = {folder for path in ours for folder in _folders_above(path)}
    stay: set[str] = set()
    for parent, folders, files in os.walk(root, onerror=_raise):
        inside = Path(parent).relative_to(root).as_posix()
        start = "" if inside == "." else f"{inside}/"
        for name in files:
            if start + name not in ours:
                stay.update(_folders_above(start + name))
        for name in list(folders):
            if start + name not in known or Path(parent, name).is_symlink():
                stay.update((start + name, *_folders_above(start + name)))
                folders.remove(name)
    with suppress(FileNotFoundError, ValueError):  # the current folder is gone, or elsewhere
        current = Path.cwd().relative_to(root).as_posix()
        stay.update(("",) if current == "." else (current, *_folders_above(current)))
    return stay


def _raise(error: OSError) -> None:
    raise error


def _may_be_replaced(paths: _Paths) -> bool:
    """Return whether the folder itself may be replaced: it must be the user's own, since a new one would be."""
    return not paths.inside and (sys.platform == "win32" or paths.root.stat().st_uid == os.geteuid())


def _make_move(paths: _Paths, move: _Move) -> None:
    """Make a move, or what is left of it: what is still in `new` has not moved."""
    new, old, target = paths.new / move.path, paths.old / move.path, paths.root / move.path
    if move.new and not os.path.lexists(new):
        return
    if move.old and os.path.lexists(target) and not os.path.lexists(old):
        old.parent.mkdir(parents=True, exist_ok=True)
        target.rename(old)
    if move.new:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        new.rename(target)


def _undo_move(paths: _Paths, move: _Move) -> None:
    """Undo a move, or what was done of it."""
    new, old, target = paths.new / move.path, paths.old / move.path, paths.root / move.path
    if move.new and not os.path.lexists(new):
        target.rename(new)
    if move.old and os.path.lexists(old):
        old.rename(target)


def _finish_stage(paths: _Paths) -> None:
    """Finish the moves in the journal of a killed process, and remove its stage; the lock must be held."""
    if not os.path.lexists(paths.stage):
        return
    if not paths.stage.is_dir() or paths.stage.is_symlink() or not _is_stage(paths.stage):
        raise OutputError(str(paths.stage), "is where the new files would wait: move it away")
    if paths.journal.exists():
        if not _is_trusted(paths):
            way_out = "have that user run again, or restore the folder, and remove the stage"
            raise OutputError(str(paths.journal), f"belongs neither to you nor to the folder's owner: {way_out}")
        for move in _read_journal(paths):
            with reporting(paths.shown / move.path, _UNFINISHED):
                _make_move(paths, move)
        paths.journal.unlink()
    _remove_tree(paths.stage)


def _is_stage(stage: Path) -> bool:
    return all(each.name in ("new", "old", "journal") or each.name.startswith(".journal.") for each in stage.iterdir())


def _is_trusted(paths: _Paths) -> bool:
    """Return whether stage and journal belong to this user or the folder's owner; in /tmp anybody may make a stage."""
    if sys.platform == "win32":
        return True
    trusted = {os.geteuid()}
    if paths.root.exists():
        trusted.add(paths.root.stat().st_uid)
    return {paths.stage.lstat().st_uid, paths.journal.lstat().st_uid} <= trusted


def _read_journal(paths: _Paths) -> list[_Move]:
    try:
        moves = [_Move(**each) for each in json.loads(paths.journal.read_bytes())]
        if all(_is_sound(paths.root, move.path) for move in moves):
            return moves
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    raise OutputError(str(paths.journal), "is not what a run wrote: restore the folder, and remove the stage")


def _is_sound(root: Path, path: str) -> bool:
    """Return whether a path is below the folder and goes through no link."""
    if not path:
        return True
    return stays_inside(path) and not any((root / folder).is_symlink() for folder in _folders_above(path))


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _folders_above(path: str) -> list[str]:
    """Return the folders that contain a path, from the nearest to "", which contains all."""
    above = []
    while path:
        path = _parent(path)
        above.append(path)
    return above


# ---------------------------------------------------------------------------------------------------------------- swap


def swap(one: Path, other: Path) -> bool:
    """Exchange two names in one step; return False if this system or file system cannot do that."""
    import ctypes

    if sys.platform not in ("linux", "darwin"):
        return False
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if hasattr(library, "renameat2"):
        failed = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    elif hasattr(library, "renamex_np"):
        failed = library.renamex_np(names[0], names[1], _RENAME_SWAP)
    else:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), str(other))


# linux: include/uapi/linux/fs.h and fcntl.h; macOS: rename(2)
_AT_FDCWD = -100


_RENAME_EXCHANGE = 2


_RENAME_SWAP = 2
