// The editor: a text area over its own picture, with findings, completion, signatures and words about what is below.

import { later, post } from "./api.js";
import { by, fill, make } from "./dom.js";
import { offsetOf, paint, placeOf, rangeOf } from "./highlight.js";

const source = by("source");
const offers = by("offers");
const tip = by("tip");
const LINE = 21;
const PADDING = { x: 12, y: 10 };

let findings = [];
let costs = {};
let items = [];
let chosen = -1;
let replaceFrom = 0;
let changed = () => {};
let leaving = false;
let columns = [];
let moved = "";

const ruler = document.createElement("canvas").getContext("2d");

export const text = () => source.value;
export const useColumns = (names) => { columns = names; };

export function start(onChange) {
  changed = onChange;
  source.addEventListener("input", () => { tip.hidden = true; redraw(); changed(); ask(); });
  source.addEventListener("scroll", follow);
  source.addEventListener("keydown", onKey);
  source.addEventListener("click", () => { close(); ask(); });
  source.addEventListener("blur", () => setTimeout(close, 120));
  source.addEventListener("mousemove", (event) => { tip.hidden = true; point(event); });
  source.addEventListener("mouseleave", () => { tip.hidden = true; point(null); });
  source.addEventListener("keyup", (event) => {
    if (/^(Arrow|Home|End|Page)/.test(event.key) && offers.hidden) help();
  });
}

export function setText(value) {
  source.value = value;
  source.scrollTop = 0;
  source.setSelectionRange(0, 0);
  redraw();
}

export function show(found, byLine) {
  findings = found;
  costs = byLine;
  redraw();
  list();
}

function redraw() {
  const value = source.value;
  paint(by("paint"), value, findings);
  const wrong = new Set(findings.filter((item) => item.severity === "error").map((item) => item.line));
  const most = Math.max(1, ...Object.values(costs));
  const count = value.split("\n").length;
  const rows = [];
  for (let line = 1; line <= count; line += 1) {
    const share = (costs[line] || 0) / most;
    const row = make("div", { class: `${wrong.has(line) ? "has-error " : ""}${share ? "hot" : ""}` },
      make("span", {}, String(line)));
    if (share) {
      row.style.setProperty("--share", `${Math.max(4, share * 100)}%`);
      row.title = `${costs[line].toLocaleString("en")} gas`;
    }
    rows.push(row);
  }
  by("gutter").replaceChildren(...rows);
  follow();
}

function follow() {
  by("paint").scrollTop = source.scrollTop;
  by("paint").scrollLeft = source.scrollLeft;
  by("gutter").scrollTop = source.scrollTop;
}

// findings

function list() {
  fill(by("findings"), ...findings.slice(0, 20).map((item) => {
    const place = item.line ? `Line ${item.line}: ` : "";
    return make("li", { class: item.severity },
      make("button", { type: "button", class: "jump", onclick: () => jump(item) }, `${place}${item.message}`),
      item.hint ? make("span", { class: "hint" }, item.hint) : null,
      ...item.fixits.map((fix) => make("button", {
        type: "button", class: "fix plain small", onclick: () => repair(fix),
      }, `Write ${fix.text}`)));
  }));
}

function jump(item) {
  source.focus();
  if (!item.line) return;
  source.setSelectionRange(...rangeOf(source.value, item));
  source.scrollTop = Math.max((item.line - 5) * LINE, 0);
}

export function jumpTo(line) {
  jump({ line, column: 1, end_line: line, end_column: 1 });
}

function repair(fix) {
  const lines = source.value.split("\n");
  const first = offsetOf(lines, fix.line, fix.column);
  replace(first, offsetOf(lines, fix.line, fix.end_column), fix.text);
}

// insertText keeps the undo history of the browser; setRangeText does not.
function replace(first, last, value) {
  source.focus();
  source.setSelectionRange(first, last);
  if (!document.execCommand("insertText", false, value)) {
    source.setRangeText(value, first, last, "end");
    source.dispatchEvent(new Event("input"));
  }
}

// completion

