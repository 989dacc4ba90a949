"""A network that starts from a deep belief network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.arrays import Array
from harmonium.recipes.finetune import finetune
from harmonium.sklearn.base import VisibleUnits, need_positive
from harmonium.sklearn.classifier import Classifier
from harmonium.sklearn.dbn import fit_stack
from harmonium.sklearn.domain import Domain
from harmonium.units import Bernoulli, Units

__all__ = ["DBNClassifier"]


class DBNClassifier(Classifier):
    """A network that starts as a deep belief network trained without labels (Hinton & Salakhutdinov 2006).

    `harmonium.greedy` trains the layers, then `harmonium.finetune` the network with cross-entropy.

    Args:
        hidden: numbers of hidden units from the bottom up.
        visible: units of the inputs: a unit type such as `harmonium.Gaussian`, or the units of all columns.
        n_iter: passes over the data in fine-tuning.
        greedy_options: arguments of `harmonium.greedy`, such as ``{"epochs": 30, "learning_rate": 0.1}``.
        finetune_options: more arguments of `harmonium.finetune`.
        domain: "clip", "binarize" or "raise": what becomes of inputs that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the pretrained `harmonium.DBN`.
        network_: the fine-tuned `torch.nn.Sequential`, from inputs to logits.
        classes_: the labels, sorted.
        n_features_in_: number of columns.
        feature_names_in_: their names, where they have some.

    >>> from harmonium.sklearn import DBNClassifier
    >>> X, y = [[0, 1], [0, 0], [1, 0], [1, 1]], ["low", "low", "high", "high"]
    >>> model = DBNClassifier([8], n_iter=50, finetune_options={"learning_rate": 0.1}, random_state=0).fit(X, y)
    >>> model.predict([[0, 0], [1, 1]])
    array(['low', 'high'], dtype='<U4')
    """

    def __init__(
        self,
        hidden: Sequence[int | Units] = (256, 256),
        visible: VisibleUnits = Bernoulli,
        *,
        n_iter: int = 30,
        greedy_options: Mapping[str, Any] | None = None,
        finetune_options: Mapping[str, Any] | None = None,
        domain: Domain = "clip",
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.visible = visible
        self.n_iter = n_iter
        self.greedy_options = greedy_options
        self.finetune_options = finetune_options
        self.domain = domain
        self.random_state = random_state

    def fit(self, X: Array, y: Array) -> Self:
        """Train on cases X (n_samples, n_features) and labels y (n_samples,).

        Raises:
            ValueError: for one class only; values outside the domain of the units; parameters out of range.
        """
        X, number = self._accept_labelled(X, y)
        need_positive(n_iter=self.n_iter)
        stream = Stream(self._seed)
        X, self.model_ = fit_stack(self, X, stream, self.greedy_options)
        self.network_ = self.model_.to_classifier(len(self.classes_), stream.child("classes"))
        options: dict[str, Any] = {"epochs": self.n_iter, "seed": stream.child("finetune")}
        options |= self.finetune_options or {}
        self.history_ = finetune(self.network_, X, number, **options)
        return self

    def _class_log_prob(self, v: Tensor) -> Tensor:
        return torch.log_softmax(self.network_(v), -1)
