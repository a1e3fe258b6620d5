/// <reference path="./bitrouter-host-field.d.ts" />
declare module 'bitrouter:provider/types@0.1.0' {
  export type Field = import('bitrouter:host/field@0.1.0').Field;
  /**
   * The account that pays for a call. Nothing in here is secret.
   */
  export interface Account {
    /**
     * The user's name of it: `default`, `work`, `env`, …
     */
    label: string,
    /**
     * The claims that the description lists, of at most 256 bytes each; one that the credential lacks is left out.
     */
    claims: Array<Field>,
  }
  /**
   * One call of a client, as the gateway understood it.
   */
  export interface Call {
    /**
     * What is asked for. Documented values: `generate` (a model's answer in one of the four dialects),
     * `count-tokens`, `compact`, `embeddings`, `completions`, `moderations`, `images/generations`, `images/edits`,
     * `images/variations`, `audio/speech`, `audio/transcriptions`, `audio/translations`; and `models`, which has no body:
     * the provider's own catalogue in the form that its vendor's client reads.
     */
    operation: string,
    /**
     * The body's wire format: `chat-completions`, `responses`, `messages` or `generate-content` for operations that
     * have one, and `openai` for the rest. It is always one that the description lists for the operation.
     */
    dialect: string,
    /**
     * The provider's own name of the model, after routing. A JSON body's `model` member already holds it.
     */
    model: string,
    /**
     * True if the client asked for a stream.
     */
    streaming: boolean,
    /**
     * The client's headers that the description's `forward` patterns name, in the order they came.
     */
    headers: Array<Field>,
    /**
     * The client's query string without the `?`, for the parameters that the description's `forward_query` names.
     */
    query: Array<Field>,
    /**
     * `providers.<id>.settings` of the configuration as a JSON object; `{}` where there is none.
     */
    settings: string,
    /**
     * The account whose credential will be attached; none where the provider needs no credential.
     */
    account?: Account,
    /**
     * The provider's id in the configuration: one component may be many.
     */
    provider: string,
    /**
     * What is known of the model without asking anybody, as a JSON object (docs/writing-a-provider.md says which); `{}` where that is nothing.
     */
    modelInfo: string,
    /**
     * The number of this attempt among those that one call of the client makes, from 1.
     */
    attempt: number,
    /**
     * A JSON object.
     */
    more: string,
  }
  /**
   * An opaque body's facts; its bytes stay in the host.
   */
  export interface Blob {
    /**
     * The client's `content-type`, parameters included.
     */
    contentType: string,
    /**
     * Bytes, where the client said how many.
     */
    length?: bigint,
  }
  /**
   * An answer of the provider's own. The client gets it as it would an upstream's: status by status, in its dialect.
   */
  export interface Reply {
    /**
     * 200 to 299; what is a failure is said as one.
     */
    status: number,
    headers: Array<Field>,
    /**
     * `json`, or `sse` for a body that is a stream of events.
     */
    framing: string,
    /**
     * The body, in the call's dialect.
     */
    body: string,
    /**
     * A JSON object.
     */
    more: string,
  }
  /**
   * What a body or a part of it holds. Values of the call's JSON body are taken out by the host, after all edits; a guest
   * need not see them.
   */
  export type Content = ContentText | ContentValue | ContentBase64;
  /**
   * This text.
   */
  export interface ContentText {
    tag: 'text',
    val: string,
  }
  /**
   * The value at a JSON pointer: a string as what it says, anything else as its JSON text.
   */
  export interface ContentValue {
    tag: 'value',
    val: string,
  }
  /**
   * The bytes that a string at a JSON pointer holds as base64, of either alphabet, or as a `data:` URL.
   */
  export interface ContentBase64 {
    tag: 'base64',
    val: string,
  }
  /**
   * One field of a form with files.
   */
  export interface Part {
    name: string,
    /**
     * A file's name, where it is one.
     */
    filename?: string,
    contentType?: string,
    content: Content,
  }
  /**
   * What goes up as the request's body.
   */
  export type Body = BodyForward | BodyJson | BodyForm | BodyMultipart | BodyContent | BodyEmpty;
  /**
   * The call's own body: the document as patched, or the opaque bytes as they came.
   */
  export interface BodyForward {
    tag: 'forward',
  }
  /**
   * A JSON text of the provider's own.
   */
  export interface BodyJson {
    tag: 'json',
    val: string,
  }
  /**
   * A form, encoded by the host as `application/x-www-form-urlencoded`.
   */
  export interface BodyForm {
    tag: 'form',
    val: Array<Field>,
  }
  /**
   * A form with files, encoded by the host as `multipart/form-data`.
   */
  export interface BodyMultipart {
    tag: 'multipart',
    val: Array<Part>,
  }
  /**
   * Bytes out of the call's JSON body, or a text. The request's `content-type` header says what it is.
   */
  export interface BodyContent {
    tag: 'content',
    val: Content,
  }
  /**
   * No body.
   */
  export interface BodyEmpty {
    tag: 'empty',
  }
  /**
   * How the answer reaches the client. A stream that is in the call's dialect and was not asked for, as it came or as it was
   * rewritten, is folded by the host into the one JSON document which that dialect has for a call that is not streamed.
   */
  export type Delivery = DeliveryPass | DeliveryRewrite;
  /**
   * Forwarded as it came, byte for byte. Valid where it is in the call's dialect.
   */
  export interface DeliveryPass {
    tag: 'pass',
  }
  /**
   * Event by event through `streams.rewriter`, or as one JSON document through `answers.shape`. The value is the framing that
   * the rewriter writes: `sse`.
   */
  export interface DeliveryRewrite {
    tag: 'rewrite',
    val: string,
  }
  /**
   * An HTTP request, described. The host refuses one that names a header which carries a credential or frames the
   * message: `authorization`, `x-api-key`, `api-key`, `x-goog-api-key`, `cookie`, `proxy-*`, `host`, `content-length`,
   * `content-encoding`, `transfer-encoding`, `connection`, `te`, `trailer`, `upgrade`, `keep-alive`, `expect`,
   * `accept-encoding`, `forwarded`, `x-forwarded-*`.
   */
  export interface Request {
    /**
     * Upper case: `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
     */
    method: string,
    /**
     * The name of one of the description's `origins`, such as `api`. Never a URL.
     */
    origin: string,
    /**
     * Appended to the origin's path prefix: starts with `/`, has no `.` or `..` segment, query or fragment. It may have holes as
     * those of the description may, `/model/{model}/converse`, which the host fills with percent-encoded text: what stands in
     * one stays one part of one segment, whatever a client calls its model. `{model}` is the call's model.
     */
    path: string,
    /**
     * What fills the other holes of the path, by their names.
     */
    values: Array<Field>,
    /**
     * Percent-encoded by the host and joined in this order.
     */
    query: Array<Field>,
    headers: Array<Field>,
    body: Body,
    /**
     * How the answer's body is cut into events. Documented values: `sse`, `ndjson`, `aws-event-stream`, `json` (one
     * document), `raw` (bytes without structure) and `websocket`. A host refuses one that it does not support yet.
     */
    framing: string,
    delivery: Delivery,
    /**
     * At most 64 KiB, handed to `explain` and to the rewriter of this request.
     */
    memo: Uint8Array,
    /**
     * What the call asked for and this request does not, as JSON pointers into the call's body (`/temperature`,
     * `/input/3`). The user is told; the host may refuse the call instead. At most 64 are shown.
     */
    dropped: Array<string>,
    /**
     * A JSON object.
     */
    more: string,
  }
  /**
   * An exchange whose answer the provider needs before it can send.
   */
  export interface Exchange {
    request: Request,
    /**
     * At most 64 KiB, handed to `resume`.
     */
    memo: Uint8Array,
    /**
     * Milliseconds to wait before it is sent, for whoever polls. All waits of one call together are at most as long as
     * `exchanges` of the description says; without that there are none.
     */
    waitMs: number,
  }
  /**
   * What `prepare` and `resume` ask the host to do next.
   */
  export type Step = StepSend | StepAsk | StepReply | StepDescribed;
  /**
   * Send this request as the provider's answer to the call.
   */
  export interface StepSend {
    tag: 'send',
    val: Request,
  }
  /**
   * Make this exchange first (mint a short token, upload, poll), then call `resume`. At most three in one call, or as many as
   * `exchanges` of the description says.
   */
  export interface StepAsk {
    tag: 'ask',
    val: Exchange,
  }
  /**
   * Answer the call with this, and ask nobody: a catalogue, a count, what is known already.
   */
  export interface StepReply {
    tag: 'reply',
    val: Reply,
  }
  /**
   * Send what the description says of this operation and dialect, with the body as it was edited.
   */
  export interface StepDescribed {
    tag: 'described',
  }
  /**
   * How an answer begins.
   */
  export interface Head {
    status: number,
    /**
     * Secrets are scrubbed.
     */
    headers: Array<Field>,
    /**
     * A JSON object.
     */
    more: string,
  }
  /**
   * The answer to an `ask`.
   */
  export interface Answer {
    status: number,
    headers: Array<Field>,
    /**
     * The body's first 64 KiB, of a side request's answer the first 4 MiB; bytes that are not UTF-8 are replaced by U+FFFD. Secrets are scrubbed.
     */
    body: string,
    /**
     * True if the body was longer.
     */
    truncated: boolean,
    /**
     * A JSON object.
     */
    more: string,
  }
  /**
   * What a failure means. The host decides by `kind` and `scope` what may be tried next.
   */
  export interface Failure {
    /**
     * Documented values: `rate-limited`, `usage-limit`, `no-credit`, `overloaded`, `unavailable`, `unauthorized`, `forbidden`,
     * `model-not-found`, `context-exceeded`, `content-filtered`, `invalid-request`, `unsupported`, `other`.
     */
    kind: string,
    /**
     * What it concerns. Documented values: `request` (no other target would do better), `account`, `model` (this
     * model of this provider), `provider`.
     */
    scope: string,
    /**
     * One sentence for a person, in the upstream's own words where it has some.
     */
    message: string,
    /**
     * The upstream's own code, such as `usage_limit_reached`.
     */
    code?: string,
    /**
     * Milliseconds from now until a new attempt may succeed.
     */
    retryAfterMs?: bigint,
    /**
     * Seconds since the Unix epoch at which the limit ends.
     */
    resetsAt?: bigint,
    /**
     * The HTTP status that a client is told, where the kind's own says too little. 400 to 599.
     */
    status?: number,
    /**
     * A JSON object.
     */
    more: string,
  }
  /**
   * One window of a rate limit or of a plan.
   */
  export interface Window {
    /**
     * The provider's name of it, such as `requests`, `tokens`, `primary`, `weekly`.
     */
    name: string,
    /**
     * 0.0 to 100.0, where the provider says it.
     */
    usedPercent?: number,
    /**
     * How many units the window holds, where the provider says it.
     */
    limit?: bigint,
    /**
     * How many units are left, where the provider says it.
     */
    remaining?: bigint,
    /**
     * The window's length in seconds.
     */
    lengthSeconds?: bigint,
    /**
     * Seconds since the Unix epoch.
     */
    resetsAt?: bigint,
    /**
     * Seconds from now, for providers that answer so. `resets-at` wins where both are there.
     */
    resetsInSeconds?: bigint,
    /**
     * A JSON object.
     */
    more: string,
  }
  /**
   * One event of an answer.
   */
  export interface Event {
    /**
     * The event's name where the framing has one (`event:` of SSE; of aws-event-stream `:event-type`, else `:exception-type`
     * or `:error-code`).
     */
    name?: string,
    /**
     * Its headers where the framing has some, each value as a text: of aws-event-stream all of them.
     */
    headers: Array<Field>,
    /**
     * The event's payload without its framing; empty where it is no UTF-8.
     */
    data: string,
    /**
     * The payload where it is no UTF-8; empty where it is.
     */
    binary: Uint8Array,
  }
  /**
   * Something that the upstream answered and that is not a success.
   */
  export type Trouble = TroubleAnswer | TroubleEvent;
  /**
   * An answer whose status is not 2xx.
   */
  export interface TroubleAnswer {
    tag: 'answer',
    val: Answer,
  }
  /**
   * An error event inside a stream.
   */
  export interface TroubleEvent {
    tag: 'event',
    val: Event,
  }
}
