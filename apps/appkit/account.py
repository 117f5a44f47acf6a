"""The shop's own account at a database, for programs that are no shop: faults and probes."""

from __future__ import annotations

import os

import psycopg

Line = psycopg.Connection[tuple[object, ...]]


def connect(host: str, port: str, program: str, options: str = "") -> Line:
    """A session in autocommit. Raises psycopg.OperationalError."""
    return psycopg.connect(
        host=host,
        port=int(port),
        dbname=os.environ["DB_NAME"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        application_name=program,
        connect_timeout=3,
        options=options,
        autocommit=True,
    )
