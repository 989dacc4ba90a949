"""Import from scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from harmonium.models.machine.rbm import RBM

__all__ = ["from_sklearn"]


def from_sklearn(estimator: Any) -> RBM:
    """Convert a fitted ``BernoulliRBM`` of scikit-learn, with the same energies and precision.

    Its ``components_`` (n_hidden, n_visible) are the transpose of W.  Its persistent chains are not taken over, because
    they are hidden states.  `harmonium.fit` continues training from these parameters.

    Args:
        estimator: a fitted ``sklearn.neural_network.BernoulliRBM``, or any object with its attributes ``components_``,
            ``intercept_visible_`` and ``intercept_hidden_``.

    Returns:
        The RBM, whose arrays are copies.

    Raises:
        TypeError: for an object without these attributes.
        ValueError: for an estimator that is not fitted, or arrays that do not fit together.

    >>> import numpy as np
    >>> from sklearn.neural_network import BernoulliRBM
    >>> theirs = BernoulliRBM(n_components=3, n_iter=2, random_state=0).fit(np.eye(4))
    >>> from_sklearn(theirs)
    RBM(visible=Bernoulli(4), hidden=Bernoulli(3))
    """
    if not hasattr(estimator, "components_"):
        if hasattr(estimator, "n_components") and hasattr(estimator, "fit"):
            raise ValueError(f"{type(estimator).__name__} is not fitted: call its fit(X) first")
        raise TypeError(
            f"from_sklearn takes a fitted sklearn.neural_network.BernoulliRBM, found {type(estimator).__name__}"
        )
    names = ("intercept_visible_", "intercept_hidden_")
    missing = [name for name in names if not hasattr(estimator, name)]
    if missing:
        raise TypeError(f"from_sklearn takes a BernoulliRBM; {type(estimator).__name__} has no {missing[0]}")
    visible, hidden = (np.asarray(getattr(estimator, name)) for name in names)
    return RBM.from_arrays(np.asarray(estimator.components_).T, visible, hidden)
