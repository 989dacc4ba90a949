"""``harmonium train | evaluate | sample`` of networks: NADE, order-agnostic NADE, MADE, VAE."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harmonium as hm

from .calls import call

QUICK = ("--epochs", 3, "--valid", 0.2, "--test", 0.2, "--no-progress", "--seed", 1)
MODELS = {
    "nade": ("--hidden", 5),
    "eonade": ("--layers", "6,5"),
    "made": ("--layers", "6"),
    "vae": ("--layers", "6,5", "--latent", 2),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "bits.csv"
    np.savetxt(path, np.random.default_rng(0).integers(0, 2, (80, 4)), fmt="%d", delimiter=",")
    return path


@pytest.mark.parametrize("name", MODELS)
def test_a_network_is_trained_judged_and_sampled(name: str, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = call("train", table, "--model", name, *MODELS[name], *QUICK, "--out", out)
    assert result.exit_code == 0, result.output
    model, data = hm.load(out / "model.safetensors"), hm.data.load(str(table), valid=0.2, test=0.2)
    assert type(model).__name__ == {"nade": "NADE", "eonade": "OrderlessNADE", "made": "MADE", "vae": "VAE"}[name]
    assert f"test {hm.evaluate(model, data.test)}" in result.stdout
    assert {"samples.png", "curves.png", "filters.png"} <= {path.name for path in out.iterdir()}
    told = json.loads(call("evaluate", out, "--json").stdout)
    assert told["kind"] == ("bound" if name == "vae" else "exact") and told["log_partition"] is None
    assert told["mean"] == hm.evaluate(model, data.test).mean
    drawn = np.loadtxt(call("sample", out, "-n", 5, "--seed", 2).stdout.splitlines(), delimiter=",")
    assert np.array_equal(drawn, hm.sample(model, 5, seed=2).numpy())
    assert call("train", "--resume", out).exit_code == 0
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["log_likelihood"] is not None for row in rows] == [True] * 3


def test_the_bound_of_a_vae_by_one_word(table: Path, tmp_path: Path) -> None:
    options = ("--model", "vae", "--layers", 5, "--latent", 2, "--objective", "iwae", "--k", 7)
    result = call("train", table, *options, *QUICK, "--out", tmp_path / "run")
    assert result.exit_code == 0 and "IWAE-7, adam" in result.stdout
    plan = json.loads((tmp_path / "run" / "config.json").read_text())["plan"]
    assert plan["objective"]["k"] == 7 and plan["penalties"] == [] and plan["optimizer"] == "adam"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "nade", "--layers", "3,2"), "size --model nade with --hidden"),
        (("--model", "vae", "--hidden", 3), "name those of a vae with --layers, such as 200,200"),
        (("--model", "nade", "--hidden", 0), "a nade needs hidden units"),
        (("--latent", 3), "--latent is for --model vae"),
        (("--model", "vae", "--latent", 0), "--latent"),
        (("--model", "made", "--objective", "elbo"), "a made takes ml"),
        (("--objective", "ml"), "an rbm takes cd, pcd"),
        (("--model", "made", "--chains", 3), "--chains does nothing with the objective MaximumLikelihood"),
        (("--objective", "cd", "--chains", 3), "--chains does nothing with the objective CD"),
        (("--objective", "tap", "--k", 3), "--k does nothing with the objective TAP"),
        (("--checkpoint-seconds", "nan"), "'nan' is not a finite number"),
        (("--learning-rate", "nan"), "'nan' is not a finite number"),
        (("--model", "made", "--metric", "centered"), "--metric centered is for Boltzmann machines"),
        (("--model", "made", "--valid", 0.2, "--likelihood-every", 0), "--likelihood-every 0"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_options_without_a_use_are_refused_in_words(options: tuple[Any, ...], words: str, table: Path) -> None:
    result = call("train", table, *options)
    assert result.exit_code == 2 and words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_what_judges_log_z_has_no_use_with_a_normalised_model(table: Path, tmp_path: Path) -> None:
    model = hm.MADE(4, hidden=(3,))
    hm.save(model, tmp_path / "made.safetensors")
    for option, value in (("--method", "ais"), ("--chains", 10), ("--temperatures", 100)):
        result = call("evaluate", tmp_path / "made.safetensors", "--data", table, option, value)
        assert result.exit_code == 2 and f"{option} does nothing here: a MADE is normalised" in result.stderr
    result = call("evaluate", tmp_path / "made.safetensors", "--data", table, "--samples", 3)
    assert result.exit_code == 2 and "--samples does nothing here" in result.stderr
    result = call("sample", tmp_path / "made.safetensors", "--sweeps", 3)
    assert result.exit_code == 2 and "--sweeps does nothing here" in result.stderr
    result = call("diagnose", tmp_path / "made.safetensors")
    assert result.exit_code == 2 and "takes a model that is a machine, such as an RBM" in result.stderr
