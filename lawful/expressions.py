"""A small, safe language for choosing rows: ``"loss < 5 and family == 'pythia'"``.

Columns, symbols, numbers, quoted text, true and false; ``== != < <= > >=``, ``in (...)``, ``not in (...)``; ``and``,
``or``, ``not``; ``+ - * / **``. A name that is no Python name goes in backquotes. The text is parsed and
translated, never run. A comparison with a missing value is not true.
"""

import ast
import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lawful.findings import RunsError
from lawful.quantities import did_you_mean

if TYPE_CHECKING:
    import polars as pl

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda column, values: column.is_in(values),
    ast.NotIn: lambda column, values: ~column.is_in(values),
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.And: operator.and_,
    ast.Or: operator.or_,
    ast.Not: operator.invert,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_ALLOWED = (
    "comparisons (== != < <= > >= in, not in), and, or, not, arithmetic, columns, numbers, quoted text, true, false"
)


def select(frame: "pl.DataFrame", text: str, column_of: Callable[[str], str | None], source: str) -> list[bool]:
    """Which rows of the frame the expression holds for.

    column_of gives the frame's column for a name in the expression, or None. Raises RunsError that names the
    unknown column and its nearest neighbours, or the part of the expression that is not understood.
    """
    import polars as pl

    quoted: list[str] = []

    def keep(match: re.Match[str]) -> str:
        quoted.append(match[1])
        return f"_quoted_{len(quoted) - 1}"

    def column(name: str) -> "pl.Expr":
        name = quoted[int(name.removeprefix("_quoted_"))] if name.startswith("_quoted_") else name
        found = column_of(name)
        if found is None and name in ("true", "false"):
            return pl.lit(name == "true")
        if found is None:
            near = did_you_mean(name, frame.columns)
            raise RunsError(f"where {text!r} names the column {name!r}, which is not there{near}", file=source)
        return pl.col(found)

    try:
        tree = ast.parse(re.sub(r"`([^`]+)`", keep, text).strip(), mode="eval").body
    except SyntaxError as error:
        raise RunsError(f"where {text!r} cannot be read: {error.msg}", allowed=_ALLOWED) from None
    try:
        chosen = frame.select(_translate(tree, column, text).alias("chosen"))["chosen"]
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise RunsError(f"where {text!r} does not fit the columns ({reason})", file=source) from None
    if chosen.dtype != pl.Boolean or len(chosen) != frame.height:
        raise RunsError(f"where {text!r} is not true or false of every row", allowed=_ALLOWED)
    return chosen.fill_null(False).to_list()


def _translate(node: ast.AST, column: Callable[[str], "pl.Expr"], text: str) -> "pl.Expr":
    import polars as pl

    def part(child: ast.AST) -> "pl.Expr":
        return _translate(child, column, text)

    match node:
        case ast.BoolOp(op, values):
            parts = [part(value) for value in values]
            for other in parts[1:]:
                parts[0] = _OPERATORS[type(op)](parts[0], other)
            return parts[0]
        case ast.UnaryOp(op, operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](part(operand))
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](part(left), part(right))
        case ast.Compare(left, ops, right) if all(type(op) in _OPERATORS for op in ops):
            return _chain([left, *right], ops, part, text)
        case ast.Name(name):
            return column(name)
        case ast.Constant(bool() | int() | float() | str() as value):
            return pl.lit(value)
    raise RunsError(f"where {text!r}: {ast.unparse(node)!r} is not understood", allowed=_ALLOWED)


def _chain(nodes: list[ast.expr], ops: list[ast.cmpop], part: Callable[..., Any], text: str) -> "pl.Expr":
    """``a < b <= c`` is ``a < b and b <= c``; after ``in`` comes a list of values."""
    links = []
    for left, op, right in zip(nodes, ops, nodes[1:]):
        if isinstance(op, (ast.In, ast.NotIn)):
            try:
                values = list(ast.literal_eval(right))
            except (ValueError, TypeError):
                values = []
            if isinstance(right, ast.Constant) or not values:
                got = ast.unparse(right)
                raise RunsError(f"where {text!r}: after 'in' comes {got!r}", allowed="a list such as ('a', 'b')")
            links.append(_OPERATORS[type(op)](part(left), values))
        else:
            links.append(_OPERATORS[type(op)](part(left), part(right)))
    for link in links[1:]:
        links[0] = links[0] & link
    return links[0]
