"""The command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from command_line import run
from folders import content

from extcp_manifests import load, plan, yaml
from extcp_manifests.cli import cli
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.topology.topology_file import schema

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "examples/guide.yaml"
HOSTILE = ROOT / "tests/topologies/hostile.yaml"


def process(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line as a process."""
    command = [sys.executable, "-m", "extcp_manifests", *map(str, words)]
    return subprocess.run(
        command, input=stdin, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False, timeout=60
    )


def test_a_process_does_the_same() -> None:
    """As a process the command line has the same output and exit code as in these tests."""
    for words, stdin in (
        (["releases"], ""),
        (["generate", "-"], "a: ["),
        (["generate", "-"], "\udcff"),
        (["generate"], ""),
        (["plan", str(GUIDE)], ""),
    ):
        one, other = process(*words, stdin=stdin), run(*words, stdin=stdin)
        assert (one.returncode, one.stdout) == (other.returncode, other.stdout)
        assert one.stderr.replace("python -m extcp_manifests", "extcp-manifests") == other.stderr


def test_help_lists_every_command() -> None:
    """Help has each command with a sentence, without loading it."""
    listed = run("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed if line[2] != " "] == cli.list_commands(click.Context(cli))
    for name in cli.list_commands(click.Context(cli)):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert command.name == name
    code = """if True:
        import sys
        from extcp_manifests.cli import main
        sys.argv[1:] = ["--help"]
        try:
            main()
        except SystemExit:
            print(*sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in done.stdout.split() if name.startswith("extcp_manifests.cli.")]


def test_generate_writes_and_says_what_is_next(tmp_path: Path) -> None:
    """With -o the files are written, listed, and the runbook is named."""
    done = run("generate", GUIDE, "-o", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "out/external/controlplane-gateway.yaml"
    assert lines[-1] == "Next: follow out/RUNBOOK.md, with out as the current folder."
    assert (tmp_path / "out/external/external-istiod.yaml").read_bytes() == plan(load(GUIDE)).render()[
        "external/external-istiod.yaml"
    ]


def test_generate_to_standard_output() -> None:
    """Without -o all documents come as one stream, each file under its path."""
    done = run("generate", GUIDE)
    files = plan(load(GUIDE)).render()
    assert done.stdout == "---\n".join(f"# {path}\n{content.decode()}" for path, content in files.items())
    assert yaml.load_all(done.stdout) == [document for content in files.values() for document in yaml.load_all(content)]


def test_generate_reads_standard_input_and_another_release() -> None:
    """`-` is standard input; --release replaces the file's."""
    done = run("generate", "-", "--release", "1.15", stdin=GUIDE.read_text())
    assert done.returncode == 0
    assert "profile: external" in done.stdout


def test_generate_names_only_some_of_many_files(tmp_path: Path) -> None:
    """A long list of files is cut off, with the number of those left out."""
    remotes = "".join(f"  - {{name: c{number}, network: net}}\n" for number in range(50))
    text = GUIDE.read_text().split("  remoteClusters:")[0] + "  remoteClusters:\n" + remotes
    done = run("generate", "-", "-o", tmp_path / "out", stdin=text)
    assert done.returncode == 0
    assert done.stderr == (
        "warning: <stdin>:23: spec.remoteClusters[0].gateways.eastWest: network 'net' has no east-west gateway, so "
        "that clusters in other networks cannot reach its services: set eastWest in one of its clusters, or leave it "
        "where that is meant\n"
    )
    assert "... and 75 more files\n" in done.stdout


def test_problems_go_to_standard_error_a_line_each(tmp_path: Path) -> None:
    """A wrong input exits 1 with a line for each problem, and writes nothing."""
    text = GUIDE.read_text().replace("cluster2", "cluster1").replace("network: network1", "network: on")
    done = run("generate", "-", "-o", tmp_path / "out", stdin=text)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "<stdin>:19: spec.configCluster.network: must be text, not the boolean true: put it in quotes",
        "<stdin>:23: spec.remoteClusters[0].name: 'cluster1' is already the name of the config cluster: choose another",
        "<stdin>:24: spec.remoteClusters[0].context: 'ctx-cluster1' is already the context of cluster 'cluster1': "
        "give each cluster its own",
    ]
    assert not (tmp_path / "out").exists()


