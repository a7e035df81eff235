"""A small vocabulary of SIMD values for kernels: what LLVM writes `<16 x float>`, under Python's names.

Lanes are 16 float32 side by side, a whole 16 int32, a mask 16 answers of a comparison; `Simd` is the type of all three,
and those of 8 are there for networks that are too small for 16. Operators work lane by lane, each rounded once, as with
scalars; one of two operands may be a scalar, which is then in all lanes. A `Tile` is rows x columns of lanes in
registers; its type carries both numbers, so that Numba compiles a function that is given a tile for each kind of it.
LLVM makes of 16 lanes what the CPU has: one register of AVX-512, two of AVX2, four of NEON.

Memory is a pointer and a number of items from there: a call then passes two numbers where an array has seven.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic

__all__ = [
    "LANES",
    "WIDE_REGISTERS",
    "add_products",
    "ahead",
    "bits_of",
    "fetch_block",
    "floats_of_bits",
    "lane",
    "lanes_at",
    "largest_of",
    "load",
    "lowest_bit",
    "minus_scaled",
    "nearest_floats",
    "not_zero",
    "numbers_like",
    "plus_scaled",
    "pointer",
    "prefetch",
    "select",
    "splat",
    "square_root",
    "store",
    "store_difference",
    "store_tile",
    "sum_of",
    "tile_at",
    "tile_like",
    "tile_of",
    "transpose",
    "truncated",
]

#: float32 in a vector
LANES = 16
#: of vectors that there are operators for
COUNTS = (8, LANES)


def _has_wide_registers() -> bool:
    """Whether Numba compiles for AVX-512, with 32 registers of 16 floats. Others hold 8 such vectors in theirs."""
    if config.CPU_FEATURES is not None:
        return "+avx512f" in config.CPU_FEATURES
    return bool(binding.get_host_cpu_features().get("avx512f", False))


#: whether tiles of 16 vectors stay in registers, or else of 4
WIDE_REGISTERS = _has_wide_registers()

_FLOAT, _INT32, _INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_LANES = ir.VectorType(_FLOAT, LANES)
_WHOLE = ir.VectorType(_INT32, LANES)
_ELEMENTS = {"Lanes": _FLOAT, "Whole": _INT32, "Mask": ir.IntType(1)}


class Register(types.Type):  # type: ignore[misc]
    """A value in registers, by what LLVM calls it."""

    def __init__(self, name: str, llvm_type: ir.Type) -> None:
        self.llvm_type = llvm_type
        super().__init__(name=name)


class Simd(Register):
    """`count` "Lanes", "Whole" or "Mask" side by side."""

    def __init__(self, kind: str, count: int = LANES) -> None:
        self.count = count
        super().__init__(f"{kind}({count})", ir.VectorType(_ELEMENTS[kind], count))

    def of(self, kind: str) -> Simd:
        """As many of another kind."""
        return Simd(kind, self.count)


class Tile(Register):
    """rows x columns of lanes, row by row."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        super().__init__(f"Tile({rows}, {columns})", ir.ArrayType(_LANES, rows * columns))


@register_default(Register)
@register_default(Simd)
@register_default(Tile)
class RegisterModel(models.PrimitiveModel):  # type: ignore[misc]
    """Numba's idea of it."""

    def __init__(self, manager: Any, numba_type: Register) -> None:
        super().__init__(manager, numba_type, numba_type.llvm_type)


Lanes = Simd("Lanes")
Pointer, Numbers = types.CPointer(types.float32), types.CPointer(types.int64)

Emit = Callable[..., ir.Value]


def in_all_lanes(builder: ir.IRBuilder, scalar: ir.Value, vector: ir.Type) -> ir.Value:
    """A scalar as a vector; what already is one stays so."""
    if scalar.type == vector:
        return scalar
    if vector.element == _INT32:
        scalar = builder.trunc(scalar, _INT32)
    nothing, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(_INT32, vector.count), None)
    return builder.shuffle_vector(builder.insert_element(nothing, scalar, _INT32(0)), nothing, zeros)


def scalar_at(builder: ir.IRBuilder, values: ir.Value, at: int) -> ir.Value:
    """One float of memory or of a vector."""
    if isinstance(values.type, ir.PointerType):
        return builder.load(builder.gep(values, [_INT64(at)]))
    return builder.extract_element(values, _INT32(at))


