// The page of a table: reads columns, rows and model from the page, and builds what moves.

import { answering, starts } from "./answers.js";
import { TableColumn } from "./bins.js";
import { Conditions } from "./conditions.js";
import { readFloats } from "./floats.js";
import { Pairs } from "./pairs.js";
import { search } from "./search.js";

function open(spec) {
  const first = starts(spec.states);
  const columns = spec.columns.map((column) => {
    const [from, to] = column.variables;
    const known = new TableColumn(column, first[from], to > from ? spec.states[from] : 0);
    known.last = spec.states.slice(from, to).map((count) => count - 1);
    return known;
  });
  for (const root of document.querySelectorAll(".search")) search(root, columns[Number(root.dataset.column)]);
  const pair = document.getElementById("pair");
  if (pair) new Pairs(pair, columns, spec.rows, spec.pair);
  const played = document.getElementById("playground");
  if (!played) return { columns };
  const answers = answering(spec.model, spec.states, readFloats());
  const conditions = new Conditions(played, columns, answers, spec.states.length);
  /** Probabilities of all states given some, for comparison with the library. */
  const answer = (evidence) => {
    answers.ask(evidence);
    while (!answers.done) answers.refine();
    return Array.from(answers.p);
  };
  return { columns, conditions, answer };
}

window.harmonium = open(JSON.parse(document.getElementById("table").textContent));
