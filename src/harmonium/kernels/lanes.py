"""Instructions for whole vectors, for the loops that a compiler does not find by itself.

Numba has no type for a vector, so these functions write LLVM's own code.  A vector has as many numbers as fit in
`BYTES`; LLVM splits it into the registers of the processor at hand, whatever their width.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

__all__ = ["BYTES", "UNITS", "add_sums", "count_bits", "is_on", "store_sums", "transpose"]

BYTES = 256
"""Bytes of a vector: 64 numbers in float32, which fill half of the registers of AVX2."""

UNITS = 16
"""Units whose states make up a word of bits."""

_FOUR = 4  # rows of one table
_SUMS = 16  # sums of a table: one for each set of its rows

_INT = ir.IntType(64)

intrinsic: Any = extending.intrinsic  # type checkers see its first argument, which compiled code does not pass


def _int(value: int) -> Any:
    return ir.Constant(_INT, value)


def _data(context: Any, builder: Any, array: Any, value: Any) -> Any:
    return context.make_array(array)(context, builder, value).data


def _load(builder: Any, pointer: Any, vector: Any, align: int) -> Any:
    value = builder.load(builder.bitcast(pointer, vector.as_pointer()))
    value.align = align
    return value


def _store(builder: Any, value: Any, pointer: Any, align: int) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = align


def _vector(context: Any, array: Any) -> tuple[Any, int, int]:
    """LLVM's type of a number of the array, bytes of a number, and numbers in `BYTES`."""
    size = array.dtype.bitwidth // 8
    return context.get_value_type(array.dtype), size, BYTES // size


def _element(context: Any, builder: Any, array: Any, value: Any, i: Any, j: Any) -> Any:
    """Pointer to entry (i, j) of a matrix of any layout."""
    view = context.make_array(array)(context, builder, value)
    strides = cgutils.unpack_tuple(builder, view.strides)
    offset = builder.add(builder.mul(i, strides[0]), builder.mul(j, strides[1]))
    return cgutils.pointer_add(builder, view.data, offset)


@intrinsic
def is_on(typing, s, r, j):
    """Bits of the 16 states s[r, j : j + 16] that are not 0; above them, bits of those that are neither 0 nor 1."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array = signature.args[0]
        number, size, _ = _vector(context, array)
        vector = ir.VectorType(number, UNITS)
        states = _load(builder, _element(context, builder, array, *values), vector, size)
        on = builder.fcmp_unordered("!=", states, ir.Constant(vector, [0.0] * UNITS))
        strange = builder.and_(on, builder.fcmp_unordered("!=", states, ir.Constant(vector, [1.0] * UNITS)))
        word, half = ir.IntType(32), ir.IntType(UNITS)
        bits = [builder.zext(builder.bitcast(mask, half), word) for mask in (on, strange)]
        return builder.or_(bits[0], builder.shl(bits[1], ir.Constant(word, UNITS)))

    return types.uint32(s, types.int64, types.int64), code


@intrinsic
def count_bits(typing, word):
    """Number of ones of an unsigned integer."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.zext(builder.ctpop(values[0]), _INT)

    return types.int64(word), code


@intrinsic
def store_sums(typing, table, q, x, i, j):
    """Table q = sums of all sets of the rows i ... i + 3 of x, columns j to j + 64 (float64: 32).

    Bit k of the number of a sum says whether row i + k is in it.  x is contiguous; ``table`` is flat and aligned.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        to, _, array = signature.args[:3]
        number, size, width = _vector(context, to)
        part = width // _FOUR  # columns at a time: all sums of them are in registers
        vector = ir.VectorType(number, part)
        begin = builder.gep(_data(context, builder, to, values[0]), [builder.mul(values[1], _int(_SUMS * width))])
        rows = [
            _element(context, builder, array, values[2], builder.add(values[3], _int(k)), values[4])
            for k in range(_FOUR)
        ]
        for column in range(0, width, part):
            row = [_load(builder, builder.gep(row, [_int(column)]), vector, size) for row in rows]
            sums = [ir.Constant(vector, [0.0] * part)]
            for number_of_sum in range(1, _SUMS):
                last = number_of_sum.bit_length() - 1
                before = number_of_sum - (1 << last)
                sums.append(builder.fadd(sums[before], row[last]) if before else row[last])
            for number_of_sum, total in enumerate(sums):
                _store(builder, total, builder.gep(begin, [_int(number_of_sum * width + column)]), 32)
        return context.get_dummy_value()

    return types.void(table, types.int64, x, types.int64, types.int64), code


@intrinsic
def add_sums(typing, total, r, table, bits):
    """Row r of ``total`` (flat, rows of `BYTES`) += from each of four tables the sum that four of 16 bits name."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array = signature.args[0]
        number, _, width = _vector(context, array)
        vector = ir.VectorType(number, width)
        row = builder.gep(_data(context, builder, array, values[0]), [builder.mul(values[1], _int(width))])
        sums = _data(context, builder, signature.args[2], values[2])
        word = builder.zext(values[3], _INT)
        value = _load(builder, row, vector, 32)
        for q in range(UNITS // _FOUR):
            named = builder.and_(builder.lshr(word, _int(_FOUR * q)), _int(_SUMS - 1))
            place = builder.add(builder.mul(named, _int(width)), _int(q * _SUMS * width))
            value = builder.fadd(value, _load(builder, builder.gep(sums, [place]), vector, 32))
        _store(builder, value, row, 32)
        return context.get_dummy_value()

    return types.void(total, types.int64, table, types.uint16), code


@intrinsic
def transpose(typing, out, x, i, j):
    """out = x[i : i + 16, j : j + 64].T (float64: 32), from a matrix x whose columns are contiguous in memory."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        to, array = signature.args[:2]
        number, size, width = _vector(context, to)
        vector = ir.VectorType(number, _FOUR)
        pick = ir.VectorType(ir.IntType(32), _FOUR)
        low, high, first, second = (
            ir.Constant(pick, order) for order in ([0, 4, 1, 5], [2, 6, 3, 7], [0, 1, 4, 5], [2, 3, 6, 7])
        )
        begin = _data(context, builder, to, values[0])
        for column in range(0, width, _FOUR):
            columns = [
                _element(context, builder, array, values[1], values[2], builder.add(values[3], _int(column + k)))
                for k in range(_FOUR)
            ]
            for k in range(0, UNITS, _FOUR):
                a, b, c, d = (_load(builder, builder.gep(x, [_int(k)]), vector, size) for x in columns)
                ab, cd = builder.shuffle_vector(a, b, low), builder.shuffle_vector(c, d, low)
                ab_, cd_ = builder.shuffle_vector(a, b, high), builder.shuffle_vector(c, d, high)
                for row, (left, right, order) in enumerate(
                    ((ab, cd, first), (ab, cd, second), (ab_, cd_, first), (ab_, cd_, second))
                ):
                    place = builder.gep(begin, [_int((k + row) * width + column)])
                    _store(builder, builder.shuffle_vector(left, right, order), place, size)
        return context.get_dummy_value()

    return types.void(out, x, types.int64, types.int64), code
