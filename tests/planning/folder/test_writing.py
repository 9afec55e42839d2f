"""Writing a folder: all or nothing, and nothing that is not ours."""

import stat
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from folders import content
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import ClusterCredentials, Plan, load, load_credentials, plan
from extcp_manifests.errors import OutputError
from extcp_manifests.planning.folder.listing import LISTING, Listing, Owner, read_listing
from extcp_manifests.planning.folder.writing import Entry, FileChange, Streamed, changes, owner_of, write

ROOT = Path(__file__).parents[3]


def the_plan(release: str = "1.24", credentials: dict[str, ClusterCredentials] | None = None) -> Plan:
    return plan(load(ROOT / "examples/guide.yaml", release=release), credentials=credentials)


def owned(text: str = "mesh1") -> Owner:
    return Owner("generate", text)


def test_files_runbook_and_listing(tmp_path: Path) -> None:
    """A plan's files, its runbook and the list of them are written, into a folder that did not exist."""
    target = tmp_path / "a/b"
    written = the_plan().write(target)
    files = {path: data for path, data in content(target).items() if isinstance(data, bytes)}
    listing = files.pop(LISTING)
    assert files == {**the_plan().render(), "RUNBOOK.md": the_plan().runbook().encode()}
    assert sorted(files) == sorted(written)
    assert listing.decode().splitlines()[1:] == [
        '# Owner: generate "mesh1"',
        *(f"{sha256(files[path]).hexdigest()}  {path}" for path in sorted(written)),
    ]


def test_the_same_plan_again_changes_nothing(tmp_path: Path) -> None:
    """A second run of the same plan writes nothing: the folder and its files are the very same."""
    the_plan().write(tmp_path)
    before = content(tmp_path), [path.stat() for path in sorted(tmp_path.rglob("*"))], tmp_path.stat()
    assert list(the_plan().changes(tmp_path)) == []
    the_plan().write(tmp_path)
    assert (content(tmp_path), [path.stat() for path in sorted(tmp_path.rglob("*"))], tmp_path.stat()) == before


def test_a_list_with_the_line_ends_of_windows(tmp_path: Path) -> None:
    """A list that Git has checked out with CRLF is read as it was written."""
    place = tmp_path / LISTING
    written = Listing(owned(), {"a.yaml": bytes.fromhex(SUM)})
    place.write_bytes(b"".join(written.lines()).replace(b"\n", b"\r\n"))
    assert read_listing(place) == written


def test_files_that_no_longer_belong_are_removed(tmp_path: Path) -> None:
    """A run for another release removes what only the earlier run wrote; a person's files stay."""
    the_plan("1.23").write(tmp_path)
    (tmp_path / "cluster1/notes.txt").write_text("mine")
    the_plan("1.24").write(tmp_path)
    assert not (tmp_path / "cluster1/sample/sleep.yaml").exists()
    assert (tmp_path / "cluster1/sample/curl.yaml").exists()
    assert (tmp_path / "cluster1/notes.txt").read_text() == "mine"


def test_folders_that_become_empty_go_too(tmp_path: Path) -> None:
    """A folder is removed with its last file."""
    write(tmp_path, [Entry("a/b/c", (b"1",)), Entry("a/d", (b"2",))], owner=owned())
    write(tmp_path, [Entry("a/d", (b"2",))], owner=owned())
    assert set(content(tmp_path)) == {"a", "a/d", LISTING}
    write(tmp_path, [], owner=owned())
    assert set(content(tmp_path)) == {LISTING}


def test_a_foreign_file_stops_everything(tmp_path: Path) -> None:
    """A file that this library did not write is not touched, and nothing else is written."""
    (tmp_path / "external").mkdir()
    (tmp_path / "external/namespace.yaml").write_text("mine")
    before = content(tmp_path)
    with pytest.raises(OutputError) as caught:
        the_plan().write(tmp_path)
    place = tmp_path / "external/namespace.yaml"
    assert str(caught.value) == (f"{place}: was not written by extcp-manifests: move it away or choose another folder")
    assert caught.value.path == str(place)
    assert content(tmp_path) == before


def test_files_without_their_list_are_taken_over(tmp_path: Path) -> None:
    """A file that has the right content already is accepted, as where somebody removed the list."""
    the_plan().write(tmp_path)
    before = content(tmp_path)
    (tmp_path / LISTING).unlink()
    the_plan().write(tmp_path)
    assert content(tmp_path) == before


class Stop(BaseException):
    """Represents whatever may end a run: an interrupt, a full disk."""


def broken(count: int) -> Iterator[Entry]:
    for number in range(count):
        yield Entry(f"new/{number}", (b"new",))
    raise Stop