def _operator(op: Any, kind: str, result: str, emit: Emit) -> None:
    """Give an operator of Python its meaning for two operands of a kind, one of which may be a scalar."""
    scalar = {"Lanes": [types.float32], "Whole": [types.int64], "Mask": []}[kind]
    signatures = []
    for vector in (Simd(kind, count) for count in COUNTS):
        operands = [(vector, vector), *((vector, one) for one in scalar), *((one, vector) for one in scalar)]
        signatures += [signature(vector.of(result), *pair) for pair in operands]

    @infer_global(op)
    class _Typing(ConcreteTemplate):  # type: ignore[misc]
        cases = signatures

    def lower(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        vector = ir.VectorType(_ELEMENTS[kind], sig.return_type.count)
        return emit(builder, *(in_all_lanes(builder, argument, vector) for argument in arguments))

    for one in signatures:
        lower_builtin(op, *one.args)(lower)


for _op, _name in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv")):
    _operator(_op, "Lanes", "Lanes", lambda builder, a, b, name=_name: getattr(builder, name)(a, b))
for _op, _sign in ((operator.gt, ">"), (operator.lt, "<"), (operator.le, "<="), (operator.eq, "==")):
    _operator(_op, "Lanes", "Mask", lambda builder, a, b, sign=_sign: builder.fcmp_ordered(sign, a, b))
_operator(operator.ne, "Lanes", "Mask", lambda builder, a, b: builder.fcmp_unordered("!=", a, b))
for _op, _name in (
    (operator.add, "add"),
    (operator.sub, "sub"),
    (operator.lshift, "shl"),
    (operator.rshift, "ashr"),
    (operator.and_, "and_"),
    (operator.or_, "or_"),
):
    _operator(_op, "Whole", "Whole", lambda builder, a, b, name=_name: getattr(builder, name)(a, b))
_operator(operator.or_, "Mask", "Mask", lambda builder, a, b: builder.or_(a, b))


def vector_at(builder: ir.IRBuilder, where: ir.Value, by: ir.Value, vector: ir.Type) -> ir.Value:
    """The pointer to a vector of a kind, `by` floats further on."""
    return builder.bitcast(builder.gep(where, [by]), vector.as_pointer())


def _load(builder: ir.IRBuilder, where: ir.Value, by: ir.Value) -> ir.Value:
    return builder.load(vector_at(builder, where, by, _LANES), align=4)


def _store(builder: ir.IRBuilder, value: ir.Value, where: ir.Value, by: ir.Value) -> None:
    builder.store(value, vector_at(builder, where, by, value.type), align=4)


def plain(result: Any, operands: tuple[Any, ...], emit: Emit) -> Any:
    """An intrinsic's answer: its types, and how it is emitted from its arguments alone."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        value = emit(builder, *arguments)
        return context.get_dummy_value() if result == types.void else value

    return result(*operands), generate


@intrinsic  # type: ignore[untyped-decorator]
def pointer(typing_context: Any, array: Any, at: Any) -> Any:
    """Where an item of an array is, by its number; the array must outlive the pointer."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        data = context.make_array(sig.args[0])(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    return types.CPointer(array.dtype)(array, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def ahead(typing_context: Any, where: Any, by: Any) -> Any:
    """The pointer `by` items further on."""
    return plain(where, (where, types.intp), lambda builder, where, by: builder.gep(where, [by]))


@intrinsic  # type: ignore[untyped-decorator]
def load(typing_context: Any, where: Any, at: Any) -> Any:
    """16 floats from memory."""
    return plain(Lanes, (Pointer, types.intp), _load)


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing_context: Any, where: Any, at: Any) -> Any:
    """Have the cache line of a float brought near, sooner or later; nothing waits for it."""

    def emit(builder: ir.IRBuilder, where: ir.Value, at: ir.Value) -> None:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _INT32, _INT32, _INT32])
        line = builder.bitcast(builder.gep(where, [at]), byte)
        # to read; into the second level; data
        to = [_INT32(0), _INT32(2), _INT32(1)]
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8"), [line, *to])

    return plain(types.void, (Pointer, types.intp), emit)


@intrinsic  # type: ignore[untyped-decorator]
def store(typing_context: Any, value: Any, where: Any, at: Any) -> Any:
    """Lanes to memory."""
    return plain(types.void, (value, Pointer, types.intp), _store)


@intrinsic  # type: ignore[untyped-decorator]
def splat(typing_context: Any, value: Any) -> Any:
    """One float32 in all lanes."""
    return plain(Lanes, (types.float32,), lambda builder, value: in_all_lanes(builder, value, _LANES))


