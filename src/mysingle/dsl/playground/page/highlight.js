// The picture of the source below the text area: words in colours, findings underlined.

const TOKEN = /(#[^\n]*)|("""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)|(^@\w*)|(\d[\w.]*)|([\p{L}_][\p{L}\p{N}_]*)/gmu;
const METADATA = /^(@metadata[^\n]*\n)(?:[ \t]+[^\n]*(?:\n|$)|[ \t]*\n)*/gm; // words of people, not of the language
const words = { keyword: new Set(), function: new Set(), column: new Set() };

export function learn(functions) {
  for (const entry of functions.globals) {
    const kind = entry.kind === "namespace" ? "function" : entry.kind;
    words[kind]?.add(entry.name);
  }
}

function kindOf(word, text, end) {
  if (words.keyword.has(word)) return "keyword";
  if (words.column.has(word)) return "column";
  return words.function.has(word) || text[end] === "(" ? "function" : "";
}

function classes(text) {
  const found = new Array(text.length).fill("");
  for (const match of text.matchAll(TOKEN)) {
    const [all, comment, string, section, number, word] = match;
    const end = match.index + all.length;
    const kind = comment ? "comment" : string ? "string" : section ? "section" : number ? "number"
      : word ? kindOf(word, text, end) : "";
    if (kind) found.fill(`c-${kind}`, match.index, end);
  }
  for (const match of text.matchAll(METADATA)) found.fill("", match.index + match[1].length, match.index + match[0].length);
  return found;
}

// Columns count code points, strings of the browser count units of UTF-16.
export function offsetOf(lines, line, column) {
  let at = 0;
  for (let i = 0; i < Math.min(line - 1, lines.length - 1); i += 1) at += lines[i].length + 1;
  const text = lines[Math.min(line, lines.length) - 1] ?? "";
  return at + [...text].slice(0, Math.max(column - 1, 0)).join("").length;
}

export function placeOf(text, offset) {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: [...before.slice(start)].length + 1 };
}

export function rangeOf(text, item) {
  const lines = text.split("\n");
  const first = offsetOf(lines, item.line, item.column);
  const last = offsetOf(lines, item.end_line || item.line, item.end_column || item.column + 1);
  const line = offsetOf(lines, item.line, 1) + (lines[item.line - 1] ?? "").length;
  return [Math.min(first, text.length), Math.max(Math.min(last, text.length), Math.min(first + 1, line))];
}

export function paint(element, text, findings) {
  const found = classes(text);
  const marks = new Array(text.length).fill("");
  for (const item of findings.filter((one) => one.line > 0)) {
    const [first, last] = rangeOf(text, item);
    for (let at = first; at < last && at < text.length; at += 1) {
      if (text[at] !== "\n") marks[at] = marks[at] === " d-error" ? marks[at] : ` d-${item.severity}`;
    }
  }
  const parts = [];
  for (let at = 0; at < text.length;) {
    const kind = found[at] + marks[at];
    let end = at + 1;
    while (end < text.length && found[end] + marks[end] === kind) end += 1;
    const piece = text.slice(at, end);
    if (kind) {
      const span = document.createElement("span");
      span.className = kind;
      span.textContent = piece;
      parts.push(span);
    } else parts.push(piece);
    at = end;
  }
  element.replaceChildren(...parts, "\n");
}