@pytest.mark.parametrize("existing", [False, True])
def test_a_failure_while_rendering_leaves_the_folder_as_it_was(tmp_path: Path, existing: bool) -> None:
    """If a file cannot be made, no file of the run appears, and a folder that was made for it is removed."""
    target = tmp_path / "out"
    if existing:
        write(target, [Entry("a", (b"old",)), Entry("new/0", (b"old",))], owner=owned())
    before = content(tmp_path)
    with pytest.raises(Stop):
        write(target, broken(3), owner=owned())
    assert content(tmp_path) == before


def test_the_folder_of_another(tmp_path: Path) -> None:
    """A folder of another control plane, or of another kind, is refused and stays; `force` takes it over."""
    write(tmp_path, [Entry("a", (b"one",)), Entry("b", (b"one",))], owner=owned())
    before = content(tmp_path)
    way_out = "choose another folder, or take it over with --force (in Python force=True)"
    for other in (owned("mesh2"), Owner("argocd", "mesh1")):
        expected = f"{tmp_path}: holds the manifests of 'mesh1' (generate), not of '{other.name}' ({other.kind})"
        with pytest.raises(OutputError) as caught:
            write(tmp_path, [Entry("a", (b"two",))], owner=other)
        assert str(caught.value) == f"{expected}: {way_out}"
        with pytest.raises(OutputError) as caught:
            list(changes(tmp_path, [Entry("a", (b"two",))], owner=other))
        assert str(caught.value) == f"{expected}: {way_out}"
        assert content(tmp_path) == before
    write(tmp_path, [Entry("a", (b"two",))], owner=owned("mesh2"), force=True)
    assert {path: data for path, data in content(tmp_path).items() if path != LISTING} == {"a": b"two"}
    assert list(changes(tmp_path, [Entry("a", (b"two",))], owner=owned("mesh2"))) == []


def test_the_owner_is_the_topology(tmp_path: Path) -> None:
    """A topology owns its folder by its name, or by the mesh ID where Python gave none."""
    topology = the_plan().topology
    assert owner_of(topology, "flux") == Owner("flux", "mesh1")
    assert owner_of(topology.model_copy(update={"name": None, "mesh_id": "m"}), "flux") == Owner("flux", "m")
    the_plan().write(tmp_path)
    with pytest.raises(OutputError, match=r"of 'mesh1' \(generate\), not of 'mesh1' \(kustomize\): choose another"):
        the_plan().kustomize().write(tmp_path)


OURS = [Entry("kept", (b"1",)), Entry("changed", (b"1",)), Entry("sub/gone", (b"1",)), Entry("missing", (b"1",))]
NEXT = [Entry("kept", (b"1",)), Entry("changed", (b"2",)), Entry("missing", (b"1",)), Entry("new", (b"1",))]


def test_what_a_run_would_change(tmp_path: Path) -> None:
    """`changes` yields each file with its content before and after, and writes nothing."""
    write(tmp_path, OURS, owner=owned())
    (tmp_path / "missing").unlink()
    before = content(tmp_path)
    assert list(changes(tmp_path, NEXT, owner=owned())) == [
        FileChange("changed", "changed", b"1", b"2"),
        FileChange("missing", "missing", None, b"1"),
        FileChange("new", "new", None, b"1"),
        FileChange("sub/gone", "no longer written", b"1", None),
    ]
    assert content(tmp_path) == before
    assert list(changes(tmp_path / "no/such", NEXT[:1], owner=owned())) == [FileChange("kept", "new", None, b"1")]
    assert content(tmp_path) == before


def test_files_that_were_edited(tmp_path: Path) -> None:
    """Files edited by hand are reported all at once, and overwritten with `force`; right content is no edit."""
    write(tmp_path, OURS, owner=owned())
    for path, text in (("changed", "mine"), ("sub/gone", "mine"), ("missing", "mine"), ("new", "mine")):
        (tmp_path / path).write_text(text)
    before = content(tmp_path)
    assert [(change.path, change.state) for change in changes(tmp_path, NEXT, owner=owned())] == [
        ("changed", "edited by hand"),
        ("missing", "edited by hand"),
        ("new", "not written by extcp-manifests"),
        ("sub/gone", "no longer written, but edited by hand"),
    ]
    edited = (
        "was edited by hand: bring the edit into the topology or a patch, or give it up with --force "
        "(in Python force=True)"
    )
    foreign = f"{tmp_path / 'new'}: was not written by extcp-manifests: move it away or choose another folder"
    with pytest.raises(OutputError) as caught:
        write(tmp_path, NEXT, owner=owned())
    assert str(caught.value).splitlines() == [
        f"{tmp_path / 'changed'}: {edited}",
        f"{tmp_path / 'missing'}: {edited}",
        foreign,
        f"{tmp_path / 'sub/gone'}: was edited by hand, and is no longer written: move it away, or have it removed with "
        "--force (in Python force=True)",
    ]
    with pytest.raises(OutputError) as caught:
        write(tmp_path, NEXT, owner=owned(), force=True)
    assert str(caught.value) == foreign
    assert content(tmp_path) == before
    (tmp_path / "new").unlink()
    write(tmp_path, NEXT, owner=owned(), force=True)
    assert {path: data for path, data in content(tmp_path).items() if path != LISTING} == {
        **{entry.path: b"".join(entry.pieces) for entry in NEXT}
    }
    (tmp_path / "changed").write_text("3")
    write(tmp_path, [Entry("changed", (b"3",))], owner=owned())