def test_broken_yaml_names_the_line() -> None:
    """Text that is not YAML is reported in one line with its place."""
    done = run("plan", "-", stdin="a: [\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("<stdin>:2: not YAML: ")


@pytest.mark.parametrize("stdin", ["", "\x00", "\udcff", "text"])
def test_input_that_is_nothing_of_ours(stdin: str) -> None:
    """No text on standard input makes a traceback."""
    done = run("generate", "-", stdin=stdin)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there() -> None:
    """A file that cannot be read is named."""
    done = run("generate", "no-such-file.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no-such-file.yaml: No such file or directory\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("plan", "/dev/null"), "apiVersion: must be a mapping, not empty"),
        (("inject", "decode", "https://["), ""),
        (("plan", str(ROOT)), f"{ROOT}: has no .yaml or .yml file: name another folder"),
    ],
)
def test_strange_files(words: tuple[str, ...], line: str) -> None:
    """Empty files, folders and broken URLs end in a sentence, not a traceback."""
    done = run(*words)
    assert "Traceback" not in done.stderr
    assert line.split(": ")[-1] in done.stderr


def test_problems_of_credentials_name_their_file(tmp_path: Path) -> None:
    """With two files, the problems of the second begin with its name."""
    credentials = tmp_path / "credentials.yaml"
    credentials.write_text("kind: Credentials\n")
    done = run("generate", GUIDE, "--credentials", credentials, "-o", tmp_path / "out")
    assert done.stderr.splitlines() == [
        f"{credentials}:1: apiVersion: is required: add it",
        f"{credentials}:1: clusters: is required: add it",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-", "--credentials", "-", "-o", "out"), "FILE and --credentials cannot both be standard input."),
        ((GUIDE, "-o", ""), "-o is empty: name a folder, or leave it out for standard output."),
        ((GUIDE, "--credentials", ""), "--credentials needs -o DIR"),
    ],
)
def test_calls_that_contradict_themselves(words: tuple[str | Path, ...], message: str) -> None:
    """Empty options, as from unset shell variables, are not treated as left out."""
    done = run("generate", *words)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file that was not written by this library is a problem with its place."""
    (tmp_path / "RUNBOOK.md").write_text("mine")
    done = run("generate", GUIDE, "-o", tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"{tmp_path}/RUNBOOK.md: was not written by extcp-manifests: move it away or choose another folder\n"
    )


@pytest.mark.parametrize("words", [("generate",), ("nonsense",), ("inject", "encode"), ("plan", "a", "b")])
def test_wrong_usage_exits_with_2(words: tuple[str, ...]) -> None:
    """A wrong call exits with 2 and shows the usage."""
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: ")


def test_credentials_need_a_folder(tmp_path: Path) -> None:
    """Tokens are written into files of mode 0600, and never to standard output."""
    credentials = HOSTILE.with_suffix(".credentials.yaml")
    done = run("generate", HOSTILE, "--credentials", credentials)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--credentials needs -o DIR, where files that hold tokens are readable by you alone." in done.stderr
    done = run("generate", HOSTILE, "--credentials", credentials, "-o", tmp_path / "out")
    assert done.returncode == 0
    assert "not-a-token-1" not in done.stdout + done.stderr
    done = run("plan", HOSTILE, "--credentials", credentials)
    assert done.returncode == 0
    assert "not-a-token-1" not in done.stdout + done.stderr


def test_plan_prints_the_runbook() -> None:
    """`plan` prints what generate writes as RUNBOOK.md."""
    assert run("plan", GUIDE).stdout == plan(load(GUIDE)).runbook()


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (("--cluster", "a/b", "--network", "n%"), "/inject/cluster/a--slash--b/net/n%\n"),
        (
            ("--cluster", "a/b", "--network", "n%", "--address", "h.example.com"),
            "injectionURL: https://h.example.com:15017/inject/cluster/a--slash--b/net/n%25\n",
        ),
        (
            ("--cluster", "a/b", "--network", "n", "--address", "192.0.2.10"),
            "injectionPath: /inject/cluster/a--slash--b/net/n\n",
        ),
    ],
)
def test_inject_encode(words: tuple[str, ...], printed: str) -> None:
    """The path is printed, or with an address the setting of a remote cluster."""
    done = run("inject", "encode", *words)
    assert (done.returncode, done.stdout) == (0, printed)


def test_inject_encode_refuses() -> None:
    """A name that cannot be encoded is a problem of the input."""
    done = run("inject", "encode", "--cluster", "a--slash--b", "--network", "n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "cluster: istiod would read 'a--slash--b' as 'a/b': choose a name without '--slash--'\n"


@pytest.mark.parametrize(
    "path", ["/inject/cluster/a--slash--b/net/n%", "https://h:15017/inject/cluster/a--slash--b/net/n%25/"]
)
def test_inject_decode(path: str) -> None:
    """Paths and URLs are decoded as istiod does."""
    assert run("inject", "decode", path).stdout == "ISTIO_META_CLUSTER_ID=a/b\nISTIO_META_NETWORK=n%\n"


def test_schema() -> None:
    """The JSON Schema is printed."""
    assert json.loads(run("schema").stdout) == schema()


@pytest.mark.parametrize(
    ("path", "output", "told"),
    [
        (
            "/inject",
            "",
            "tells no cluster, which istiod then does not know: write it as in /inject/cluster/NAME/net/NAME\n"
            "tells no network, which istiod then does not know: write it as in /inject/cluster/NAME/net/NAME\n",
        ),
        (
            "/inject/cluster/a/network/b",
            "ISTIO_META_CLUSTER_ID=a\nNETWORK=b\n",
            "tells no network, which istiod then does not know: write net/NAME instead of network/\n",
        ),
    ],
)
def test_inject_decode_of_too_little(path: str, output: str, told: str) -> None:
    """A path without a cluster or a network is reported, and makes the exit code 1."""
    done = run("inject", "decode", path)
    assert (done.returncode, done.stdout, done.stderr) == (1, output, told)


MESH = ROOT / "examples/mesh_config"


def test_merge_mesh_explains() -> None:
    """Each value of both mesh configs is shown with its source and what it overrides."""
    done = run(
        "merge-mesh",
        "--shared",
        MESH / "admin.yaml",
        "--local",
        MESH / "operator.yaml",
        "--release",
        "1.31",
        "--explain",
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells[0] == ["PATH", "VALUE", "SET BY", "BEATS"]
    assert ["accessLogFile", '""', "local", '"/dev/stdout"'] in cells
    assert ["enableTracing", "true", "shared"] in cells
    assert ["trustDomainAliases[0]", '"old.example.com"', "shared"] in cells


def test_merge_mesh_prints_the_effective_config() -> None:
    """Without --explain the mesh config itself is printed; what is ignored or refused goes to standard error."""
    shared = "fooBar: 1\nconnectTimeout: 0s\n"
    done = run("merge-mesh", "--shared", "-", "--local", MESH / "operator.yaml", "--release", "1.24", stdin=shared)
    assert done.returncode == 1
    assert yaml.load(done.stdout)["rootNamespace"] == "external-istiod"
    assert done.stderr.splitlines() == [
        "<stdin>:1: fooBar: is unknown to Istio: leave it out",
        "<stdin>:2: connectTimeout: is '0s': use whole milliseconds from 1ms to 1h",
    ]


def test_merge_mesh_refuses_and_emulates() -> None:
    """A broken source is refused; with --emulate its remains are shown, and still the exit code is 1."""
    words = ("merge-mesh", "--release", "1.31", "--shared", MESH / "admin.yaml", "--local", "-")
    problem = "<stdin>:1: rootNamespace: must be text, not the number 5: put it in quotes\n"
    done = run(*words, stdin="rootNamespace: 5\n")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", problem)
    done = run(*words, "--emulate", stdin="rootNamespace: 5\n")
    assert (done.returncode, done.stderr) == (1, problem)
    assert "defaultConfig" not in yaml.load(done.stdout)


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod, namespace: external-istiod}
spec:
  template:
    spec:
      containers: [{name: discovery, volumeMounts: []}]
      volumes: []
"""


