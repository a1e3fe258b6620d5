/// <reference path="./bitrouter-provider-types.d.ts" />
declare module 'bitrouter:provider/limits@0.1.0' {
  /**
   * Reads the limits out of an answer's headers, or out of one event; only those that matched a declared pattern. None
   * for what the description reads in them.
   */
  export function quota(headers: Array<Field>, event: string | undefined): Array<Window> | undefined;
  export type Field = import('bitrouter:provider/types@0.1.0').Field;
  export type Window = import('bitrouter:provider/types@0.1.0').Window;
}
