"""One token through everything that may hold it, and through everything that comes out."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from command_line import run
from pydantic import SecretStr

from extcp_manifests import ClusterCredentials, builders, load, load_credentials, plan, yaml
from extcp_manifests.cli.reports import REPORTS
from extcp_manifests.documents.compare import compare_documents, compare_files, report
from extcp_manifests.errors import ExtcpError
from extcp_manifests.istio.validation import validate_text
from extcp_manifests.pipelines.krm import run as answer
from extcp_manifests.topology.document_check import TOPOLOGY_CHECKS

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "examples/guide.yaml"
TOKEN = "marker-of-a-token"
CA = "-----BEGIN CERTIFICATE-----\n"
SERVER = "https://192.0.2.20:6443"


def credentials(**changes: Any) -> dict[str, Any]:
    """Return a credentials document for the guide's clusters, with some of its keys changed."""
    one = {"server": SERVER, "ca": CA, "token": TOKEN, **changes}
    clusters = dict.fromkeys(("cluster1", "cluster2"), one)
    return {"apiVersion": "extcp-manifests/v1", "kind": "Credentials", "clusters": clusters}


def secret() -> dict[str, Any]:
    """Return a remote secret as it is written."""
    return (
        builders.RemoteSecret(release="1.30", cluster="cluster2", server=SERVER, ca=CA, token=SecretStr(TOKEN))
        .build()
        .plain()
    )


def kubeconfig() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Config", "users": [{"name": "a", "user": {"token": TOKEN}}]}


# ----------------------------------------------------------------------------------------------------------- exceptions


def shown_by(error: BaseException | None) -> Iterator[str]:
    """Return all that is shown of an exception and its causes: texts, and the variables of this library's frames."""
    while error is not None:
        yield repr(error)
        yield str(error)
        yield from map(repr, error.args)
        for frame in frames(error.__traceback__):
            yield from (f"{name} = {value!r}" for name, value in frame.items())
        error = error.__cause__ or error.__context__


def frames(trace: TracebackType | None) -> Iterator[Mapping[str, Any]]:
    while trace is not None:
        if "/extcp_manifests/" in trace.tb_frame.f_code.co_filename:
            yield trace.tb_frame.f_locals
        trace = trace.tb_next


def with_a_token(**changes: Any) -> ClusterCredentials:
    values = {"server": SERVER, "ca": CA, "token": SecretStr(TOKEN), **changes}
    return ClusterCredentials(**values)


REFUSED: Sequence[Callable[[Path], object]] = (
    lambda _: load_credentials(credentials(server="x")),
    lambda _: load_credentials(credentials(token=f"{TOKEN} x")),
    lambda _: load_credentials(credentials(token=[TOKEN])),
    lambda _: load_credentials(credentials(**{TOKEN: 1})),
    lambda _: load_credentials(yaml.dump(credentials(ca=""))),
    lambda _: load_credentials(f"token: {TOKEN}: x\n"),
    lambda _: load_credentials(f"{TOKEN}: 1\n{TOKEN}: 2\n"),
    lambda _: load_credentials(yaml.dump(kubeconfig()).encode()),
    lambda _: load_credentials(secret()),
    lambda folder: load_credentials(written(folder, credentials(server="http://x"))),
    lambda folder: load_credentials(written(folder, kubeconfig())),
    lambda _: plan(load(GUIDE), credentials={"cluster1": with_a_token(server="x")}),
    lambda _: plan(load(GUIDE), credentials={"cluster1": with_a_token(token=TOKEN, ca="")}),
    lambda _: plan(load(GUIDE), credentials={"cluster1": with_a_token(token=[TOKEN])}),
    lambda _: plan(load(GUIDE), credentials={"nobody": with_a_token(token=f"{TOKEN}\n")}),
    lambda _: plan(load(GUIDE), credentials=credentials()["clusters"] | {"x": credentials()}),
    lambda _: remote_secret(release="1.15", tls_server_name="a").build(),
    lambda _: remote_secret(token=TOKEN).build(),
    lambda _: remote_secret(token=TOKEN.encode()).build(),
    lambda _: remote_secret(token=SecretStr(f"{TOKEN}\ud800")).build(),
    lambda _: remote_secret(ca=5).build(),
)


