"""What is reported of two sets of files or documents."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, yaml
from extcp_manifests.cli import cli
from extcp_manifests.documents.compare import compare_documents, compare_files, report

IOP: dict[str, Any] = {
    "kind": "IstioOperator",
    "metadata": {"name": "external-istiod", "namespace": "external-istiod"},
    "spec": {
        "hub": "a",
        "components": {"pilot": {"k8s": {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}}},
        "values": {"global": {"network": "n1"}, "list": [1, 2]},
    },
}
SECRET = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"token": "hush"}}


def lines(old: list[Any], new: list[Any]) -> list[str]:
    return [line for _, line in report(compare_documents(old, new))]


def test_paths() -> None:
    """Each change has its document once and its path; items with names are found by their names, in any order."""
    new = deepcopy(IOP)
    new["spec"]["values"] = {"global": {"network": "n2", "mesh.ID": True}, "list": [1, 9, 2]}
    new["spec"]["components"]["pilot"]["k8s"]["env"] = [
        {"name": "C", "value": "3"},
        {"name": "B", "value": "2"},
        {"name": "A", "value": 1},
    ]
    del new["spec"]["hub"]
    assert lines([SECRET, IOP], [new, SECRET]) == [
        "  IstioOperator external-istiod/external-istiod",
        '  ~ spec.components.pilot.k8s.env[name=A].value: "1" -> 1',
        '  + spec.components.pilot.k8s.env[name=C]: {"name": "C", "value": "3"}',
        '  - spec.hub: "a"',
        '  + spec.values.global."mesh.ID": true',
        '  ~ spec.values.global.network: "n1" -> "n2"',
        "  + spec.values.list[1]: 9",
    ]


def test_whole_documents() -> None:
    """Documents that come or go are one line each; two of the same name are distinguished by a number."""
    assert lines([IOP, SECRET, SECRET], [SECRET, {"kind": "Namespace", "metadata": {"name": "x"}}]) == [
        "- IstioOperator external-istiod/external-istiod",
        "- Secret s (2)",
        "+ Namespace x",
    ]


def test_secrets_are_not_shown() -> None:
    """What a Secret holds appears in no report, not even where all of it changes or the text is not YAML."""
    other = {**SECRET, "stringData": {"token": "other", "more": "hush2"}, "data": "strange"}
    shown = lines([SECRET], [other])
    assert shown == [
        "  Secret s",
        "  + data: (not shown)",
        "  + stringData.more: (not shown)",
        "  ~ stringData.token: (not shown)",
    ]
    for kind in ("SecretList", "List"):
        head = {} if kind == "SecretList" else {"kind": "Secret"}
        lists = [{"kind": kind, "items": [{**each, **head}]} for each in (SECRET, other)]
        assert "hush" not in "".join(lines([lists[0]], [lists[1]]))
    for kind in ("Config", "Credentials"):
        assert "hush" not in "".join(lines([{"kind": kind, "users": "hush"}], [{"kind": kind, "users": "hush2"}]))
    note = {"metadata": {"name": "s", "annotations": {"last-applied": "hush"}}}
    assert "hush" not in "".join(lines([{**SECRET, **note}], [SECRET]))
    for name in ("s", "s.YAML", "s.txt"):
        files = [{name: yaml.dump(each).encode()} for each in (SECRET, other)]
        assert "hush" not in "".join(line for _, line in report(compare_files(*files)))
    broken = compare_files({"s.yaml": b"token: hush: a"}, {"s.yaml": b"token: hush: b"})
    assert [line for _, line in report(broken)] == [
        "  s.yaml",
        "    ~ the text, which is no YAML that is read here: (not shown)",
    ]


def test_values_are_shown_as_they_are() -> None:
    """A list of named items is shown as a list, and no control character reaches a terminal."""
    old = {"kind": "A", "l": [{"name": "a", "v": 1}]}
    assert lines([old], [{"kind": "A", "l": []}]) == ["  A", '  ~ l: [{"name": "a", "v": 1}] -> []']
    shown = [line for _, line in report(compare_files({"a.md": b"\x1b[31m"}, {"a.md": b"b"}))]
    assert shown[-2:] == ["    -\\x1b[31m", "    +b"]


def test_files() -> None:
    """Files that come or go are one line; texts are compared by lines; a change of layout alone is reported as such."""
    old = {"a/b.yaml": b"kind: A\n", "gone.yaml": b"x: 1", "t.md": b"1\n2\n3\n", "same": b"x", "l.yaml": b"a: 1"}
    new = {"a/b.yaml": b"kind: B\n", "new.yaml": b"x: 1", "t.md": b"1\n4\n3\n", "same": b"x", "l.yaml": b"a: 1 # c"}
    assert [line for _, line in report(compare_files(old, new))] == [
        "  a/b.yaml",
        "  - A",
        "  + B",
        "- gone.yaml",
        "  l.yaml",
        "    ~ only comments, layout or the order of keys",
        "+ new.yaml",
        "  t.md",
        "    @@ -1,3 +1,3 @@",
        "    |1",
        "    -2",
        "    +4",
        "    |3",
    ]


def test_long_texts_are_compared_by_lines() -> None:
    """A text of several lines shows the lines that differ; a long value is cut."""
    old = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"mesh": "a: 1\nb: 2\nc: 3\n", "x": "y"}}
    new = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"mesh": "a: 1\nb: 5\nc: 3\n", "x": "y" * 500}}
    shown = lines([old], [new])
    assert shown[:6] == [
        "  ConfigMap c",
        "  ~ data.mesh:",
        "      @@ -1,3 +1,3 @@",
        "      |a: 1",
        "      -b: 2",
        "      +b: 5",
    ]
    assert shown[-1] == f'  ~ data.x: "y" -> "{"y" * 399}...'


def test_inserted_items() -> None:
    """An item that is inserted is one addition in short and long lists; what it holds of a Secret is not shown."""
    routes = [{"to": "a"}, {"to": "b"}, {"kind": "Secret", "data": "hush"}]
    changed = [{"to": "new"}, *routes[:2], {"kind": "Secret", "data": "hush2"}]
    shown = ["  A", '  + l[0]: {"to": "new"}', "  ~ l[2].data: (not shown)"]
    assert lines([{"kind": "A", "l": routes}], [{"kind": "A", "l": changed}]) == shown
    hosts = [f"h{number}" for number in range(5000)]
    other = ["first", *hosts[:2000], *hosts[2001:], "last"]
    assert lines([{"kind": "A", "l": hosts}], [{"kind": "A", "l": other}]) == [
        "  A",
        '  + l[0]: "first"',
        '  - l[2000]: "h2000"',
        '  + l[5000]: "last"',
    ]
    assert lines([{"kind": "A", "l": [1, True]}], [{"kind": "A", "l": [1.0, 1]}])[1:] == [
        "  ~ l[0]: 1 -> 1.0",
        "  ~ l[1]: true -> 1",
    ]


def test_every_key_is_compared() -> None:
    """Keys that begin with underscores are compared as all others."""
    assert lines([{"kind": "A", "__a": 1}], [{"kind": "A", "__a": 2}]) == ["  A", "  ~ __a: 1 -> 2"]


DOCUMENTS = st.dictionaries(
    st.sampled_from(["kind", "spec", "data"]),
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "v", "w"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)


@given(DOCUMENTS, DOCUMENTS)
def test_only_equal_documents_have_no_report(old: Any, new: Any) -> None:
    """There is a report exactly where two documents differ in more than the order of named items."""
    assert list(compare_documents([old], [old])) == []
    if not list(compare_documents([old], [new])):
        assert yaml.dump(_sorted(old)) == yaml.dump(_sorted(new))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in sorted(value.items())}
    return sorted(map(_sorted, value), key=repr) if isinstance(value, list) else value


def test_the_command(tmp_path: Path) -> None:
    """Folders and files are compared; the exit code says whether there is a difference."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, hub in ((one, "a"), (other, "b")):
        (folder / "x").mkdir(parents=True)
        (folder / "x/op.yaml").write_text(yaml.dump({**IOP, "spec": {"hub": hub}}))
    told = '    IstioOperator external-istiod/external-istiod\n    ~ spec.hub: "a" -> "b"\n'
    run = CliRunner().invoke
    assert run(cli, ["diff", str(one), str(one)]).exit_code == 0
    done = run(cli, ["diff", str(one), str(other)])
    assert (done.exit_code, done.output) == (1, f"  x/op.yaml\n{told}")
    assert run(cli, ["diff", f"{one}/x/op.yaml", f"{other}/x/op.yaml"]).output.endswith(told)
    coloured = run(cli, ["diff", str(one), str(other)], color=True).output
    assert "\x1b[33m    ~ spec.hub" in coloured
    with pytest.raises(InvalidInput, match=r"is a folder, unlike .*: compare two folders or two files$"):
        run(cli, ["diff", str(one), f"{other}/x/op.yaml"], catch_exceptions=False)