const ask = later(110, async () => {
  const before = source.value.slice(0, source.selectionStart);
  const wanted = /[\p{L}\p{N}_]$|\.$|@$|\[['"]$/u.test(before) && !/(^|[^\p{L}\p{N}_])\d+$/u.test(before);
  await help(wanted && moved !== "accepted");
  moved = "";
});

async function help(offering = false) {
  const position = placeOf(source.value, source.selectionStart);
  const asked = source.value;
  const answer = await post("check", { source: asked, position, columns }, "position").catch(() => null);
  if (!answer || source.value !== asked || document.activeElement !== source) return;
  showSignature(answer.signature);
  if (offering) open(answer.completion, position);
  else close();
}

function open(completion, position) {
  const typed = source.value.split("\n")[position.line - 1].slice(0, position.column - 1);
  items = completion.items.slice(0, 40);
  const word = [...typed].slice(completion.column - 1).join("");
  if (!items.length || (items.length === 1 && items[0].insert === word)) return close();
  replaceFrom = offsetOf(source.value.split("\n"), position.line, completion.column);
  fill(offers, ...items.map((item, at) => make("li", {
    id: `offer-${at}`, role: "option", "aria-selected": "false",
    onmousedown: (event) => { event.preventDefault(); accept(at); },
  }, item.label, make("small", {}, item.doc || (item.detail === item.label ? item.kind : item.detail)))));
  offers.hidden = false;
  by("said").textContent = `${items.length} proposals: ${items[0].label}`;
  placeBelow(offers, position.line, [...typed].slice(0, completion.column - 1).join(""));
  return choose(0);
}

function placeBelow(element, line, before) {
  ruler.font = getComputedStyle(source).font;
  const width = ruler.measureText(before.replaceAll("\t", "    ")).width;
  const frame = source.getBoundingClientRect();
  const left = Math.min(PADDING.x + width - source.scrollLeft, frame.width - element.offsetWidth - 6);
  let top = PADDING.y + line * LINE - source.scrollTop + 2;
  if (top + element.offsetHeight > frame.height && top - element.offsetHeight - LINE - 6 > 0) {
    top -= element.offsetHeight + LINE + 6;
  }
  element.style.left = `${Math.max(left, 2)}px`;
  element.style.top = `${Math.max(Math.min(top, frame.height - 40), 2)}px`;
}

function choose(at) {
  const all = [...offers.children];
  all[chosen]?.setAttribute("aria-selected", "false");
  chosen = (at + all.length) % all.length;
  all[chosen].setAttribute("aria-selected", "true");
  all[chosen].scrollIntoView({ block: "nearest" });
  source.setAttribute("aria-activedescendant", `offer-${chosen}`);
}

function accept(at) {
  const { insert } = items[at];
  close();
  moved = "accepted";
  replace(replaceFrom, source.selectionStart, insert);
}

function close() {
  offers.hidden = true;
  chosen = -1;
  by("said").textContent = "";
  source.removeAttribute("aria-activedescendant");
}

function onKey(event) {
  if (event.key === " " && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    help(true);
  } else if (!offers.hidden && onOffer(event)) {
    event.preventDefault();
  } else if (event.key === "Escape") {
    leaving = true;
    return;
  } else if (event.key === "Tab" && !leaving && !event.shiftKey) {
    event.preventDefault();
    replace(source.selectionStart, source.selectionEnd, "    ");
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    const line = source.value.slice(0, source.selectionStart).split("\n").pop();
    const deeper = /:\s*$/.test(line) || /^@(strategy|params|metadata|calculate)/.test(line) ? "    " : "";
    replace(source.selectionStart, source.selectionEnd, `\n${/^\s*/.exec(line)[0]}${deeper}`);
  }
  if (event.key !== "Shift") leaving = false;
}

function onOffer(event) {
  if (event.key === "ArrowDown") choose(chosen + 1);
  else if (event.key === "ArrowUp") choose(chosen - 1);
  else if (event.key === "Enter" || event.key === "Tab") accept(chosen);
  else if (event.key === "Escape") close();
  else return false;
  return true;
}

// signatures and words

function showSignature(found) {
  const line = by("signature");
  if (!found) return fill(line, "\u00a0");
  const name = found.label.slice(0, found.label.indexOf("("));
  const parts = found.parameters.map((item, at) => {
    const label = item.default === null ? item.name : `${item.name}=${item.default}`;
    return at === found.active ? make("b", {}, label) : label;
  });
  const joined = parts.flatMap((part, at) => (at ? [", ", part] : [part]));
  const active = found.parameters[found.active];
  return fill(line, `${name}(`, ...joined, ") ", make("span", {}, active ? active.doc : found.doc));
}

let pointed = null;
const point = (event) => { pointed = event; look(); };
const look = later(350, async () => {
  if (!pointed || !offers.hidden) return;
  const frame = source.getBoundingClientRect();
  ruler.font = getComputedStyle(source).font;
  const line = Math.floor((pointed.clientY - frame.top - PADDING.y + source.scrollTop) / LINE) + 1;
  const lines = source.value.split("\n");
  const column = Math.floor((pointed.clientX - frame.left - PADDING.x + source.scrollLeft)
    / ruler.measureText("x").width) + 1;
  if (line < 1 || line > lines.length || column < 1 || column > [...lines[line - 1]].length) return;
  const finding = findings.find((item) => item.line === line && item.column <= column && column < item.end_column);
  const answer = await post("check", { source: source.value, position: { line, column }, columns }, "hover")
    .catch(() => null);
  if (!pointed || (!answer?.hover && !finding)) return;
  fill(tip,
    finding ? make("div", {}, finding.message) : null,
    answer?.hover ? make("code", {}, answer.hover.signature) : null,
    answer?.hover?.doc ? make("div", {}, answer.hover.doc) : null,
    answer?.hover?.outputs.length ? make("div", { class: "quiet" }, `gives ${answer.hover.outputs.join(", ")}`) : null);
  tip.hidden = false;
  placeBelow(tip, line, [...lines[line - 1]].slice(0, column - 1).join(""));
});
