"""YAML: the emitter writes text that every parser reads back alike, and the reader trusts nobody."""

import json
import math
import subprocess
from collections import OrderedDict
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver

from extcp_manifests import InvalidInput, yaml
from extcp_manifests.documents.paths import parsed_path

# More than a hundred strings that some parser reads as a number, a boolean, null, a date, a merge key or structure.
HOSTILE = [
    *r"""
y n Y N yes no Yes No YES NO on off On Off ON OFF true false True False TRUE FALSE null Null NULL ~ nan NaN inf
1e3 12e4 1E5 1e+3 1e-3 1.5e3 +1e3 -1e3 .1e3 1.e3 0o14 0O14 014 0b11 0B1 0x1F 0X1f -0x1 +0o7 08 09 00 007 0 -0 +0 1 -1
+1 1_000 1__0 0x_1 1_0.5 _1 1. .5 +.5 -.5 . .. .inf -.inf +.INF .nan .NaN .NAN 12:30 12:30:45 1:2 190:20:30.15
2024-01-01 2024-1-1 2001-12-14t21:59:43.10-05:00 << = ! & * - ? : , [ ] { } # % @ ` | > ' " -- --- ... {} [] '' \
!!str &a *a %YAML #a @a `a |- >- -a ?a :a a: :: a:b 10Mi 100m 1s 5d v1 1.24 1.30 1.2.3 192.0.2.1 2001:db8::1 ::1 e3 E
""".split(),
    *("", " ", " a", "a ", "a: b", "a #b", "a\tb", "\t", "\n", "a\n", "a\nb", "a\n\n", "\na", " a\nb", "a\n b\n"),
    *("a \nb", "a\n\n\nb\n", "a\n  \nb", "---\na\n", "a\n---\n", "a\n...\n", "- a\n- b", "k: v\nl: w\n", "# a\nb"),
    *("a\r\nb", "\r", "\x00", "\x07", "\x1b[31m", "\x7f", "\x85", "\xa0", "\xad", "\u2028", "\u2029", "\ufeff"),
    *("\ufffe", "\u202e", "\u200b", "é", "日本", "\U0001f600", "\U0010ffff", "\ue000", "a\u2028b\nc", "x" * 500),
    *("x y " * 200, "2024-01-01 12:30:00", "'a'"),
]

TEXT = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(HOSTILE))
SCALARS = st.one_of(
    TEXT,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT.filter(lambda key: len(key) < 90), inner, max_size=4)
    ),
    max_leaves=15,
)


def same(left: Any, right: Any) -> bool:
    """Return whether two values are equal, where 1, 1.0 and True differ, and so does another order of keys."""
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


@given(DATA)
def test_everything_is_read_back_as_it_was(data: Any) -> None:
    """Our reader, PyYAML (1.1) and ruamel.yaml (1.2) read back what was written, types and order included."""
    text = yaml.dump(data)
    assert text.endswith("\n")
    assert not text.endswith("\n\n") or data == "\n"
    assert same(yaml.load(text), data)
    assert same(pyyaml.load(text, pyyaml.SafeLoader), data)
    assert same(pyyaml.load(text, pyyaml.CSafeLoader), data)
    assert same(YAML(typ="safe", pure=True).load(text), data)


@given(st.lists(DATA, min_size=2, max_size=4))
def test_several_documents(documents: list[Any]) -> None:
    """Documents in one text stay apart and in order."""
    assert same(yaml.load_all(yaml.dump_all(documents)), documents)


@given(DATA)
def test_the_same_data_gives_the_same_bytes(data: Any) -> None:
    """Writing what was read gives the same text again."""
    text = yaml.dump(data)
    assert yaml.dump(yaml.load(text)) == text


def test_a_hundred_hostile_strings_through_kubectl(kubectl: str, tmp_path: Path) -> None:
    """Go's parser, in a real kubectl, reads back every hostile string, as value, item and key."""
    keys = {key: index for index, key in enumerate(HOSTILE)}
    document = {
        "apiVersion": "example.com/v1",
        "kind": "Strings",
        "metadata": {"name": "strings"},
        "texts": HOSTILE,
        "values": {f"k{index}": text for index, text in enumerate(HOSTILE)},
        "keys": keys,
        "nested": [[{"a": [text]}] for text in HOSTILE],
    }
    file = tmp_path / "strings.yaml"
    file.write_text(yaml.dump(document), encoding="utf-8")
    command = [kubectl, "annotate", "--local", "-f", str(file), "x=y", "-o", "json"]
    read = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert len(HOSTILE) > 100
    assert read["texts"] == HOSTILE
    assert read["values"] == document["values"]
    assert read["keys"] == keys
    assert read["nested"] == document["nested"]