def remote_secret(**changes: Any) -> builders.RemoteSecret:
    values = {"release": "1.30", "cluster": "c", "server": SERVER, "ca": CA, "token": SecretStr(TOKEN), **changes}
    return builders.RemoteSecret(**values)


def written(folder: Path, document: Any) -> Path:
    path = folder / "file.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_no_exception_shows_a_token(number: int, tmp_path: Path) -> None:
    """An error shows no token: neither its text, nor its causes, nor the variables of its frames."""
    with pytest.raises(ExtcpError) as caught:
        REFUSED[number](tmp_path)
    assert [shown for shown in shown_by(caught.value) if TOKEN in shown] == []


# --------------------------------------------------------------------------------------------------------------- values


def test_no_repr_shows_a_token() -> None:
    """No object that holds a token shows it, whatever the token was given as."""
    loaded = load_credentials(credentials())
    the_plan = plan(load(GUIDE), credentials=loaded)
    steps = list(the_plan.steps)
    objects = [
        loaded,
        with_a_token(),
        with_a_token(token=TOKEN),
        with_a_token(token=TOKEN.encode()),
        remote_secret(),
        remote_secret(token=TOKEN),
        remote_secret().build(),
        the_plan,
        the_plan.kustomize(),
        steps,
        [step.documents for step in steps],
        answer(resource_list()),
        list(compare_documents([secret()], [])),
        list(compare_documents([secret()], [{**secret(), "type": "x", "stringData": {"a": "b"}}])),
    ]
    assert any(step.secret for step in steps)
    assert [each for each in objects if TOKEN in repr(each) or TOKEN in str(each)] == []
    assert TOKEN not in the_plan.runbook()


def test_only_files_of_secrets_hold_a_token(tmp_path: Path) -> None:
    """A token is written into the files that are meant to hold it, of mode 0600, and into no other."""
    the_plan = plan(load(GUIDE), credentials=load_credentials(credentials()))
    the_plan.write(tmp_path / "out")
    the_plan.kustomize().write(tmp_path / "tree")
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    secrets = sum(step.secret for step in the_plan.steps)
    assert len(holding) == 2 * secrets == 4
    assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}


# ---------------------------------------------------------------------------------------------------------- difference


BROKEN = (
    '{"kind": "Secret", "data": {"a": "TOKEN"}',
    "{'kind': 'Secret', a: 'TOKEN'",
    "kind: Secret\n\tdata: TOKEN",
    "users:\n- user: {token: TOKEN}}",
    "  token: TOKEN: x",
    "API_TOKEN=TOKEN\nx: [",
    "password = TOKEN\nx: [",
    "-----BEGIN RSA PRIVATE KEY-----\nTOKEN\nx: [",
    "Bearer eyJhbGciOiJSUzI1NiJ9.TOKEN: [",
    "kind: Secret\0TOKEN",
)


@pytest.mark.parametrize("name", ["s", "s.txt", "s.json", "s.yaml", "README.md"])
@pytest.mark.parametrize("text", BROKEN)
def test_broken_files_show_no_secret(name: str, text: str) -> None:
    """A file that no YAML parser takes is not shown where it looks as if it held a secret."""
    old, new = (text.replace("TOKEN", value).encode() for value in (TOKEN, "other"))
    lines = [line for _, line in report(compare_files({name: old}, {name: new}))]
    assert len(lines) >= 2
    assert TOKEN not in "".join(lines)


WRAPPED: Sequence[Callable[[dict[str, Any]], Any]] = (
    lambda document: document,
    lambda document: {"kind": "List", "items": [document]},
    lambda document: {"kind": "ResourceList", "items": [document]},
    lambda document: {"kind": "Template", "metadata": {"name": "t"}, "objects": [document]},
    lambda document: {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"s": yaml.dump(document)}},
    lambda document: {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"s": json.dumps(document)}},
)


