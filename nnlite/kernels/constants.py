"""Numbers that Numba knows while it compiles, so that it leaves out what is for others.

Somebody's first network has one activation, one output and one optimiser. To compile the kernels for all there are
takes twice as long.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir as llvm
from numba import types
from numba.core import cgutils, ir
from numba.core.compiler import Compiler, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_constant
from numba.core.ir_utils import get_definition, guard
from numba.core.untyped_passes import IRProcessing
from numba.extending import intrinsic

__all__ = ["Constants", "Specializing", "with_constants"]


class _Constant(types.Type):  # type: ignore[misc]
    """The type of one number: another number has another type, so that kernels are compiled for it."""

    def __init__(self, value: Any) -> None:
        self.value = value
        super().__init__(name=f"Constant({type(value).__name__} {value!r})")


class _ConstantsType(types.Type):  # type: ignore[misc]
    """The type of `Constants`, another one for each."""

    def __init__(self, numbers: dict[str, Any]) -> None:
        self.types = {name: _Constant(value) for name, value in numbers.items()}
        super().__init__(name=f"Constants({self.types})")


register_default(_Constant)(models.OpaqueModel)
register_default(_ConstantsType)(models.OpaqueModel)


class Constants:
    """Numbers by the names of a named tuple's members."""

    def __init__(self, **numbers: Any) -> None:
        self._numbers = numbers

    @property
    def _numba_type_(self) -> types.Type:
        return _ConstantsType(self._numbers)


@lower_constant(_ConstantsType)  # type: ignore[untyped-decorator]
def _nothing(context: Any, builder: Any, kind: Any, value: Any) -> llvm.Value:
    return context.get_dummy_value()


@intrinsic  # type: ignore[untyped-decorator]
def with_constants(typing_context: Any, values: Any, constants: Any) -> Any:
    """A named tuple for other kernels, which are compiled for these numbers, whatever it has in their place.

    They compare the numbers, and hand them on to what is `inside` of them.
    """
    named = zip(values.fields, values, strict=True)
    result = types.NamedTuple([constants.types.get(name, kind) for name, kind in named], values.instance_class)

    def generate(context: Any, builder: llvm.IRBuilder, sig: Any, arguments: Any) -> llvm.Value:
        given = zip(values.fields, cgutils.unpack_tuple(builder, arguments[0]), strict=True)
        nothing = context.get_dummy_value()
        return context.make_tuple(builder, result, [nothing if name in constants.types else one for name, one in given])

    return result(values, constants), generate


@register_pass(mutates_CFG=False, analysis_only=False)
class _FillIn(FunctionPass):  # type: ignore[misc]
    """Writes such a number wherever it is read, and one that a caller has written into an argument; after which Numba
    drops the branches that it does not take."""

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