@intrinsic  # type: ignore[untyped-decorator]
def select(typing_context: Any, mask: Any, a: Any, b: Any) -> Any:
    """a where the mask says so, else b. Either may be a scalar."""
    kind = a if isinstance(a, Simd) else b
    if not isinstance(kind, Simd):
        kind = mask.of("Lanes" if isinstance(a, types.Float) else "Whole")
    scalar = types.float32 if kind == mask.of("Lanes") else types.int64

    def emit(builder: ir.IRBuilder, mask: ir.Value, *values: ir.Value) -> ir.Value:
        return builder.select(mask, *(in_all_lanes(builder, value, kind.llvm_type) for value in values))

    return plain(kind, (mask, *(kind if isinstance(one, Simd) else scalar for one in (a, b))), emit)


@intrinsic  # type: ignore[untyped-decorator]
def square_root(typing_context: Any, value: Any) -> Any:
    """Correctly rounded, by the CPU's instruction."""

    def emit(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
        root = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_LANES, [_LANES]), "llvm.sqrt.v16f32")
        return builder.call(root, [value])

    return plain(Lanes, (Lanes,), emit)


@intrinsic  # type: ignore[untyped-decorator]
def truncated(typing_context: Any, value: Any) -> Any:
    """Towards 0; a lane that leaves int32 must not be used."""
    kind = value.of("Whole")
    return plain(kind, (value,), lambda builder, value: builder.fptosi(value, kind.llvm_type))


@intrinsic  # type: ignore[untyped-decorator]
def nearest_floats(typing_context: Any, value: Any) -> Any:
    """Integers as floats."""
    kind = value.of("Lanes")
    return plain(kind, (value,), lambda builder, value: builder.sitofp(value, kind.llvm_type))