@pytest.mark.parametrize("wrap", WRAPPED)
@pytest.mark.parametrize("make", [secret, kubeconfig, credentials])
def test_secrets_inside_other_documents(wrap: Callable[[dict[str, Any]], Any], make: Callable[[], Any]) -> None:
    """A Secret is not shown inside another document or its text either, whether it changes, comes or goes."""
    holding = wrap(make())
    other = json.loads(json.dumps(holding).replace(TOKEN, "other"))
    empty = {key: value for key, value in holding.items() if key in ("kind", "metadata")}
    for old, new in ((holding, other), (other, holding), (holding, empty), (empty, holding)):
        lines = [line for _, line in report(compare_documents([old], [new]))]
        assert lines
        assert TOKEN not in "".join(lines)


# ------------------------------------------------------------------------------------------------------------- commands


def resource_list() -> str:
    guide = yaml.load(GUIDE.read_bytes())
    whole = {"kind": "ResourceList", "items": [secret(), kubeconfig(), {"kind": "Gateway", "spec": secret()}]}
    return yaml.dump({**whole, "functionConfig": guide})


def test_no_command_shows_a_token(tmp_path: Path) -> None:
    """No command prints a token, but where it prints the manifests themselves that it was given."""
    names = {}
    for name, document in (
        ("good", credentials()),
        ("bad", credentials(ca=1, token=f"{TOKEN} x")),
        ("config", kubeconfig()),
        ("secret", secret()),
        ("gateway", {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "spec": secret()}),
        ("operator", {"kind": "IstioOperator", "metadata": {"name": "a"}, "spec": {"components": {"pilot": {}}}}),
    ):
        names[name] = str(tmp_path / f"{name}.yaml")
        Path(names[name]).write_text(json.dumps(document), encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text(f"token: {TOKEN}: x", encoding="utf-8")
    overlays = ("patch", "--overlays", names["operator"], names["secret"])
    commands: Sequence[Sequence[str]] = [
        *(("plan", str(GUIDE), "--credentials", str(names.get(name, broken))) for name in (*names, "broken")),
        *(
            ("generate", str(GUIDE), "-o", f"{tmp_path}/out", "--credentials", names[name])
            for name in ("bad", "config")
        ),
        ("generate", names["config"]),
        ("generate", str(broken)),
        ("generate", str(GUIDE), "-o", f"{tmp_path}/out", "--credentials", names["good"]),
        ("generate", str(GUIDE), "-o", f"{tmp_path}/out", "--credentials", names["good"], "--release", "1.15"),
        ("kustomize", str(GUIDE), "-o", f"{tmp_path}/tree", "--credentials", names["good"]),
        ("validate", *(names[name] for name in names), str(broken)),
        ("validate", "--format", "json", *(names[name] for name in names)),
        ("validate", "--format", "sarif", *(names[name] for name in names)),
        ("merge-mesh", "--shared", names["secret"], "--local", names["config"], "--explain"),
        ("compose", "-f", names["secret"], "-f", names["config"], "--preview"),
        (*overlays, "--diff"),
        (*overlays, "--json6902"),
        ("patch", "--overlays", names["secret"], names["secret"]),
        ("diff", names["good"], names["bad"]),
        ("diff", names["secret"], names["config"]),
        ("diff", str(broken), names["secret"]),
        ("plugin", "run", names["secret"]),
    ]
    for words in commands:
        done = run(*words)
        assert TOKEN not in done.stdout + done.stderr, words
    given_back = run("krm", stdin=resource_list())
    assert TOKEN in given_back.stdout
    assert TOKEN not in given_back.stderr
    results = yaml.load(given_back.stdout).get("results", [])
    assert TOKEN not in json.dumps(results)


def test_findings_show_no_token() -> None:
    """Findings about a set with Secrets show nothing of their contents, in any report."""
    text = yaml.dump_all([secret(), kubeconfig(), {"kind": "Gateway", "metadata": {"name": "g"}, "spec": secret()}])
    results = validate_text("f", text, release="1.30", more=TOPOLOGY_CHECKS)
    assert results
    assert [form for form, write in REPORTS.items() if TOKEN in write(results)] == []
