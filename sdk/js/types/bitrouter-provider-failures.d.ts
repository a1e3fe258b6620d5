/// <reference path="./bitrouter-provider-types.d.ts" />
declare module 'bitrouter:provider/failures@0.1.0' {
  /**
   * Says what a failure means; none for what the description says of it.
   */
  export function explain(trouble: Trouble, memo: Uint8Array): Failure | undefined;
  export type Trouble = import('bitrouter:provider/types@0.1.0').Trouble;
  export type Failure = import('bitrouter:provider/types@0.1.0').Failure;
}
