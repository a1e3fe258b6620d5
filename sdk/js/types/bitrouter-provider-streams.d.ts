/// <reference path="./bitrouter-provider-types.d.ts" />
declare module 'bitrouter:provider/streams@0.1.0' {
  export type Call = import('bitrouter:provider/types@0.1.0').Call;
  export type Head = import('bitrouter:provider/types@0.1.0').Head;
  export type Failure = import('bitrouter:provider/types@0.1.0').Failure;
  export type Event = import('bitrouter:provider/types@0.1.0').Event;
  
  export class Rewriter {
    constructor(call: Call, memo: Uint8Array, head: Head)
    /**
    * Some events in, any number out.
    */
    push(events: Array<Event>): Array<Event>;
    /**
    * The upstream has ended; what is left.
    */
    finish(): Array<Event>;
  }
}