def test_patches_as_a_difference(tmp_path: Path) -> None:
    """`patch --diff` shows what overlays change instead of the whole manifests."""
    overlay = {"kind": "Deployment", "name": "istiod", "patches": [{"path": "spec.replicas", "value": 2}]}
    operator = {
        **IOP,
        "apiVersion": "install.istio.io/v1alpha1",
        "spec": {"components": {"pilot": {"k8s": {"overlays": [overlay]}}}},
    }
    rendered = {"kind": "Deployment", "metadata": {"name": "istiod", "namespace": "i"}, "spec": {"replicas": 1}}
    (tmp_path / "op.yaml").write_text(yaml.dump(operator))
    (tmp_path / "all.yaml").write_text(yaml.dump_all([rendered, SECRET]))
    command = [
        "patch",
        "--release",
        "1.31",
        "--diff",
        "--overlays",
        str(tmp_path / "op.yaml"),
        str(tmp_path / "all.yaml"),
    ]
    done = CliRunner().invoke(cli, command)
    assert done.output == "  Deployment i/istiod\n  ~ spec.replicas: 1 -> 2\n"


def test_documents_without_names() -> None:
    """A document without a name is paired with an equal one, or with the only one of its kind, whatever its name."""
    named = {**IOP, "metadata": {"name": "remote-config-cluster", "namespace": "external-istiod"}}
    guide = {**IOP, "metadata": {"namespace": "external-istiod"}, "spec": {**IOP["spec"], "hub": "b"}}
    told = [
        "  IstioOperator external-istiod/remote-config-cluster",
        '  + metadata.name: "remote-config-cluster"',
        '  ~ spec.hub: "b" -> "a"',
    ]
    assert lines([guide], [named]) == told
    assert lines([guide, SECRET], [SECRET, named]) == told
    other = {**guide, "metadata": {"namespace": "elsewhere"}}
    assert lines([other, guide], [named, {**other, "spec": {}}])[0] == "  IstioOperator elsewhere"
    one, two, three = ({"kind": "A", "v": number} for number in (1, 2, 3))
    assert lines([one, two], [two, one]) == []
    assert lines([one, two], [two, three]) == ["  A", "  ~ v: 1 -> 3"]
    assert lines([one], [{"kind": "B", "v": 1}]) == ["- A", "+ B"]
    assert lines([{"v": 1}], [{"v": 2}]) == ["  document", "  ~ v: 1 -> 2"]


