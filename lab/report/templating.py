"""Pages from the lab's templates: each is one file, with its styles in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lab.charts.svg import shown
from lab.core import words
from lab.report import reporttables

WIDE: Final = 960
NARROW: Final = 380
"""Pixels of a chart on a screen and on a phone: each is drawn for both."""

_TEMPLATES: Final = Path(__file__).parent / "templates"
_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    finalize=shown,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    seconds=words.seconds,
    moment=words.moment,
    number=words.number,
    size=words.size,
    value=reporttables.value,
)
_SPECIAL: Final = re.compile(r"[\\`*\[\]<|~]|(?<!\w)_|_(?!\w)|^>|^[#+-](?= )|(?<=^\d)\.(?= )")
"""What Markdown would read as more than text."""


def _plain(value: object) -> object:
    """A value as Markdown shows it: in one line, and no part of it is markup."""
    if isinstance(value, Markup):
        return value
    text = words.visible(" ".join(str(value).split()))
    return Markup(_SPECIAL.sub(r"\\\g<0>", text))  # noqa: S704 - nothing in it is markup


def _code(text: str) -> Markup:
    """A name or a command in Markdown, also within a table."""
    told = words.visible(" ".join(text.split())).replace("`", "'").replace("|", r"\|")
    return Markup(f"`{told}`")  # noqa: S704 - nothing ends it


_MARKDOWN: Final = _ENVIRONMENT.overlay(finalize=_plain)
_MARKDOWN.filters["code"] = _code


def written(template: str, **values: object) -> str:
    """The Markdown that a template makes of some values."""
    text = _MARKDOWN.get_template(template).render(**values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def rendered(template: str, *styles: str, **values: object) -> str:
    """The page that a template makes of some values; `styles` are names of style sheets."""
    sheets = ((_TEMPLATES / name).read_text(encoding="utf-8") for name in styles)
    style = Markup("".join(sheets))  # noqa: S704 - our own files
    return _ENVIRONMENT.get_template(template).render(style=style, **values)