def test_a_list_of_the_first_format(tmp_path: Path) -> None:
    """A list without checksums is read: what is as it would be written is taken over, the rest needs `force`."""
    for path in ("kept", "changed", "mine.txt"):
        (tmp_path / path).write_text("1")
    head = "# Written by extcp-manifests, whose next run replaces or removes these files.\n"
    (tmp_path / LISTING).write_text(f"{head}changed\nkept\nmine.txt\nmissing\n")
    before = content(tmp_path)
    reason = (
        "is in a list without checksums, so it may have been edited by hand: look at it, then go on with --force "
        "(in Python force=True)"
    )
    with pytest.raises(OutputError) as caught:
        write(tmp_path, NEXT, owner=owned())
    assert str(caught.value).splitlines() == [f"{tmp_path / path}: {reason}" for path in ("changed", "mine.txt")]
    assert content(tmp_path) == before
    write(tmp_path, [Entry("changed", (b"1",)), *NEXT[:1], Entry("mine.txt", (b"1",))], owner=owned())
    assert read_listing(tmp_path / LISTING).owner == owned()


HEAD = b"".join(Listing(owned(), {}).lines()).decode()
SUM = "0" * 64
WAY_OUT = "restore the list, or remove it and the files that extcp-manifests wrote"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "is not the head of a list of files"),
        ("mine.txt\n", 1, "is not the head of a list of files"),
        (f"<<<<<<< HEAD\n{HEAD}", 1, "is not the head of a list of files"),
        (HEAD.splitlines()[0] + "\n", 2, "does not name the owner of the files"),
        (HEAD.replace("generate", "other"), 2, "does not name the owner of the files"),
        (HEAD.replace('"mesh1"', "mesh1"), 2, "does not name the owner of the files"),
        (HEAD.replace('"mesh1"', "[" * 100_000), 2, "does not name the owner of the files"),
        (f"{HEAD}{SUM}  a\n<<<<<<< HEAD\n{SUM}  b\n", 4, "is not a checksum with the path of a file"),
        (f"{HEAD}mine.txt\n", 3, "is not a checksum with the path of a file"),
        (f"{HEAD}\n", 3, "is not a checksum with the path of a file"),
        (f"{HEAD}{SUM}  a\n{SUM}  a\n", 4, "names 'a' again"),
        (f"{HEAD}{SUM}  a\n{SUM}  b", 4, "has no end of line"),
        (HEAD.splitlines()[0], 1, "has no end of line"),
        *(
            (f"{HEAD}{SUM}  {path}\n", 3, f"{path!r} is not the path of a file in this folder")
            for path in ("../outside.txt", "/etc/passwd", "//etc/passwd", "a/../../x", "..\\x", ".", "a//b", "a/")
        ),
        (
            "# Written by extcp-manifests, whose next run replaces or removes these files.\n=======\n",
            2,
            "'=======' is not the path of a file in this folder",
        ),
    ],
)
def test_a_damaged_list(tmp_path: Path, text: str, line: int, problem: str) -> None:
    """A list that no run wrote is refused with the line, even with `force`, and nothing in it is touched."""
    for path in ("mine.txt", "a", "b"):
        (tmp_path / path).write_text("mine")
    (tmp_path / LISTING).write_text(text)
    before = content(tmp_path)
    with pytest.raises(OutputError) as caught:
        write(tmp_path, [], owner=owned(), force=True)
    assert str(caught.value) == f"{tmp_path / LISTING}:{line}: {problem}: {WAY_OUT}"
    assert content(tmp_path) == before


def test_a_list_that_is_none(tmp_path: Path) -> None:
    """A list that is not text, or not a file, is reported."""
    (tmp_path / LISTING).write_bytes(b"\xff")
    with pytest.raises(OutputError, match=rf"\.extcp-manifests: is not text: {WAY_OUT}$"):
        the_plan().write(tmp_path)
    (tmp_path / LISTING).unlink()
    (tmp_path / LISTING).mkdir()
    with pytest.raises(OutputError, match=r"\.extcp-manifests: is where a file of the output belongs"):
        the_plan().write(tmp_path)


