"""Numbers that Numba knows while it compiles, so that it leaves out what is for others.

Somebody's first network has one activation, one output and one optimiser. To compile the kernels for all there are
takes twice as long.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from numba import types
from numba.core import ir
from numba.core.compiler import Compiler, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.datamodel import models, register_default
from numba.core.ir_utils import get_definition, guard
from numba.core.untyped_passes import IRProcessing
from numba.extending import NativeValue, unbox

__all__ = ["Specializing", "specialized"]

Values = TypeVar("Values", bound=NamedTuple)


class _Constant(types.Type):  # type: ignore[misc]
    """The type of one number: another number has another type, so that kernels are compiled for it."""

    def __init__(self, value: Any) -> None:
        self.value = value
        super().__init__(name=f"Constant({value!r})")


register_default(_Constant)(models.OpaqueModel)


@unbox(_Constant)  # type: ignore[untyped-decorator]
def _unbox(kind: _Constant, number: Any, c: Any) -> NativeValue:
    return NativeValue(c.context.get_dummy_value())


class _Typed:
    """A number with that type."""

    def __init__(self, value: Any) -> None:
        self._numba_type_ = _Constant(value)


def specialized(values: Values, *names: str) -> Values:
    """The same for kernels only, which are compiled for the numbers of these names. Every other number compiles anew.

    Kernels compare them, and hand them on to what is `inside` of them.
    """
    typed: dict[str, Any] = {name: _Typed(getattr(values, name)) for name in names}
    return values._replace(**typed)


@register_pass(mutates_CFG=False, analysis_only=False)
class _FillIn(FunctionPass):  # type: ignore[misc]
    """Writes such a number wherever it is read, after which Numba drops the branches that it does not take."""

    _name = "nnlite_fill_in_constants"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Returns whether there was one."""
        changed = False
        for block in state.func_ir.blocks.values():
            for statement in block.find_insts(ir.Assign):
                kind = _type_of(state, statement.value)
                if not isinstance(kind, _Constant | types.IntegerLiteral):
                    continue
                value = kind.value if isinstance(kind, _Constant) else kind.literal_value
                definitions = state.func_ir._definitions[statement.target.name]
                number = ir.Const(value, statement.loc)
                definitions[definitions.index(statement.value)] = statement.value = number
                changed = True
        return changed


def _type_of(state: Any, value: Any) -> types.Type | None:
    """Of an argument or of a member of one; None of anything else."""
    if isinstance(value, ir.Arg):
        return state.args[value.index]
    if isinstance(value, ir.Expr) and value.op == "getattr":
        owner = guard(get_definition, state.func_ir, value.value)
        kind = state.args[owner.index] if isinstance(owner, ir.Arg) else None
        if isinstance(kind, types.BaseNamedTuple) and value.attr in kind.fields:
            return kind[kind.fields.index(value.attr)]
    return None


class Specializing(Compiler):  # type: ignore[misc]
    """Numba's compiler, with that before it looks for branches that are never taken."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_FillIn, IRProcessing)
        passes.finalize()
        return [passes]
