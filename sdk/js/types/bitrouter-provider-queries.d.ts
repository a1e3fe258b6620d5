/// <reference path="./bitrouter-provider-types.d.ts" />
declare module 'bitrouter:provider/queries@0.1.0' {
  /**
   * Reads one answer of a side request that the description declares; `side` is its name. Returns JSON under the
   * schema that `description.schema.json` gives for that kind of side request; none for what the description reads in it.
   */
  export function interpret(side: string, page: Answer): string | undefined;
  export type Answer = import('bitrouter:provider/types@0.1.0').Answer;
  export type Failure = import('bitrouter:provider/types@0.1.0').Failure;
}
