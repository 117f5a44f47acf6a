"""The shop's OpenAPI document, and a page that shows it without asking the internet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shop.settings import MOST_CONNECTIONS


@dataclass(frozen=True)
class Operation:
    """An endpoint as its callers see it."""

    method: str
    path: str
    summary: str
    answers: tuple[tuple[int, str], ...]
    auth: bool = False
    body: tuple[tuple[str, str], ...] = ()  # field, JSON type
    headers: tuple[tuple[str, str], ...] = ()  # header, meaning
    query: tuple[tuple[str, str], ...] = ()  # parameter that may be left out, meaning


_UNSURE = (
    (503, "outcome fail: definitely not done"),
    (504, "outcome unknown: sent, and no answer came; it may have been done"),
)
_CREDENTIALS = (("username", "string"), ("password", "string"))

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "post",
        "/orders",
        "Place an order once per key; a retry sends the same key again",
        (
            (201, "outcome ok: created, committed and replicated to the synchronous standby"),
            (200, "outcome ok: it was already there, and is replicated now"),
            (202, "outcome local: committed on one node, the wait for its standby was cancelled"),
            (400, "outcome fail: not a valid order"),
            (401, "outcome fail: no valid token"),
            (409, "outcome fail: the key belongs to another order"),
            (422, "outcome fail: no such product"),
            *_UNSURE,
        ),
        auth=True,
        body=(("product_id", "integer"), ("quantity", "integer")),
        headers=(("Idempotency-Key", "1 to 64 printable ASCII characters chosen by the client"),),
    ),
    Operation(
        "get",
        "/orders",
        "The last 50 own orders, read from this region's own node",
        ((200, "the orders; a standby may lag"), (401, "no valid token"), *_UNSURE),
        auth=True,
    ),
    Operation(
        "get",
        "/orders/{key}",
        "One own order, read from this region's own node",
        (
            (200, "found"),
            (404, "not found on this node; a standby may lag"),
            (401, "no valid token"),
            *_UNSURE,
        ),
        auth=True,
    ),
    Operation(
        "get",
        "/catalogue",
        "All products as a market sees them, through the region's cache (header X-Cache)",
        ((200, "the market and its products"), (400, "not a market"), *_UNSURE),
        query=(("market", "1 to 16 letters from a to z; the region's own if left out"),),
    ),
    Operation(
        "post",
        "/signup",
        "Create a customer",
        (
            (201, "created"),
            (202, "outcome local"),
            (400, "not valid"),
            (409, "the name is taken"),
            *_UNSURE,
        ),
        body=_CREDENTIALS,
    ),
    Operation(
        "post",
        "/login",
        "Get a token that is valid in both regions for an hour",
        ((200, "the token"), (400, "not valid"), (401, "wrong name or password"), *_UNSURE),
        body=_CREDENTIALS,
    ),
    Operation(
        "get",
        "/admin/mode",
        "Whether this region refuses customers' writes, since when and by whom",
        ((200, "the mode"),),
    ),
    Operation(
        "post",
        "/admin/read-only",
        "Refuse or accept customers' writes (role operator)",
        ((200, "the mode"), (400, "not valid"), (401, "no valid token"), (403, "not an operator")),
        auth=True,
        body=(("enabled", "boolean"),),
    ),
    Operation(
        "get",
        "/admin/capacity",
        "Connections to the writer, at most; four requests for each are let in at a time",
        ((200, "the capacity"),),
    ),
    Operation(
        "post",
        "/admin/capacity",
        f"Have from 1 to {MOST_CONNECTIONS} connections to the writer (role operator)",
        (
            (200, "the capacity"),
            (400, "not valid"),
            (401, "no valid token"),
            (403, "not an operator"),
        ),
        auth=True,
        body=(("connections", "integer"),),
    ),
    Operation("get", "/livez", "The process answers; says nothing else", ((200, "alive"),)),
    Operation(
        "get",
        "/readyz",
        "This region can take an order now: proven by a replicated write; `writer` says how the "
        "newest attempt to reach the primary fares",
        ((200, "ready"), (503, "not ready, with the reason")),
    ),
    Operation("get", "/openapi.json", "This document", ((200, "OpenAPI 3.1"),)),
    Operation("get", "/docs", "This document for people", ((200, "HTML"),)),
)


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "header", "required": True, "description": meaning, "schema": text}
        for name, meaning in operation.headers
    ]
    found += [
        {"name": name, "in": "query", "required": False, "description": meaning, "schema": text}
        for name, meaning in operation.query
    ]
    if "{key}" in operation.path:
        found.append({"name": "key", "in": "path", "required": True, "schema": text})
    return found


def _describe(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "responses": {str(status): {"description": text} for status, text in operation.answers},
    }
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if operation.auth:
        described["security"] = [{"bearer": []}]
    if operation.body:
        schema = {
            "type": "object",
            "required": [name for name, _ in operation.body],
            "properties": {name: {"type": kind} for name, kind in operation.body},
        }
        content = {"application/json": {"schema": schema}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def document(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `operations`."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Shop",
            "version": "1",
            "description": "Every answer carries X-Region, X-Node, X-Request-Id and, where the "
            "database said it, X-Timeline.",
        },
        "paths": paths,
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


DOCUMENT = document(OPERATIONS)

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}
article{border:1px solid #8884;border-radius:6px;margin:1rem 0;padding:.6rem 1rem}
code{font:14px ui-monospace,monospace} b{display:inline-block;min-width:3.4rem}
td{padding:0 .8rem 0 0;vertical-align:top} h2{font-size:1rem;margin:.2rem 0}
:root{color-scheme:light dark}
</style>
<h1>Shop</h1><p id="about"></p><main></main>
<script>
const el=(tag,text)=>{const e=document.createElement(tag);e.textContent=text;return e};
const row=(...cells)=>{
  const r=document.createElement('tr');cells.forEach(c=>r.append(el('td',c)));return r};
fetch('openapi.json').then(r=>r.json()).then(doc=>{
  document.querySelector('#about').textContent=doc.info.description;
  for(const [path,methods] of Object.entries(doc.paths))
    for(const [method,op] of Object.entries(methods)){
      const box=document.createElement('article'),head=el('h2','');
      head.append(el('b',method.toUpperCase()),el('code',path));
      const table=document.createElement('table');
      for(const p of op.parameters||[])table.append(row(p.in+' '+p.name,p.description||''));
      if(op.security)table.append(row('header Authorization','Bearer token'));
      const body=op.requestBody&&op.requestBody.content['application/json'].schema.properties;
      for(const [name,kind] of Object.entries(body||{}))table.append(row('body '+name,kind.type));
      for(const [code,answer] of Object.entries(op.responses))
        table.append(row(code,answer.description));
      box.append(head,el('p',op.summary),table);document.querySelector('main').append(box);
    }
});
</script></html>
"""
