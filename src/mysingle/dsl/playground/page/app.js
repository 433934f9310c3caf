// The page: the source is checked when it rests, and run whenever it, a parameter or the prices change.

import { get, later, post } from "./api.js";
import { by, fill, make, toast } from "./dom.js";
import * as chart from "./chart.js";
import * as editor from "./editor.js";
import * as form from "./form.js";
import { learn } from "./highlight.js";
import * as results from "./results.js";
import { decode, encode } from "./share.js";
import * as sweep from "./sweep.js";

const MOST_CSV = 8 * 1024 * 1024;
let gallery = [];
let csv = null;
let sound = false;
let flights = 0;

// prices

function data() {
  if (csv) return { csv: csv.text };
  const fields = by("data").elements;
  const whole = (input) => Math.min(Math.max(Math.round(Number(input.value)) || 0, Number(input.min)), Number(input.max));
  return { demo: fields.demo.value, bars: whole(fields.bars), seed: whole(fields.seed) };
}

function useData(found) {
  csv = null;
  const fields = by("data").elements;
  for (const name of ["demo", "bars", "seed"]) if (found?.[name] !== undefined) fields[name].value = String(found[name]);
  showFile();
}

function showFile() {
  by("file-name").hidden = !csv;
  for (const input of by("data").elements) input.disabled = Boolean(csv);
  editor.useColumns(csv ? csv.columns : []);
  if (csv) by("file-name").firstElementChild.textContent = csv.name;
}

async function take(file) {
  if (!file) return;
  if (file.size > MOST_CSV) {
    toast(`${file.name} has ${(file.size / 1048576).toFixed(1)} MB, 8 MB is the limit`);
    return;
  }
  const text = new TextDecoder().decode(await file.arrayBuffer());
  const head = text.slice(0, 4000).split(/\r?\n/, 1)[0].split(",");
  const columns = head.map((name) => name.trim().toLowerCase().replace(/[^\p{L}\p{N}_]+/gu, "_").replace(/^_+|_+$/g, ""));
  csv = { name: file.name, text, columns: columns.filter((name) => name && name.length <= 64).slice(0, 200) };
  showFile();
  check();
}

// checking and running

const mode = () => (by("research").checked ? "research" : "strict");
const request = () => ({
  source: editor.text(), data: data(), params: form.chosen(), mode: mode(), account: account(),
});

function account() {
  const share = (input) => Math.min(Math.max(Number(input.value) || 0, 0), 50) / 100;
  const { commission, slippage } = by("costs").elements;
  return { commission: share(commission), slippage: share(slippage) };
}

async function check() {
  const source = editor.text();
  let answer;
  try {
    answer = await post("check", { source, mode: mode(), columns: csv ? csv.columns : [] }, "findings");
  } catch (error) {
    verdict("bad", "Not checked");
    fail(error);
    return;
  }
  if (!answer) return;
  const errors = answer.diagnostics.filter((item) => item.severity === "error").length;
  const others = answer.diagnostics.length - errors;
  sound = answer.ok;
  by("chart").classList.toggle("stale", !sound);
  editor.show(answer.diagnostics, answer.program ? answer.program.cost.by_line : {});
  if (errors) verdict("bad", errors === 1 ? "1 error" : `${errors} errors`);
  else verdict(others ? "warn" : "ok", others ? `${others} to look at` : "Compiles");
  if (!answer.program) return;
  form.show(answer.program.parameters);
  sweep.show(answer.program);
  results.meaning(answer.program);
  by("costs").hidden = !answer.program.has_orders;
  run();
}

function verdict(sense, words) {
  by("verdict").className = `verdict ${sense}`;
  by("verdict").textContent = words;
}

async function run() {
  if (!sound) return;
  flights += 1;
  by("busy").hidden = false;
  try {
    const answer = await post("run", request());
    if (!answer) return;
    by("alert").hidden = true;
    by("chart").classList.remove("stale");
    results.figures(answer);
    results.warnings(answer);
    results.trades(answer);
    chart.show(answer.picture, summary(answer));
  } catch (error) {
    fail(error);
    if (error.diagnostics?.some((item) => item.line)) editor.show(error.diagnostics, {});
  } finally {
    flights -= 1;
    by("busy").hidden = flights === 0;
  }
}

