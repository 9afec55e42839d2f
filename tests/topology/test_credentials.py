"""Credentials: what is accepted, and that no problem shows a value."""

from pathlib import Path

import pytest

from extcp_manifests import InvalidInput, load_credentials

ROOT = Path(__file__).parents[2]
HEAD = "apiVersion: extcp-manifests/v1\nkind: Credentials\nclusters:\n"


def test_a_file_of_credentials() -> None:
    """A file gives the credentials by the clusters' names, their tokens hidden."""
    credentials = load_credentials(ROOT / "tests/topologies/hostile.credentials.yaml")
    assert list(credentials) == ["arn:aws:eks:us-east-1:111122223333:cluster/prod?a=b%2F#c", "1_0"]
    assert credentials["1_0"].token.get_secret_value() == "1e3"
    assert "not-a-token-1" not in repr(credentials)


def test_problems_show_no_value() -> None:
    """Every problem is told, and none of them shows a server, a certificate or a token."""
    with pytest.raises(InvalidInput) as caught:
        load_credentials(
            HEAD
            + "  a: {server: http://SECRET, ca: SECRET, token: SEC RET}\n"
            + "  b: {server: https://u:SECRET@h, ca: 5, token: 12345678, password: SECRET}\n"
            + "  c: SECRET\n"
            + "  d: {server: https://h, tlsServerName: SECRET}\n"
        )
    assert str(caught.value).splitlines() == [
        "line 4: clusters.a.server: is not the URL of an API server: write it as in https://192.0.2.20:6443",
        "line 4: clusters.a.ca: is not a certificate: give the text of ca.crt, in PEM form",
        "line 4: clusters.a.token: is not a valid token: give its text, without blanks or line breaks",
        "line 5: clusters.b.server: has something before an '@': leave user and password out, "
        "since istiod has a token for it",
        "line 5: clusters.b.ca: must be text, not a number: put it in quotes",
        "line 5: clusters.b.token: must be text, not a number: put it in quotes",
        "line 5: clusters.b: has an unknown key: known are server, ca, token, tlsServerName",
        "line 6: clusters.c: must be a mapping, not text",
        "line 7: clusters.d.ca: is required: add it",
        "line 7: clusters.d.token: is required: add it",
        "line 7: clusters.d.tlsServerName: is not a valid host name: use a-z, 0-9, inner '-' and '.'",
    ]
    shown = repr(caught.value) + repr(caught.value.__context__) + repr(caught.value.__cause__)
    assert "SECRET" not in shown
    assert "12345678" not in shown


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (
            "Config",
            "is Config, so this is a kubeconfig: make a document of kind Credentials of its server, its "
            "certificate-authority-data (decoded, as ca) and the token of a ServiceAccount",
        ),
        (
            "Secret",
            "is Secret: make a document of kind Credentials of the server's URL and the Secret's ca.crt and token, "
            "decoded",
        ),
        (
            "ExternalControlPlane",
            "is ExternalControlPlane, so this is a topology: give a document of kind Credentials",
        ),
    ],
)
def test_other_documents_are_named(kind: str, problem: str) -> None:
    """What is often given instead of credentials is named as what it is, with what to make of it."""
    with pytest.raises(InvalidInput) as caught:
        load_credentials(f"apiVersion: v1\nkind: {kind}\nusers: []\n")
    assert str(caught.value) == f"line 2: kind: {problem}"


@pytest.mark.parametrize(
    "server",
    [
        "https://127.0.0.1:6443",
        "https://127.9.9.9",
        "https://[::1]:6443",
        "https://[::ffff:127.0.0.1]:6443",
        "https://0.0.0.0:6550",
        "https://LOCALHOST:6443",
        "https://prod.localhost./",
        "https://kubernetes.docker.internal:6443",
    ],
)
def test_servers_that_only_one_machine_reaches(server: str) -> None:
    """A server as local clusters write it into kubeconfigs is refused, since istiod elsewhere cannot reach it."""
    document = {
        "apiVersion": "extcp-manifests/v1",
        "kind": "Credentials",
        "clusters": {"c": {"server": server, "ca": "-----BEGIN CERTIFICATE-----", "token": "t"}},
    }
    with pytest.raises(InvalidInput) as caught:
        load_credentials(document)
    assert str(caught.value) == (
        "clusters.c.server: is an address that leads each machine to itself, so istiod in another cluster cannot reach "
        "it: give the API server's address in the network, as `kind get kubeconfig --internal` shows it"
    )


@pytest.mark.parametrize(
    "text",
    [
        "  a: {token: 12345e678}\n",
        "  a: {token: !12345e678 x}\n",
        "  a: {token: *12345e678}\n",
        "  a: {12345e678: 1, 12345e678: 2}\n",
        "  a: {token: 12345e678\n  b: 12345e678]\n",
        "  a: {token: " + "12345e678" * 1000 + "}\n",
    ],
)
def test_broken_yaml_shows_no_value(text: str) -> None:
    """A broken file names its lines alone, whatever a token looks like."""
    with pytest.raises(InvalidInput) as caught:
        load_credentials(HEAD + text)
    assert "12345e678" not in str(caught.value)


def test_a_text_in_one_line_is_no_path() -> None:
    """A token that is given where a path is expected is not told as a file's name."""
    with pytest.raises(InvalidInput) as caught:
        load_credentials("token: SECRET")
    assert "SECRET" not in str(caught.value)
