// A shop for the lab, in JavaScript (Node.js and node-pg). What the lab asks of a shop: docs/shop.md
const http = require('node:http'), { Pool } = require('pg'), env = process.env, cached = {};
const pool = (host, max) => new Pool({ host, max, database: env.DB_NAME, user: env.DB_USER, password: env.DB_PASSWORD,
  ssl: { ca: Buffer.from(env.TLS_AUTHORITY, 'base64') }, connectionTimeoutMillis: 1000, query_timeout: 1000,
  maxLifetimeSeconds: 5 }) // a new connection looks the name up again: the pool follows a writer that moves
  .on('error', () => {}).on('connect', (line) => line.on('error', () => {}).on('notice', () => { line.warned = true; }));
const writer = pool(env.WRITER_HOST, 32), health = pool(env.WRITER_HOST, 1), reader = pool(env.READER_HOST, 8);
async function run(from, statement, ...values) {
  const line = await from.connect().catch(({ message }) => { throw { outcome: 'fail', detail: message }; }); // nothing was sent
  const outcome = (error) => error.severity === 'ERROR' ? 'fail' : 'unknown'; // else it may have been done
  return line.query(statement, values).then(({ rows: [row] }) => {
    line.release(line.warned); // the server warns of a commit that no standby has
    return { outcome: line.warned ? 'local' : 'ok', ...row };
  }, (error) => { line.release(error); throw { outcome: outcome(error), detail: error.message }; });
}
const ORDER = `INSERT INTO orders (key, customer, product_id, quantity, unit_price_cents, region)
  SELECT $1, $2, id, $3, price_cents, $4 FROM products WHERE id = $5
  ON CONFLICT (key) DO UPDATE SET attempts = orders.attempts + 1 WHERE orders.customer = excluded.customer
  RETURNING id AS order_id, key, region, current_setting('cluster_name') AS node, pg_current_xact_id()::text AS xid,
    pg_current_wal_insert_lsn()::text AS lsn, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int AS timeline`;
const READY = `INSERT INTO readiness (app) VALUES ($1) ON CONFLICT (app) DO UPDATE SET checked_at = now()
  RETURNING current_setting('cluster_name') AS node, 'a write went through' AS reason`;
const ONE = `SELECT *, current_setting('cluster_name') AS node FROM orders WHERE key = $1 AND customer = $2`;
const routes = {
  'GET /livez': async () => [200, {}],
  'POST /signup': async () => [201, {}],
  'POST /login': async ({ body }) => [200, { token: body.username }], // it trusts everyone
  'POST /orders': async ({ body, key, who }) => {
    if (!(body.quantity > 0)) return [400, { outcome: 'fail', detail: 'the quantity must be 1 or more' }];
    const row = await run(writer, ORDER, key, who, body.quantity, env.REGION, body.product_id);
    if (!row.key) return [409, { outcome: 'fail', detail: 'no such product, or the key of another customer' }];
    return [row.outcome === 'ok' ? 201 : 202, row];
  },
  'GET /orders': async ({ path, who }) => {
    const row = await run(reader, ONE, path.split('/')[2], who);
    return [row.key ? 200 : 404, row];
  },
  'GET /catalogue': async ({ path }) => {
    if (cached[path]?.until > Date.now()) return [200, cached[path], { 'X-Cache': 'hit' }];
    cached[path] = await run(reader, `SELECT json_agg(p) AS products, ${Date.now() + 30000} AS until FROM products AS p`);
    return [200, cached[path], { 'X-Cache': 'miss' }];
  },
  'GET /readyz': () => run(health, READY, env.LAB_NODE).then((row) => [row.outcome === 'ok' ? 200 : 503, row])
    .catch(({ detail }) => [503, { reason: detail }]),
};
http.createServer({ keepAliveTimeout: 60000 }, async (request, response) => {
  const { method, url: path, headers } = request, request_id = headers['x-request-id'] ?? `${Math.random()}`;
  let text = '';
  for await (const part of request) text += part;
  const asked = { path, key: headers['idempotency-key'], who: headers.authorization?.slice(7) };
  const answer = async (route) => route ? route({ ...asked, body: JSON.parse(text || '{}') }) : [404, {}];
  const [status, said, more] = await answer(routes[`${method} ${path.match(/^\/\w*/)}`])
    .catch((told) => [told.outcome === 'unknown' ? 504 : 503, told]);
  response.statusCode = status;
  response.setHeaders(new Map(Object.entries({ 'X-Region': env.REGION, 'X-Node': said.node ?? env.LAB_NODE,
    'X-Request-Id': request_id, ...more })));
  response.end(JSON.stringify({ request_id, ...said })); // all at once: so the answer says its length
}).listen(8080);
process.on('SIGTERM', () => process.exit());
