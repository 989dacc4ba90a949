"""A network that starts from a deep belief network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Any, Self

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.data.split import hold_out
from harmonium.models.arrays import Array
from harmonium.recipes.finetune import finetune
from harmonium.sklearn.base import by_rows, need_positive, parameters
from harmonium.sklearn.classifier import Classifier
from harmonium.sklearn.dbn import Stacked
from harmonium.training.automatic import usual_batch

__all__ = ["DBNClassifier"]

UPDATES = 5000  # of fine-tuning, at most
FINETUNE = {"learning_rate": 3e-3, "weight_decay": 0.01, "dropout": (0.1, 0.3)}


@parameters
class DBNClassifier(Classifier, Stacked):
    """A network that starts as a deep belief network trained without labels (Hinton & Salakhutdinov 2006).

    `harmonium.greedy` trains the layers, then `harmonium.finetune` the network with cross-entropy.

    Args:
        hidden: numbers of hidden units from the bottom up.
        visible: units of the inputs: a unit type such as `harmonium.Gaussian`, or the units of all columns.  Default:
            binary units if all values of an array lie between 0 and 1, otherwise what suits each column (see
            `harmonium.sklearn.columns`).
        n_iter: passes over the data in fine-tuning.  Default: until accuracy on a tenth of the data, held out before
            the layers are trained, has stopped growing.
        greedy_options: arguments of `harmonium.greedy`, such as ``{"epochs": 30, "learning_rate": 0.1}``.
        finetune_options: more arguments of `harmonium.finetune`.
        domain: "clip", "binarize" or "raise": treatment of inputs that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the pretrained `harmonium.DBN`.
        network_: the fine-tuned `torch.nn.Sequential`, from inputs to logits.
        history_: what `harmonium.finetune` returned.
        classes_: the labels, sorted.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if they have names.

    >>> from harmonium.sklearn import DBNClassifier
    >>> X, y = [[0, 1], [0, 0], [1, 0], [1, 1]], ["low", "low", "high", "high"]
    >>> model = DBNClassifier([8], n_iter=50, finetune_options={"learning_rate": 0.1}, random_state=0).fit(X, y)
    >>> model.predict([[0, 0], [1, 1]])
    array(['low', 'high'], dtype='<U4')
    """

    _: KW_ONLY
    n_iter: int | None = None
    finetune_options: Mapping[str, Any] | None = None

    def fit(self, X: Array, y: Array) -> Self:
        """Train on labelled cases.

        Args:
            X: cases (n_samples, n_features), dense or sparse.
            y: labels (n_samples,).

        Returns:
            the estimator.

        Raises:
            ValueError: for a single class, values outside the domain of the units, or parameters out of range.
        """
        X, number = self._accept_labelled(X, y)
        if self.n_iter is not None:
            need_positive(n_iter=self.n_iter)
        stream = Stream(self._seed)
        options: dict[str, Any] = {"seed": stream.child("finetune")} | self._plan(len(number))
        options |= self.finetune_options or {}
        own = self.n_iter is None and "validation" not in options
        parts = hold_out(len(number), stream.child("hold out")) if own else None
        # They choose the best network, so that no layer may have seen them.
        self.model_, X = self._stack(X, stream, None if parts is None else parts[0])
        states, labels = X, number
        self.network_ = self.model_.to_classifier(len(self.classes_), stream.child("classes"))
        X = by_rows(self._encoded, X, self.model_.dtype)
        if parts is not None:
            train, aside = parts
            options["validation"] = X[aside], number[aside]
            X, number = X[train], number[train]
        elif "validation" not in options:
            options.pop("patience", None)
        self.history_ = finetune(self.network_, X, number, **options)
        self._warn_if_useless(states, labels)
        return self

    def _plan(self, cases: int) -> dict[str, Any]:
        """Arguments of `harmonium.finetune`."""
        if self.n_iter is not None:
            return {"epochs": self.n_iter}
        batch_size = usual_batch(cases)
        epochs = -(-UPDATES // -(-cases // batch_size))
        return FINETUNE | {"epochs": epochs, "batch_size": batch_size, "patience": max(10, epochs // 2)}

    def _encoded(self, v: Tensor) -> Tensor:
        encoded: Tensor = self.model_.visible.encode(v, "X")
        return encoded

    def _class_log_prob(self, v: Tensor) -> Tensor:
        return torch.log_softmax(self.network_(self._encoded(v)), -1)
