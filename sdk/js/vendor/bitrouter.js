// What a provider in JavaScript is written with; bitrouter.d.ts says what everything is.

import { log as hostLog } from "bitrouter:host/log@0.1.0";
import { whole as asWhole } from "../target/bitrouter/engine.js";

export const kind = {
  RATE_LIMITED: "rate-limited",
  USAGE_LIMIT: "usage-limit",
  NO_CREDIT: "no-credit",
  OVERLOADED: "overloaded",
  UNAVAILABLE: "unavailable",
  UNAUTHORIZED: "unauthorized",
  FORBIDDEN: "forbidden",
  MODEL_NOT_FOUND: "model-not-found",
  CONTEXT_EXCEEDED: "context-exceeded",
  CONTENT_FILTERED: "content-filtered",
  INVALID_REQUEST: "invalid-request",
  UNSUPPORTED: "unsupported",
  OTHER: "other",
};

export const scope = { REQUEST: "request", ACCOUNT: "account", MODEL: "model", PROVIDER: "provider" };

// Whole numbers of 64 bits are of another type in each engine.
const whole = (number) => (number === undefined || number === null ? undefined : asWhole(Math.max(0, Math.trunc(Number(number)))));

export class Failure extends Error {
  constructor(kind, scope, message, more = {}) {
    super(message);
    this.name = "Failure";
    Object.assign(this, { kind, scope, more });
  }
  static unsupported(message) {
    return new Failure(kind.UNSUPPORTED, scope.PROVIDER, message);
  }
  static invalid(message) {
    return new Failure(kind.INVALID_REQUEST, scope.REQUEST, message);
  }
  /** As the contract has it. */
  value() {
    const { code, retryAfterMs, resetsAt, status } = this.more;
    const [retry, resets] = [whole(retryAfterMs), whole(resetsAt)];
    return { kind: this.kind, scope: this.scope, message: this.message, code, retryAfterMs: retry, resetsAt: resets, status, more: "" };
  }
}

export function log(message, level = "info") {
  hostLog(level, message);
}

export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function at(value, pointer) {
  for (const token of pointer.split("/").slice(1)) {
    if (value === null || typeof value !== "object") return undefined;
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    value = Object.hasOwn(value, name) ? value[name] : undefined;
  }
  return value;
}

export const pointer = (...names) => names.map((name) => "/" + name.replaceAll("~", "~0").replaceAll("/", "~1")).join("");

export const header = (fields, name) => fields.find((field) => field.name === name)?.value;

const assignment = (tag) => (path, value) => ({ tag, val: { path, value: JSON.stringify(value) } });
export const add = assignment("add");
export const replace = assignment("replace");
export const remove = (path) => ({ tag: "remove", val: path });
export const move = (source, target) => ({ tag: "move", val: { source, target } });
export const copy = (source, target) => ({ tag: "copy", val: { source, target } });

export function on(at) {
  const condition = (test) => ({ at, test, negated: false });
  return {
    is: (...values) => condition({ tag: "one-of", val: values.map((value) => JSON.stringify(value)) }),
    beginsWith: (...texts) => condition({ tag: "begins-with", val: texts }),
    isA: (...kinds) => condition({ tag: "of-kind", val: kinds }),
    isThere: () => condition({ tag: "present" }),
    isLongerThan: (bytes) => condition({ tag: "longer-than", val: bytes }),
  };
}

export const not = (condition) => ({ ...condition, negated: !condition.negated });

// An error of a hook's import comes as an Error with the error's value as its `payload`.
function read(lent, name, ...given) {
  try {
    return lent[name](...given);
  } catch (error) {
    const why = error?.payload;
    if (why === undefined) throw error;
    if (typeof why === "string") throw Failure.invalid(why);
    throw Failure.invalid(why.tag === "too-big" ? `a value of the body is too long: ${why.val} bytes` : why.val);
  }
}

const value = (text) => (text === undefined || text === null ? undefined : JSON.parse(text));

export class Document {
  #lent;
  constructor(lent) {
    this.#lent = lent;
  }
  kind(pointer) {
    return read(this.#lent, "kind", pointer) ?? undefined;
  }
  get(pointer, maxBytes = 65536) {
    return value(read(this.#lent, "get", pointer, maxBytes));
  }
  keys(pointer = "") {
    return read(this.#lent, "keys", pointer);
  }
  find(pattern, { only = [], fields = [], maxBytes = 65536, limit = 0x7fffffff } = {}) {
    const { rows } = read(this.#lent, "find", pattern, only, fields, maxBytes, limit);
    const cell = ({ tag, val }) => (tag === "value" ? JSON.parse(val) : undefined);
    return rows.map((row) => ({ pointer: row.pointer, cells: row.cells.map(cell) }));
  }
  patch(...edits) {
    read(this.#lent, "patch", edits);
  }
  each(pattern, { only = [], edits, named = 0 }) {
    return read(this.#lent, "patchEach", pattern, only, edits, named);
  }
}

const fields = (named = {}) => Object.entries(named).map(([name, value]) => ({ name, value }));

export class Request {
  constructor(method, origin, path, { values, query, headers, body, framing = "json", memo = "", dropped = [] } = {}) {
    const bytes = memoOf(memo);
    const lists = { values: fields(values), query: fields(query), headers: fields(headers) };
    this.described = { method, origin, path, ...lists, body: body ?? { tag: "forward" }, framing, memo: bytes, dropped, more: "" };
  }
  pass() {
    return { tag: "send", val: { ...this.described, delivery: { tag: "pass" } } };
  }
  rewrite(framing = "sse") {
    return { tag: "send", val: { ...this.described, delivery: { tag: "rewrite", val: framing } } };
  }
  ask({ memo = "", waitMs = 0 } = {}) {
    return { tag: "ask", val: { request: { ...this.described, delivery: { tag: "pass" } }, memo: memoOf(memo), waitMs } };
  }
}

export const json = (value) => ({ tag: "json", val: JSON.stringify(value) });
export const empty = { tag: "empty" };
export const DESCRIBED = { tag: "described" };

export function reply(value, status = 200) {
  return { tag: "reply", val: { status, headers: [], framing: "json", body: JSON.stringify(value), more: "" } };
}

export function event(data, name) {
  return { name, headers: [], data: typeof data === "string" ? data : JSON.stringify(data), binary: new Uint8Array() };
}

// The small engine has no TextDecoder.
export const text = (bytes) => decodeURIComponent(escape(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")));

const encode = (text) => Uint8Array.from(unescape(encodeURIComponent(text)), (c) => c.charCodeAt(0));
const memoOf = (memo) => (typeof memo === "string" ? encode(memo) : memo);

export function window(name, { usedPercent, limit, remaining, lengthSeconds, resetsAt, resetsInSeconds } = {}) {
  const [most, left, length] = [whole(limit), whole(remaining), whole(lengthSeconds)];
  const [moment, wait] = [whole(resetsAt), whole(resetsInSeconds)];
  return { name, usedPercent, limit: most, remaining: left, lengthSeconds: length, resetsAt: moment, resetsInSeconds: wait, more: "" };
}

export function usage(windows, plan = "") {
  const number = (value) => (value === undefined ? undefined : Number(value));
  const members = windows.map((window) => ({
    name: window.name,
    used_percent: window.usedPercent,
    limit: number(window.limit),
    remaining: number(window.remaining),
    length_seconds: number(window.lengthSeconds),
    resets_at: number(window.resetsAt),
  }));
  return JSON.stringify({ windows: members, plan });
}

export const models = (items) => JSON.stringify({ models: items });
