"""The injection path: what is written, and what istiod reads."""

import posixpath
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, injection

NAMES = st.one_of(
    st.text(min_size=1, max_size=30),
    st.lists(st.sampled_from(["/", "--slash--", "-", "slash", ".", "..", ":ENV:", "=", "%", "%2F", "a", "é"])).map(
        "".join
    ),
)


@given(NAMES, NAMES)
def test_decode_reads_what_encode_wrote(cluster: str, network: str) -> None:
    """decode returns every name unchanged that encode accepts."""
    try:
        path = injection.encode(cluster=cluster, network=network)
    except InvalidInput as error:
        assert {problem.path for problem in error.problems} <= {"cluster", "network"}
    else:
        assert injection.decode(path) == {injection.CLUSTER_ID: cluster, injection.NETWORK: network}


@given(NAMES, NAMES)
def test_names_survive_the_way_through_kubernetes(cluster: str, network: str) -> None:
    """kube-apiserver unescapes an injectionURL once and cleans its path, which leaves the names unchanged."""
    try:
        url = injection.url("myhost.example.com:15017", cluster=cluster, network=network)
    except InvalidInput:
        return
    assert url.isascii()
    assert not set(url) & set('"\\ <>^`{|}')
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", "myhost.example.com:15017", "", "")
    arrived = posixpath.normpath(unquote(parts.path))
    assert injection.decode(arrived) == {injection.CLUSTER_ID: cluster, injection.NETWORK: network}
    assert injection.decode_url(url) == injection.decode(arrived)


@pytest.mark.parametrize(
    ("cluster", "url"),
    [
        ("cluster1", "cluster1"),
        ("cluster/1", "cluster--slash--1"),
        ("a//b", "a--slash----slash--b"),
        ("/", "--slash--"),
        ("gke_p_us-east1_c", "gke_p_us-east1_c"),
        ("arn:aws:eks:us-east-1:1:cluster/x", "arn:aws:eks:us-east-1:1:cluster--slash--x"),
        ("a?b", "a%3Fb"),
        ("a#b", "a%23b"),
        ("a%20b", "a%2520b"),
        ("a%2Fb", "a%252Fb"),
        ("a b", "a%20b"),
        ('a"b\\c', "a%22b%5Cc"),
        ("é", "%C3%A9"),
        (":ENV:x=y", ":ENV:x=y"),
    ],
)
def test_urls(cluster: str, url: str) -> None:
    """A slash is spelled out; what a URL or a chart would misread is escaped; all else stays readable."""
    assert injection.url("h.example.com:15017", cluster=cluster, network="n1") == (
        f"https://h.example.com:15017/inject/cluster/{url}/net/n1"
    )


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "'' vanishes from the injection path: choose a name with other characters than dots"),
        (".", "'.' vanishes from the injection path: choose a name with other characters than dots"),
        ("..", "'..' vanishes from the injection path: choose a name with other characters than dots"),
        ("a--slash--b", "istiod would read 'a--slash--b' as 'a/b': choose a name without '--slash--'"),
        ("--slash/", "istiod would read '--slash/' as '/slash--': choose a name without '--slash--'"),
        ("a\nb", "'a\\nb' has a control character: leave it out"),
    ],
)
def test_names_that_are_refused(name: str, problem: str) -> None:
    """Names that istiod would read as other ones are refused, both at once."""
    with pytest.raises(InvalidInput) as caught:
        injection.encode(cluster=name, network=name)
    assert str(caught.value).splitlines() == [f"cluster: {problem}", f"network: {problem}"]


@pytest.mark.parametrize("name", ["cluster1", "a.b", "cluster/1", "a//b", "x" * 64])
def test_names_in_a_service_path(name: str) -> None:
    """An injectionPath takes names that are DNS-1123 subdomains once the slashes are spelled out."""
    path = injection.service_path(cluster=name, network="n")
    assert injection.decode(path) == {injection.CLUSTER_ID: name, injection.NETWORK: "n"}


@pytest.mark.parametrize(
    "name", ["/a", "a/", "/", "Cluster1", "a_b", "a:b", " ", "é", "cluster-", "-a", "a%b", "x" * 254]
)
def test_names_that_a_service_path_cannot_have(name: str) -> None:
    """Names for which Kubernetes would refuse the webhook are refused."""
    with pytest.raises(InvalidInput) as caught:
        injection.service_path(cluster=name, network="n")
    assert str(caught.value) == (
        f"cluster: {name!r} cannot stand in a webhook's service path, which an IP address needs: "
        "use a-z, 0-9, '-' and '.', or expose istiod by a host name"
    )


@pytest.mark.parametrize(
    ("path", "variables"),
    [
        ("/", {}),
        ("/inject", {}),
        ("/inject/", {}),
        ("/inject/cluster", {}),
        ("/inject/cluster/c1/net/n1", {"ISTIO_META_CLUSTER_ID": "c1", "ISTIO_META_NETWORK": "n1"}),
        ("/inject/net/n1/cluster/c1/", {"ISTIO_META_CLUSTER_ID": "c1", "ISTIO_META_NETWORK": "n1"}),
        ("/inject/cluster/c1/network", {"ISTIO_META_CLUSTER_ID": "c1"}),
        ("/inject/a/b//", {"A": "b"}),
        ("/other/cluster/c1", {"ISTIO_META_CLUSTER_ID": "c1"}),
        ("/inject/custom_key/v/cluster/c1", {"CUSTOM_KEY": "v", "ISTIO_META_CLUSTER_ID": "c1"}),
        ("/inject//x/cluster/c1", {"ISTIO_META_CLUSTER_ID": "c1"}),
        ("/inject/cluster/a/cluster/b", {"ISTIO_META_CLUSTER_ID": "b"}),
        ("/inject/cluster/a--slash----slash--b", {"ISTIO_META_CLUSTER_ID": "a//b"}),
        ("/inject/a--slash--b/v", {"A--SLASH--B": "v"}),
        ("/inject/:ENV:cluster=c1:ENV:net=a/b=c", {"ISTIO_META_CLUSTER_ID": "c1", "ISTIO_META_NETWORK": "a/b=c"}),
        ("/inject/:ENV:k=--slash--:ENV:=x:ENV:odd:ENV:e=", {"K": "--slash--", "E": ""}),
        ("/inject/cluster/:ENV:x=y", {"ISTIO_META_CLUSTER_ID": ":ENV:x=y"}),
        ("inject/cluster/c1", {}),
    ],
)
def test_decode_reads_as_istiod(path: str, variables: dict[str, str]) -> None:
    """Odd counts, empty and custom keys, repeats and the deprecated form come out as in istiod."""
    assert injection.decode(path) == variables


