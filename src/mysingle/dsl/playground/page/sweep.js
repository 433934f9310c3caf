// The sweep: a metric for all combinations of one or two parameters, as a map of colours that can be read as a table.

import { Failure, post } from "./api.js";
import { brief, by, fill, make, toast } from "./dom.js";
import * as form from "./form.js";

const METRICS = {
  sharpe: "Sharpe a bar", total_return: "Return", max_drawdown: "Largest fall", win_rate: "Trades won", trades: "Trades",
};
let request = () => ({});
let picked = () => {};
let ranges = {};
let slow = false;
let shown = "";

export function start(makeRequest, onPick) {
  request = makeRequest;
  picked = onPick;
  by("sweep").addEventListener("submit", (event) => { event.preventDefault(); run(); });
}

export function suggest(found) {
  ranges = found || {};
  shown = "";
  fill(by("heat"));
}

export function show(program) {
  slow = program.has_orders || !program.has_result;
  const numeric = Object.entries(program.parameters.properties)
    .filter(([, property]) => [property.type].flat().some((kind) => kind === "integer" || kind === "number"));
  const key = JSON.stringify([numeric, ranges]);
  if (key === shown) return;
  shown = key;
  fill(by("heat"));
  if (!numeric.length) {
    return fill(by("sweep"), make("p", { class: "quiet" }, "A sweep needs a parameter that is a number."));
  }
  const wanted = Object.keys(ranges).filter((name) => numeric.some(([one]) => one === name));
  const names = [...wanted, ...numeric.map(([name]) => name).filter((name) => !wanted.includes(name))];
  return fill(by("sweep"),
    axis("x", "Across", names, names[0]),
    axis("y", "Down", names.length > 1 ? ["", ...names] : [""], names[1] || ""),
    make("label", {}, "Measure", make("select", { name: "metric" },
      ...Object.entries(METRICS).map(([name, words]) => make("option", { value: name }, words)))),
    make("button", { type: "submit" }, "Sweep"));
}

function axis(key, words, names, chosen) {
  const from = make("input", { type: "number", name: `${key}-from`, step: "any", "aria-label": `${words}: from` });
  const to = make("input", { type: "number", name: `${key}-to`, step: "any", "aria-label": `${words}: to` });
  const select = make("select", { name: key }, ...names.map((name) => {
    const option = make("option", { value: name }, name ? form.schemaOf().properties[name].title || name : "nothing");
    option.selected = name === chosen;
    return option;
  }));
  const ends = [make("label", {}, "from", from), make("label", {}, "to", to)];
  const refresh = () => {
    const property = form.schemaOf().properties[select.value];
    for (const end of ends) end.hidden = !property;
    if (!property) return;
    const [low, high] = ranges[select.value] || rangeOf(property);
    from.value = low;
    to.value = high;
  };
  select.addEventListener("change", refresh);
  refresh();
  return make("span", { class: "axis" }, make("label", {}, words, select), ...ends);
}

function rangeOf(property) {
  const middle = Number(property.default ?? 10);
  const low = property.minimum ?? Math.min(middle / 4, middle * 2);
  const high = property.maximum ?? Math.max(middle * 2, middle / 4, low + 1);
  return [low, high];
}

function valuesOf(key) {
  const fields = by("sweep").elements;
  const name = fields[key].value;
  if (!name) return null;
  const property = form.schemaOf().properties[name];
  const whole = [property.type].flat().includes("integer");
  const step = Number(form.stepOf(property, whole)) || 0;
  const low = Math.max(Number(fields[`${key}-from`].value), property.minimum ?? -Infinity);
  const high = Math.min(Number(fields[`${key}-to`].value), property.maximum ?? Infinity);
  if (!(low <= high)) throw new Failure({ detail: `${name}: the range is empty` }, 0);
  const count = slow ? 10 : by("sweep").elements.y.value ? 20 : 40;
  const base = property.minimum ?? 0;
  const found = new Set();
  for (let at = 0; at < count; at += 1) {
    const raw = count > 1 ? low + ((high - low) * at) / (count - 1) : low;
    const near = step ? base + Math.round((raw - base) / step) * step : raw;
    found.add(Number(near.toPrecision(10)));
  }
  return [name, [...found].filter((value) => value >= low - 1e-12 && value <= high + 1e-12)];
}