def test_no_short_word_changes_its_type() -> None:
    """Every word of up to four letters that numbers, booleans and nulls are made of stays text in YAML 1.1 and 1.2."""
    resolvers: Sequence[tuple[Any, Any]] = [
        (pyyaml.SafeLoader(""), pyyaml.ScalarNode),
        (VersionedResolver(version=(1, 1), loader=YAML(pure=True)), ScalarNode),
        (VersionedResolver(version=(1, 2), loader=YAML(pure=True)), ScalarNode),
    ]
    words = ["".join(letters) for length in range(1, 5) for letters in product("eE+-.07_ony~=", repeat=length)]
    plain = [word for word in words if yaml.dump(word) == f"{word}\n"]
    assert len(plain) > 10_000
    for resolver, node in resolvers:
        assert {word for word in plain if "str" not in str(resolver.resolve(node, word, (True, False)))} == set()


@pytest.mark.parametrize("word", ["e1", "E0", "e+1", "1e1", ".5", "0o7", "1_000", "12:30:45", "0x1p3", "<<", "=", "~"])
def test_words_like_numbers_are_quoted(word: str) -> None:
    """What some parser may take for a number or an indicator of YAML is quoted."""
    assert yaml.dump({word: word}) == f'"{word}": "{word}"\n'


def test_form() -> None:
    """Keys keep their order, lists are not indented below their key, blocks are literal, nothing is folded."""
    document = {
        "b": 1,
        "a": [{"x": "1", "y": [[], {}]}, ["p", ["q"]], "r"],
        "text": "one\n\n  two\n",
        "open": "one\ntwo",
        "long": "word " * 40 + "end",
        "none": None,
        "": True,
    }
    assert yaml.dump(document) == (
        """\
b: 1
a:
- x: "1"
  "y":
  - []
  - {}
- - p
  - - q
- r
text: |
  one

    two
open: |-
  one
  two
"""
        f"long: {'word ' * 40}end\n"
        """\
none: null
"": true
"""
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e16, "1.0e+16"),
        (1e-7, "1.0e-07"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (1.5e300, "1.5e+300"),
        (2**63 - 1, str(2**63 - 1)),
    ],
)
def test_numbers(number: float, text: str) -> None:
    """A float is written so that YAML 1.1 takes it for one too."""
    assert yaml.dump(number) == f"{text}\n"


def test_other_mappings_and_sequences() -> None:
    """Any mapping and any sequence can be written, and subclasses of text."""

    class Name(str):
        __slots__ = ()

    data = MappingProxyType({"a": (1, 2), Name("b"): OrderedDict(c=Name("d")), "e": range(2), "f": ()})
    assert yaml.load(yaml.dump(data)) == {"a": [1, 2], "b": {"c": "d"}, "e": [0, 1], "f": []}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"a": [{"b": object()}]}, "a[0].b: a object that YAML cannot carry"),
        ({"a": math.nan}, "a: a float that YAML cannot carry"),
        ({"a": math.inf}, "a: a float that YAML cannot carry"),
        ({"a": 2**63}, "a: a int that YAML cannot carry"),
        ({"a": b"b"}, "a: a bytes that YAML cannot carry"),
        ({"a": "\ud800"}, "a: a str that YAML cannot carry"),
        ({"\ud800": 1}, "the key '\\ud800' is no valid text: correct it"),
        ({"a": {1: 2}}, "a: the key 1 is no text: write it as a string"),
        ({"a": {"k" * 2000: 2}}, f"a: the key '{'k' * 40}'... has 2000 characters: shorten it"),
    ],
)
def test_what_cannot_be_written(data: Any, problem: str) -> None:
    """Data that Go could not read back is refused, with its place."""
    with pytest.raises(InvalidInput) as caught:
        yaml.dump(data)
    assert str(caught.value).startswith(problem)


