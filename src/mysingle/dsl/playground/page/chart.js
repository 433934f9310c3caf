// The chart of a run on one canvas: prices with decisions, the panels below, a cross on the bar below the pointer.

import { brief, by, color, fill, make } from "./dom.js";

const canvas = by("canvas");
const context = canvas.getContext("2d");
const GAP = 20;
const AXIS = 58;
const BOTTOM = 22;
const CANDLES = 170;
const DARK = {
  "#2563eb": "#7aa2ff", "#ea7317": "#ffab5e", "#7c3aed": "#b995ff", "#0d9488": "#4fd1c5", "#be185d": "#ff7ab0",
  "#a16207": "#e0b04c", "#0891b2": "#5fcfe8", "#4d7c0f": "#a3d65c", "#9ca3af": "#8793a8", "#15803d": "#45c07d",
  "#b91c1c": "#f0736a", blue: "#7aa2ff", black: "#d7deea", navy: "#8aa4ff", maroon: "#e08a8a", brown: "#d0a080",
  green: "#5fd08f", red: "#ff7a70", purple: "#c79bff",
};

let picture = null;
let view = { first: 0, last: 0 };
let cursor = -1;
let panels = [];
let dark = false;

const shade = (name) => (dark && DARK[name]) || name;
const wide = () => Math.max(view.last - view.first, 2);

export function start() {
  new ResizeObserver(draw).observe(by("chart"));
  canvas.addEventListener("pointermove", onPointer);
  canvas.addEventListener("pointerdown", onDown);
  canvas.addEventListener("pointerleave", () => { if (!drag) { cursor = -1; draw(); readOut(); } });
  canvas.addEventListener("wheel", onWheel, { passive: false });
  canvas.addEventListener("keydown", onKey);
  canvas.addEventListener("dblclick", all);
  by("zoom-in").addEventListener("click", () => zoom(0.6));
  by("zoom-out").addEventListener("click", () => zoom(1 / 0.6));
  by("zoom-all").addEventListener("click", all);
}

export function show(found, summary) {
  const same = picture && found && picture.labels.length === found.labels.length && picture.labels[0] === found.labels[0];
  picture = found;
  if (!same) view = { first: 0, last: found ? found.labels.length : 0 };
  cursor = -1;
  canvas.setAttribute("aria-label", summary);
  draw();
  readOut();
}

export function goTo(bar) {
  if (!picture) return;
  const at = bar - picture.first;
  if (at < 0 || at >= picture.labels.length) return;
  if (at < view.first || at >= view.last || wide() > 240) {
    const size = Math.min(wide(), 120);
    move(Math.round(at - size / 2), size);
  }
  cursor = at;
  draw();
  readOut();
  canvas.scrollIntoView({ block: "nearest" });
}

// where things are

function layout(width) {
  const narrow = width < 520;
  const heights = picture.panels.map((panel, at) => {
    if (at === 0) return narrow ? 230 : 330;
    if (panel.title === "drawdown") return narrow ? 50 : 64;
    return narrow ? 76 : 104;
  });
  let top = 6;
  panels = picture.panels.map((panel, at) => {
    const place = { ...panel, top: top + (at ? GAP : 0), height: heights[at] };
    top = place.top + place.height;
    return { ...place, ...scaleOf(place, at === 0) };
  });
  return top + BOTTOM;
}

