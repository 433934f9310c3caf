// Requests to the service that the page came from; an answer that is no success becomes a Failure with its findings.

export class Failure extends Error {
  constructor(problem, status) {
    super(problem.detail || `The service answered ${status}`);
    this.status = status;
    this.diagnostics = problem.diagnostics || [];
    this.fields = problem.errors || [];
  }
}

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return { detail: `The service answered ${response.status}` };
  }
}

async function read(response) {
  if (response.ok) return response.json();
  const problem = await problemOf(response);
  if (problem.errors && problem.errors.length) {
    const first = problem.errors[0];
    problem.detail = `${first.field.replace(/^body\./, "")}: ${first.message}`;
  }
  throw new Failure(problem, response.status);
}

export async function get(path) {
  return read(await fetch(path, { credentials: "same-origin" }));
}

// Each kind of request has one in flight: a newer one ends the older.
const running = new Map();

export async function post(path, body, kind = path) {
  running.get(kind)?.abort();
  const control = new AbortController();
  running.set(kind, control);
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: control.signal,
      credentials: "same-origin",
    });
    return await read(response);
  } catch (error) {
    if (error.name === "AbortError") return null;
    if (error instanceof TypeError) throw new Failure({ detail: "The service cannot be reached" }, 0);
    throw error;
  } finally {
    if (running.get(kind) === control) running.delete(kind);
  }
}

export function later(milliseconds, work) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), milliseconds);
  };
}