def test_data_without_end_is_refused() -> None:
    """Data that holds itself is refused like data that is nested too deeply."""
    data: list[Any] = []
    data.append(data)
    with pytest.raises(InvalidInput, match=r"is nested deeper than 100 levels: flatten it$"):
        yaml.dump({"a": data})
    data.append(data)
    with pytest.raises(InvalidInput, match=r"is nested deeper than 100 levels: flatten it$"):
        yaml.dump({"a": data})


@pytest.mark.parametrize("kind", ["list", "mapping", "both"])
def test_depth(kind: str) -> None:
    """What can be written can be read: both stop at 100 levels, of lists and mappings alike."""
    data: Any = "x"
    for level in range(100):
        data = [data] if kind == "list" or (kind == "both" and level % 2) else {"k": data}
    assert yaml.load(yaml.dump(data)) == data
    with pytest.raises(InvalidInput):
        yaml.dump([data])
    with pytest.raises(InvalidInput):
        yaml.load("- " + yaml.dump(data).replace("\n", "\n  "))


SCALARS_OF_GO: Sequence[tuple[str, object]] = [
    ("y", True),
    ("Off", False),
    ("~", None),
    ("1e3", 1000.0),
    ("0o17", 15),
    ("017", 15),
    ("08", 8.0),
    ("0x1F", 31),
    ("0b11", 3),
    ("1_000", 1000),
    ("12:30", "12:30"),
    ("2024-01-01", "2024-01-01"),
    ("+.5", 0.5),
    ("1.", 1.0),
    (".", "."),
    ("9223372036854775807", 9223372036854775807),
    ("9223372036854775808", 9223372036854775808.0),
    ("'1'", "1"),
    ("._5", "._5"),
    (".5_", ".5_"),
    ("0xffffffffffffffff", 18446744073709551615.0),
    ("1e+400", "1e+400"),
    ("=", "="),
]