@given(st.text(alphabet="/:ENV=a-slh.", max_size=40))
def test_decode_never_fails(path: str) -> None:
    """istiod reads any path, and so does decode."""
    assert all(name and name == name.upper() for name in injection.decode(path))


@pytest.mark.parametrize(
    ("url", "variables"),
    [
        ("https://h:15017/inject/cluster//net/n1", {"ISTIO_META_CLUSTER_ID": "net"}),
        ("https://h:15017/inject/cluster/../net/n1", {"ISTIO_META_NETWORK": "n1"}),
        ("https://[", {}),
        ("https://\u2100/inject/cluster/a?x#y", {"ISTIO_META_CLUSTER_ID": "a"}),
        ("https://h:15017/inject/cluster/a%2Fb/net/n1", {"ISTIO_META_CLUSTER_ID": "a", "B": "net"}),
    ],
)
def test_urls_that_lose_names(url: str, variables: dict[str, str]) -> None:
    """Paths that encode never writes are read as kube-apiserver passes them on."""
    assert injection.decode_url(url) == variables


def capitals_of_go() -> dict[str, str]:
    """Return the characters that Go's strings.ToUpper changes, each with its capital."""
    lines = (Path(__file__).parent / "cases/go_upper.txt").read_text("utf-8").splitlines()
    capitals = {}
    for line in lines:
        if not line.startswith("#"):
            first, last, step, distance = line.split()
            for code in range(int(first, 16), int(last, 16) + 1, int(step)):
                capitals[chr(code)] = chr(code + int(distance))
    return capitals


def test_upper_case_is_that_of_go() -> None:
    """Every character of Unicode gets the capital that Go gives it, and no other."""
    capitals = capitals_of_go()
    assert len(capitals) == 1450
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    capitalized = injection.go_upper("".join(characters))
    pairs = zip(characters, capitalized, strict=True)
    assert [one for one, other in pairs if other != capitals.get(one, one)] == []


@pytest.mark.parametrize(
    ("path", "variables"),
    [
        ("/x/ß//", {"ß": ""}),
        ("/inject/straße/1", {"STRAßE": "1"}),
        ("/inject/ᾳ/1", {"ᾼ": "1"}),
        ("/inject/ǆ/1/ǅ/2", {"Ǆ": "2"}),
    ],
)
def test_custom_keys(path: str, variables: dict[str, str]) -> None:
    """A custom key becomes a variable in Go's upper case, in which no letter becomes two."""
    assert injection.decode(path) == variables


NO_CLUSTER = "tells no cluster, which istiod then does not know: "
NO_NETWORK = "tells no network, which istiod then does not know: "
EXAMPLE = "write it as in /inject/cluster/NAME/net/NAME"


@pytest.mark.parametrize(
    ("path", "problems"),
    [
        ("/inject/cluster/a/net/b", []),
        ("https://h:15017/inject/cluster/a--slash--b/net/n", []),
        (
            "https://h:15017/inject/cluster/a%2Fb/net/n",
            [
                NO_NETWORK + EXAMPLE,
                "has the key 'b', which istiod makes the variable 'B': leave it out if not meant",
            ],
        ),
        ("/inject", [NO_CLUSTER + EXAMPLE, NO_NETWORK + EXAMPLE]),
        ("", [NO_CLUSTER + EXAMPLE, NO_NETWORK + EXAMPLE]),
        ("/inject/cluster/a", [NO_NETWORK + EXAMPLE]),
        ("/inject/cluster/a/network/b", [NO_NETWORK + "write net/NAME instead of network/"]),
        ("/inject/Clusters/a/net/b", [NO_CLUSTER + "write cluster/NAME instead of Clusters/"]),
        ("/inject/cluster//net/b", [f"tells an empty cluster: {EXAMPLE}"]),
        (
            "/inject/cluster/a/net/b/network/c/x/y",
            [
                "has the key 'network', which istiod makes the variable 'NETWORK': leave it out if not meant",
                "has the key 'x', which istiod makes the variable 'X': leave it out if not meant",
            ],
        ),
        ("/inject/:ENV:cluster=a:ENV:net=b", []),
    ],
)
def test_doubts(path: str, problems: list[str]) -> None:
    """A path that lacks the cluster or the network, or has further keys, is reported with the way out."""
    assert [str(problem) for problem in injection.doubts(path)] == problems


@given(st.text())
def test_doubts_never_fail(path: str) -> None:
    """Every path that lacks the cluster or the network is reported."""
    problems = injection.doubts(path)
    variables = injection.decode_url(path) if injection.is_url(path) else injection.decode(path)
    assert problems or (variables.get(injection.CLUSTER_ID) and variables.get(injection.NETWORK))
