"""Models of documents of a given length."""

from __future__ import annotations

from typing import TypeVar

from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.machine import Machine
from harmonium.units import ReplicatedSoftmax

__all__ = ["at_length"]

M = TypeVar("M", bound=Machine | DBN)


def at_length(model: M, length: int) -> M:
    """Return the model for documents of one length, to which log Z and samples then belong.

    Args:
        model: a machine or a DBN whose visible units are `ReplicatedSoftmax`.
        length: number of words in each document.

    Returns:
        a model that shares the parameters, with those of the persistent chains that have this length.

    Raises:
        TypeError: for other visible units.
        ValueError: if the length is not between 1 and 2^20.

    >>> import harmonium as hm
    >>> rbm = hm.RBM(hm.ReplicatedSoftmax(3), 2)
    >>> hm.sample(hm.models.at_length(rbm, 12), 5, sweeps=10).sum(1).tolist()
    [12.0, 12.0, 12.0, 12.0, 12.0]
    """
    units = model.visible
    if not isinstance(units, ReplicatedSoftmax):
        raise TypeError(f"at_length is for models of documents, with ReplicatedSoftmax units; found {units!r}")
    if isinstance(model, DBN):
        first, *above = model.machines
        recognition = None if model.recognition is None else model.encoders[:-1]
        return type(model).from_rbms([at_length(first, length), *above], recognition)
    other = model.with_visible(units.at_length(length))
    if model.chains is not None:
        documents = model.unpack(model.chains)[0]
        assert documents is not None
        own = model.chains[documents.sum(-1) == length]
        other.chains = own if len(own) else None
    return other