@pytest.fixture(scope="module")
def read_by_go(kubectl: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what kubectl reads for each scalar, all in one document."""
    keys = {text: f"k{index}" for index, (text, _) in enumerate(SCALARS_OF_GO)}
    lines = "".join(f"  {key}: {text}\n" for text, key in keys.items())
    file = tmp_path_factory.mktemp("scalars") / "scalars.yaml"
    file.write_text(f"apiVersion: example.com/v1\nkind: K\nmetadata: {{name: a}}\nvalues:\n{lines}")
    command = [kubectl, "annotate", "--local", "-f", str(file), "x=y", "-o", "json"]
    values = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["values"]
    return {text: values[key] for text, key in keys.items()}


@pytest.mark.parametrize(("text", "value"), SCALARS_OF_GO)
def test_scalars_are_read_as_go_reads_them(text: str, value: object, read_by_go: dict[str, Any]) -> None:
    """A scalar means what it will mean in the cluster: kubectl and the reader agree."""
    assert same(yaml.load(f"a: {text}\n"), {"a": value})
    read = read_by_go[text]
    assert (float(read) if isinstance(value, float) else read) == value


def test_long_numbers() -> None:
    """A number beyond every type is text, however long it is."""
    assert yaml.load("a: " + "1" * 5000) == {"a": "1" * 5000}
    assert yaml.load("a: " + "1" * 30) == {"a": float("1" * 30)}


def test_aliases_and_merge_keys() -> None:
    """Anchors are written out; explicit keys beat merged ones, and of several merged mappings the first one wins."""
    text = "a: &a {p: 1, q: 1}\nb: &b {q: 2, r: 2}\nc: {<<: [*a, *b], r: 3}\nd: {<<: *a, q: 9}\ne: [*a, *a]\n"
    assert yaml.load(text) == {
        "a": {"p": 1, "q": 1},
        "b": {"q": 2, "r": 2},
        "c": {"p": 1, "q": 1, "r": 3},
        "d": {"p": 1, "q": 9},
        "e": [{"p": 1, "q": 1}] * 2,
    }


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{right}: &{right} [{','.join([f'*{left}'] * 9)}]\n" for left, right in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a: !!python/object:os.system x\n",
            "line 1: the tag 'tag:yaml.org,2002:python/object:os.system' is not allowed",
        ),
        ("a: !!str x\n", "line 1: the tag 'tag:yaml.org,2002:str' is not allowed: leave it out"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' stands twice in one mapping: remove one"),
        ("1: 2\n", "line 1: the key is no text: put it in quotes"),
        ("y: 2\n", "line 1: the key is no text: put it in quotes"),
        ("a: ! x\n", "line 1: the tag '!' is not allowed: leave it out"),
        ("a: [\n", "line 2: not YAML: "),
        (
            'a: "b\nc: d\n',
            "line 3: not YAML: found unexpected end of stream, while scanning a quoted scalar that begins in line 1",
        ),
        (
            "a:\n\tb: c\n",
            "line 2: not YAML: found character that cannot start any token, such as a tab, @ or `: indent with ",
        ),
        ("a: *x\n", "line 1: the alias '*x' points to nothing before it: write the value out"),
        ("a: &a [*a]\n", "line 1: the alias '*a' points to nothing before it: write the value out"),
        (
            "a: &a {p: 1}\nb:\n  p: 2\n  <<: *a\n",
            "line 4: '<<' stands behind 'p', which it beats in Go alone: write it first",
        ),
        ("a: &a {p: 1}\nb: {<<: *a, <<: *a}\n", "line 2: '<<' stands twice in one mapping: give it a list of mappings"),
        ("%YAML 1.2\n---\na: b\n", "line 1: Go's parser refuses the directive %YAML unless it is 1.1: leave it out"),
        ("<<: 1\n", "line 1: only a mapping or a list of mappings can be merged with '<<'"),
        ("[" * 500 + "]" * 500, "line 1: nested deeper than 100 levels: flatten it"),
        ("{a: " * 500 + "}" * 500, "line 1: nested deeper than 100 levels: flatten it"),
        (BOMB, "line 7: more than 2000000 values with every alias written out: split the file"),
        ("a: .nan\n", "line 1: the number .nan has no JSON form: put it in quotes or choose another"),
        ("a: \x00\n", "not YAML: it holds bytes or characters that YAML does not allow"),
        (b"a: \xff\n", "not YAML: it holds bytes or characters that YAML does not allow"),
        ("a: \ud800\n", "not YAML: it holds bytes or characters that YAML does not allow"),
        ("a: 1\n---\nb: 1\n", "2 documents where one is expected: keep the first"),
        ("#" * (16 * 1024 * 1024 + 1), "16777217 bytes are more than the 16777216 that are read: split the file"),
    ],
)
def test_what_is_not_read(text: str | bytes, problem: str) -> None:
    """Tags, duplicate keys, bombs and broken text are refused, with their line."""
    with pytest.raises(InvalidInput) as caught:
        yaml.load(text)
    assert str(caught.value).startswith(problem)


@given(st.binary(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>\n \t\"'#,?<=1.", max_size=60))
def test_any_input_is_read_or_refused(text: bytes | str) -> None:
    """Every input is either read or refused with InvalidInput."""
    try:
        data = yaml.load(text)
    except InvalidInput:
        return
    assert same(yaml.load(yaml.dump(data)), data)


LINES = """\
# a comment
spec: &spec
  a.b: 1
  a:
    b: 2
  servers:
  - port: {number: 1}
  -
    port: 2
again: *spec
"q[0]": {x: &spec 5}
---
second: {deep: [1,
  2]}
"""


@pytest.mark.parametrize(
    ("path", "document", "line"),
    [
        ("", 0, 2),
        ("spec", 0, 2),
        ('spec["a.b"]', 0, 3),
        ("spec.a.b", 0, 5),
        ("spec.a", 0, 4),
        ("spec.a.c", 0, 4),
        ("spec.servers[0].port.number", 0, 7),
        ("spec.servers[1].port", 0, 9),
        ("spec.servers[7].port", 0, 6),
        ("again.servers[1].port", 0, 9),
        ('["q[0]"].x', 0, 11),
        ("nothing.here", 0, 2),
        ("second.deep[1]", 1, 14),
        ("second", 2, None),
    ],
)
def test_lines_of_places(path: str, document: int, line: int | None) -> None:
    """A place has the line of its value, or of the last value on the way to it."""
    yaml.load_all(LINES)
    place = parsed_path(path)
    assert yaml.Lines(LINES).line(place, document) == line
    assert yaml.Lines(LINES.encode()).line(place, document) == line


@given(
    st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
    st.lists(st.text() | st.integers(min_value=0)),
)
def test_every_place_has_a_line(data: Any, place: list[str | int]) -> None:
    """No place and no text makes the search for a line fail."""
    text = yaml.dump(data)
    line = yaml.Lines(text).line(tuple(place))
    assert line is not None
    assert 1 <= line <= text.count("\n")
