// acme, a provider of an API that is like none of the dialects: sdk/acme/README.md says what it is and what becomes of it.

import {
  add, at, DESCRIBED, Document, event, Failure, header, kind, move, not, on, parse, pointer, remove, replace, Request, scope,
  text, usage, window,
} from "./vendor/bitrouter.js";

const SPEAKERS = { system: "rules", developer: "rules", user: "guest", assistant: "acme" };
const OPTIONS = { max_tokens: "/options/limit", max_completion_tokens: "/options/limit", temperature: "/options/heat" };
const FAULTS = {
  E_SLOW: [kind.RATE_LIMITED, scope.ACCOUNT],
  E_SPENT: [kind.NO_CREDIT, scope.ACCOUNT],
  E_TOKEN: [kind.UNAUTHORIZED, scope.ACCOUNT],
  E_ENGINE: [kind.MODEL_NOT_FOUND, scope.MODEL],
  E_LONG: [kind.CONTEXT_EXCEEDED, scope.REQUEST],
  E_BUSY: [kind.OVERLOADED, scope.MODEL],
};

export function prepare(call, body) {
  if (!(body instanceof Document)) return DESCRIBED;
  if (call.operation === "embeddings") return embed(body);
  return call.operation === "generate" ? converse(call, body) : DESCRIBED;
}

function converse(call, document) {
  const unknown = not(on("/role").is(...Object.keys(SPEAKERS)));
  for (const row of document.find("/messages/*", { only: [unknown], limit: 1 })) {
    throw Failure.unsupported(`acme knows no message of the role at ${row.pointer}/role`);
  }
  for (const row of document.find("/messages/*", { only: [on("/content").isA("array")] })) {
    join(document, row.pointer + "/content");
  }
  for (const [theirs, ours] of Object.entries(SPEAKERS)) {
    document.each("/messages/*", { only: [on("/role").is(theirs)], edits: [replace("/role", ours)] });
  }
  for (const [theirs, ours] of [["/role", "/speaker"], ["/content", "/words"]]) {
    document.each("/messages/*", { only: [on(theirs).isThere()], edits: [move(theirs, ours)] });
  }
  const wantsUsage = document.get("/stream_options/include_usage") === true;
  const [edits, dropped] = [[add("/options", {})], []];
  for (const name of document.keys()) {
    const place = pointer(name);
    if (name === "model") edits.push(move(place, "/engine"));
    else if (name === "messages") edits.push(move(place, "/turns"));
    else if (Object.hasOwn(OPTIONS, name)) edits.push(move(place, OPTIONS[name]));
    else {
      edits.push(remove(place));
      if (name !== "stream" && name !== "stream_options") dropped.push(place);
    }
  }
  document.patch(...edits, add("/live", call.streaming));
  const framing = call.streaming ? "ndjson" : "json";
  const memo = wantsUsage ? "usage" : "";
  return new Request("POST", "api", "/engines/{model}/converse", { framing, memo, dropped }).rewrite();
}

/** Makes a list of texts one text. */
function join(document, content) {
  const parts = document.find(content + "/*", { fields: ["/type", "/text"], maxBytes: 1 << 20 });
  const texts = parts.map(({ pointer, cells: [what, text] }) => {
    if (what === "text" && typeof text === "string") return text;
    throw Failure.unsupported(`acme takes texts only, not what is at ${pointer}`);
  });
  document.patch(replace(content, texts.join("\n")));
}

function embed(document) {
  const [edits, dropped] = [[], []];
  for (const name of document.keys()) {
    const place = pointer(name);
    if (name === "model") edits.push(move(place, "/engine"));
    else if (name === "input" && document.kind(place) === "array") edits.push(move(place, "/texts"));
    else if (name === "input") edits.push(add("/texts", []), move(place, "/texts/-"));
    else {
      edits.push(remove(place));
      dropped.push(place);
    }
  }
  document.patch(...edits);
  return new Request("POST", "api", "/engines/{model}/embed", { dropped }).rewrite();
}

/** An answer whose status is none of 2xx, or an error event of a stream. */
export function explain(trouble) {
  return fault(at(parse(trouble.body ?? trouble.data), "/fault"));
}

