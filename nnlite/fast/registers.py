"""Dense layers that stay in registers, and the words to compute with them. Further words of `lanes`, for `tiny`.

The sizes of a network are part of a type, so that Numba compiles for them, and so is each layer: b, the rows of W,
and W by columns, each of them one vector. A vector has 8 lanes or 16, whatever the widest layer needs.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_constant
from numba.extending import intrinsic, typeof_impl

from nnlite.fast.lanes import Pointer, Register, RegisterModel, Simd, in_all_lanes, plain, scalar_at, vector_at
from nnlite.fast.plan import TinyPlan

__all__ = [
    "Known",
    "layers_at",
    "less_scaled",
    "store_layers",
    "sums_back",
    "sums_forward",
    "zeros_for",
]

_INT64 = ir.IntType(64)


class Known(types.Type):  # type: ignore[misc]
    """The type of a `TinyPlan`, another one for each: so all of the plan is at hand while something is compiled."""

    def __init__(self, plan: TinyPlan) -> None:
        self.plan = plan
        super().__init__(name=str(plan))


register_default(Known)(models.OpaqueModel)


@typeof_impl.register(TinyPlan)  # type: ignore[untyped-decorator]
def _type_of(plan: TinyPlan, _: Any) -> Known:
    return Known(plan)


@lower_constant(Known)  # type: ignore[untyped-decorator]
def _constant(context: Any, builder: Any, kind: Any, value: Any) -> ir.Value:
    return context.get_dummy_value()


class _Layer(Register):
    """b, the rows of W and its columns in registers."""

    def __init__(self, lanes: int, inputs: int, columns: int) -> None:
        self.lanes, self.inputs, self.columns = Simd("Lanes", lanes), inputs, columns
        count = 1 + inputs + columns
        super().__init__(f"Layer({lanes}, {inputs}, {columns})", ir.ArrayType(self.lanes.llvm_type, count))


register_default(_Layer)(RegisterModel)


def _layers_of(plan: TinyPlan) -> Any:
    """A tuple of all layers' types."""
    sizes, columns = plan.sizes, plan.columns
    return types.BaseTuple.from_types([_Layer(plan.lanes, *one) for one in zip(sizes, columns, strict=False)])


def _parts(builder: ir.IRBuilder, kind: _Layer, layer: ir.Value) -> tuple[ir.Value, list[ir.Value], list[ir.Value]]:
    """b, the rows of W and its columns."""
    b, *vectors = (builder.extract_value(layer, n) for n in range(1 + kind.inputs + kind.columns))
    return b, vectors[: kind.inputs], vectors[kind.inputs :]


def _together(builder: ir.IRBuilder, kind: _Layer, vectors: list[ir.Value]) -> ir.Value:
    layer = ir.Constant(kind.llvm_type, ir.Undefined)
    for n, vector in enumerate(vectors):
        layer = builder.insert_value(layer, vector, n)
    return layer


def _plus_products(builder: ir.IRBuilder, start: ir.Value | None, factors: ir.Value, rows: list[ir.Value]) -> ir.Value:
    """start + sum_r factors[r] * rows[r] over ascending r; without a start from the first product on."""
    for r, row in enumerate(rows):
        product = builder.fmul(in_all_lanes(builder, scalar_at(builder, factors, r), row.type), row)
        start = product if start is None else builder.fadd(start, product)
    return start


@intrinsic  # type: ignore[untyped-decorator]
def layers_at(typing_context: Any, where: Any, plan: Any) -> Any:
    """All layers from memory, where they lie vector by vector."""
    kinds = _layers_of(plan.plan)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        layers, at = [], 0
        for kind in kinds:
            vector, vectors = kind.lanes.llvm_type, []
            for _ in range(kind.llvm_type.count):
                vectors.append(builder.load(vector_at(builder, arguments[0], _INT64(at), vector), align=4))
                at += vector.count
            layers.append(_together(builder, kind, vectors))
        return context.make_tuple(builder, kinds, layers)

    return kinds(Pointer, plan), generate


@intrinsic  # type: ignore[untyped-decorator]
def store_layers(typing_context: Any, layers: Any, where: Any) -> Any:
    """All layers to memory."""

    def emit(builder: ir.IRBuilder, values: ir.Value, where: ir.Value) -> None:
        at = 0
        for layer in cgutils.unpack_tuple(builder, values):
            for n in range(layer.type.count):
                vector = builder.extract_value(layer, n)
                builder.store(vector, vector_at(builder, where, _INT64(at), vector.type), align=4)
                at += vector.type.count

    return plain(types.void, (layers, Pointer), emit)


@intrinsic  # type: ignore[untyped-decorator]
def sums_forward(typing_context: Any, layer: Any, x: Any) -> Any:
    """eq. 8: b_j + sum_i w_ij x_i, lanes along j. x : memory or lanes."""

    def emit(builder: ir.IRBuilder, values: ir.Value, x: ir.Value) -> ir.Value:
        b, rows, _ = _parts(builder, layer, values)
        return _plus_products(builder, b, x, rows)

    return plain(layer.lanes, (layer, x), emit)


@intrinsic  # type: ignore[untyped-decorator]
def sums_back(typing_context: Any, layer: Any, dA: Any) -> Any:
    """sum_j dA_j w_ij, lanes along i; nothing of the first layer, which has no columns.

    From the first product instead of from +0: that differs in the sign of a zero only, which no parameter shows.
    """

    def emit(builder: ir.IRBuilder, values: ir.Value, dA: ir.Value) -> ir.Value:
        _, _, columns = _parts(builder, layer, values)
        return _plus_products(builder, None, dA, columns) if columns else ir.Constant(dA.type, ir.Undefined)

    return plain(layer.lanes, (layer, layer.lanes), emit)


@intrinsic  # type: ignore[untyped-decorator]
def less_scaled(typing_context: Any, layer: Any, u: Any, x: Any) -> Any:
    """Update rule: b_j - u_j and w_ij - u_j x_i, the rows of W and its columns. x : memory for the first layer."""

    def emit(builder: ir.IRBuilder, values: ir.Value, u: ir.Value, x: ir.Value) -> ir.Value:
        b, rows, columns = _parts(builder, layer, values)
        stepped = [builder.fsub(b, u)]
        for one, factors, vectors in ((u, x, rows), (x, u, columns)):
            for n, vector in enumerate(vectors):
                factor = in_all_lanes(builder, scalar_at(builder, factors, n), vector.type)
                stepped.append(builder.fsub(vector, builder.fmul(one, factor)))
        return _together(builder, layer, stepped)

    return plain(layer, (layer, layer.lanes, x), emit)


@intrinsic  # type: ignore[untyped-decorator]
def zeros_for(typing_context: Any, plan: Any) -> Any:
    """Lanes as the network's, all of them 0."""
    kind = Simd("Lanes", plan.plan.lanes)
    return plain(kind, (plan,), lambda builder, _: ir.Constant(kind.llvm_type, None))
