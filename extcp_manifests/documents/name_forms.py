"""The forms that Kubernetes demands of names; each function tells why a text has not the form, or returns None."""

import re
from hashlib import sha256

from extcp_manifests.errors import UNPRINTABLE, _visible_character

# kubernetes apimachinery: pkg/util/validation/validation.go (DNS-1123 label and subdomain, label value, Secret key)
DNS_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")


DNS_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){DNS_LABEL.pattern}(?:\.{DNS_LABEL.pattern})*")


LABEL_VALUE = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")


SECRET_KEY = re.compile(r"(?!\.\.?\Z)[-._a-zA-Z0-9]{1,253}")


def placeholder(text: str, what: str = "value") -> str | None:
    """Return why the text is still a placeholder, such as `${ADDRESS}`, `<address>` or `ISTIOD_ADDRESS`, or None.

    A word such as the last may be meant as it is where capitals and `_` are allowed; there, `printable` takes it.
    """
    return f"{text!r} {_PUT_IN.format(what)}" if has_placeholder(text) or _WORD.fullmatch(text) else None


def has_placeholder(text: str) -> bool:
    """Whether some program was to put a value into the text, as for `${ADDRESS}`, `{{ .address }}` or `@ADDRESS@`."""
    return _PLACEHOLDER.search(text) is not None


def has_user(text: str) -> bool:
    """Whether a URL or a host has something before an `@`: a user, perhaps with a password, so never to be shown."""
    before, at, _ = text.rpartition("@")
    return bool(at) and (":" in before.rpartition("://")[2] or not _BETWEEN_AT.search(text))


_PUT_IN = "is a placeholder: put the {} in (envsubst) before"


# A context may be called `admin@prod@west`.
_BETWEEN_AT = re.compile(r"@[A-Z_][A-Z0-9_]*@|\A@[a-z_]\w*@\Z", re.ASCII)


# Between percent signs it is no escape of a URL: `%C3%A9`.
_PLACEHOLDER = re.compile(
    rf"\$\{{[^}}]*\}}|\$[A-Za-z_]|\{{\{{.*\}}\}}|<[^<>]+>|%(?![0-9A-F]{{2}}%)[A-Za-z_]\w*%|{_BETWEEN_AT.pattern}",
    re.ASCII,
)


_WORD = re.compile("[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


def printable(text: str) -> str | None:
    """Return why the text is not 1 to 253 characters that a reader can see, or None."""
    if not 0 < len(text) <= 253:
        return f"has {len(text)} characters: use 1 to 253"
    if UNPRINTABLE.search(text):
        return f"{text!r} has a control character: leave it out"
    invisible = next((character for character in text if not character.isprintable()), None)
    if invisible is not None:
        return f"{text!r} has the character {_visible_character(invisible)}, which a reader does not see: leave it out"
    return placeholder(text) if has_placeholder(text) else None


def dns_label(text: str, longest: int = 63) -> str | None:
    """A DNS-1123 label, as Kubernetes wants for namespaces and Services."""
    if DNS_LABEL.fullmatch(text) and len(text) <= longest:
        return None
    return placeholder(text) or f"{text!r} is no DNS label: use a-z, 0-9 and inner '-', at most {longest} characters"


def dns_subdomain(text: str) -> str | None:
    """A DNS-1123 subdomain, as Kubernetes wants for most names."""
    if DNS_SUBDOMAIN.fullmatch(text):
        return None
    return placeholder(text) or f"{text!r} is no DNS subdomain: use a-z, 0-9, inner '-' and '.', at most 253 characters"


def label_value(text: str) -> str | None:
    """The value of a label."""
    if LABEL_VALUE.fullmatch(text) and len(text) <= 63:
        return None
    return (
        placeholder(text)
        or f"{text!r} is no label value: use letters, digits and inner '-', '_' and '.', at most 63 characters"
    )


def stand_in(name: str) -> str:
    """A DNS-1123 label for any name: its letters and digits, and a digest that keeps different names apart."""
    readable = "-".join(re.findall("[a-z0-9]+", name.lower()))[:40].strip("-")
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{readable}-{digest}" if readable else digest