def test_patch(tmp_path: Path) -> None:
    """Rendered manifests are printed with the overlays applied, or the change as kustomize patches."""
    plan(load(GUIDE, release="1.18")).write(tmp_path)
    istiod = tmp_path / "external/external-istiod.yaml"
    words = ("patch", "--release", "1.31", "--overlays", istiod)
    done = run(*words, "-", stdin=DEPLOYMENT)
    assert (done.returncode, done.stderr) == (0, "")
    pod = yaml.load(done.stdout)["spec"]["template"]["spec"]
    assert [volume["name"] for volume in pod["volumes"]] == ["config-volume", "inject-volume"]
    done = run(*words, "--json6902", "-", stdin=DEPLOYMENT)
    [patch] = yaml.load(done.stdout)["patches"]
    assert patch["target"] == {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
        "name": "istiod",
        "namespace": "external-istiod",
    }
    line = 1 + istiod.read_text().splitlines().index("        - kind: Deployment")
    done = run(*words, "-", stdin=DEPLOYMENT.replace("istiod,", "other,"))
    assert done.returncode == 1
    assert done.stderr == (
        f"{istiod}:{line}: spec.components.pilot.k8s.overlays[0]: no object is "
        "Deployment 'istiod', and istioctl 1.31 ignores this overlay silently: "
        "correct kind or name\n"
    )
    done = run("patch", "--overlays", "-", tmp_path / "external/namespace.yaml", stdin="kind: IstioOperator\nspce: 1\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "<stdin>:2: spce: unknown key: did you mean 'spec'?"


def test_compose(tmp_path: Path) -> None:
    """Files and flags are printed as one IstioOperator; a wrong flag is a problem."""
    (tmp_path / "a.yaml").write_text("kind: IstioOperator\nspec: {profile: empty, values: {a: 1}}\n")
    words = ("compose", "-f", tmp_path / "a.yaml", "-f", "-", "--set", "values.c=3", "--release", "1.24")
    done = run(*words, stdin="kind: IstioOperator\nspec: {values: {b: 2}}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.load(done.stdout)["spec"] == {"profile": "empty", "values": {"a": 1, "b": 2, "c": 3}}
    done = run(*words, "--set", "x", stdin="kind: IstioOperator\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "set[1]: 'x' is no assignment: write path=value\n"


OURS = """\
kind: IstioOperator
spec:
  components: {pilot: {k8s: {env: [{name: A, value: "1"}, {name: "\\u202eB", value: "2"}]}}}
"""
MINE = """\
kind: IstioOperator
spec:
  components:
    pilot:
      k8s:
        env: [{name: C, value: "3"}]
"""


@pytest.mark.parametrize("strict", [False, True])
def test_compose_reports_what_is_dropped(tmp_path: Path, strict: bool) -> None:
    """What a file drops is reported with its name and line, without invisible characters; the output is istioctl's."""
    (tmp_path / "ours.yaml").write_text(OURS)
    words = ["compose", "-f", "ours.yaml", "-f", "-", "--release", "1.27", *(["--strict"] if strict else [])]
    done = run(*words, "--set", "components.pilot.k8s=1", stdin=MINE, cwd=tmp_path)
    assert done.returncode == int(strict)
    assert yaml.load(done.stdout)["spec"] == {"components": {"pilot": {"k8s": 1}}}
    assert done.stderr.splitlines() == [
        "<stdin>:6: spec.components.pilot.k8s.env: replaces the list of ours.yaml and drops A, \\u202eB: "
        "use spec.values.pilot.env, or repeat them",
        "--set components.pilot.k8s=1: spec.components.pilot.k8s: replaces the mapping of <stdin> "
        "and drops env: repeat them where they are to stay",
    ]
    assert run("compose", "-f", "ours.yaml", "--strict", cwd=tmp_path).returncode == 0


def test_compose_explains(tmp_path: Path) -> None:
    """Each value has the file or the flag that set it; what is dropped is reported beside."""
    (tmp_path / "ours.yaml").write_text(OURS)
    words = ("compose", "-f", "ours.yaml", "-f", "-", "--release", "1.27", "--explain", "--set", "hub=a b")
    done = run(*words, stdin=MINE, cwd=tmp_path)
    assert [line.split("  ") for line in (" ".join(line.split()) for line in done.stdout.splitlines())] == [
        ["PATH VALUE SET BY"],
        ['apiVersion "install.istio.io/v1alpha1" istioctl'],
        ['kind "IstioOperator" <stdin>'],
        ['spec.components.pilot.k8s.env[0].name "C" <stdin>'],
        ['spec.components.pilot.k8s.env[0].value "3" <stdin>'],
        ['spec.hub "a b" --set hub=a b'],
    ]
    assert done.stderr.startswith("<stdin>:6: spec.components.pilot.k8s.env: replaces the list of ours.yaml")
    done = run(*words, "--preview", stdin=MINE, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--preview shows who set each value anyway: leave --explain out." in done.stderr


def test_problems_of_compose_name_their_files(tmp_path: Path) -> None:
    """All wrong files and flags are reported at once, with their names and lines."""
    (tmp_path / "a.yaml").write_text("a: [")
    words = ("compose", "--release", "1.31", "-f", "a.yaml", "-f", "-", "--set", "x")
    done = run(*words, stdin="[]", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "a.yaml:2: not YAML: did not find expected node content",
        "<stdin>: must be a mapping with `kind: IstioOperator`",
        "set[0]: 'x' is no assignment: write path=value",
    ]


def test_merge_mesh_takes_documents_for_what_they_are(tmp_path: Path) -> None:
    """Istiod's own mesh config is read from its IstioOperator; what it drops of the shared one is reported."""
    plan(load(GUIDE)).write(tmp_path)
    (tmp_path / "admin.yaml").write_text("extensionProviders:\n- {name: a, lightstep: {port: 1}}\nfooBar: 1\n")
    own = "kind: IstioOperator\nspec:\n  meshConfig:\n    extensionProviders:\n    - {name: a, zipkin: {port: 1}}\n"
    words = ("merge-mesh", "--shared", "admin.yaml", "--release", "1.24")
    done = run(*words, "--local", "external/external-istiod.yaml", cwd=tmp_path)
    assert yaml.load(done.stdout)["rootNamespace"] == "external-istiod"
    done = run(*words, "--local", "-", stdin=own, cwd=tmp_path)
    assert done.stderr.splitlines()[:2] == [
        "admin.yaml:3: fooBar: is unknown to Istio: leave it out",
        "<stdin>:4: extensionProviders.a: replaces the mapping of admin.yaml and drops lightstep: "
        "repeat them where they are to stay",
    ]
    done = run(*words, "--local", "external/namespace.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "external/namespace.yaml:2: kind: 'Namespace' does not hold what istiod reads: "
        "give a mesh config, its ConfigMap, an IstioOperator or an Istio of Sail\n"
        "admin.yaml:3: fooBar: is unknown to Istio: leave it out\n"
    )
    done = run(*words, "--local", "-", stdin="kind: ConfigMap\ndata: {mash: x}\n", cwd=tmp_path)
    assert done.stderr.splitlines()[0] == (
        "<stdin>: data: has no key 'mesh', and istiod reads no other: it is as good as none"
    )


def test_compose_preview() -> None:
    """Components and values are merged with the profile, and shown with who set them."""
    operator = "kind: IstioOperator\nspec: {profile: remote, values: {global: {istioNamespace: ns}}}\n"
    done = run(
        "compose", "-f", "-", "--set", "values.global.network=n", "--release", "1.24", "--preview", stdin=operator
    )
    assert (done.returncode, done.stderr) == (0, "")
    cells = [line.split() for line in done.stdout.splitlines()]
    assert ["pilot", "on", "ns"] in cells
    assert ["istio-ingressgateway", "off", "ns"] in cells
    assert ["global.istioNamespace", '"ns"', "<stdin>"] in cells
    assert ["global.network", '"n"', "--set", "values.global.network=n"] in cells
    assert ["profile", '"remote"', "profile", "remote"] in cells


def test_validate_our_own_files(tmp_path: Path) -> None:
    """All that generate writes passes, the whole folder at once; the last line says what was looked at."""
    plan(load(GUIDE)).write(tmp_path)
    done = run("validate", "--release", "1.24", tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "Checked 14 documents by the rules of Istio 1.24: 0 errors, 0 warnings; "
        "skipped 15 (5 Namespace, 2 ServiceAccount, 4 Service, 4 Deployment); the release is the one asked for\n"
    )
    assert run("validate", "--release", "1.24", "--strict", tmp_path).returncode == 1


WRONG = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: ns}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [short]}]}
---
kind: Secret
---
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: op}
spec: {meshConfig: {fooBar: 1}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio}
data: {mesh: "connectTimeout: 0s", meshNetworks: "networks: {a: {gateways: [{address: x_y, port: 1}]}}"}
"""


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_validate_wrong_files(form: str) -> None:
    """Every finding of every document is reported, as lines, JSON or SARIF; errors make the exit code 1."""
    done = run("validate", "--release", "1.24", "--format", form, "-", stdin=WRONG)
    assert (done.returncode, done.stderr) == (
        1,
        "Checked 3 documents by the rules of Istio 1.24: 3 errors, 1 warning; skipped 1 (1 Secret); "
        "the release is the one asked for\n",
    )
    host = "is 'short', which no client can name: use a host name with a dot, an IPv4 address or '*'"
    if form == "text":
        assert done.stdout.splitlines() == [
            f"<stdin>:4 Gateway ns/gw error: spec.servers[0].hosts[0]: {host}",
            "<stdin>:11 IstioOperator op warning: spec.meshConfig.fooBar: is unknown to Istio: leave it out",
            "<stdin>:16 ConfigMap istio error: data.mesh.connectTimeout: is '0s': "
            "use whole milliseconds from 1ms to 1h",
            "<stdin>:16 ConfigMap istio error: data.meshNetworks.networks.a.gateways[0].address: is 'x_y', "
            "which is neither an IP address nor a host name: correct it",
        ]
        return
    report = json.loads(done.stdout)
    found = report if form == "json" else report["runs"][0]["results"]
    assert [each["level"] for each in found] == ["error", "warning", "error", "error"]
    assert host in json.dumps(found[0])


def test_validate_a_topology() -> None:
    """A topology among the files is checked as generate would."""
    text = GUIDE.read_text()
    assert run("validate", "-", stdin=text).returncode == 0
    done = run("validate", "-", stdin=text.replace("network: network2", "network: a/b"))
    assert done.returncode == 1
    assert done.stdout.startswith(
        "<stdin>:25 ExternalControlPlane mesh1 error: spec.remoteClusters[0].network: 'a/b' is not a valid label"
    )


GATEWAY = "{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g}, spec: {servers: []}}\n"


def test_validate_folders(tmp_path: Path) -> None:
    """All YAML and JSON files of a folder are read in order, but hidden ones and our own list; loops of links end."""
    for name in ("b/z.yml", "b/a.json", "a.yaml", ".git/x.yaml", ".extcp-manifests.json", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(GATEWAY)
    (tmp_path / "b/loop").symlink_to(tmp_path)
    done = run("validate", "--release", "1.30", ".", "a.yaml", cwd=tmp_path)
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["a.yaml", "b/a.json", "b/z.yml"]
    assert done.stderr == (
        "Checked 3 documents by the rules of Istio 1.30: 3 errors, 0 warnings; the release is the one asked for\n"
    )


def test_validate_an_empty_folder(tmp_path: Path) -> None:
    """A folder without anything to check is an error."""
    done = run("validate", ".", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ".: has no .yaml, .yml or .json file: name another folder\n"


def test_validate_nothing() -> None:
    """Empty standard input is an error, since what should have written it may have failed."""
    done = run("validate", "-")
    assert done.returncode == 1
    assert done.stdout == (
        "<stdin> error: holds no document: give the documents to check, and look whether what wrote it failed\n"
    )


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--strict",), 1)])
def test_validate_strictly(words: tuple[str, ...], code: int) -> None:
    """What was skipped is reported, and makes the exit code 1 only with --strict."""
    done = run("validate", "--release", "1.30", *words, "-", stdin="{apiVersion: apps/v1, kind: Deployment}\n")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == (
        "Checked 0 documents by the rules of Istio 1.30: 0 errors, 0 warnings; skipped 1 (1 Deployment); "
        "the release is the one asked for\n"
    )


OPERATOR = "{{apiVersion: install.istio.io/v1alpha1, kind: IstioOperator, spec: {{tag: {}, profile: empty}}}}\n"


def test_the_release_that_documents_tell(tmp_path: Path) -> None:
    """Commands say on standard error which release's rules they use without --release, and why."""
    (tmp_path / "a.yaml").write_text(OPERATOR.format("1.24.6"))
    (tmp_path / "b.yaml").write_text(OPERATOR.format("1.27.9"))
    words = ("compose", "-f", tmp_path / "a.yaml")
    assert run(*words).stderr == "By the rules of Istio 1.24, named by spec.tag\n"
    assert run(*words, "--release", "1.26").stderr == ""
    done = run(*words, "-f", tmp_path / "b.yaml")
    problem = "the documents name different releases, 1.24 (spec.tag), 1.27 (spec.tag): choose one with --release\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", problem)
    done = run("compose", "-f", "-", stdin="{kind: IstioOperator, spec: {}}")
    newest = list(RELEASES)[-1]
    reason = "the newest, since no document names one: use --release for another"
    assert done.stderr == f"By the rules of Istio {newest}, {reason}\n"


