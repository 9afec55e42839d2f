"""How to reach the API servers of remote clusters; kept apart from the topology, since tokens are secrets."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import PydanticCustomError

from extcp_manifests.builders.secrets import why_no_tls_server_name
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.inputs import CONFIG, Readable, from_file, matching, problems_of, read
from extcp_manifests.release import Release
from extcp_manifests.text import DNS_SUBDOMAIN


def _why_no_server(text: str) -> str | None:
    return None if _SERVER.fullmatch(text) else "is no URL of an API server: write it as in https://192.0.2.20:6443"


def _why_no_ca(text: str) -> str | None:
    return (
        None
        if "-----BEGIN CERTIFICATE-----" in text and text.isascii()
        else "is no certificate: give the text of ca.crt, in PEM form"
    )


def _why_no_server_name(text: str) -> str | None:
    return None if DNS_SUBDOMAIN.fullmatch(text) else "is no host name: use a-z, 0-9, inner '-' and '.'"


def _token(token: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise PydanticCustomError("unfit", "is no token: give its text, without blanks or line breaks")
    return token


_SERVER = re.compile(r"https://[^\s/?#@\x00-\x1f\x7f]+(?:/[^\s?#\x00-\x1f\x7f]*)?")
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterCredentials:
    """How istiod reaches one cluster.

    The token is one of the ServiceAccount `istiod` (`istiod-REVISION`) in the config cluster, and of
    `istio-reader-service-account` in every other; both accounts are there once the cluster is set up.
    """

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    server: Annotated[str, matching(_why_no_server), Field(description="URL of the API server.")]
    ca: Annotated[str, matching(_why_no_ca), Field(description="The API server's CA certificates, in PEM form.")]
    token: Annotated[SecretStr, AfterValidator(_token), Field(description="Token of a ServiceAccount there.")]
    tls_server_name: Annotated[
        Annotated[str, matching(_why_no_server_name)] | None,
        Field(description="Name in the API server's certificate, if not the server's own; from Istio 1.26."),
    ] = None


def load_credentials(source: Readable, *, name: str = "") -> dict[str, ClusterCredentials]:
    """Read the credentials of clusters, by the clusters' names, from a file, a YAML text or a mapping.

    The form is `{apiVersion: extcp-manifests/v1, kind: Credentials, clusters: {NAME: {server, ca, token}}}`; what is a
    text is told as in `load`, and `name` is what problems call it. Raises InvalidInput, without any value, with every
    problem; OSError for a file that cannot be read.
    """
    try:
        content = read(source, name=name)
    except InvalidInput as error:
        hint = "look for a tag, an alias, a key that stands twice, or a number without quotes"
        problem = f"is not YAML as it is read here: {hint}"
        raise InvalidInput(replace(each, message=problem) for each in error.problems) from None
    file, problems = from_file(_File, content.data, secret=True)
    if problems:
        raise InvalidInput(content.located(problems))
    return dict(file.clusters)


def checked_credentials(
    credentials: Mapping[str, ClusterCredentials], *, clusters: Iterable[str], release: Release
) -> dict[str, ClusterCredentials]:
    """Credentials that fit the clusters of a topology and its release.

    Raises InvalidInput, without any value, with every problem; paths begin with `credentials`.
    """
    problems: list[Problem] = []
    given: Mapping[str, ClusterCredentials] = {}
    try:
        given = _Python.model_validate({"credentials": credentials}).credentials
    except ValidationError as error:
        problems += problems_of(error, _Python, from_file=False, secret=True)
    known = set(clusters)
    for name in credentials if isinstance(credentials, Mapping) else ():
        if name not in known:
            problem = "no remote cluster of the topology has this name: correct it or leave it out"
            problems.append(Problem(f"credentials.{name}", problem))
        named = getattr(credentials[name], "tls_server_name", None) is not None
        if named and (why_not := why_no_tls_server_name(release)):
            problems.append(Problem(f"credentials.{name}.tls_server_name", why_not))
    if problems:
        raise InvalidInput(problems)
    return dict(given)


class _File(BaseModel):
    model_config = CONFIG

    api_version: Literal["extcp-manifests/v1"]
    kind: Literal["Credentials"]
    clusters: Mapping[str, ClusterCredentials]


class _Python(BaseModel):
    model_config = CONFIG

    credentials: Mapping[str, ClusterCredentials]
