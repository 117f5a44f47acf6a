"""The resolvers' records: RFC 2136 updates signed with TSIG, by way of a loopback port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lab.core import words
from lab.core.addresses import Addresses
from lab.core.errors import LabError, MachineDown, UnknownName
from lab.core.lazylibraries import lazily
from lab.core.topology import (
    APP_NAME,
    REGIONS,
    TTL_SECONDS,
    WRITER_NAME,
    ZONE,
    Place,
    Region,
    head_name,
)
from lab.infra.doors import Doors

if TYPE_CHECKING:
    import dns.exception
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdatatype
    import dns.tsig
    import dns.tsigkeyring
    import dns.update

    from lab.infra.settings import Settings
else:
    dns = lazily("dns", "message", "query", "tsigkeyring", "update")

KEY_NAME = "lab-key."
_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which resolvers took an update, and which could not be reached (region name → reason)."""

    took: tuple[str, ...]
    pending: Mapping[str, str]

    def __str__(self) -> str:
        took = words.listed(f"{name}'s resolver" for name in self.took)
        return "; ".join([*([f"updated on {took}"] if took else []), *self.waiting])

    @property
    def waiting(self) -> tuple[str, ...]:
        """What is pending, and why, in words."""
        return tuple(
            f"the update of {name}'s resolver is pending ({reason})"
            for name, reason in self.pending.items()
        )


def address_seen_from(viewer: Region, node: Place, addresses: Addresses) -> str:
    """What a client in `viewer` must connect to in order to reach a node, there or elsewhere."""
    if node.region is viewer:
        return addresses.inside(node)
    return addresses.gateway_as_seen_from(node.region, viewer)


class Names:
    """The two resolvers of a lab."""

    def __init__(self, doors: Doors, settings: Settings) -> None:
        self._doors = doors
        self._addresses = settings.addresses
        self._secret = settings.tsig_key

    @cached_property
    def _key(self) -> Mapping[dns.name.Name, dns.tsig.Key]:
        return dns.tsigkeyring.from_text({KEY_NAME: self._secret})

    def ask(self, viewer: Region, name: str) -> tuple[str, ...]:
        """Addresses that a region's resolver gives for a name now; empty if it knows none.

        Raises LabError when the resolver does not answer.
        """
        return self._answer(viewer, name)[0]

    def ttl(self, viewer: Region, name: str) -> int | None:
        """For how many seconds a resolver's answer for a name holds; None if it knows none."""
        addresses, ttl = self._answer(viewer, name)
        return ttl if addresses else None

    def _answer(self, viewer: Region, name: str) -> tuple[tuple[str, ...], int]:
        query = dns.message.make_query(_absolute(name), dns.rdatatype.A)
        answer = self._exchange(viewer, query)
        found = [rrset for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A]
        addresses = tuple(sorted(item.address for rrset in found for item in rrset))
        return addresses, min((rrset.ttl for rrset in found), default=0)

    def publish(self, viewer: Region, records: Mapping[str, str], ttl: int | None = None) -> None:
        """Replace A records in one region's resolver. Raises LabError.

        Answers hold for `ttl` seconds; without one for as long as they do there now (see `hold`).
        """
        present = ttl or self.ttl(viewer, next(iter(records))) or TTL_SECONDS
        self._replace(viewer, {name: (address,) for name, address in records.items()}, present)

    def hold(self, viewer: Region, names: Iterable[str], ttl: int) -> list[int]:
        """Let a resolver's answers for names hold for `ttl` seconds; for how long they did before.

        Names that it does not know stay unknown. Raises LabError.
        """
        found = {name: self._answer(viewer, name) for name in names}
        known = {name: each for name, each in found.items() if each[0]}
        changed = {name: addresses for name, (addresses, had) in known.items() if had != ttl}
        if changed:
            self._replace(viewer, changed, ttl)
        return [had for _, had in known.values()]

    def _replace(self, viewer: Region, records: Mapping[str, tuple[str, ...]], ttl: int) -> None:
        update = dns.update.UpdateMessage(
            ZONE, keyring=self._key, keyalgorithm=dns.tsig.HMAC_SHA256
        )
        zone = dns.name.from_text(ZONE)
        for name, addresses in records.items():
            update.replace(_absolute(name).relativize(zone), ttl, "A", *addresses)
        answer = self._exchange(viewer, update)
        if answer.rcode() != dns.rcode.NOERROR:
            raise LabError(
                f"{viewer.name}'s resolver refused an update: {dns.rcode.to_text(answer.rcode())}",
                f"look at: lab logs {viewer.name}.dns",
            )

    def forget(self, viewer: Region, name: str) -> None:
        """Remove a name from one region's resolver."""
        update = dns.update.UpdateMessage(
            ZONE, keyring=self._key, keyalgorithm=dns.tsig.HMAC_SHA256
        )
        update.delete(_absolute(name).relativize(dns.name.from_text(ZONE)))
        self._exchange(viewer, update)

    def point_writer(
        self, primary: Place, heads: Mapping[Region, Place], ttl: int | None = None
    ) -> Delivery:
        """Make `writer` and `head.*` lead to where they should, on every resolver in reach.

        Answers hold as `publish` says.
        The primary's own region first, which all others depend on. Until its resolver knows the
        primary, no other region's head may lead there: two heads that lead to each other would have
        the gateways connect in a circle.
        """
        near, far = primary.region, primary.region.other
        problems = {near: self._told(near, primary, heads, ttl)}
        own = {of: node for of, node in heads.items() if node.region is of}
        problems[far] = self._told(far, primary, own if problems[near] else heads, ttl)
        took = tuple(each.name for each in REGIONS if not problems[each])
        pending = {each.name: why for each in REGIONS if (why := problems[each])}
        return Delivery(took, pending)

    def _told(
        self, viewer: Region, primary: Place, heads: Mapping[Region, Place], ttl: int | None
    ) -> str:
        """Why a resolver did not take where writer and heads lead; empty if it did."""
        records = {
            name: address_seen_from(viewer, node, self._addresses)
            for name, node in (
                (WRITER_NAME, primary),
                *((head_name(of), node) for of, node in heads.items()),
            )
        }
        try:
            self.publish(viewer, records, ttl)
        except LabError as error:
            return error.message
        return ""

    def _exchange(self, viewer: Region, message: dns.message.Message) -> dns.message.Message:
        place = Place(viewer.name, "dns")
        try:
            return dns.query.tcp(
                message, "127.0.0.1", port=self._doors.port(place, 53), timeout=_TIMEOUT_SECONDS
            )
        except MachineDown as error:
            raise LabError(
                f"{viewer.name}'s resolver does not run: {place} is {error.word}",
                error.next_step,
            ) from error
        except (OSError, EOFError, dns.exception.DNSException, LabError) as error:
            reason = str(error) or type(error).__name__
            raise LabError(
                f"{viewer.name}'s resolver does not answer: {reason.splitlines()[0]}",
                "see: lab status",
            ) from error


def full_name(name: str, known: Iterable[str] = ()) -> str:
    """`writer`, `head.east` or a whole name, as a name in the lab's zone. Raises UnknownName."""
    whole = name if name.rstrip(".").endswith(ZONE) else f"{name.rstrip('.')}.{ZONE}"
    names = {APP_NAME, WRITER_NAME, *(head_name(each) for each in REGIONS), *known}
    if whole.rstrip(".") not in names:
        raise UnknownName("DNS name", name, (each.removesuffix(f".{ZONE}") for each in names))
    return whole


def _absolute(name: str) -> dns.name.Name:
    return dns.name.from_text(name)
