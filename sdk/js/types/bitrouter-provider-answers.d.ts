/// <reference path="./bitrouter-host-document.d.ts" />
/// <reference path="./bitrouter-provider-types.d.ts" />
declare module 'bitrouter:provider/answers@0.1.0' {
  /**
   * Edits a whole answer of status 2xx until it is in the call's dialect, or says that it is a failure after all. Its bytes
   * stay in the host, as the call's body does; only the edits count. An answer that is no JSON object is never shown here.
   */
  export function shape(call: Call, memo: Uint8Array, head: Head, body: Document): void;
  export type Call = import('bitrouter:provider/types@0.1.0').Call;
  export type Head = import('bitrouter:provider/types@0.1.0').Head;
  export type Failure = import('bitrouter:provider/types@0.1.0').Failure;
  export type Document = import('bitrouter:host/document@0.1.0').Document;
}
