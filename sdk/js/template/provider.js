// {{Name}} for BitRouter. Most of a provider is description.json; what it cannot say is code, and stands here.
//
// Each hook that wit/world.wit exports is a function that this module exports: prepare, resume, explain, quota, interpret, shape; the
// rewriter of streams is a class `Rewriter`.

import { DESCRIBED, Document, remove } from "./vendor/bitrouter.js";

/**
 * Takes a member out that the API refuses; all else of the request is as described.
 * @type {import("./vendor/bitrouter.js").Prepare}
 */
export function prepare(call, body) {
  if (body instanceof Document && body.kind("/user") !== undefined) body.patch(remove("/user"));
  return DESCRIBED;
}
