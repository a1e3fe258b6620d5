// Joins the module `provider.js` to the contract: what `bitrouter plugin build` makes the component of. It decides nothing.

import { log } from "bitrouter:host/log@0.1.0";
import * as own from "../provider.js";
import { Document, Failure } from "./bitrouter.js";
import description from "../target/bitrouter/description.js";

/** What a hook throws is a failure, or is told to the log before it ends the call. */
function told(hook) {
  try {
    return hook();
  } catch (error) {
    if (error instanceof Failure) throw error.value();
    log("error", `${error?.name ?? "Error"}: ${error?.message ?? error}\n${error?.stack ?? ""}`);
    throw error;
  }
}

const body = (payload) => (payload.tag === "json" ? new Document(payload.val) : payload.val);

export const provider = { describe: () => description };

export const requests = {
  prepare: (call, payload) => told(() => own.prepare(call, body(payload))),
  resume: (call, payload, memo, answer) =>
    told(() => {
      // Only a step that asks is ever gone on from.
      if (!own.resume) throw Failure.unsupported("there is no `resume` in provider.js, and a step of `prepare` asks");
      return own.resume(call, body(payload), memo, answer);
    }),
};

export const failures = {
  explain: (trouble, memo) => told(() => own.explain(trouble.val, memo, trouble.tag)?.value()),
};

export const queries = { interpret: (side, page) => told(() => own.interpret(side, page)) };

export const limits = { quota: (headers, event) => told(() => own.quota(headers, event)) };

export const answers = { shape: (call, memo, head, answer) => told(() => own.shape(call, memo, head, new Document(answer))) };

class Rewriter {
  constructor(call, memo, head) {
    this.own = told(() => new own.Rewriter(call, memo, head));
  }
  push(events) {
    return told(() => this.own.push(events));
  }
  finish() {
    return told(() => this.own.finish());
  }
}

export const streams = { Rewriter };
