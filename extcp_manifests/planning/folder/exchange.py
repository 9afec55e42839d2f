"""Files that change together: a folder is what it was or what it shall be, also where the process is killed.

    OUT/                                 the folder
    .OUT.extcp-manifests.lock            held while it is written
    .OUT.extcp-manifests.stage/new/      the files that shall be there
    .OUT.extcp-manifests.stage/old/      the files that were there
    .OUT.extcp-manifests.stage/journal   what is left to rename, where that is more than one thing

Where every file in the folder is ours, the folder and its stage exchange names in one step. Otherwise the largest parts
that are ours move, after a journal has been written; whoever comes after a killed process, to write or to read,
finishes what the journal says. Lock and stage stand beside the folder; inside of it, without OUT in their names, where
it is a mount point or nobody may write beside it.

That holds when a process is killed. When the machine stops, file systems may lose what they have not stored yet: only
single files and journals are waited for, since waiting for thousands of files takes minutes.
"""

import errno
import json
import os
import secrets
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from extcp_manifests.errors import OutputError
from extcp_manifests.planning.folder.listing import stays_inside
from extcp_manifests.planning.folder.locking import Locked, locked


@contextmanager
def prepare(folder: Path) -> Iterator["Stage"]:
    """Hold the lock of a folder, finish what a killed process left, and remove the stage at the end.

    A link is followed. Raises OutputError if another process writes the folder or one that it lies in, or it cannot be
    written.
    """
    with ExitStack() as undo:
        with telling(folder):
            root = Path(os.path.realpath(folder))
            if os.path.lexists(root) and not root.is_dir():
                raise OutputError(str(folder), "is not a folder: choose another")
            _recover(folder, writes=True)
            make_folder(root.parent, undo)
            place = _place_of(root, folder)
            if place.inside:
                make_folder(root, undo)
        undo.enter_context(_held(place))
        with telling(folder, _UNFINISHED):
            _clear(place)
        stage = Stage(place)
        undo.callback(stage.close)
        yield stage


def recover(path: str | os.PathLike[str]) -> None:
    """Finish what killed processes began in a folder, and in those that it or a file lies in; otherwise do nothing.

    What is read after this is old or new as a whole. Raises OutputError if a process is at it, or if it cannot be
    finished.
    """
    _recover(path, writes=False)


def recover_below(folder: str | os.PathLike[str]) -> None:
    """Do as `recover`, also for the folders in a folder, at any depth; links are not followed. Raises OutputError."""
    recover(folder)
    for place, folders, _ in os.walk(folder):
        stages = [name for name in folders if name.endswith(_STAGE)]
        for stage in stages:
            recover(Path(place, stage.removesuffix(_STAGE)[1:]))  # of a stage inside its folder no name is left
        folders[:] = [name for name in folders if name not in stages and name != ".git"]


def _recover(path: str | os.PathLike[str], *, writes: bool) -> None:
    real = Path(os.path.realpath(path))
    for root in reversed((real, *real.parents)):  # the outermost first, for it may move those in it
        for place in (_beside(root, root), _inside(root, root)):
            if os.access(place.stage, os.F_OK) or os.access(place.lock, os.W_OK):
                _finish(replace(place, shown=_as_named(root, Path(path))), writes=writes)


def _as_named(root: Path, path: Path) -> Path:
    """Return a folder that a path lies in, in the words of that path where it names the folder."""
    return next((each for each in (path, *path.parents) if os.path.realpath(each) == str(root)), root)


def _finish(place: "_Place", *, writes: bool) -> None:
    """Finish what a killed process began; who only reads needs no lock where nothing has moved."""
    try:
        with telling(place.shown, _UNFINISHED), locked(place.lock):
            _clear(place)
    except Locked as holder:
        if writes or _may_be_a_mixture(place):
            raise _busy(place, holder) from None
    except OutputError:
        if writes or _may_be_a_mixture(place):
            raise


