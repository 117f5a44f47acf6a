"""Keeps one record on one resolver as it should be (RFC 2136 updates, signed with TSIG)."""

from __future__ import annotations

import dns.asyncquery
import dns.exception
import dns.name
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update

from appkit.names import LookupFailedError, SilentError, ask
from steering.settings import Settings

KEY_NAME = dns.name.from_text("lab-key.")
PATIENCE = 0.5  # seconds for one question or update


class PublishError(Exception):
    """The resolver did not take an update."""


class Publisher:
    """Writes the address of the app, and reads it back."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = dns.tsigkeyring.from_text({KEY_NAME.to_text(): settings.tsig_key})

    async def published(self) -> tuple[str, ...]:
        """What the resolver answers now; empty when it does not know the name.

        Raises `PublishError` when it does not answer.
        """
        settings = self._settings
        try:
            answer = await ask(f"{settings.name}.{settings.zone}", settings.resolver, PATIENCE)
        except SilentError as problem:
            raise PublishError(str(problem)) from None
        except LookupFailedError:
            return ()
        return answer.addresses

    async def publish(self, address: str) -> None:
        """Replace the record. Raises `PublishError`."""
        settings, server = self._settings, self._settings.resolver
        update = dns.update.UpdateMessage(
            settings.zone, keyring=self._keys, keyname=KEY_NAME, keyalgorithm=dns.tsig.HMAC_SHA256
        )
        update.replace(settings.name, settings.ttl, "A", address)
        try:
            reply = await dns.asyncquery.udp(update, server.host, PATIENCE, port=server.port)
        except (dns.exception.DNSException, OSError) as problem:
            raise PublishError(f"{server}: {problem or type(problem).__name__}") from None
        if reply.rcode() != dns.rcode.NOERROR:
            raise PublishError(f"{server}: {dns.rcode.to_text(reply.rcode())}")