@intrinsic  # type: ignore[untyped-decorator]
def not_zero(typing_context: Any, value: Any) -> Any:
    """An int64 with bit n set where lane n is not 0."""

    def emit(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
        mask = builder.fcmp_unordered("!=", value, ir.Constant(_LANES, None))
        return builder.zext(builder.bitcast(mask, ir.IntType(LANES)), ir.IntType(64))

    return plain(types.int64, (Lanes,), emit)


@intrinsic  # type: ignore[untyped-decorator]
def lowest_bit(typing_context: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set in an int64, which is not 0."""
    return plain(types.int64, (types.int64,), lambda builder, bits: builder.cttz(bits, ir.Constant(ir.IntType(1), 1)))


@intrinsic  # type: ignore[untyped-decorator]
def bits_of(typing_context: Any, value: Any) -> Any:
    """The bits of floats."""
    kind = value.of("Whole")
    return plain(kind, (value,), lambda builder, value: builder.bitcast(value, kind.llvm_type))


@intrinsic  # type: ignore[untyped-decorator]
def floats_of_bits(typing_context: Any, value: Any) -> Any:
    """The floats that have these bits."""
    kind = value.of("Lanes")
    return plain(kind, (value,), lambda builder, value: builder.bitcast(value, kind.llvm_type))


def _rows_of(kind: Tile, builder: ir.IRBuilder, where: ir.Value, stride: ir.Value) -> list[ir.Value]:
    """Pointers to each row of a tile in memory."""
    rows = [where]
    for _ in range(kind.rows - 1):
        rows.append(builder.gep(rows[-1], [stride]))
    return rows


def _columns_of(kind: Tile) -> list[ir.Value]:
    return [ir.Constant(ir.IntType(64), column * LANES) for column in range(kind.columns)]


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def tile_at(typing_context: Any, where: Any, stride: Any, rows: Any, columns: Any) -> Any:
    """A tile from memory, its rows `stride` floats apart (0 for the same row in all); rows and columns are literals."""
    kind = Tile(rows.literal_value, columns.literal_value)

    def emit(builder: ir.IRBuilder, where: ir.Value, stride: ir.Value, *_: ir.Value) -> ir.Value:
        tile, at = ir.Constant(kind.llvm_type, ir.Undefined), 0
        for row in _rows_of(kind, builder, where, stride):
            for column in _columns_of(kind):
                tile, at = builder.insert_value(tile, _load(builder, row, column), at), at + 1
        return tile

    return plain(kind, (Pointer, types.intp, rows, columns), emit)


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def tile_of(typing_context: Any, where: Any, stride: Any, rows: Any, columns: Any) -> Any:
    """A tile with one float from memory in all lanes of a row, those of the rows `stride` apart."""
    kind = Tile(rows.literal_value, columns.literal_value)

    def emit(builder: ir.IRBuilder, where: ir.Value, stride: ir.Value, *_: ir.Value) -> ir.Value:
        tile, at = ir.Constant(kind.llvm_type, ir.Undefined), 0
        for row in _rows_of(kind, builder, where, stride):
            lanes = in_all_lanes(builder, builder.load(row), _LANES)
            for _column in range(kind.columns):
                tile, at = builder.insert_value(tile, lanes, at), at + 1
        return tile

    return plain(kind, (Pointer, types.intp, rows, columns), emit)


@intrinsic  # type: ignore[untyped-decorator]
def tile_like(typing_context: Any, where: Any, tile: Any) -> Any:
    """A tile of one row from memory, as wide as another one."""

    def emit(builder: ir.IRBuilder, where: ir.Value, _: ir.Value) -> ir.Value:
        value = ir.Constant(tile.llvm_type, ir.Undefined)
        for at, column in enumerate(_columns_of(tile)):
            value = builder.insert_value(value, _load(builder, where, column), at)
        return value

    return plain(tile, (Pointer, tile), emit)


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def lanes_at(typing_context: Any, where: Any, count: Any, like: Any) -> Any:
    """So many floats from memory, a literal, and 0 in the other lanes."""

    def emit(builder: ir.IRBuilder, where: ir.Value, _: ir.Value, other: ir.Value) -> ir.Value:
        lanes = ir.Constant(other.type, None)
        for n in range(count.literal_value):
            lanes = builder.insert_element(lanes, scalar_at(builder, where, n), _INT32(n))
        return lanes

    return plain(like, (Pointer, count, like), emit)


@intrinsic  # type: ignore[untyped-decorator]
def lane(typing_context: Any, value: Any, number: Any) -> Any:
    """One lane."""
    return plain(types.float32, (value, types.int64), lambda builder, value, at: builder.extract_element(value, at))


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def sum_of(typing_context: Any, value: Any, count: Any) -> Any:
    """The first lanes, a literal number of them, added one after the other."""

    def emit(builder: ir.IRBuilder, value: ir.Value, _: ir.Value) -> ir.Value:
        return reduce(builder.fadd, (scalar_at(builder, value, n) for n in range(count.literal_value)))

    return plain(types.float32, (value, count), emit)


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def largest_of(typing_context: Any, value: Any, count: Any) -> Any:
    """The largest of the first lanes, a literal number of them; none is NaN, and what fills up is no larger."""

    def emit(builder: ir.IRBuilder, value: ir.Value, _: ir.Value) -> ir.Value:
        step = 1
        while step < count.literal_value:
            mask = ir.Constant(ir.VectorType(_INT32, value.type.count), [n ^ step for n in range(value.type.count)])
            other = builder.shuffle_vector(value, value, mask)
            value = builder.select(builder.fcmp_ordered(">", other, value), other, value)
            step *= 2
        return scalar_at(builder, value, 0)

    return plain(types.float32, (value, count), emit)


@intrinsic  # type: ignore[untyped-decorator]
def numbers_like(typing_context: Any, like: Any) -> Any:
    """0, 1, 2, ... in as many lanes."""
    numbers = ir.Constant(like.llvm_type, [float(n) for n in range(like.count)])
    return plain(like, (like,), lambda builder, _: numbers)


def _stored(tile: Tile, made: Callable[[ir.IRBuilder, ir.Value, ir.Value, ir.Value], ir.Value]) -> Any:
    """A tile to memory, as what is made of its values, pointers to their rows and columns."""

    def emit(builder: ir.IRBuilder, value: ir.Value, where: ir.Value, stride: ir.Value) -> None:
        at = 0
        for row in _rows_of(tile, builder, where, stride):
            for column in _columns_of(tile):
                _store(builder, made(builder, builder.extract_value(value, at), row, column), row, column)
                at += 1

    return plain(types.void, (tile, Pointer, types.intp), emit)


@intrinsic  # type: ignore[untyped-decorator]
def store_tile(typing_context: Any, tile: Any, where: Any, stride: Any) -> Any:
    """A tile to memory."""
    return _stored(tile, lambda builder, value, row, column: value)


@intrinsic  # type: ignore[untyped-decorator]
def store_difference(typing_context: Any, tile: Any, where: Any, stride: Any) -> Any:
    """What is in memory less a tile, to where it was."""
    return _stored(tile, lambda builder, value, row, column: builder.fsub(_load(builder, row, column), value))


@intrinsic  # type: ignore[untyped-decorator]
def add_products(typing_context: Any, tile: Any, a: Any, stride: Any, b: Any) -> Any:
    """One more term for all sums of a tile: tile[r, c] + a[r] * b[c].

    a : its floats, one a row, are `stride` apart. b : lanes of all columns, one after the other.
    """

    def emit(builder: ir.IRBuilder, value: ir.Value, a: ir.Value, stride: ir.Value, b: ir.Value) -> ir.Value:
        columns = [_load(builder, b, column) for column in _columns_of(tile)]
        at = 0
        for row in _rows_of(tile, builder, a, stride):
            factor = in_all_lanes(builder, builder.load(row), _LANES)
            for column in columns:
                total = builder.fadd(builder.extract_value(value, at), builder.fmul(factor, column))
                value, at = builder.insert_value(value, total, at), at + 1
        return value

    return plain(tile, (tile, Pointer, types.intp, Pointer), emit)


def _with_scaled(tile: Any, name: str) -> Any:
    def emit(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, factor: ir.Value) -> ir.Value:
        lanes = in_all_lanes(builder, factor, _LANES)
        for at in range(tile.rows * tile.columns):
            product = builder.fmul(builder.extract_value(b, at), lanes)
            a = builder.insert_value(a, getattr(builder, name)(builder.extract_value(a, at), product), at)
        return a

    return plain(tile, (tile, tile, types.float32), emit)


@intrinsic  # type: ignore[untyped-decorator]
def plus_scaled(typing_context: Any, a: Any, b: Any, factor: Any) -> Any:
    """a + b * factor of tiles of a kind."""
    return _with_scaled(a, "fadd")


@intrinsic  # type: ignore[untyped-decorator]
def minus_scaled(typing_context: Any, a: Any, b: Any, factor: Any) -> Any:
    """a - b * factor of tiles of a kind."""
    return _with_scaled(a, "fsub")


def _transposed(builder: ir.IRBuilder, rows: list[ir.Value]) -> list[ir.Value]:
    """16 vectors, rows to columns.

    Four rounds, in each of which the first and the second half of the rows are interleaved: that turns the 8 bits of a
    float's number (row, column) by one place, and after four rounds row and column have changed places.
    """
    halves = [[n // 2 + LANES * (n % 2) + first for n in range(LANES)] for first in (0, LANES // 2)]
    for _ in range(4):
        pairs = zip(rows[: LANES // 2], rows[LANES // 2 :], strict=True)
        rows = [
            builder.shuffle_vector(a, b, ir.Constant(_WHOLE, [_INT32(n) for n in half]))
            for a, b in pairs
            for half in halves
        ]
    return rows


_BLOCK = Tile(LANES, 1)


def _store_rows(builder: ir.IRBuilder, rows: list[ir.Value], where: ir.Value, stride: ir.Value) -> None:
    for row, target in zip(rows, _rows_of(_BLOCK, builder, where, stride), strict=True):
        _store(builder, row, target, _INT64(0))


@intrinsic  # type: ignore[untyped-decorator]
def transpose(typing_context: Any, source: Any, source_stride: Any, target: Any, target_stride: Any) -> Any:
    """A block of 16 x 16 floats, rows to columns."""

    def emit(
        builder: ir.IRBuilder, source: ir.Value, source_stride: ir.Value, target: ir.Value, target_stride: ir.Value
    ) -> None:
        rows = [_load(builder, row, _INT64(0)) for row in _rows_of(_BLOCK, builder, source, source_stride)]
        _store_rows(builder, _transposed(builder, rows), target, target_stride)

    return plain(types.void, (Pointer, types.intp, Pointer, types.intp), emit)


@intrinsic  # type: ignore[untyped-decorator]
def fetch_block(
    typing_context: Any, source: Any, starts: Any, at: Any, rows: Any, row_stride: Any, columns: Any, column_stride: Any
) -> Any:
    """A block of 16 x 16 floats, whose rows are `at` floats behind starts[0], starts[1] and so on: copied to rows and
    turned around to columns."""

    def emit(builder: ir.IRBuilder, source: ir.Value, starts: ir.Value, at: ir.Value, *where: ir.Value) -> None:
        given = builder.gep(source, [at])
        firsts = [builder.load(start) for start in _rows_of(_BLOCK, builder, starts, _INT64(1))]
        rows = [_load(builder, given, first) for first in firsts]
        _store_rows(builder, rows, *where[:2])
        _store_rows(builder, _transposed(builder, rows), *where[2:])

    return plain(types.void, (Pointer, Numbers, types.intp, Pointer, types.intp, Pointer, types.intp), emit)
