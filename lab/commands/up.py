"""The command `lab up`: the lab from nothing, or from what stopped."""

from __future__ import annotations

from lab.commands.parsing.options import ImagesOnly, Name
from lab.commands.terminal import chosen_name, say, told_when_interrupted


def up(name: Name = None, images_only: ImagesOnly = False) -> None:
    """Bring the lab up, from nothing or from what stopped. Orders and topology stay.

    A database that was replaced while it was away stays down; the command names the runbook that
    brings it back.
    """
    from lab.host import engine, images
    from lab.infra import settings
    from lab.testbed import lifecycle, turns

    if images_only:
        engine.ensure_engine(say())
        images.ensure_images(say())
        return
    chosen = chosen_name(name)
    known = settings.settings_file(chosen).exists()
    with turns.exclusive(chosen, "bring the lab up"):
        with told_when_interrupted():
            lab = lifecycle.up(chosen, say())
        lab.engine.close()
    drill = "" if known else ", lab drill region-loss"  # it would empty one that was used
    say().note(f"lab {chosen!r} is up; next: lab status{drill}")
