// Elements without markup in strings: whatever a name contains, it is text.

export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== "list" && key !== "style") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** A row of buttons of which one is pressed. */
export function choice(label, options, chosen, onchange) {
  const buttons = options.map(([value, text]) =>
    el("button", { type: "button", onclick: () => choose(value) }, text));
  const choose = (value) => {
    options.forEach(([each], k) => buttons[k].setAttribute("aria-pressed", String(each === value)));
    onchange(value);
  };
  options.forEach(([each], k) => buttons[k].setAttribute("aria-pressed", String(each === chosen)));
  const element = el("div", { className: "choice", role: "group", "aria-label": label }, ...buttons);
  return { element, choose };
}

/** What a button says that shows more of a list: `atOnce` of `left` that are not shown yet. */
export function moreOf(atOnce, left, noun) {
  if (left <= atOnce) return left === 1 ? `Show the last ${noun}` : `Show the last ${left} ${noun}s`;
  return `Show ${atOnce} more ${noun}s (${left} are left)`;
}

/** A number with a true minus sign, and never a minus before zero. */
export function written(value, digits) {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
}

export function labelled(text, control) {
  return el("label", { className: "labelled" }, el("span", {}, text), control);
}

/** An element of a drawing; attributes are strings or numbers. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
