"""Vectors of `LANES` chains as the compiler's own vectors, which loops over arrays are not sure to become.

A loop over two rows of one array is preceded by a check that they do not overlap, and what one loop writes in narrow
vectors the next cannot read in wide ones without a stall.  These operations have no checks and one width; the compiler
turns them into whatever vectors the processor has.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

__all__ = ["LANES", "add_four", "copy_lanes", "put_lanes", "set_four", "unpack_words", "words_of_block"]

LANES = 16
"""Chains that are drawn at once."""

_HALF = LANES // 2  # of a vector: loops over `LANES` floats become two vectors on today's processors
_INDEX, _LONG, _WORD = ir.IntType(32), ir.IntType(64), ir.IntType(32)
intrinsic: Any = extending.intrinsic  # type checkers see its first argument, which compiled code does not pass

_CONTRACT = ("contract",)


def _splat(builder, value, count=LANES):
    vector = ir.VectorType(value.type, count)
    start = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_INDEX, 0))
    zeros = ir.Constant(ir.VectorType(_INDEX, count), [0] * count)
    return builder.shuffle_vector(start, ir.Constant(vector, ir.Undefined), zeros)


def _array(context, builder, kind, value):
    return context.make_array(kind)(context, builder, value)


def _place(builder, array, row, column):
    """Number of the element (row, column) of a contiguous matrix."""
    width = cgutils.unpack_tuple(builder, array.shape, 2)[1]
    return builder.add(builder.mul(row, width), column)


def _load(builder, array, at, element, count=LANES):
    pointer = builder.bitcast(builder.gep(array.data, [at]), ir.VectorType(element, count).as_pointer())
    value = builder.load(pointer)
    value.align = element.width // 8 if isinstance(element, ir.IntType) else 4
    return value


def _store(builder, array, at, value):
    pointer = builder.bitcast(builder.gep(array.data, [at]), value.type.as_pointer())
    builder.store(value, pointer).align = 4


def _sum_of_four(keep):
    def codegen(context, builder, signature, args):
        field, s = (_array(context, builder, kind, arg) for kind, arg in zip(signature.args[:2], args[:2], strict=True))
        element = context.get_value_type(signature.args[1].dtype)
        column, zero = args[6], ir.Constant(_LONG, 0)
        total = None
        for row, weight in zip(args[2:6], args[7:11], strict=True):
            states = _load(builder, s, _place(builder, s, row, column), element)
            term = builder.fmul(states, _splat(builder, weight), flags=_CONTRACT)
            total = term if total is None else builder.fadd(total, term, flags=_CONTRACT)
        if keep:
            total = builder.fadd(_load(builder, field, zero, element), total, flags=_CONTRACT)
        _store(builder, field, zero, total)
        return context.get_dummy_value()

    return codegen


@intrinsic
def set_four(typingctx, field, s, i0, i1, i2, i3, low, w0, w1, w2, w3):
    """field = the sum of four rows of s from column ``low``, each times its weight."""
    return types.void(field, s, i0, i1, i2, i3, low, w0, w1, w2, w3), _sum_of_four(False)


@intrinsic
def add_four(typingctx, field, s, i0, i1, i2, i3, low, w0, w1, w2, w3):
    """field += the sum of four rows of s from column ``low``, each times its weight."""
    return types.void(field, s, i0, i1, i2, i3, low, w0, w1, w2, w3), _sum_of_four(True)


@intrinsic
def copy_lanes(typingctx, field, x, i, low):
    """field = row i of x from column ``low``."""

    def codegen(context, builder, signature, args):
        out, array = (
            _array(context, builder, kind, arg) for kind, arg in zip(signature.args[:2], args[:2], strict=True)
        )
        element = context.get_value_type(signature.args[1].dtype)
        value = _load(builder, array, _place(builder, array, args[2], args[3]), element)
        _store(builder, out, ir.Constant(_LONG, 0), value)
        return context.get_dummy_value()

    return types.void(field, x, i, low), codegen


@intrinsic
def put_lanes(typingctx, s, i, low, new):
    """Row i of s from column ``low`` = new."""

    def codegen(context, builder, signature, args):
        out = _array(context, builder, signature.args[0], args[0])
        array = _array(context, builder, signature.args[3], args[3])
        element = context.get_value_type(signature.args[0].dtype)
        at = _place(builder, out, args[1], args[2])
        for first in range(0, LANES, _HALF):
            offset = ir.Constant(_LONG, first)
            _store(builder, out, builder.add(at, offset), _load(builder, array, offset, element, _HALF))
        return context.get_dummy_value()

    return types.void(s, i, low, new), codegen


@intrinsic
def unpack_words(typingctx, out, words, row, low, shift):
    """out (uint32) = the 32 bits above ``shift`` of row ``row`` of words (uint64) from column ``low``."""

    def codegen(context, builder, signature, args):
        into, array = (
            _array(context, builder, kind, arg) for kind, arg in zip(signature.args[:2], args[:2], strict=True)
        )
        value = _load(builder, array, _place(builder, array, args[2], args[3]), _LONG)
        value = builder.trunc(builder.lshr(value, _splat(builder, args[4])), ir.VectorType(_WORD, LANES))
        _store(builder, into, ir.Constant(_LONG, 0), value)
        return context.get_dummy_value()

    return types.void(out, words, row, low, shift), codegen


@intrinsic
def words_of_block(typingctx, words, block, rows, low, c2, c3, k0, k1):
    """Fill two rows of words (see `harmonium.kernels.graph_walk.word_lanes`) by Philox-4x32-10 (see `philox`)."""

    def codegen(context, builder, signature, args):
        out = _array(context, builder, signature.args[0], args[0])
        source = _array(context, builder, signature.args[2], args[2])
        block, low, k0, k1 = args[1], args[3], args[6], args[7]

        def constant(number):
            return ir.Constant(ir.VectorType(_LONG, LANES), [number] * LANES)

        mask, half = constant(0xFFFFFFFF), constant(32)
        c0, c1 = _splat(builder, block), _load(builder, source, low, _LONG)
        c2, c3 = _splat(builder, args[4]), _splat(builder, args[5])
        for _ in range(10):  # 64-bit lanes with dirty upper halves, masked where a product reads them
            p0 = builder.mul(constant(0xD2511F53), builder.and_(c0, mask))
            p1 = builder.mul(constant(0xCD9E8D57), builder.and_(c2, mask))
            c0 = builder.xor(builder.xor(builder.lshr(p1, half), c1), _splat(builder, k0))
            c2 = builder.xor(builder.xor(builder.lshr(p0, half), c3), _splat(builder, k1))
            c1, c3 = p1, p0
            k0 = builder.and_(builder.add(k0, ir.Constant(_LONG, 0x9E3779B9)), ir.Constant(_LONG, 0xFFFFFFFF))
            k1 = builder.and_(builder.add(k1, ir.Constant(_LONG, 0xBB67AE85)), ir.Constant(_LONG, 0xFFFFFFFF))
        at = _place(builder, out, builder.shl(block, ir.Constant(_LONG, 1)), low)
        below = _place(builder, out, builder.add(builder.shl(block, ir.Constant(_LONG, 1)), ir.Constant(_LONG, 1)), low)
        for place, first, second in ((at, c0, c1), (below, c2, c3)):
            _store(builder, out, place, builder.or_(builder.and_(first, mask), builder.shl(second, half)))
        return context.get_dummy_value()

    return types.void(words, block, rows, low, c2, c3, k0, k1), codegen