function scaleOf(panel, isPrice) {
  let low = Infinity;
  let high = -Infinity;
  const look = (values) => {
    for (let at = view.first; at < view.last; at += 1) {
      const value = values[at];
      if (value === null || value === undefined) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  };
  panel.lines.forEach((line) => look(line.values));
  if (isPrice) for (const name of ["high", "low", "close"]) if (picture.price[name]) look(picture.price[name]);
  if (!(low <= high)) [low, high] = [0, 1];
  const spare = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
  return { low: low - spare, high: high + spare };
}

const plotWidth = () => canvas.clientWidth - AXIS;
const xOf = (at) => ((at - view.first + 0.5) / wide()) * plotWidth();
const yOf = (panel, value) => panel.top + ((panel.high - value) / (panel.high - panel.low)) * panel.height;

function barAt(event) {
  const x = event.clientX - canvas.getBoundingClientRect().left;
  const at = view.first + Math.floor((x / plotWidth()) * wide());
  return Math.min(Math.max(at, view.first), view.last - 1);
}

// drawing

export function draw() {
  if (!picture) return;
  dark = isDark();
  const width = by("chart").clientWidth;
  const height = layout(width);
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `12px ${color("sans")}`;
  context.lineJoin = "round";
  panels.forEach((panel, at) => {
    grid(panel);
    context.save();
    context.beginPath();
    context.rect(0, panel.top, plotWidth(), panel.height);
    context.clip();
    spans(panel, at === 0);
    if (at === 0) volume(panel);
    warmUp(panel);
    if (at === 0) price(panel);
    panel.lines.forEach((line) => curve(panel, line));
    if (at === 0) markers(panel);
    context.restore();
    title(panel, at === 0);
  });
  times(height);
  if (cursor >= 0) cross(height);
}

function isDark() {
  const set = document.documentElement.dataset.theme;
  return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw) || raw;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high && found.length < 12; value += step) found.push(value);
  return found.map((value) => Math.abs(value) < step / 1e6 ? 0 : value);
}

function grid(panel) {
  context.strokeStyle = color("grid");
  context.fillStyle = color("soft");
  context.lineWidth = 1;
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const value of ticks(panel.low, panel.high, Math.max(3, Math.round(panel.height / 46)))) {
    const y = Math.round(yOf(panel, value)) + 0.5;
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(plotWidth(), y);
    context.stroke();
    const near = Math.min(Math.max(y, panel.top + 6), panel.top + panel.height - 6);
    context.fillText(panel.is_percent ? `${brief(value)}%` : brief(value), plotWidth() + 6, near);
  }
}

function title(panel, isPrice) {
  context.textAlign = "left";
  context.textBaseline = "top";
  let x = 4;
  const write = (text, ink) => {
    context.fillStyle = color("card");
    context.globalAlpha = 0.75;
    context.fillRect(x - 3, panel.top + 1, context.measureText(text).width + 8, 16);
    context.globalAlpha = 1;
    context.fillStyle = ink;
    context.fillText(text, x, panel.top + 3);
    x += context.measureText(text).width + 12;
  };
  if (isPrice) write("price", color("price"));
  panel.lines.slice(0, 6).forEach((line) => write(line.name.slice(0, 24), shade(line.color)));
}

function spans(panel, isPrice) {
  for (const span of picture.spans) {
    const from = Math.max(xOf(span.first) - plotWidth() / wide() / 2, 0);
    const to = xOf(span.last) - plotWidth() / wide() / 2;
    context.fillStyle = span.direction > 0 ? color("held") : color("down");
    context.globalAlpha = isPrice ? 0.1 : 0.05;
    context.fillRect(from, panel.top, to - from, panel.height);
  }
  context.globalAlpha = 1;
}

function warmUp(panel) {
  const to = xOf(picture.warm_up) - plotWidth() / wide() / 2;
  if (picture.warm_up <= view.first || to <= 0) return;
  context.save();
  context.beginPath();
  context.rect(0, panel.top, to, panel.height);
  context.clip();
  context.strokeStyle = color("faint");
  context.globalAlpha = 0.28;
  for (let x = -panel.height; x < to; x += 9) {
    context.beginPath();
    context.moveTo(x, panel.top + panel.height);
    context.lineTo(x + panel.height, panel.top);
    context.stroke();
  }
  context.restore();
  if (panel.top < 10 && to > 70) {
    context.fillStyle = color("soft");
    context.textAlign = "left";
    context.textBaseline = "bottom";
    context.fillText("warm-up", 5, panel.top + panel.height - 4);
  }
}

function volume(panel) {
  const values = picture.price.volume;
  if (!values) return;
  let most = 0;
  for (let at = view.first; at < view.last; at += 1) most = Math.max(most, values[at] || 0);
  if (!most) return;
  const size = plotWidth() / wide();
  context.fillStyle = color("faint");
  context.globalAlpha = 0.28;
  for (let at = view.first; at < view.last; at += 1) {
    const tall = ((values[at] || 0) / most) * panel.height * 0.16;
    context.fillRect(xOf(at) - size * 0.35, panel.top + panel.height - tall, Math.max(size * 0.7, 0.6), tall);
  }
  context.globalAlpha = 1;
}