/** What a fault means; undefined where its code is new. */
function fault(json) {
  const code = at(json, "/code");
  if (typeof code !== "string" || !Object.hasOwn(FAULTS, code)) return undefined;
  const wait = at(json, "/wait");
  const retryAfterMs = Number.isInteger(wait) ? wait * 1000 : undefined;
  const [what, concerns] = FAULTS[code];
  return new Failure(what, concerns, at(json, "/why") ?? "", { code, retryAfterMs });
}

/** What a fault means where there is nobody else to say it. */
const anyFault = (json) => fault(json) ?? new Failure(kind.UNAVAILABLE, scope.PROVIDER, at(json, "/why") ?? "");

export function quota(headers, event) {
  const windows = [];
  const room = /^(\w+)=(\d+)\/(\d+) in (\d+)$/.exec(header(headers, "x-acme-room") ?? "");
  if (room) windows.push(window(room[1], { limit: +room[3], remaining: +room[2], resetsInSeconds: +room[4] }));
  const json = event ? parse(event) : undefined;
  if (at(json, "/type") === "quota") {
    windows.push(window(json.of, { limit: json.most, remaining: json.left, resetsInSeconds: json.back_in }));
  }
  return windows;
}

export function interpret(side, page) {
  const json = parse(page.body);
  const [spent, most] = [at(json, "/spent"), at(json, "/of")];
  if (side !== "plan" || page.status !== 200 || !Number.isInteger(spent) || !(most > 0)) return undefined;
  const month = { usedPercent: (spent * 100) / most, limit: most, remaining: Math.max(most - spent, 0) };
  return usage([window("month", month)], at(json, "/plan") ?? "");
}

export function shape(call, memo, head, body) {
  const json = body.get("/fault", 4096);
  if (json !== undefined) throw anyFault(json);
  const used = usedOf(body.get("/spent", 256));
  const edits = call.operation === "embeddings" ? vectors(call, body, used) : answer(body, used);
  try {
    body.patch(...edits);
  } catch (why) {
    throw new Failure(kind.UNAVAILABLE, scope.PROVIDER, `acme answered otherwise than it should: ${why.message}`);
  }
}

function answer(body, used) {
  const choice = { index: 0, message: { role: "assistant" }, finish_reason: reason(body.get("/why", 64)) };
  return [
    add("/choices", [choice]),
    move("/words", "/choices/0/message/content"),
    move("/engine", "/model"),
    move("/at", "/created"),
    add("/object", "chat.completion"),
    add("/usage", used),
    remove("/spent"),
    remove("/why"),
  ];
}

function vectors(call, body, used) {
  const items = body.find("/vectors/*").flatMap(({ pointer }, index) => [
    move(pointer + "/values", pointer + "/embedding"),
    add(pointer + "/index", index),
    add(pointer + "/object", "embedding"),
  ]);
  const list = [move("/vectors", "/data"), add("/object", "list"), add("/model", call.model), add("/usage", used)];
  return [...items, ...list, remove("/spent")];
}

/** A stream that is rewritten: a line in, a chunk of Chat Completions out. */
export class Rewriter {
  constructor(call, memo) {
    this.wantsUsage = text(memo) === "usage";
  }

  push(events) {
    return events.flatMap(({ data }) => {
      const line = parse(data);
      switch (line?.type) {
        case "begin":
          this.head = { id: line.id, object: "chat.completion.chunk", created: line.at, model: line.engine };
          return [this.chunk({ role: "assistant", content: "" })];
        case "words":
          return [this.chunk({ content: line.words })];
        case "end":
          return this.end(line);
        case "fault":
          throw anyFault(line.fault);
        default:
          return [];
      }
    });
  }

  finish() {
    return [];
  }

  end(line) {
    const used = { usage: usedOf(line.spent) };
    const last = this.chunk({}, reason(line.why), this.wantsUsage ? {} : used);
    const own = this.wantsUsage ? [event({ ...this.head, choices: [], ...used })] : [];
    return [last, ...own, event("[DONE]")];
  }

  chunk(delta, finish_reason = null, rest = {}) {
    return event({ ...this.head, choices: [{ index: 0, delta, finish_reason }], ...rest });
  }
}

const reason = (why) => (why === "limit" ? "length" : "stop");

function usedOf(spent) {
  const [read, said] = [at(spent, "/read") ?? 0, at(spent, "/said") ?? 0];
  return { prompt_tokens: read, completion_tokens: said, total_tokens: read + said };
}