def test_a_renamed_document_is_another_one() -> None:
    """Two documents with different names are not paired, even where each is the only one of its kind."""
    renamed = {**IOP, "metadata": {"name": "b"}}
    assert lines([IOP], [renamed]) == ["- IstioOperator external-istiod/external-istiod", "+ IstioOperator b"]


def test_our_own_list_is_left_out(tmp_path: Path) -> None:
    """The files that this library keeps in a folder for itself are not compared; folders with similar names are."""
    for folder, content in (("one", "1"), ("two", "2")):
        for file in (".extcp-manifests", ".extcp-manifests.stage/old/a", ".extcp-manifests-notes/a.md"):
            path = tmp_path / folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    done = CliRunner().invoke(cli, ["diff", str(tmp_path / "one"), str(tmp_path / "two")])
    assert done.output.splitlines()[0] == "  .extcp-manifests-notes/a.md"
    assert "stage" not in done.output


@pytest.mark.parametrize("wrong", [5, "x", {"a": "text"}, {1: b""}])
def test_wrong_types_are_refused(wrong: Any) -> None:
    """Files that are not a mapping from text to bytes are refused, and so are documents that are not plain data."""
    with pytest.raises(InvalidInput, match="must be"):
        list(compare_files(wrong, {}))
    with pytest.raises(InvalidInput, match=r"^new\[0\]: a set that YAML cannot carry"):
        list(compare_documents([], [{1, 2}]))