function summary(answer) {
  const { labels } = answer.picture;
  const figures = answer.figures;
  const said = figures.total_return === undefined ? "" : `, return ${(figures.total_return * 100).toFixed(1)} percent, `
    + `${figures.trades} trades`;
  return `Chart of ${labels.length} bars, ${labels[0]} to ${labels[labels.length - 1]}${said}`;
}

function fail(error) {
  by("chart").classList.add("stale");
  by("alert").hidden = false;
  by("alert").textContent = error.message;
}

const checkSoon = later(300, check);
const runSoon = later(90, run);

// examples, links, colours

function load(state) {
  form.forget();
  form.choose(state.params || {}, false);
  useData(state.data);
  sweep.suggest(state.sweep);
  by("research").checked = state.mode === "research";
  editor.setText(state.source);
  check();
}

async function share() {
  const state = { source: editor.text(), params: form.chosen(), mode: mode(), ...(csv ? {} : { data: data() }) };
  const link = location.href.split("#")[0] + encode(state);
  history.replaceState(null, "", link);
  try {
    await navigator.clipboard.writeText(link);
    toast(csv ? "The link is copied. It has the strategy, not your prices." : "The link is copied");
  } catch {
    toast("The link is in the address bar");
  }
}

const THEMES = { "": "Auto", light: "Light", dark: "Dark" };

function theme(next) {
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
  by("theme").textContent = THEMES[next];
  by("theme").setAttribute("aria-label", `Colours: ${next || "as the system"}`);
  chart.draw();
}

function startTheme() {
  by("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    theme(names[(names.indexOf(document.documentElement.dataset.theme || "") + 1) % names.length]);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.draw());
}

function startData() {
  by("data").addEventListener("submit", (event) => event.preventDefault());
  by("data").addEventListener("input", runSoon);
  by("costs").addEventListener("submit", (event) => event.preventDefault());
  by("costs").addEventListener("input", runSoon);
  by("another").addEventListener("click", () => {
    const seed = by("data").elements.seed;
    seed.value = String((Number(seed.value) % 1_000_000) + 1);
    run();
  });
  by("file").addEventListener("change", (event) => { take(event.target.files[0]); event.target.value = ""; });
  by("drop-file").addEventListener("click", () => { useData(null); check(); });
  const drop = by("drop");
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") take(event.dataTransfer.files[0]);
    });
  }
}

function startGallery() {
  const select = by("example");
  const nameOf = (item) => /^\s+name:\s*(.+)$/m.exec(item.source)?.[1] || item.id;
  fill(select, make("option", { value: "" }, "Choose …"),
    ...gallery.map((item) => make("option", { value: item.id }, nameOf(item))));
  select.addEventListener("change", () => {
    const found = gallery.find((item) => item.id === select.value);
    if (found) load(found);
  });
}

// A fragment may also name a place in the page, as the link to the editor does.
function lament() {
  if (location.hash.startsWith("#s=")) toast("The link is damaged: a part of it is missing");
}

async function begin() {
  editor.start(checkSoon);
  form.start(runSoon);
  chart.start();
  sweep.start(request, (params) => { form.choose(params); run(); });
  startTheme();
  startData();
  by("share").addEventListener("click", share);
  by("research").addEventListener("change", check);
  addEventListener("hashchange", () => { const state = decode(location.hash); if (state) load(state); else lament(); });
  const [functions, examples] = await Promise.all([get("functions"), get("playground/gallery.json")]);
  learn(functions);
  gallery = examples;
  startGallery();
  const state = decode(location.hash);
  if (!state) lament();
  if (!state) by("example").value = gallery[0].id;
  load(state || gallery[0]);
}

begin().catch(fail);