function price(panel) {
  const { open, high, low, close } = picture.price;
  if (open && high && low && wide() <= Math.min(CANDLES, plotWidth() / 3.5)) candles(panel, open, high, low, close);
  else line(panel, close, color("price"), 1.4, []);
}

function candles(panel, open, high, low, close) {
  const size = Math.max(1, Math.min((plotWidth() / wide()) * 0.66, 14));
  for (let at = view.first; at < view.last; at += 1) {
    if ([open, high, low, close].some((values) => values[at] === null)) continue;
    const x = xOf(at);
    const rises = close[at] >= open[at];
    context.strokeStyle = context.fillStyle = color(rises ? "up" : "down");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, yOf(panel, high[at]));
    context.lineTo(x, yOf(panel, low[at]));
    context.stroke();
    const top = yOf(panel, Math.max(open[at], close[at]));
    const tall = Math.max(Math.abs(yOf(panel, open[at]) - yOf(panel, close[at])), 1);
    if (rises) {
      context.fillStyle = color("card");
      context.fillRect(x - size / 2, top, size, tall);
      context.strokeRect(x - size / 2, top, size, tall);
    } else context.fillRect(x - size / 2, top, size, tall);
  }
}

function curve(panel, item) {
  const ink = shade(item.color);
  if (item.style === "area") area(panel, item.values, ink);
  line(panel, item.values, ink, Math.max(item.width, 1.2), item.style === "dashed" ? [5, 4] : item.style === "level" ? [2, 3] : []);
}

function line(panel, values, ink, width, dash) {
  context.strokeStyle = ink;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.beginPath();
  let down = false;
  const from = Math.max(view.first - 1, 0);
  for (let at = from; at < Math.min(view.last + 1, values.length); at += 1) {
    const value = values[at];
    if (value === null || value === undefined) { down = false; continue; }
    if (down) context.lineTo(xOf(at), yOf(panel, value));
    else context.moveTo(xOf(at), yOf(panel, value));
    down = true;
  }
  context.stroke();
  context.setLineDash([]);
}

function area(panel, values, ink) {
  const zero = yOf(panel, Math.min(0, panel.high));
  context.fillStyle = ink;
  context.globalAlpha = 0.2;
  context.beginPath();
  context.moveTo(xOf(view.first), zero);
  for (let at = view.first; at < view.last; at += 1) context.lineTo(xOf(at), yOf(panel, values[at] ?? 0));
  context.lineTo(xOf(view.last - 1), zero);
  context.fill();
  context.globalAlpha = 1;
}

function markers(panel) {
  for (const mark of picture.markers) {
    if (mark.bar < view.first || mark.bar >= view.last) continue;
    const below = mark.direction > 0;
    const edge = (below ? picture.price.low : picture.price.high) || picture.price.close;
    const x = xOf(mark.bar);
    const y = yOf(panel, edge[mark.bar] ?? mark.price) + (below ? 8 : -8);
    context.fillStyle = color(below ? "up" : "down");
    context.strokeStyle = color("card");
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x - 6, y + (below ? 10 : -10));
    context.lineTo(x + 6, y + (below ? 10 : -10));
    context.closePath();
    context.stroke();
    context.fill();
  }
}

function times(height) {
  context.fillStyle = color("soft");
  context.textBaseline = "bottom";
  context.textAlign = "center";
  const room = Math.max(Math.floor(plotWidth() / 96), 2);
  const step = Math.max(Math.ceil(wide() / room), 1);
  const first = Math.ceil(view.first / step) * step;
  for (let at = first + Math.floor(step / 2); at < view.last; at += step) {
    const text = picture.labels[at] ?? "";
    const half = context.measureText(text).width / 2;
    if (xOf(at) - half > 0 && xOf(at) + half < plotWidth() + AXIS) context.fillText(text, xOf(at), height - 4);
  }
}

