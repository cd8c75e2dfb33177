"""The small wrong changes that can be made to one module: each a place in its text and what stands there instead."""

from __future__ import annotations

import ast
import copy
import difflib
from collections.abc import Iterator
from typing import NamedTuple

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
SWAPPED_NAMES = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "ROUND_FLOOR": "ROUND_CEILING",
    "ROUND_CEILING": "ROUND_FLOOR",
    "ROUND_DOWN": "ROUND_UP",
    "ROUND_UP": "ROUND_DOWN",
}
TOLD_ONLY = ("LOG.", "log.", "self.remark", "desk.remark")
"""Calls whose only effect is a line for people; dropping one changes no decision."""


class Change(NamedTuple):
    """One wrong change: the text from `start` to `end` (characters of the module) becomes `text`."""

    path: str
    line: int
    kind: str
    start: int
    end: int
    text: str

    def apply(self, source: str) -> str:
        """The changed module."""
        return source[: self.start] + self.text + source[self.end :]

    def diff(self, source: str) -> str:
        """The changed lines, for people."""
        lines = difflib.unified_diff(source.splitlines(), self.apply(source).splitlines(), lineterm="", n=0)
        return "\n".join(line for line in list(lines)[2:] if not line.startswith("@@"))


def changes_of(path: str, source: str) -> list[Change]:
    """All changes of a module, in the order of its lines; those that give the same text count once."""
    found = {(change.start, change.end, change.text): change for change in _Finder(path, source).changes()}
    return sorted(found.values(), key=lambda change: (change.start, change.end, change.text))


class _Finder:
    def __init__(self, path: str, source: str) -> None:
        self._path, self._source = path, source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._lines = source.splitlines(keepends=True)

    def changes(self) -> Iterator[Change]:
        yield from self._visit(ast.parse(self._source))

    def _visit(self, node: ast.AST) -> Iterator[Change]:
        if _is_for_people(node):
            return
        if isinstance(node, ast.expr):
            yield from self._expression(node)
        elif isinstance(node, ast.stmt):
            yield from self._statement(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self._visit(child)

    def _expression(self, node: ast.expr) -> Iterator[Change]:
        match node:
            case ast.Compare(ops=ops):
                for index, op in enumerate(ops):
                    if type(op) in COMPARED:
                        changed = copy.deepcopy(node)
                        changed.ops[index] = COMPARED[type(op)]()
                        yield self._change(node, "comparison", changed)
            case ast.BinOp(op=op, left=left, right=right) if type(op) in CALCULATED:
                if not any(_is_text(side) for side in (left, right)):
                    changed_sum = copy.deepcopy(node)
                    changed_sum.op = CALCULATED[type(op)]()
                    yield self._change(node, "arithmetic", changed_sum)
            case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
                yield self._change(node, "sign", operand)
            case ast.BoolOp(op=op):
                changed_bool = copy.deepcopy(node)
                changed_bool.op = ast.Or() if isinstance(op, ast.And) else ast.And()
                yield self._change(node, "and/or", changed_bool)
            case ast.IfExp():
                yield self._change(node, "branch", ast.IfExp(test=node.test, body=node.orelse, orelse=node.body))
            case ast.Constant(value=bool() as value):
                yield self._change(node, "constant", ast.Constant(not value))
            case ast.Constant(value=int() | float() as number):
                yield self._change(node, "constant", ast.Constant(number + 1))
            case ast.Name(id=name) if name in SWAPPED_NAMES:
                yield self._change(node, "name", ast.Name(SWAPPED_NAMES[name]))
            case ast.Call(func=ast.Name(id="Decimal"), args=[ast.Constant(value=str() as figure)]):
                changed_figure = ast.Call(
                    node.func, [ast.Constant(f"{figure}1" if "." in figure else f"{figure}.1")], []
                )
                yield self._change(node, "constant", changed_figure)
            case ast.Call(
                func=ast.Attribute(attr="set" | "set_engine" | "model_copy" | "_replace") | ast.Name(id="replace")
            ):
                for index in range(len(node.keywords)):
                    if len(node.keywords) > 1:
                        changed_call = copy.deepcopy(node)
                        del changed_call.keywords[index]
                        yield self._change(node, "field not set", changed_call)

    def _statement(self, node: ast.stmt) -> Iterator[Change]:
        match node:
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AugAssign() | ast.Delete():
                yield self._change(node, "assignment dropped", ast.Pass())
            case ast.Expr(value=ast.Call()) if not self._text(node).startswith(TOLD_ONLY):
                yield self._change(node, "call dropped", ast.Pass())
            case ast.If(test=test):
                yield self._change(test, "branch", ast.UnaryOp(ast.Not(), test))
            case ast.Return(value=None) | ast.Raise() | ast.Continue() | ast.Break():
                yield self._change(node, "early end dropped", ast.Pass())
            case ast.AugAssign():
                pass
        if isinstance(node, ast.AugAssign) and type(node.op) in CALCULATED:
            changed = copy.deepcopy(node)
            changed.op = CALCULATED[type(node.op)]()
            yield self._change(node, "arithmetic", changed)

    def _change(self, node: ast.expr | ast.stmt, kind: str, changed: ast.AST) -> Change:
        text = ast.unparse(ast.fix_missing_locations(changed))
        start, end = self._place(node)
        return Change(self._path, node.lineno, kind, start, end, f"({text})" if isinstance(node, ast.expr) else text)

    def _place(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _offset(self, line: int, column: int) -> int:
        """`ast` counts columns in bytes."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def _text(self, node: ast.stmt) -> str:
        start, end = self._place(node)
        return self._source[start:end]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_for_people(node: ast.AST) -> bool:
    """Texts, logging and what only the type checker reads."""
    match node:
        case ast.FunctionDef(name="__repr__") | ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="T" | "LOG")]):
            return True
    return False
