"""Small changes to a module's source, one at a time: each of them should turn a test red. Pure.

Changed are comparisons (also by one step at their border), conditions (always, never, one side
alone), arithmetic, numbers, truth values, what is returned, and statements that are left out. Not
changed: texts, annotations, decorators, imports, and `assert`, which tells mypy a type.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

SWAPPED: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,), ast.Mod: (ast.Mult,), ast.Pow: (ast.Mult,),
    ast.BitOr: (ast.BitAnd,), ast.BitAnd: (ast.BitOr,), ast.BitXor: (ast.BitOr,),
    ast.LShift: (ast.RShift,), ast.RShift: (ast.LShift,),
}  # fmt: skip
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil"}
TYPES = {"int", "float", "str", "bool", "list", "dict"}
UNTOUCHED = {"annotation", "returns", "decorator_list"}


@dataclass(frozen=True)
class Mutant:
    """One change: `field` of `parent` (in a list: at `index`) becomes `becomes`."""

    parent: ast.AST
    field: str
    index: int | None
    becomes: object
    line: int
    told: str

    def put(self, value: object) -> object:
        """Put a value in its place; what was there before."""
        if self.index is None:
            before: object = getattr(self.parent, self.field)
            setattr(self.parent, self.field, value)
        else:
            items = getattr(self.parent, self.field)
            before, items[self.index] = items[self.index], value
        return before

    def compiled(self, tree: ast.Module, file: str) -> CodeType:
        """The module with this change; the tree is as it was afterwards."""
        before = self.put(self.becomes)
        try:
            return compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True)
        finally:
            self.put(before)


def mutants(tree: ast.Module) -> Iterator[Mutant]:
    """All changes of a module, told as `function: before → after`."""
    for parent, field, index, node, where, shown in _places(tree, "", None):
        for becomes in _changes(node, parent, field):
            made = Mutant(parent, field, index, becomes, getattr(shown, "lineno", 0), "")
            line, before = made.line, _text(shown)
            old = made.put(becomes)
            after = _text(shown) if shown is not node else _text(becomes)
            made.put(old)
            if after != before:
                yield Mutant(
                    parent, field, index, becomes, line, f"{where}: {before} → {after}"
                )  # fmt: skip


def _text(node: object) -> str:
    text = ast.unparse(ast.fix_missing_locations(node))  # type: ignore[arg-type]
    return " ".join(text.split())[:160]


Found = tuple[ast.AST, str, "int | None", ast.AST, str, ast.AST]


def _places(node: ast.AST, where: str, shown: ast.AST | None) -> Iterator[Found]:
    """Every node that may be changed: where it stands, in which function, what shows it."""
    for field, value in ast.iter_fields(node):
        if field in UNTOUCHED:
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if not isinstance(child, ast.AST) or _is_left(node, child):
                continue
            inside = where
            if isinstance(child, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                inside = f"{where}.{child.name}".strip(".")
            small = isinstance(child, ast.operator | ast.cmpop | ast.boolop | ast.Constant)
            seen = shown if small and shown is not None else child
            yield node, field, index, child, inside, seen
            wide = isinstance(child, ast.expr | ast.AugAssign | ast.keyword)
            yield from _places(child, inside, child if wide else shown if small else None)


def _is_left(node: ast.AST, child: ast.AST) -> bool:
    """True for what no user sees the effect of."""
    if isinstance(child, ast.Assert | ast.Import | ast.ImportFrom):
        return True
    if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "__name__"):
        return True
    types = isinstance(child, ast.BinOp) and isinstance(child.op, ast.BitOr)
    return types and isinstance(node, ast.Assign | ast.Call) and _names_types(child)


def _names_types(node: ast.AST) -> bool:
    names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
    return bool(names) and all(
        each in TYPES or each[0].isupper() != each.isupper() for each in names
    )


def _changes(node: ast.AST, parent: ast.AST, field: str) -> Iterator[object]:
    if isinstance(node, ast.stmt):
        yield from _of_statement(node)
    elif type(node) in SWAPPED:
        yield from (each() for each in SWAPPED[type(node)])
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node, parent)
    elif isinstance(node, ast.expr):
        yield from _of_expression(node)
    if field == "test" and not isinstance(node, ast.Constant):
        answers = (False,) if isinstance(parent, ast.While) else (True, False)
        yield from (ast.copy_location(ast.Constant(each), node) for each in answers)
    if isinstance(parent, ast.comprehension) and field == "ifs":
        yield ast.copy_location(ast.Constant(True), node)


def _of_statement(node: ast.stmt) -> Iterator[object]:
    instead: ast.stmt | None = None
    if isinstance(node, ast.Return):
        if node.value is not None and not _is_none(node.value):
            instead = ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Continue | ast.Break):
        instead = ast.Break() if isinstance(node, ast.Continue) else ast.Continue()
    elif _does_something(node):
        instead = ast.Pass()
    if instead is not None:
        yield ast.copy_location(instead, node)


def _does_something(node: ast.stmt) -> bool:
    """True for a statement that others can do without, so that the module still runs."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Yield | ast.YieldFrom | ast.Await)
    if isinstance(node, ast.Assign):
        return not isinstance(node.targets[0], ast.Name | ast.Tuple)
    return isinstance(node, ast.Raise | ast.AugAssign | ast.Delete)


def _of_constant(node: ast.Constant, parent: ast.AST) -> Iterator[object]:
    value = node.value
    if isinstance(value, bool):
        yield ast.copy_location(ast.Constant(not value), node)
    elif isinstance(value, int | float):
        yield ast.copy_location(ast.Constant(value + 1), node)
        if value and not isinstance(parent, ast.UnaryOp):
            yield ast.copy_location(ast.Constant(value - 1), node)


def _of_expression(node: ast.expr) -> Iterator[object]:
    if isinstance(node, ast.BoolOp):
        other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield ast.copy_location(ast.BoolOp(other, node.values), node)
        for number in range(len(node.values)):
            rest = [*node.values[:number], *node.values[number + 1 :]]
            left = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            yield ast.copy_location(left, node) if len(rest) > 1 else left
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.Call):
        name = node.func
        if isinstance(name, ast.Name) and name.id in CALLED:
            other_name = ast.copy_location(ast.Name(CALLED[name.id], ast.Load()), name)
            yield ast.copy_location(ast.Call(other_name, node.args, node.keywords), node)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def changed(whole: CodeType, mutant: CodeType) -> tuple[CodeType, CodeType] | None:
    """The one function in which two modules differ, before and after.

    None if they differ in what a module does when it is imported.
    """
    pairs = [
        (one, two) for one, two in itertools.zip_longest(whole.co_consts, mutant.co_consts)
        if isinstance(one, CodeType) and isinstance(two, CodeType) and one != two
    ]  # fmt: skip
    same = (
        whole.co_code == mutant.co_code and whole.co_names == mutant.co_names
        and _plain(whole) == _plain(mutant) and len(pairs) == 1
    )  # fmt: skip
    if not same:
        return None
    [(before, after)] = pairs
    is_class = not before.co_flags & 1  # a function has fast locals, a class body has none
    return changed(before, after) if is_class else (before, after)


def _plain(code: CodeType) -> list[str]:
    return [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]