function cross(height) {
  const x = Math.round(xOf(cursor)) + 0.5;
  context.strokeStyle = color("cross");
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(x, 4);
  context.lineTo(x, height - BOTTOM);
  context.stroke();
  context.setLineDash([]);
  panels.forEach((panel, at) => {
    const dots = at === 0 ? [[picture.price.close, color("price")]] : [];
    panel.lines.forEach((item) => dots.push([item.values, shade(item.color)]));
    for (const [values, ink] of dots) {
      if (values[cursor] === null || values[cursor] === undefined) continue;
      context.fillStyle = ink;
      context.beginPath();
      context.arc(x, yOf(panel, values[cursor]), 3, 0, 7);
      context.fill();
    }
  });
}

// the values at the cross

function readOut() {
  const box = by("readout");
  if (!picture) return fill(box);
  const at = cursor >= 0 ? cursor : view.last - 1;
  const parts = [make("b", {}, picture.labels[at])];
  const add = (name, value, ink) => {
    const mark = make("i");
    if (ink) mark.style.background = ink;
    parts.push(make("span", {}, ink ? mark : null, make("span", {}, `${name} `), value));
  };
  for (const name of ["open", "high", "low", "close", "volume"]) {
    if (picture.price[name]) add(name, brief(picture.price[name][at]));
  }
  if (at < picture.warm_up) parts.push(make("span", {}, "warm-up"));
  const drawn = new Set();
  picture.panels.forEach((panel) => panel.lines.forEach((item) => {
    drawn.add(JSON.stringify(item.values[at]));
    const value = item.values[at];
    add(item.name, panel.is_percent && value !== null ? `${value.toFixed(1)}%` : brief(value), shade(item.color));
  }));
  for (const item of picture.variables) {
    if (item.kind === "bool") add(item.name, item.values[at] ? "true" : "false");
    else if (!drawn.has(JSON.stringify(item.values[at]))) add(item.name, brief(item.values[at]));
  }
  return fill(box, ...parts);
}

// moving

function move(first, size) {
  const count = picture.labels.length;
  const kept = Math.min(Math.max(Math.round(size), Math.min(10, count)), count);
  const from = Math.min(Math.max(Math.round(first), 0), count - kept);
  view = { first: from, last: from + kept };
}

function zoom(factor, around = null) {
  if (!picture) return;
  const middle = around ?? (cursor >= 0 ? cursor : (view.first + view.last) / 2);
  const share = (middle - view.first) / wide();
  const size = wide() * factor;
  move(middle - share * size, size);
  draw();
  readOut();
}

function all() {
  if (!picture) return;
  move(0, picture.labels.length);
  draw();
  readOut();
}

function onWheel(event) {
  if (!picture) return;
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.18 : 0.85, barAt(event));
  } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    move(view.first + ((event.deltaX || event.deltaY) / plotWidth()) * wide(), wide());
    draw();
  }
}

let drag = null;

function onDown(event) {
  if (!picture || event.pointerType === "touch") return;
  drag = { x: event.clientX, first: view.first };
  canvas.setPointerCapture(event.pointerId);
  canvas.addEventListener("pointerup", () => { drag = null; }, { once: true });
}

function onPointer(event) {
  if (!picture) return;
  if (drag && Math.abs(event.clientX - drag.x) > 3) {
    move(drag.first - ((event.clientX - drag.x) / plotWidth()) * wide(), wide());
  }
  cursor = barAt(event);
  draw();
  readOut();
}

const KEYS = {
  ArrowLeft: (at) => at - 1, ArrowRight: (at) => at + 1, PageUp: (at) => at - 20, PageDown: (at) => at + 20,
  Home: () => 0, End: () => Infinity,
};

function onKey(event) {
  if (!picture) return;
  if (event.key === "+" || event.key === "=") zoom(0.6);
  else if (event.key === "-") zoom(1 / 0.6);
  else if (event.key === "0") all();
  else if (KEYS[event.key]) {
    const from = cursor < 0 ? view.last : cursor;
    cursor = Math.min(Math.max(KEYS[event.key](from), 0), picture.labels.length - 1);
    if (cursor < view.first) move(cursor, wide());
    if (cursor >= view.last) move(cursor - wide() + 1, wide());
    draw();
    readOut();
  } else return;
  event.preventDefault();
}
