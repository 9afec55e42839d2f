"""The kinds of address: what each one decides, and in which releases it works."""

import pytest

from extcp_manifests.builders.address import IPAddress, parse_address
from extcp_manifests.builders.exposure import ByHostname, ByIPv4, ByIPv6, exposure_of, supported_exposure
from extcp_manifests.errors import InvalidInput
from extcp_manifests.istio.object_names import Names
from extcp_manifests.istio.releases import find_release

ADDRESSES = ("myhost.example.com", "192.0.2.10", "2001:db8::10")


def test_each_kind_of_address_has_its_class() -> None:
    """A host name, an IPv4 and an IPv6 address are three kinds."""
    kinds = [type(exposure_of(parse_address(address))) for address in ADDRESSES]
    assert kinds == [ByHostname, ByIPv4, ByIPv6]


def test_exposures_of_one_address_are_equal() -> None:
    """An exposure is a value: equal for equal addresses, with the same hash."""
    for address in ADDRESSES:
        first, second = exposure_of(parse_address(address)), exposure_of(parse_address(address))
        assert first == second
        assert hash(first) == hash(second)


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_kinds_offer_the_same(address: str) -> None:
    """Every kind has each method and attribute of the others, with a docstring on each method."""
    kind = type(exposure_of(parse_address(address)))
    names = {name for name in dir(kind) if not name.startswith("_")}
    assert names == {name for name in dir(ByHostname) if not name.startswith("_")}
    for name in names:
        member = getattr(kind, name)
        if callable(member) or isinstance(member, property):
            assert member.__doc__, name


def test_only_an_ipv6_address_is_quoted_for_the_injection_templates() -> None:
    """The value caAddress has quotes of its own where it begins with a bracket, which YAML would take for a list."""
    values = [exposure_of(parse_address(address)).ca_address for address in ADDRESSES]
    assert values == ["myhost.example.com:15012", "192.0.2.10:15012", "'[2001:db8::10]:15012'"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_istiod_patches_webhooks_only_by_ip_address(address: str) -> None:
    """By host name the names of the webhooks are empty, with which istiod leaves them alone."""
    webhooks = exposure_of(parse_address(address)).webhook_names(Names(namespace="ns", revision="r"))
    if address == ADDRESSES[0]:
        assert webhooks == ("", "")
    else:
        assert webhooks == ("istio-sidecar-injector-r-ns", "istio-validator-r-ns")


def test_every_reason_against_a_release_is_reported() -> None:
    """An IPv6 address and a revision are both refused where the release has neither."""
    address = IPAddress("2001:db8::10", version=6)
    with pytest.raises(InvalidInput) as caught:
        supported_exposure(find_release("1.15"), address, "canary")
    assert [problem.path for problem in caught.value.problems] == ["address", "revision"]
    assert supported_exposure(find_release("1.30"), address, "canary") == ByIPv6(address)
