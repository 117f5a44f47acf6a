"""JSON Schemas of the documents that a run and a series leave, for scripts of others. Pure.

They are made of the models that the lab reads the documents by. What a schema cannot say, the lab
checks besides: figures that are said in two places agree.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from lab.records.metricrows import METRICS
from lab.records.result import Result
from lab.records.spread import Series

DOCUMENTS: Final[dict[str, type[BaseModel]]] = {"result": Result, "spread": Series}
"""By the name of the file: `docs/result.schema.json` is that of result.json."""


class _Untitled(GenerateJsonSchema):
    """Without a title for each field: it would be the field's name again."""

    def field_title_should_be_set(self, _schema: object) -> bool:
        """No."""
        return False


def text(name: str) -> str:
    """What docs/NAME.schema.json holds."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def schema(name: str) -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of a document. Fields that it does not know are allowed."""
    found = DOCUMENTS[name].model_json_schema(schema_generator=_Untitled)
    for row in METRICS:
        if row.name in found["properties"]:
            found["properties"][row.name] |= {"description": f"{row.means} ({row.unit})"}
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{name}.json of the two-region failover lab",
    }
    return {**head, **{key: value for key, value in found.items() if key != "title"}}