def _may_be_a_mixture(place: "_Place") -> bool:
    if not os.path.lexists(place.stage):
        return False
    return not os.access(place.stage, os.X_OK) or os.path.lexists(place.journal)


def write_file(target: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write one file, whole or not at all, and wait until it is stored. Raises OutputError."""
    with telling(target):
        _replace(target, content, mode)


def _replace(target: Path, content: bytes, mode: int) -> None:
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}")
    try:
        _create(beside, content, mode, store=True)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def telling(path: Path, outcome: str = "nothing was changed") -> Iterator[None]:
    """Tell what the file system refuses by the user's file, with the way out and what has become of the folder."""
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
    """Make a folder and its parents; those that are still empty at the end go again."""
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


# --------------------------------------------------------------------------------------------------------------- place


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the lock and the stage of a folder stand."""

    root: Path
    shown: Path
    """The folder as the user named it."""
    lock: Path
    stage: Path
    inside: bool

    @property
    def new(self) -> Path:
        return self.stage / "new"

    @property
    def old(self) -> Path:
        return self.stage / "old"

    @property
    def journal(self) -> Path:
        return self.stage / "journal"


def _place_of(root: Path, shown: Path) -> _Place:
    """Every process must choose alike, so only the folder and the rights of its parent count."""
    beside = not os.path.ismount(root) and os.access(root.parent, os.W_OK | os.X_OK)
    if beside and len(os.fsencode(root.name)) <= _LONGEST_NAME:
        return _beside(root, shown)
    return _inside(root, shown)


_LONGEST_NAME = 200  # most file systems take 255 bytes, and the names of lock and stage are longer


def _beside(root: Path, shown: Path) -> _Place:
    name = f".{root.name}"
    return _Place(root, shown, root.parent / f"{name}{_LOCK}", root.parent / f"{name}{_STAGE}", inside=False)


def _inside(root: Path, shown: Path) -> _Place:
    return _Place(root, shown, root / _LOCK, root / _STAGE, inside=True)


_LOCK = ".extcp-manifests.lock"


_STAGE = ".extcp-manifests.stage"


@contextmanager
def _held(place: _Place) -> Iterator[None]:
    with ExitStack() as held:
        try:
            with telling(place.shown):
                held.enter_context(locked(place.lock))
        except Locked as holder:
            raise _busy(place, holder) from None
        yield


def _busy(place: _Place, holder: Locked) -> OutputError:
    return OutputError(str(place.shown), f"is being written by {holder}: wait for it, or stop it")


# --------------------------------------------------------------------------------------------------------------- stage


class Stage:
    """New files that wait for their place; none is made before there is a first one."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._staged: set[str] = set()
        self._folders: set[str] = set()

    def add(self, path: str, content: bytes, *, secret: bool = False) -> None:
        """Write a file that is new or changed."""
        with telling(self._place.shown / path):
            self._make_folders(_parent(path))
            _create(self._place.new / path, content, 0o600 if secret else 0o666)
        self._staged.add(path)

    def commit(self, before: Collection[str], after: Collection[str]) -> None:
        """Bring the folder from the files of before to those of after; what was not added stays as it is.

        Both name files of ours alone, `before` those that are there. Raises OutputError with nothing changed.
        """
        changed = self._staged.union(set(before).difference(after))
        if not changed:
            return
        with telling(self._place.shown):
            self._make_folders("")
            moves = list(_moves(self._place, before, after, changed))
            self._complete(moves, after)
            if len(moves) == 1 and self._in_one_step(moves[0]):
                return
            text = json.dumps([asdict(move) for move in moves])
            _replace(self._place.journal, text.encode(), 0o600)
        self._carry_out(moves)

    def close(self) -> None:
        """Remove the stage, unless it holds what only a further run can put right."""
        if not self._place.journal.exists():
            shutil.rmtree(self._place.stage, ignore_errors=True)

    def _make_folders(self, folder: str) -> None:
        """Make a folder of the stage and those above it, with the modes of those that they stand for."""
        missing = []
        while folder not in self._folders:
            missing.append(folder)
            if not folder:
                self._place.stage.mkdir(0o700, exist_ok=True)
                break
            folder = _parent(folder)
        for each in reversed(missing):
            new, old = self._place.new / each, self._place.root / each
            new.mkdir()
            if old.is_dir() and not old.is_symlink():
                _copy_rights(old, new)
            self._folders.add(each)

    def _complete(self, moves: Iterable["_Move"], after: Iterable[str]) -> None:
        """Give folders that move the files in them that stay as they are."""
        whole = {move.path for move in moves}
        for path in after:
            if path not in self._staged and not whole.isdisjoint((path, *_folders_above(path))):
                self._make_folders(_parent(path))
                _link(self._place.root / path, self._place.new / path)

    def _in_one_step(self, move: "_Move") -> bool:
        """Return False if the system cannot do that."""
        new, target = self._place.new / move.path, self._place.root / move.path
        with telling(self._place.shown / move.path):
            if move.new and move.old:
                return swap(new, target)
            _forward(self._place, move)
        return True

    def _carry_out(self, moves: list["_Move"]) -> None:
        done: list[_Move] = []
        try:
            for move in moves:
                done.append(move)
                with telling(self._place.shown / move.path):
                    _forward(self._place, move)
            with telling(self._place.shown):
                self._place.journal.unlink()
        except BaseException:  # an interrupt too
            self._take_back(done)
            raise

    def _take_back(self, done: list["_Move"]) -> None:
        for move in reversed(done):
            with telling(self._place.shown / move.path, _UNFINISHED):
                _backward(self._place, move)
        with telling(self._place.shown, _UNFINISHED):
            self._place.journal.unlink(missing_ok=True)


def _create(target: Path, content: bytes, mode: int, *, store: bool = False) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if store:
            file.flush()
            os.fsync(file.fileno())


def _copy_rights(old: Path, new: Path) -> None:
    if sys.platform != "win32":
        with suppress(PermissionError):  # a group that we are not in
            os.chown(new, -1, old.stat().st_gid)
    shutil.copystat(old, new)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # not every file system has links
        shutil.copy2(source, target)


# --------------------------------------------------------------------------------------------------------------- moves


@dataclass(frozen=True, slots=True)
class _Move:
    """A file or folder that changes place as one; "" is the folder itself."""

    path: str
    old: bool
    """Whether something of ours is there that goes."""
    new: bool
    """Whether something comes."""


def _moves(place: _Place, before: Collection[str], after: Collection[str], changed: Collection[str]) -> Iterator[_Move]:
    """Yield the fewest moves that leave alone what is not ours."""
    root = place.root
    if not root.exists():
        yield _Move("", old=False, new=True)
        return
    fixed = _folders_that_stay(root, before)
    if not _may_be_replaced(place):
        fixed.add("")
    if "" not in fixed:
        yield _Move("", old=True, new=True)
        return
    old, new, touched = _names(before), _names(after), _names(changed)
    folders = [""]
    while folders:
        folder = folders.pop()
        for name in sorted(touched.get(folder, ())):
            path = f"{folder}/{name}" if folder else name
            # Of folders without a file of ours, only the outermost was looked at.
            stays = path in fixed or (path not in old and (root / path).is_dir())
            if stays and path in after:
                raise OutputError(str(place.shown / path), "is a folder where a file belongs: move it away")
            if stays:
                folders.append(path)
            else:
                yield _Move(path, old=name in old.get(folder, ()), new=name in new.get(folder, ()))


def _names(paths: Iterable[str]) -> dict[str, set[str]]:
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
    """Return the folders with something in them, at any depth, that is not ours; and where this process stands."""
    known = {folder for path in ours for folder in _folders_above(path)}
    stay: set[str] = set()
    for place, folders, files in os.walk(root, onerror=_raise):
        inside = Path(place).relative_to(root).as_posix()
        start = "" if inside == "." else f"{inside}/"
        for name in files:
            if start + name not in ours:
                stay.update(_folders_above(start + name))
        for name in list(folders):
            if start + name not in known or Path(place, name).is_symlink():
                stay.update((start + name, *_folders_above(start + name)))
                folders.remove(name)
    with suppress(FileNotFoundError, ValueError):  # it stands nowhere, or elsewhere
        current = Path.cwd().relative_to(root).as_posix()
        stay.update(("",) if current == "." else (current, *_folders_above(current)))
    return stay


def _raise(error: OSError) -> None:
    raise error


def _may_be_replaced(place: _Place) -> bool:
    """Only a folder of our own, for it would get another owner."""
    return not place.inside and (sys.platform == "win32" or place.root.stat().st_uid == os.geteuid())


def _forward(place: _Place, move: _Move) -> None:
    """Make a move, or what is left of it: what is still in `new` has not moved."""
    new, old, target = place.new / move.path, place.old / move.path, place.root / move.path
    if move.new and not os.path.lexists(new):
        return
    if move.old and os.path.lexists(target) and not os.path.lexists(old):
        old.parent.mkdir(parents=True, exist_ok=True)
        target.rename(old)
    if move.new:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        new.rename(target)


def _backward(place: _Place, move: _Move) -> None:
    new, old, target = place.new / move.path, place.old / move.path, place.root / move.path
    if move.new and not os.path.lexists(new):
        target.rename(new)
    if move.old and os.path.lexists(old):
        old.rename(target)


def _clear(place: _Place) -> None:
    """Finish what the journal of a dead process says, and remove its stage; its lock must be ours."""
    if not os.path.lexists(place.stage):
        return
    if not place.stage.is_dir() or place.stage.is_symlink() or not _is_stage(place.stage):
        raise OutputError(str(place.stage), "stands where files wait for their place: move it away")
    if place.journal.exists():
        if not _is_trusted(place):
            way_out = "have that user run again, or restore the folder, and remove the stage"
            raise OutputError(str(place.journal), f"belongs neither to you nor to the folder's owner: {way_out}")
        for move in _read_journal(place):
            with telling(place.shown / move.path, _UNFINISHED):
                _forward(place, move)
        place.journal.unlink()
    shutil.rmtree(place.stage)


def _is_stage(stage: Path) -> bool:
    return all(each.name in ("new", "old", "journal") or each.name.startswith(".journal.") for each in stage.iterdir())


def _is_trusted(place: _Place) -> bool:
    """Return whether stage and journal are ours or the folder owner's; in /tmp everybody may write beside a folder."""
    if sys.platform == "win32":
        return True
    trusted = {os.geteuid()}
    if place.root.exists():
        trusted.add(place.root.stat().st_uid)
    return {place.stage.lstat().st_uid, place.journal.lstat().st_uid} <= trusted


def _read_journal(place: _Place) -> list[_Move]:
    try:
        moves = [_Move(**each) for each in json.loads(place.journal.read_bytes())]
        if all(_is_sound(place.root, move.path) for move in moves):
            return moves
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    raise OutputError(str(place.journal), "is not what a run wrote: restore the folder, and remove the stage")


def _is_sound(root: Path, path: str) -> bool:
    """Return whether a path leads below the folder, through no link."""
    if not path:
        return True
    return stays_inside(path) and not any((root / folder).is_symlink() for folder in _folders_above(path))


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _folders_above(path: str) -> list[str]:
    """Return the folders that a path lies in, from the nearest to "", the folder of all."""
    above = []
    while path:
        path = _parent(path)
        above.append(path)
    return above


# ---------------------------------------------------------------------------------------------------------------- swap


def swap(one: Path, other: Path) -> bool:
    """Exchange two names in one step, and return whether this system and file system can."""
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
