"""Keeps one name on one resolver as it should be (RFC 2136 updates, signed with TSIG).

Several addresses have weights: how often the resolver puts each of them first. It reads those from
a file that both can see, once a second, so that a name is never changed for another weight.
"""

from __future__ import annotations

import dns.asyncquery
import dns.exception
import dns.name
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update

from appkit.names import Addresses, LookupFailedError, SilentError, ask
from steering.decide import Answer
from steering.settings import Settings

KEY_NAME = dns.name.from_text("lab-key.")
PATIENCE = 0.5  # seconds for one question or update


class PublishError(Exception):
    """The resolver did not take an update."""


class Publisher:
    """Writes the address of the app, and reads it back."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.ttl = settings.ttl
        self._keys = dns.tsigkeyring.from_text({KEY_NAME.to_text(): settings.tsig_key})

    async def published(self) -> Addresses | None:
        """What the resolver answers now, and for how long; None when it does not know the name.

        Raises `PublishError` when it does not answer.
        """
        settings = self._settings
        try:
            return await ask(f"{settings.name}.{settings.zone}", settings.resolver, PATIENCE)
        except SilentError as problem:
            raise PublishError(str(problem)) from None
        except LookupFailedError:
            return None

    async def publish(self, answer: Answer) -> None:
        """Replace the records. Raises `PublishError`."""
        settings, server = self._settings, self._settings.resolver
        self._weigh(answer)
        update = dns.update.UpdateMessage(
            settings.zone, keyring=self._keys, keyname=KEY_NAME, keyalgorithm=dns.tsig.HMAC_SHA256
        )
        update.delete(settings.name, "A")
        for address in answer.addresses:
            update.add(settings.name, self.ttl, "A", address)
        try:
            reply = await dns.asyncquery.udp(update, server.host, PATIENCE, port=server.port)
        except (dns.exception.DNSException, OSError) as problem:
            raise PublishError(f"{server}: {problem or type(problem).__name__}") from None
        if reply.rcode() != dns.rcode.NOERROR:
            raise PublishError(f"{server}: {dns.rcode.to_text(reply.rcode())}")

    def _weigh(self, answer: Answer) -> None:
        """Write the weights, whole or not at all. A lone address has none, and needs no file."""
        path, settings = self._settings.weights, self._settings
        if len(answer.weights) < 2:
            return
        if path is None:
            raise PublishError("this steering shares no weights with a resolver")
        lines = [f"{settings.name}.{settings.zone}", *(f"{a} {w}" for a, w in answer.weights)]
        try:
            new = path.with_suffix(".new")
            new.write_text("\n".join(lines) + "\n")
            new.replace(path)
        except OSError as problem:
            raise PublishError(f"{path}: {problem.strerror}") from None
