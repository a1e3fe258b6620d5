/// <reference path="./bitrouter-host-document.d.ts" />
/// <reference path="./bitrouter-provider-types.d.ts" />
declare module 'bitrouter:provider/requests@0.1.0' {
  /**
   * Shapes the call into a request. A `failure` ends the attempt before anything is sent.
   */
  export function prepare(call: Call, body: Payload): Step;
  /**
   * Goes on after an `ask`. Edits that earlier hooks made to the document are still there.
   */
  export function resume(call: Call, body: Payload, memo: Uint8Array, answer: Answer): Step;
  export type Call = import('bitrouter:provider/types@0.1.0').Call;
  export type Blob = import('bitrouter:provider/types@0.1.0').Blob;
  export type Step = import('bitrouter:provider/types@0.1.0').Step;
  export type Answer = import('bitrouter:provider/types@0.1.0').Answer;
  export type Failure = import('bitrouter:provider/types@0.1.0').Failure;
  export type Document = import('bitrouter:host/document@0.1.0').Document;
  /**
   * The call's body.
   */
  export type Payload = PayloadJson | PayloadOpaque | PayloadNone;
  /**
   * A JSON object.
   */
  export interface PayloadJson {
    tag: 'json',
    val: Document,
  }
  /**
   * Anything else (multipart audio and images): never seen by a guest.
   */
  export interface PayloadOpaque {
    tag: 'opaque',
    val: Blob,
  }
  /**
   * The call has no body.
   */
  export interface PayloadNone {
    tag: 'none',
  }
}
