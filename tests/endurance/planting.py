"""Makes a change in a module that is imported already, in a process that ends after its tests.

The code of a function is exchanged in place. What is worked out at import is worked out again, and
what comes out differently takes its place in every module that has imported it.
"""

from __future__ import annotations

import ast
import gc
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType, ModuleType

from pydantic import TypeAdapter

Functions = dict[CodeType, list[FunctionType]]
Pair = tuple[CodeType, CodeType]


def functions_below(folder: str) -> Functions:
    """Every function that is there, by its code."""
    found: Functions = defaultdict(list)
    for each in gc.get_objects():
        if type(each) is FunctionType and each.__code__.co_filename.startswith(folder):
            found[each.__code__].append(each)
    return found


def body_lines(code: CodeType) -> set[int]:
    """Lines of a function's body; its first one is run by defining it."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    own = {line for *_, line in code.co_lines() if line is not None and line > code.co_firstlineno}
    return own.union(*map(body_lines, inner))


def plant(
    module: ModuleType, tree: ast.Module, line: int, pair: Pair | None,
    functions: Functions, *, early: bool,
) -> None:  # fmt: skip
    """Change a module: `tree` is its changed source, `pair` the function that differs in it.

    `functions` are all that there are; `early` says that this one is run by importing the module.
    """
    targets = functions.get(pair[0], []) if pair else []
    for function in targets:
        function.__code__ = pair[1]  # type: ignore[index]
    if early or not targets:
        every = [each for some in functions.values() for each in some]
        _work_out(module, tree, 0 if targets else line, every)


def _work_out(
    module: ModuleType, tree: ast.Module, line: int, functions: Sequence[FunctionType]
) -> None:
    """Run the statement of a line again and those that rest on it; all of them for line 0."""
    names, fresh = module.__dict__, set()
    for each in tree.body:
        here = each.lineno <= line <= (each.end_lineno or 0)
        if isinstance(each, ast.FunctionDef | ast.ClassDef):
            if here:
                made: dict[str, object] = dict(names)
                _run(each, module, made)
                _take_over(names[each.name], made[each.name])
            if here or (isinstance(each, ast.ClassDef) and fresh & _named_types(each)):
                fresh.add(each.name)
        elif isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None:
            used = {node.id for node in ast.walk(each.value) if isinstance(node, ast.Name)}
            if here or not line or used & fresh:
                before = dict(names)
                _run(each, module, names)
                fresh |= set(_rebind(names, before, functions))


def _named_types(node: ast.ClassDef) -> set[str]:
    """Names of the types of a class's fields: a reader that is made of the class rests on them."""
    fields = (each.annotation for each in node.body if isinstance(each, ast.AnnAssign))
    return {name.id for each in fields for name in ast.walk(each) if isinstance(name, ast.Name)}


def _run(statement: ast.stmt, module: ModuleType, names: dict[str, object]) -> None:
    whole = ast.fix_missing_locations(ast.Module([statement], []))
    exec(compile(whole, str(module.__file__), "exec", dont_inherit=True), names)  # noqa: S102


def _take_over(old: object, new: object) -> None:
    """A function's defaults, or those of a class's methods; identity stays."""
    if isinstance(old, FunctionType) and isinstance(new, FunctionType):
        old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
    elif isinstance(old, type):
        for name, value in vars(new).items():
            known = vars(old).get(name)
            if isinstance(known, FunctionType):
                _take_over(known, value)
            elif isinstance(value, int | float) and not name.startswith("__"):
                setattr(old, name, value)


def _rebind(
    names: dict[str, object], before: dict[str, object], functions: Sequence[FunctionType]
) -> Iterator[str]:
    """What came out differently, wherever it was imported; the rest is as it was."""
    for name in [*names]:
        old, new = before.get(name), names[name]
        if name.startswith("__") or name not in before or old is new:
            continue
        if _plainly(old) == _plainly(new) and _codes(old) == _codes(new):
            names[name] = old
            continue
        yield name
        for other in [*sys.modules.values()]:
            known = getattr(other, "__dict__", {})
            if known.get(name) is old:
                known[name] = new
        if isinstance(old, float):
            _as_default(old, new, functions)


def _plainly(value: object) -> str:
    """What a value is; of pydantic's readers what they read, and of patterns all that they match.

    Neither is in the words that Python shows them with: of a long pattern it shows the beginning.
    """
    if isinstance(value, re.Pattern):
        return repr((value.pattern, value.flags))
    shown = value.core_schema if isinstance(value, TypeAdapter) else value
    return re.sub(r"0x[0-9a-f]+", "", repr(shown))


def _codes(value: object, depth: int = 4) -> list[object]:
    """The functions in a value, such as a table whose rows a function has made.

    Each is told by its code and by what its code closes over.
    """
    if isinstance(value, FunctionType):
        return [value.__code__, *(_plainly(cell.cell_contents) for cell in value.__closure__ or ())]
    if not depth or isinstance(value, type | ModuleType):
        return []
    return [code for each in gc.get_referents(value) for code in _codes(each, depth - 1)]


def _as_default(old: float, new: object, functions: Sequence[FunctionType]) -> None:
    """Where a number was taken as an argument's default."""
    for each in functions:
        if any(item is old for item in each.__defaults__ or ()):
            each.__defaults__ = tuple(new if item is old else item for item in each.__defaults__)
        named = each.__kwdefaults__ or {}
        named.update({key: new for key, item in named.items() if item is old})
