"""`python -m appkit.dig SERVER NAME`: the addresses that a resolver gives to a client here."""

from __future__ import annotations

import sys

import dns.exception
import dns.message
import dns.query
import dns.rdatatype


def addresses(server: str, name: str, seconds: float = 1.0) -> list[str]:
    """IPv4 addresses of a name, by UDP. Raises DNSException or OSError for no answer."""
    question = dns.message.make_query(name, dns.rdatatype.A)
    answer = dns.query.udp(question, server, timeout=seconds)
    return [item.address for rows in answer.answer for item in rows if hasattr(item, "address")]


if __name__ == "__main__":
    try:
        sys.stdout.write(" ".join(addresses(sys.argv[1], sys.argv[2])) + "\n")
    except (dns.exception.DNSException, OSError) as problem:
        sys.stdout.write(f"no answer: {problem}\n")
        sys.exit(1)