@given(
    st.dictionaries(
        st.from_regex(r"[^/\\.\x00-\x1f\x85]{1,9}(/[^/\\.\x00-\x1f\x85]{1,9}){0,2}", fullmatch=True), st.binary()
    ),
    st.text(),
)
def test_a_list_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], name: str
) -> None:
    """Whatever the paths and the name are, they are read back from the list."""
    written = Listing(Owner("kustomize", name), {path: sha256(data).digest() for path, data in files.items()})
    place = tmp_path_factory.getbasetemp() / "list"
    place.write_bytes(b"".join(written.lines()))
    assert read_listing(place) == written


@pytest.mark.parametrize("old", [b"", b"a", b"abc", b"abcd", b"xbc", b"abx"])
def test_a_large_file_in_pieces(tmp_path: Path, old: bytes) -> None:
    """A file whose content is made while it is read is compared, listed and replaced like any other."""
    write(tmp_path, [Entry("a", (old,))], owner=owned())
    entries = [Entry("a", Streamed(lambda: iter(["a", "", "bc"])))]
    expected = [] if old == b"abc" else [FileChange("a", "changed", old, b"abc")]
    assert list(changes(tmp_path, entries, owner=owned())) == expected
    assert write(tmp_path, entries, owner=owned()) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"abc"
    assert read_listing(tmp_path / LISTING).files == {"a": sha256(b"abc").digest()}
    assert list(changes(tmp_path, entries, owner=owned())) == []


def test_what_people_own_once_it_is_there(tmp_path: Path) -> None:
    """An entry to keep is written where it is missing, and neither changed nor removed later, nor listed."""
    mine = Entry("overlays/mine", (b"skeleton",), keep=True)
    assert write(tmp_path, [Entry("a", (b"1",)), mine], owner=owned()) == ["a", "overlays/mine"]
    (tmp_path / "overlays/mine").write_text("edited")
    assert write(tmp_path, [Entry("a", (b"2",)), mine], owner=owned()) == ["a"]
    assert write(tmp_path, [Entry("a", (b"3",))], owner=owned()) == ["a"]
    assert (tmp_path / "overlays/mine").read_text() == "edited"
    assert list(read_listing(tmp_path / LISTING).files) == ["a"]


def test_a_folder_with_a_name_like_ours(tmp_path: Path) -> None:
    """No file is removed because of its name alone."""
    (tmp_path / ".extcp-manifests-notes").mkdir()
    (tmp_path / ".extcp-manifests-notes/x").write_text("mine")
    the_plan("1.23").write(tmp_path)
    the_plan("1.24").write(tmp_path)
    assert (tmp_path / ".extcp-manifests-notes/x").read_text() == "mine"


def test_tokens_are_not_shown() -> None:
    """The repr of a file or a change does not show its content."""
    assert "hush" not in repr(Entry("a", (b"hush",), secret=True))
    assert "hush" not in repr(FileChange("a", "changed", b"hush", b"hush"))


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link where a folder or a file of the output belongs could lead out, so the run stops."""
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "out"
    target.mkdir()
    (target / "external").symlink_to(outside)
    before = content(tmp_path)
    with pytest.raises(OutputError) as caught:
        the_plan().write(target)
    assert str(caught.value) == f"{target / 'external'}: is where a folder of the output belongs: move it away"
    (target / "external").unlink()
    (target / "RUNBOOK.md").symlink_to(outside / "x")
    with pytest.raises(OutputError, match=r"RUNBOOK\.md: is where a file of the output belongs: move it away$"):
        the_plan().write(target)
    (target / "RUNBOOK.md").unlink()
    assert before["outside"] == "folder"
    assert content(outside) == {}


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """An output folder that is a file is refused."""
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match=r"out: is not a folder: choose another$"):
        the_plan().write(tmp_path / "out")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_files_with_tokens_are_private(tmp_path: Path) -> None:
    """Files that hold tokens have mode 0600 also over older ones, and no other file holds a token."""
    credentials = load_credentials(ROOT / "tests/topologies/hostile.credentials.yaml")
    hostile = plan(load(ROOT / "tests/topologies/hostile.yaml"), credentials=credentials)
    written = hostile.write(tmp_path)
    secret = [path for path in written if "/remote-secret-" in path]
    assert len(secret) == 2
    for path in secret:
        (tmp_path / path).chmod(0o644)
    exposed = [(change.path, change.state) for change in hostile.changes(tmp_path)]
    assert exposed == [(path, "readable by others") for path in secret]
    hostile.write(tmp_path)
    for path in written:
        mode = stat.S_IMODE((tmp_path / path).stat().st_mode)
        assert (mode == 0o600) == (path in secret), path
        assert (b"not-a-token-1" in (tmp_path / path).read_bytes()) == (path == secret[0]), path


def test_every_file_is_announced(tmp_path: Path) -> None:
    """`on_file` is called with each path as it is written."""
    heard: list[str] = []
    assert the_plan().write(tmp_path, on_file=heard.append) == heard
