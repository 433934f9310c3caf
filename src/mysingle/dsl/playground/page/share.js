// The link: everything that a picture needs, in the part of the address that never leaves the browser.

const PREFIX = "#s=";
const MOST = 200_000;

export function encode(state) {
  const bytes = new TextEncoder().encode(JSON.stringify(state));
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return PREFIX + btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function decode(fragment) {
  if (!fragment.startsWith(PREFIX) || fragment.length > MOST) return null;
  try {
    const text = atob(fragment.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    const state = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return typeof state?.source === "string" ? state : null;
  } catch {
    return null;
  }
}
