/// <reference path="./types/bitrouter-host-document.d.ts" />
/// <reference path="./types/bitrouter-provider-types.d.ts" />

// What a provider in JavaScript or TypeScript is written with. A provider is a module `provider.js` that exports functions named like the
// hooks: `prepare`, `resume`, `explain`, `quota`, `interpret`, `shape`, and a class `Rewriter`. Only those that wit/world.wit exports are
// called. A hook that throws a `Failure` returns it; any other error is written to the gateway's log and ends the call.

import type {
  Answer, Blob, Body, Call, Event, Field, Head, Step, Window,
} from "bitrouter:provider/types@0.1.0";
import type { Condition, Document as Lent, Edit, Kind, Patched } from "bitrouter:host/document@0.1.0";
import type { Level } from "bitrouter:host/log@0.1.0";

export type { Answer, Blob, Body, Call, Condition, Edit, Event, Field, Head, Kind, Step, Window };

/** The hooks. */
export type Prepare = (call: Call, body: Document | Blob | undefined) => Step;
export type Resume = (call: Call, body: Document | Blob | undefined, memo: Uint8Array, answer: Answer) => Step;
/** Undefined is what the description says of it. */
export type Explain = (trouble: Answer | Event, memo: Uint8Array, tag: "answer" | "event") => Failure | undefined;
/** JSON in the form of the side request's kind; undefined is what the description reads in it. */
export type Interpret = (side: string, page: Answer) => string | undefined;
/** Undefined is what the description reads in them. */
export type Quota = (headers: Field[], event: string | undefined) => Window[] | undefined;
export type Shape = (call: Call, memo: Uint8Array, head: Head, body: Document) => void;
export interface RewriterClass {
  new (call: Call, memo: Uint8Array, head: Head): { push(events: Event[]): Event[]; finish(): Event[] };
}

/** What a failure is: the host decides by it, and by the scope, what is tried next. */
export const kind: Readonly<{
  RATE_LIMITED: string; USAGE_LIMIT: string; NO_CREDIT: string; OVERLOADED: string; UNAVAILABLE: string; UNAUTHORIZED: string;
  FORBIDDEN: string; MODEL_NOT_FOUND: string; CONTEXT_EXCEEDED: string; CONTENT_FILTERED: string; INVALID_REQUEST: string;
  UNSUPPORTED: string; OTHER: string;
}>;
/** What it concerns. */
export const scope: Readonly<{ REQUEST: string; ACCOUNT: string; MODEL: string; PROVIDER: string }>;

/** A failure: thrown by a hook, or returned by `explain`. */
export class Failure extends Error {
  constructor(
    kind: string, scope: string, message: string,
    more?: { code?: string; retryAfterMs?: number; resetsAt?: number; status?: number },
  );
  /** The provider cannot do what the call asks for; others may. */
  static unsupported(message: string): Failure;
  /** The call is wrong, whoever is asked. */
  static invalid(message: string): Failure;
}

/** A line in the gateway's log, of at most 1 KiB. */
export function log(message: string, level?: Level): void;

/** The value of a JSON text; undefined where it is none, or was cut off. */
export function parse(text: string): any;
/** The value at a JSON pointer below a value of `parse`. */
export function at(value: unknown, pointer: string): any;
/** The JSON pointer of these names, one below the other. */
export function pointer(...names: string[]): string;
/** The value of the first field of this name; names of headers are lower case. */
export function header(fields: Field[], name: string): string | undefined;
/** The text that a memo is. */
export function text(bytes: Uint8Array): string;

/** Edits of RFC 6902; values are values of JavaScript. */
export function add(path: string, value: unknown): Edit;
export function replace(path: string, value: unknown): Edit;
export function remove(path: string): Edit;
export function move(source: string, target: string): Edit;
export function copy(source: string, target: string): Edit;

/** A condition on the value at a pointer below a match: `on("/role").is("user")`. */
export function on(at: string): {
  is(...values: (string | number | boolean | null)[]): Condition;
  beginsWith(...texts: string[]): Condition;
  isA(...kinds: Kind[]): Condition;
  isThere(): Condition;
  isLongerThan(bytes: number): Condition;
};
/** The opposite; what is not there passes it. */
export function not(condition: Condition): Condition;

/** The JSON body of a call, or a whole answer. It stays in the host; a read costs what it selects. What fails throws `Failure.invalid`. */
export class Document {
  constructor(lent: Lent);
  /** Undefined where there is no such value. */
  kind(pointer: string): Kind | undefined;
  /** The value; undefined where there is none. */
  get(pointer: string, maxBytes?: number): any;
  keys(pointer?: string): string[];
  /** What a pattern names and all conditions let pass, each with the values at `fields` below it. */
  find(
    pattern: string, how?: { only?: Condition[]; fields?: string[]; maxBytes?: number; limit?: number },
  ): { pointer: string; cells: any[] }[];
  /** Applies all edits in their order, or none. */
  patch(...edits: Edit[]): void;
  /** Makes the same edits on every match, or none; their paths are below it. */
  each(pattern: string, how: { only?: Condition[]; edits: Edit[]; named?: number }): Patched;
}

/** An HTTP request, described. `{model}` in a path is the call's model, encoded; other holes are in `values`. */
export class Request {
  constructor(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", origin: string, path: string,
    more?: {
      values?: Record<string, string>; query?: Record<string, string>; headers?: Record<string, string>; body?: Body;
      framing?: string; memo?: string | Uint8Array; dropped?: string[];
    },
  );
  /** The answer goes to the client as it comes. */
  pass(): Step;
  /** The answer goes through `Rewriter`, or `shape` where it is one document. */
  rewrite(framing?: "sse"): Step;
  /** Its answer goes to `resume`, with this memo. */
  ask(how?: { memo?: string | Uint8Array; waitMs?: number }): Step;
}

/** A body of the provider's own. */
export function json(value: unknown): Body;
/** No body, as that of a GET. */
export const empty: Body;
/** The step by which `prepare` leaves the request to the description, with the body as it was edited. */
export const DESCRIBED: Step;
/** An answer without asking anybody, in the call's dialect. */
export function reply(value: unknown, status?: number): Step;
/** An event of a stream: a text as it is, anything else as JSON. */
export function event(data: unknown, name?: string): Event;

/** One window of a limit or of a plan. */
export function window(
  name: string,
  more?: {
    usedPercent?: number; limit?: number; remaining?: number; lengthSeconds?: number; resetsAt?: number; resetsInSeconds?: number;
  },
): Window;
/** What `interpret` answers of a side request of the kind `usage`. */
export function usage(windows: Window[], plan?: string): string;
/** What `interpret` answers of a list of models. */
export function models(items: { id: string; operations?: string[]; context_window?: number }[]): string;
