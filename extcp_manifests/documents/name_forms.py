"""The forms that Kubernetes demands of names.

Each `why_not_...` returns a sentence that says why a text does not have the form and what to write instead, or None
where it has. The sentences follow the place of a problem: `spec.gateway.name: 'a.b' is not a valid DNS label: ...`.
"""

import re

from extcp_manifests.errors import visible
from extcp_manifests.patterns import pattern

# kubernetes apimachinery: pkg/util/validation/validation.go (DNS-1123 label and subdomain, label value, Secret key)
DNS_LABEL = pattern(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
DNS_SUBDOMAIN = pattern(rf"(?=.{{1,253}}\Z){DNS_LABEL.pattern}(?:\.{DNS_LABEL.pattern})*")
LABEL_VALUE = pattern(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
SECRET_KEY = pattern(r"(?!\.\.?\Z)[-._a-zA-Z0-9]{1,253}")

UNPRINTABLE = pattern("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters that no command line, environment variable or YAML stream carries unharmed."""


def why_not_dns_label(text: str, longest: int = 63) -> str | None:
    """Return why the text is not a DNS-1123 label, as namespaces and Services need it, or None."""
    if DNS_LABEL.fullmatch(text) and len(text) <= longest:
        return None
    return why_placeholder(text) or (
        f"{text!r} is not a valid DNS label: use a-z, 0-9 and inner '-', at most {longest} characters"
    )


def why_not_dns_subdomain(text: str) -> str | None:
    """Return why the text is not a DNS-1123 subdomain, as most other names need it, or None."""
    if DNS_SUBDOMAIN.fullmatch(text):
        return None
    return why_placeholder(text) or (
        f"{text!r} is not a valid DNS subdomain: use a-z, 0-9, inner '-' and '.', at most 253 characters"
    )


def why_not_label_value(text: str) -> str | None:
    """Return why the text cannot be the value of a label, or None."""
    if LABEL_VALUE.fullmatch(text) and len(text) <= 63:
        return None
    return why_placeholder(text) or (
        f"{text!r} is not a valid label value: use letters, digits and inner '-', '_' and '.', at most 63 characters"
    )


def why_not_printable(text: str) -> str | None:
    """Return why the text is not 1 to 253 characters that a reader can see, or None."""
    if not 0 < len(text) <= 253:
        return f"has {len(text)} characters: use 1 to 253"
    if not text.isprintable():
        if UNPRINTABLE.search(text):
            return f"{text!r} has a control character: leave it out"
        shown = visible(next(character for character in text if not character.isprintable()))
        return f"{text!r} has the character {shown}, which a reader does not see: leave it out"
    return _put_in(text, "value") if has_placeholder(text) else None


# -------------------------------------------------------------------------------------------------------- placeholders


def why_placeholder(text: str, what: str = "value") -> str | None:
    """Return that the text is still a placeholder, such as `${ADDRESS}`, `<address>` or `ISTIOD_ADDRESS`, or None.

    A word such as the last may be meant as it is where capitals and `_` are allowed; `why_not_printable` accepts it.
    """
    return _put_in(text, what) if has_placeholder(text) or _WORD.fullmatch(text) else None


def has_placeholder(text: str) -> bool:
    """Return whether some program should have put a value into the text, as for `${ADDRESS}` or `{{ .address }}`."""
    return _PLACEHOLDER.search(text) is not None


def has_user(text: str) -> bool:
    """Return whether a URL or a host has something before an `@`.

    That is a user, perhaps with a password, so the text must never be shown. `@ADDRESS@` is a placeholder instead.
    """
    before, at, _ = text.rpartition("@")
    return bool(at) and (":" in before.rpartition("://")[2] or not _BETWEEN_AT.search(text))


def _put_in(text: str, what: str) -> str:
    return f"{text!r} is a placeholder: put the {what} in (envsubst) before"


# A context may be called `admin@prod@west`.
_BETWEEN_AT = pattern(r"@[A-Z_][A-Z0-9_]*@|\A@[a-z_]\w*@\Z", re.ASCII)

# `${A}`, `$A`, `{{ a }}`, `<a>`, `%A%` and `@A@`; between percent signs it must not be an escape of a URL: `%C3%A9`.
_PLACEHOLDER = pattern(
    rf"\$\{{[^}}]*\}}|\$[A-Za-z_]|\{{\{{.*\}}\}}|<[^<>]+>|%(?![0-9A-F]{{2}}%)[A-Za-z_]\w*%|{_BETWEEN_AT.pattern}",
    re.ASCII,
)

_WORD = pattern("[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


# ----------------------------------------------------------------------------------------------------------- stand-ins


def stand_in(name: str) -> str:
    """Return a DNS-1123 label for any name: its letters and digits, and a digest that keeps different names apart."""
    from hashlib import sha256  # takes longer to load than this module, and few names need it

    readable = "-".join(re.findall("[a-z0-9]+", name.lower()))[:40].strip("-")
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{readable}-{digest}" if readable else digest
