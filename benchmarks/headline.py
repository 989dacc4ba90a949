"""Collect the ten numbers that matter first from the measured tables, for the first page of the benchmarks.

python benchmarks/headline.py

Nothing is measured here: run it after a script has written a new table.
"""

from __future__ import annotations

import re
import sys

from report import page_of, records, replace_section, table

HEADER = ("what", "measured", "for comparison")
SPEED, RATIO = "harmonium", "ratio (range over rounds)"


def headline() -> str:
    """Return the table, as Markdown."""
    sweep, update = "one Gibbs sweep, 128 chains", "one PCD-1 update"
    fixed, dynamic, nade = _row("mnist-fixed-6"), _row("mnist-dynamic-30"), _row("mnist-nade")
    tempered = _row("fischer-igel", "PT-10, 32 chains", "0.1 falling to 0")
    fit = [row["faster"] for row in records("sklearn-fit")]
    orderless = _row("mnist-orderless", "64")
    brackets = _row("tempering-calibration")
    labels = _row("mnist-few-labels", "100")
    second = _row("mnist-second-opinion", "PCD, dynamic")
    rows = [
        (
            "speed",
            "Gibbs sweep of an RBM 784 x 500, 128 chains",
            _row("speed", sweep, "its two")[SPEED],
            f"{_times('speed', sweep, 'its two')} the time of its two matrix products; "
            f"{_times('speed', sweep, 'rbms')} faster than rbms, {_times('speed', sweep, 'scikit')} than scikit-learn",
        ),
        (
            "speed",
            "PCD-1 update of the same model through `fit`, default metric",
            _row("speed", update, "its six")[SPEED],
            f"{_times('speed', update, 'its six')} the time of its six matrix products; "
            f"{_times('speed', update, 'rbms')} faster than rbms, "
            f"{_times('speed', update, 'scikit')} than scikit-learn",
        ),
        (
            "sklearn-fit",
            "`BernoulliRBM.fit` on digits and MNIST",
            f"{min(fit, key=_number)} to {max(fit, key=_number)} faster",
            "scikit-learn's `BernoulliRBM` with the same arguments",
        ),
        (
            "mnist-fixed-6",
            f"RBM, 500 hidden units, binary MNIST, {fixed['training'].split(' min')[0]} minutes",
            f"{fixed['test, by the upper log Z']} nats",
            f"bracket {fixed['test, bracket']}, log Z reliable",
        ),
        (
            "mnist-dynamic-30",
            f"the same, dynamic binarisation, {dynamic['training'].split(' min')[0]} minutes",
            f"{dynamic['test, by the upper log Z']} nats",
            f"bracket {dynamic['test, bracket']}, log Z reliable; log Z by annealing "
            f"{second['log Z by annealing']}, by tempering {second['log Z by tempering']}",
        ),
        (
            "mnist-nade",
            "NADE, 500 hidden units, binary MNIST, exact",
            f"{nade['test, exact']} nats",
            f"published {nade['published']}",
        ),
        (
            "mnist-orderless",
            "order-agnostic NADE under 64 orderings, binary MNIST, exact",
            f"{orderless['test, nats (2,500 cases)']} nats",
            f"published {orderless['Uria et al. 2016']}",
        ),
        (
            "fischer-igel",
            "bars and stripes 4x4, centered PT-10, falling rate, total over 32 cases",
            f"{tempered['at the end, median']} nats",
            "the best possible value is -108.13",
        ),
        (
            "tempering-calibration",
            "99 % brackets of log Z by tempering, two distant modes",
            f"{brackets['bracket holds the exact value']} of {brackets['runs']} hold",
            f"median width {brackets['median width, nats']} nats",
        ),
        (
            "mnist-few-labels",
            "test error of a network with 100 labels, pretrained",
            f"{labels['pretrained, test error %']} %",
            f"{labels['random start, test error %']} % from a random start",
        ),
    ]
    return table(
        HEADER, [[f"[{what}]({link_to(name)})", _plain(value), _plain(note)] for name, what, value, note in rows]
    )


def link_to(name: str) -> str:
    """Return page and anchor of the heading above a section."""
    page = page_of(name)
    above, _, _ = page.read_text(encoding="utf-8").partition(f"<!-- {name}:begin -->")
    heading = re.findall(r"^##+ (.*)", above, re.MULTILINE)[-1]
    return f"{page.name}#{re.sub(r'[^a-z0-9_ -]', '', heading.lower()).replace(' ', '-')}"


def _row(name: str, *starts: str) -> dict[str, str]:
    """Return the last row of a section whose cells begin with these words, in this order."""
    for row in reversed(records(name)):
        cells = iter(row.values())
        if all(any(cell.startswith(start) for cell in cells) for start in starts):
            return row
    raise LookupError(f"no row of {name} has {starts}")


def _plain(value: str) -> str:
    return value.replace("+-", "±")


def _times(name: str, *starts: str) -> str:
    return _row(name, *starts)[RATIO].split()[0]


def _number(text: str) -> float:
    return float(text.rstrip("x"))


def main() -> None:
    text = headline()
    print(text)
    print(f"\nwritten to {replace_section('headline', text)}", file=sys.stderr)


if __name__ == "__main__":
    main()
