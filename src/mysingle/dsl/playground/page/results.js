// What a run says besides its picture: figures, warnings, trades, and what the program means.

import { brief, by, fill, make } from "./dom.js";
import { goTo } from "./chart.js";
import { jumpTo } from "./editor.js";

const percent = (value) => `${value > 0 ? "+" : ""}${(value * 100).toFixed(1)}%`;
const share = (value) => `${(value * 100).toFixed(1)}%`;
const FIGURES = [
  ["total_return", "Return", percent, true], ["buy_and_hold", "Buy and hold", percent, true],
  ["max_drawdown", "Largest fall", share], ["sharpe_annual", "Sharpe a year", (value) => value.toFixed(2)],
  ["trades", "Trades", (value) => value.toFixed(0)], ["win_rate", "Won", share],
  ["profit_factor", "Won / lost", (value) => value.toFixed(2)], ["exposure", "Invested", share],
];

export function figures(answer) {
  const rows = FIGURES.filter(([key]) => answer.figures[key] !== undefined && answer.figures[key] !== null)
    .map(([key, words, write, signed]) => {
      const value = answer.figures[key];
      const sense = signed ? (value >= 0 ? "gain" : "loss") : "";
      return make("div", {}, make("dt", {}, words), make("dd", { class: sense }, write(value)));
    });
  const counts = Object.entries(answer.signals).map(([name, count]) =>
    make("div", {}, make("dt", {}, `Bars with ${name}`), make("dd", {}, count.toLocaleString("en"))));
  fill(by("figures"), ...rows, ...(rows.length ? [] : counts));
}

export function warnings(answer) {
  const found = answer.lookahead.map((item) => make("li", { class: item.harmful ? "bad" : "" },
    `Line ${item.line} ${item.harmful ? "looks ahead: " : "looks ahead, decides nothing: "}${item.message}`));
  if (answer.looks_ahead) found.unshift(make("li", { class: "bad" },
    "This strategy reads bars of the future: these figures cannot be reached in real time."));
  found.push(...answer.warnings.map((text) => make("li", {}, text)));
  const { picture } = answer;
  if (picture.bars > picture.labels.length) {
    found.push(make("li", {}, `The chart shows the last ${picture.labels.length.toLocaleString("en")} of `
      + `${picture.bars.toLocaleString("en")} bars; the figures are those of all.`));
  }
  fill(by("warnings"), ...found);
}

export function trades(answer) {
  const box = by("trades");
  if (!answer.trades.length) {
    return fill(box, make("p", { class: "quiet" }, answer.basis ? "No trade was closed."
      : "There is nothing to trade: give entry and exit, one condition, or orders."));
  }
  const money = answer.basis === "orders";
  const rows = [...answer.trades].reverse().map((trade) => make("tr", {},
    make("td", {}, make("button", { type: "button", class: "plain small", onclick: () => goTo(trade.entry_bar) }, trade.entry)),
    make("td", {}, trade.exit), make("td", {}, trade.direction),
    make("td", { class: "right" }, brief(trade.entry_price)), make("td", { class: "right" }, brief(trade.exit_price)),
    make("td", { class: `right ${trade.profit >= 0 ? "gain" : "loss"}` },
      money ? brief(trade.profit) : percent(trade.profit))));
  const head = ["Entry", "Exit", "Side", "From", "To", "Profit"].map((word, at) =>
    make("th", { scope: "col", class: at > 2 ? "right" : "" }, word));
  return fill(box, make("table", { class: "list" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)),
    answer.trades_total > rows.length ? make("p", { class: "quiet" },
      `The last ${rows.length} of ${answer.trades_total} trades.`) : null);
}

export function meaning(program) {
  const facts = [
    ["About", program.metadata.description],
    ["Reads", program.columns.join(", ")],
    ["Gives", program.outputs.join(", ")],
    ["First valid bar", Object.entries(program.warmup).map(([name, item]) => `${name}: ${item.first_valid}`).join(", ")],
    ["Start of the data", Object.entries(program.warmup).map(([name, item]) => item.converged === null
      ? `${name}: always matters` : `${name}: forgotten after ${item.converged.toLocaleString("en")} bars`).join(", ")],
    ["Cost", `${program.cost.gas.toLocaleString("en")} gas for ${program.cost.bars.toLocaleString("en")} bars`],
    ["Mode", `${program.mode}, profile ${program.profile}`],
  ].filter(([, value]) => value);
  const most = Object.entries(program.cost.by_line).sort((one, other) => other[1] - one[1]).slice(0, 3);
  fill(by("meaning"), make("dl", { class: "facts" }, ...facts.flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, value)]),
  make("dt", {}, "Dearest lines"), make("dd", {}, ...most.map(([line, gas]) => make("button", { type: "button",
    class: "plain small", onclick: () => jumpTo(Number(line)) }, `${line}: ${gas.toLocaleString("en")}`)))));
}
