"""What a machine has learned, by scikit-learn's names."""

from __future__ import annotations

from typing import Any

from harmonium.sklearn.base import Estimator

__all__ = ["Components"]


class Components(Estimator):
    """An estimator of one RBM, whose weights and biases have the names of scikit-learn's `BernoulliRBM`."""

    @property
    def components_(self) -> Any:
        """W transposed, (n_components, n_features); of a category one column for each of its states."""
        return self.model_.weights.detach().numpy().T

    @property
    def intercept_hidden_(self) -> Any:
        """Fields of the hidden units, (n_components,): their biases, if they are binary."""
        return self.model_.hidden.natural()[0].detach().numpy()

    @property
    def intercept_visible_(self) -> Any:
        """Fields of the visible units, (n_features,): their biases, if they are binary."""
        return self.model_.visible.natural()[0].detach().numpy()