export async function run() {
  const button = by("sweep").querySelector("button[type=submit]");
  if (!button) return;
  try {
    const [x, y] = [valuesOf("x"), valuesOf("y")];
    if (y && x[0] === y[0]) throw new Failure({ detail: "Choose two different parameters" }, 0);
    button.disabled = true;
    button.textContent = "Sweeping …";
    const space = Object.fromEntries(y ? [y, x] : [x]);
    const answer = await post("sweep", { ...request(), space, metric: by("sweep").elements.metric.value });
    if (answer) draw(answer);
  } catch (error) {
    fill(by("heat"), make("p", { class: "notice bad", role: "alert" }, error.message));
    if (!(error instanceof Failure)) toast("The sweep has failed");
  } finally {
    button.disabled = false;
    button.textContent = "Sweep";
  }
}

// Blue is better, orange is worse: told apart by everybody, and the best one has a mark as well.
function hue(share) {
  const from = share < 0.5 ? [217, 119, 6] : [148, 163, 184];
  const to = share < 0.5 ? [148, 163, 184] : [29, 78, 216];
  const part = share < 0.5 ? share * 2 : share * 2 - 1;
  return `rgb(${from.map((one, at) => Math.round(one + (to[at] - one) * part)).join(" ")})`;
}

const written = (metric, value) => value === null ? "no value"
  : ["total_return", "max_drawdown", "win_rate"].includes(metric) ? `${(value * 100).toFixed(1)}%` : brief(value);

function draw(answer) {
  const known = answer.values.flat().filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const bad = answer.metric === "max_drawdown";
  const share = (value) => { const part = high > low ? (value - low) / (high - low) : 0.5; return bad ? 1 - part : part; };
  const two = answer.names.length > 1;
  const title = (name) => form.schemaOf().properties[name]?.title || name;
  const across = two ? answer.axes[1] : answer.axes[0];
  const down = two ? answer.axes[0] : [null];
  const rows = two ? answer.values : [answer.values.map((row) => row[0])];
  const best = answer.best[0];
  const note = make("p", { class: "heat-value", "aria-live": "polite" });
  const words = (params, value) => `${Object.entries(params).map(([name, one]) => `${title(name)} ${brief(one)}`).join(", ")}: `
    + `${METRICS[answer.metric]} ${written(answer.metric, value)}`;
  const cell = (value, i, j) => {
    const params = two ? { [answer.names[0]]: down[i], [answer.names[1]]: across[j] } : { [answer.names[0]]: across[j] };
    const isBest = best && Object.entries(best.params).every(([name, one]) => params[name] === one);
    const button = make("button", { type: "button", "aria-label": words(params, value), class: isBest ? "best" : "",
      tabindex: i || j ? "-1" : "0",
      onclick: () => {
        by("heat").querySelector(".chosen")?.classList.remove("chosen");
        button.classList.add("chosen");
        picked(params);
      },
      onmouseenter: () => { note.textContent = words(params, value); },
      onfocus: () => { note.textContent = words(params, value); } });
    if (value !== null) button.style.setProperty("--cell", hue(share(value)));
    return make("td", {}, button);
  };
  const table = make("table", {},
    make("caption", {}, two ? `Across: ${title(answer.names[1])}. Down: ${title(answer.names[0])}.`
      : `Across: ${title(answer.names[0])}.`),
    make("thead", {}, make("tr", {}, make("td"), ...across.map((one, j) => make("th", { scope: "col" }, label(across, j))))),
    make("tbody", {}, ...rows.map((row, i) => make("tr", {}, make("th", { scope: "row" }, two ? brief(down[i]) : ""),
      ...row.map((value, j) => cell(value, i, j))))));
  table.addEventListener("keydown", walk);
  note.textContent = best ? `Best of ${answer.combinations}: ${words(best.params, best.value)}` : "No combination has a value.";
  const ramp = make("span", { class: "ramp" });
  ramp.style.background = `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map(hue).join(",")})`;
  fill(by("heat"), note, make("div", { class: "heat-body" }, table),
    make("div", { class: "heat-legend" }, written(answer.metric, bad ? high : low), ramp,
      written(answer.metric, bad ? low : high), make("span", {}, "A click runs that combination; the dot is the best.")));
}

// Between narrow columns only every other number has room.
function label(values, at) {
  const every = values.length > 12 ? Math.ceil(values.length / 10) : 1;
  return at % every === 0 ? brief(values[at]) : "";
}

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function walk(event) {
  const step = STEPS[event.key];
  const cell = event.target.closest("td");
  if (!step || !cell) return;
  const rows = [...cell.closest("tbody").rows];
  const next = rows[rows.indexOf(cell.parentElement) + step[0]]?.cells[cell.cellIndex + step[1]]?.querySelector("button");
  if (!next) return;
  event.preventDefault();
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