def test_validate_broken_files() -> None:
    """A text that is not YAML is an error of the file."""
    done = run("validate", "-", stdin="a: [\n")
    assert done.returncode == 1
    assert done.stdout == "<stdin>:2 error: not YAML: did not find expected node content\n"


def test_both_mesh_configs_explained(tmp_path: Path) -> None:
    """`plan --explain` shows what istiod makes of the operator's mesh config and the mesh admin's."""
    spec = yaml.load((ROOT / "examples/guide.yaml").read_text())
    spec["spec"]["configCluster"]["meshConfig"] = {"accessLogFile": "/dev/stdout", "rootNamespace": "x"}
    (tmp_path / "mesh.yaml").write_text(yaml.dump(spec))
    lines = run("plan", "--explain", str(tmp_path / "mesh.yaml")).stdout.splitlines()
    assert lines[:5] == [
        "spec.configCluster  meshConfig.accessLogFile: /dev/stdout  (settings)",
        "spec.configCluster  meshConfig.rootNamespace: x  (settings)",
        "",
        "The mesh config that istiod runs with; shared is spec.configCluster.meshConfig:",
        "",
    ]
    assert [line.split() for line in lines[5:]] == [
        ["PATH", "VALUE", "SET", "BY", "BEATS"],
        ["rootNamespace", '"external-istiod"', "local", '"x"'],
        ["defaultConfig.discoveryAddress", '"myhost.example.com:15012"', "local"],
        ["defaultConfig.proxyMetadata.XDS_ROOT_CA", '"/etc/ssl/certs/ca-certificates.crt"', "local"],
        ["defaultConfig.proxyMetadata.CA_ROOT_CA", '"/etc/ssl/certs/ca-certificates.crt"', "local"],
        ["accessLogFile", '"/dev/stdout"', "local"],
    ]


