// The form of the parameters, made from their JSON Schema: a slider where there are bounds.

import { by, fill, make } from "./dom.js";

let values = {};
let schema = { properties: {} };
let changed = () => {};

export function start(onChange) {
  changed = onChange;
  by("params").addEventListener("submit", (event) => event.preventDefault());
  by("reset").addEventListener("click", () => { values = {}; draw(); changed(); });
}

export const schemaOf = () => schema;

// Only what differs from the default is sent, so that a changed default in the source is seen.
export function chosen() {
  return Object.fromEntries(Object.entries(values).filter(([name]) => name in schema.properties));
}

export function choose(found, redraw = true) {
  values = { ...values, ...found };
  if (redraw) draw();
}

export function forget() { values = {}; }

export function show(found) {
  if (JSON.stringify(found) === JSON.stringify(schema)) return;
  schema = found;
  for (const [name, value] of Object.entries(values)) if (!fits(schema.properties[name], value)) delete values[name];
  draw();
}

function fits(property, value) {
  if (!property) return false;
  const kinds = [property.type].flat();
  if (typeof value === "boolean") return kinds.includes("boolean");
  if (typeof value === "string") return kinds.includes("string") && (!property.enum || property.enum.includes(value));
  if (typeof value !== "number" || !(kinds.includes("number") || kinds.includes("integer"))) return false;
  return !(value < property.minimum) && !(value > property.maximum);
}

function draw() {
  const groups = new Map();
  for (const [name, property] of Object.entries(schema.properties)) {
    const group = property["x-group"] || "";
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(row(name, property));
  }
  const sets = [...groups].map(([group, rows]) => make("fieldset", {}, group ? make("legend", {}, group) : null, ...rows));
  by("reset").hidden = !Object.keys(schema.properties).length;
  fill(by("params"), ...(sets.length ? sets : [make("p", { class: "quiet" },
    "This strategy has none. Declare one: n = param.int(14, min=2, max=100)")]));
}

function set(name, value) {
  values[name] = value;
  changed();
}

function row(name, property) {
  const label = property.title || name;
  const value = values[name] ?? property.default ?? null;
  const id = `param-${name}`;
  const help = property.description ? `${id}-help` : null;
  const note = help ? make("span", { class: "quiet", id: help }, property.description) : null;
  const head = make("label", { for: id }, label);
  const kinds = [property.type].flat();
  if (property.enum) return make("div", { class: "param" }, head, select(id, name, property, value, help), note);
  if (kinds.includes("integer") || kinds.includes("number")) {
    return make("div", { class: "param" }, head, ...number(id, name, property, value, kinds.includes("integer"), help), note);
  }
  if (kinds.includes("boolean")) {
    const box = make("input", { type: "checkbox", id, "aria-describedby": help,
      onchange: (event) => set(name, event.target.checked) });
    box.checked = Boolean(value);
    return make("div", { class: "param" }, head, make("span", { class: "wide" }, box), note);
  }
  return make("div", { class: "param" }, head, make("input", { type: "text", id, class: "wide", value: value ?? "",
    maxlength: "256", "aria-describedby": help, oninput: (event) => set(name, event.target.value) }), note);
}

function select(id, name, property, value, help) {
  const options = property.enum.map((item) => {
    const option = make("option", {}, String(item));
    option.selected = item === value;
    return option;
  });
  return make("select", { id, class: "wide", "aria-describedby": help,
    onchange: (event) => set(name, property.enum[event.target.selectedIndex]) }, ...options);
}

export function stepOf(property, isWhole) {
  if (property.multipleOf) return property.multipleOf;
  if (isWhole) return 1;
  const room = property.maximum - property.minimum;
  return room > 0 ? 10 ** Math.floor(Math.log10(room / 100)) : "any";
}

function number(id, name, property, value, isWhole, help) {
  const step = stepOf(property, isWhole);
  const bounded = property.minimum !== undefined && property.maximum !== undefined;
  const exact = make("input", { type: "number", id, step: String(step), min: property.minimum?.toString(),
    max: property.maximum?.toString(), value: String(value ?? ""), "aria-describedby": help, class: bounded ? "" : "wide" });
  const read = (text) => {
    const found = Number(text);
    return text === "" || !fits(property, found) || (isWhole && !Number.isInteger(found)) ? null : found;
  };
  if (!bounded) {
    exact.addEventListener("input", () => take(exact, read(exact.value), name));
    return [exact];
  }
  const slider = make("input", { type: "range", min: String(property.minimum), max: String(property.maximum),
    step: String(step), "aria-label": property.title || name });
  slider.value = String(value ?? property.minimum);
  slider.addEventListener("input", () => {
    exact.value = slider.value;
    take(exact, read(slider.value), name);
  });
  exact.addEventListener("input", () => {
    const found = read(exact.value);
    if (found !== null) slider.value = exact.value;
    take(exact, found, name);
  });
  return [slider, exact];
}

function take(input, value, name) {
  input.setAttribute("aria-invalid", String(value === null));
  if (value !== null) set(name, value);
}
