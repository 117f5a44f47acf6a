-- The shop's tables. Run as superuser in database shop; harmless to run again.
--
-- Identity is text that a client chose, never a number that the database gave out: after a
-- failover the new primary gives out numbers and transaction ids again that the dead one had
-- already used for other rows.

CREATE TABLE IF NOT EXISTS customers (
    username      text PRIMARY KEY,
    password_hash text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS products (
    id          integer PRIMARY KEY,
    name        text NOT NULL,
    price_cents integer NOT NULL CHECK (price_cents > 0)
);

-- No foreign keys, on purpose. To products: each order would take a KEY SHARE lock on one of 50
-- hot rows, held during the wait for the standby, and write a multixact; the insert reads the
-- product for its price anyway, so an unknown product cannot be ordered. To customers: a session
-- outlives a failover even when the row of a recent sign-up did not, and its orders still count.
CREATE TABLE IF NOT EXISTS orders (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key              text NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND 64),
    customer         text NOT NULL,
    product_id       integer NOT NULL,
    quantity         integer NOT NULL CHECK (quantity > 0),
    unit_price_cents integer NOT NULL,
    region           text NOT NULL,             -- whose app took the order first
    attempts         integer NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS orders_by_customer ON orders (customer, id);

-- One row per app: two regions that prove themselves ready must not wait for each other's lock.
CREATE TABLE IF NOT EXISTS readiness (
    app        text PRIMARY KEY,
    checks     bigint NOT NULL DEFAULT 1,
    checked_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO products (id, name, price_cents)
SELECT n, 'Product ' || lpad(n::text, 2, '0'), 500 + (n * 379) % 9500
FROM generate_series(1, 50) AS n
ON CONFLICT (id) DO NOTHING;

ALTER TABLE customers OWNER TO shop;
ALTER TABLE products OWNER TO shop;
ALTER TABLE orders OWNER TO shop;
ALTER TABLE readiness OWNER TO shop;