def test_releases() -> None:
    """Every release is listed with its Kubernetes versions and what changes with it."""
    lines = run("releases").stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        f"{release.name}  Kubernetes {release.kubernetes or 'not known'}" for release in RELEASES.values()
    ]
    assert lines[:3] == [
        "1.15  Kubernetes 1.22-1.25",
        "1.16  Kubernetes 1.22-1.25",
        "      - remote clusters use the profile `remote`, before that `external`",
    ]
    assert lines[lines.index("1.30  Kubernetes 1.32-1.36") + 1] == "      - the address may be IPv6"


@pytest.mark.parametrize("words", [("generate", GUIDE), ("plan", GUIDE), ("schema",), ("releases",)])
def test_nobody_reads_on(words: tuple[str | Path, ...]) -> None:
    """A reader that goes away early ends the command quietly, with the exit code of other tools."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "extcp_manifests", *words]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_what_a_run_would_change(tmp_path: Path) -> None:
    """--check and --diff write nothing, list what would change, and exit 1 if anything would."""
    topology, out = tmp_path / "mesh.yaml", tmp_path / "out"
    topology.write_text(GUIDE.read_text())
    first = run("generate", topology, "-o", out, "--check")
    assert first.returncode == 1
    assert first.stdout.splitlines()[0] == f"{out / 'external/controlplane-gateway.yaml'}: new"
    assert not out.exists()
    run("generate", topology, "-o", out)
    same = run("generate", topology, "-o", out, "--check", "--diff")
    assert (same.returncode, same.stdout, same.stderr) == (0, "", "")
    topology.write_text(GUIDE.read_text().replace("/dev/stdout", "/dev/stderr"))
    (out / "cluster1/namespace.yaml").unlink()
    listed = f"{out / 'cluster1/namespace.yaml'}: missing\n{out / 'external/external-istiod.yaml'}: changed\n"
    changed = run("generate", topology, "-o", out, "--check")
    assert (changed.returncode, changed.stdout) == (1, listed)
    shown = run("generate", topology, "-o", out, "--diff")
    assert shown.returncode == 1
    assert shown.stdout.startswith(f"{listed}\n+ cluster1/namespace.yaml\n")
    assert shown.stdout.endswith('  ~ spec.meshConfig.accessLogFile: "/dev/stdout" -> "/dev/stderr"\n')
    assert not (out / "cluster1/namespace.yaml").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--check",), "--check, --diff and --force need -o DIR."),
        (("-o", "out", "--check", "--force"), "--force writes, while --check and --diff do not: choose one."),
    ],
)
def test_options_that_do_not_go_together(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """Options that contradict each other are a wrong call."""
    done = run("generate", GUIDE, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("words", [("generate",), ("kustomize",), ("argocd", "--repo", "https://x"), ("flux",)])
def test_edits_stay_without_force(words: tuple[str, ...], tmp_path: Path) -> None:
    """Every command that writes a folder keeps and reports what was edited by hand, and overwrites it with --force."""
    name, *options = words
    command: list[str | Path] = [name, GUIDE, "-o", tmp_path, *options]
    first = run(*command)
    assert first.returncode == 0
    edited = Path(first.stdout.splitlines()[0])
    edited.write_text("mine")
    checked = run(*command, "--check")
    assert (checked.returncode, checked.stdout) == (1, f"{edited}: edited by hand\n")
    refused = run(*command)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"{edited}: was edited by hand: ")
    assert edited.read_text() == "mine"
    assert run(*command, "--force").returncode == 0
    assert run(*command, "--check").returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("kustomize", str(GUIDE), "-o", "tree", "--overlay", "prod"), "tree/external/"),
        (("flux", str(GUIDE), "-o", "tree/flux"), "tree/flux/"),
        (("plugin", "install", "--home", "home"), "home/"),
    ],
)
def test_files_that_do_not_fit(words: tuple[str, ...], file: str, tmp_path: Path) -> None:
    """Where a file cannot be written, as on a full disk, everything stays as it was, and the message names the file."""
    run("kustomize", GUIDE, "-o", "tree", "--release", "1.23", cwd=tmp_path)
    run("plugin", "install", "--home", "home", cwd=tmp_path)
    (program,) = (path for path in (tmp_path / "home").rglob("*") if path.is_file())
    program.write_text("old")
    before = content(tmp_path)
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)); "
    command = [sys.executable, "-c", f"{limited}from extcp_manifests.cli import main; main()", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(file)
    assert done.stderr.endswith(": File too large: correct this and run again; nothing was changed\n")
    assert content(tmp_path) == before
