// A search among the labels of a column of which the card shows the most frequent ones.

import { percent } from "./bins.js";
import { el } from "./dom.js";

const MOST = 8;

export function search(root, column) {
  const totals = [1, 2].map((k) => column.labels.reduce((sum, label) => sum + label[k], 0) || 1);
  const found = el("div", { className: "twins" });
  const note = el("p", { className: "note" });
  const box = el("input", { type: "search", placeholder: `find one of ${column.labels.length} labels`,
    "aria-label": `Find a label of ${column.name}`, oninput: () => show() });
  const show = () => {
    const asked = box.value.trim().toLowerCase();
    const fit = asked ? column.labels.filter(([label]) => label.toLowerCase().includes(asked)) : [];
    const shown = fit.slice(0, MOST).map(([label, ...counts]) => [label, ...counts.map((count, k) => count / totals[k])]);
    const most = Math.max(1e-12, ...shown.flatMap(([, ...shares]) => shares));
    found.replaceChildren(...shown.map(([label, ...shares]) => twin(label, shares, most)));
    note.textContent = !asked ? "" : !fit.length ? "No such label." : fit.length > MOST ? `${fit.length - MOST} more.` : "";
  };
  root.append(box, found, note);
}

/** Bars of real and sampled values beneath each other. */
function twin(label, shares, most) {
  const bar = (share, className) => el("i", { className, style: `width:${(100 * share) / most}%` });
  return el("div", { className: "twin" }, el("span", { title: label }, label),
    el("div", { className: "tracks" }, bar(shares[0], ""), bar(shares[1], "second")),
    el("output", {}, el("b", {}, percent(shares[0])), el("b", {}, percent(shares[1]))));
}
