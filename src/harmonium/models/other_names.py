"""What users of other libraries try on a model, and what it is called here."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

__all__ = ["ELSEWHERE", "explained"]

ELSEWHERE = {
    "fit": "harmonium.fit(model, data) trains it",
    "partial_fit": "harmonium.fit(model, data, epochs=1) goes on with it",
    "fit_transform": "harmonium.fit(model, data) trains it; harmonium.sklearn.RBM is an estimator",
    "transform": "hidden_mean(v) of an RBM; harmonium.sklearn.RBM is an estimator",
    "sample": "harmonium.sample(model, n) draws from it",
    "generate": "harmonium.sample(model, n) draws from it",
    "score": "harmonium.evaluate(model, data) estimates its log-likelihood",
    "score_samples": "harmonium.evaluate(model, data) estimates its log-likelihood",
    "evaluate": "harmonium.evaluate(model, data) estimates its log-likelihood",
    "log_partition": "harmonium.log_partition(model) computes log Z",
    "partition_function": "harmonium.log_partition(model) computes log Z",
    "pseudo_log_likelihood": "harmonium.likelihood.pseudo_log_likelihood(model, v)",
    "impute": "harmonium.impute(model, v) fills missing values",
    "diagnose": "harmonium.diagnose(model) judges its chains",
    "reconstruct": "visible_mean(hidden_mean(v)) of an RBM",
    "contrastive_divergence": "harmonium.fit(model, data, objective='cd') trains by it",
    "gradient": "harmonium.gradient(model, v) computes it",
    "save": "harmonium.save(model, 'model.safetensors')",
    "load": "harmonium.load('model.safetensors')",
}
"""Methods that a model does not have, and what to do instead."""

_VISIBLE = "the visible units are called visible"
_HIDDEN = "the hidden units are called hidden"
_TRAINING = "how to train is said to harmonium.fit(model, data, ...)"
_ARGUMENTS = {
    **dict.fromkeys(
        ("n_visible", "num_visible", "visible_units", "visible_size", "n_vis", "nv", "n_inputs", "n_features",
         "input_size"),
        _VISIBLE,
    ),
    **dict.fromkeys(
        ("n_components", "n_hidden", "num_hidden", "hidden_units", "hidden_size", "n_hid", "nh", "latent_size"), _HIDDEN
    ),
    **dict.fromkeys(
        ("learning_rate", "lr", "epochs", "n_iter", "n_epochs", "batch_size", "momentum", "weight_decay", "k",
         "verbose", "objective", "optimizer", "validation"),
        _TRAINING,
    ),
    "random_state": "it is called seed here",
    "device": "model.to(device) moves it; harmonium.fit(..., device=...) trains there",
    "use_gpu": "model.to('cuda') moves it; harmonium.fit(..., device='cuda') trains there",
    "unit_type": "pass units, such as harmonium.Gaussian(10), in the place of a number",
}  # fmt: skip


def explained(constructor: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that says of arguments of other libraries what they are called here."""
    own = signature(constructor).parameters
    if any(each.kind is each.VAR_KEYWORD for each in own.values()):
        return constructor

    @wraps(constructor)
    def construct(self: Any, *args: Any, **options: Any) -> None:
        for name in options.keys() - own.keys():
            taken = ", ".join(list(own)[1:])
            advice = _ARGUMENTS.get(name, "")
            if advice in (_VISIBLE, _HIDDEN) and advice.rpartition(" ")[2] not in own:
                advice = ""
            estimator = ", or harmonium.sklearn.RBM(n_components=...)" if name == "n_components" and advice else ""
            raise TypeError(
                f"{type(self).__name__} has no argument {name!r}: {advice}{estimator}{'; ' if advice else ''}"
                f"it takes {taken}"
            )
        constructor(self, *args, **options)

    return construct
