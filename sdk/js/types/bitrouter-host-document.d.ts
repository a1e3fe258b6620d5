declare module 'bitrouter:host/document@0.1.0' {
  /**
   * What a JSON value is.
   * # Variants
   * 
   * ## `"object"`
   * 
   * ## `"array"`
   * 
   * ## `"string"`
   * 
   * ## `"number"`
   * 
   * ## `"boolean"`
   * 
   * ## `"null"`
   */
  export type Kind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';
  /**
   * One field of one match, as `find` answers.
   */
  export type Cell = CellAbsent | CellValue | CellBig;
  /**
   * There is no such value.
   */
  export interface CellAbsent {
    tag: 'absent',
  }
  /**
   * The value's JSON text.
   */
  export interface CellValue {
    tag: 'value',
    val: string,
  }
  /**
   * The value is longer than asked for; its size in bytes.
   */
  export interface CellBig {
    tag: 'big',
    val: number,
  }
  /**
   * One match, as `find` answers.
   */
  export interface Row {
    /**
     * Its JSON pointer.
     */
    pointer: string,
    /**
     * One cell for each field, in their order.
     */
    cells: Array<Cell>,
  }
  /**
   * What `find` answers, in the order of the document.
   */
  export interface Matches {
    rows: Array<Row>,
    /**
     * True if the search ended before the document did: there were as many rows as `limit`, or their values and pointers
     * have more than 16 MiB together.
     */
    more: boolean,
  }
  /**
   * What `patch-each` did.
   */
  export interface Patched {
    /**
     * How many matches were edited.
     */
    matches: number,
    /**
     * The JSON pointers of the first of them, as they were before the edits.
     */
    pointers: Array<string>,
  }
  /**
   * What a value is asked.
   */
  export type Test = TestPresent | TestOfKind | TestOneOf | TestBeginsWith | TestLongerThan;
  /**
   * It is there.
   */
  export interface TestPresent {
    tag: 'present',
  }
  /**
   * It is of one of these kinds.
   */
  export interface TestOfKind {
    tag: 'of-kind',
    val: Array<Kind>,
  }
  /**
   * It is one of these scalars, given as JSON text. Strings are compared as what they say, numbers as they are written.
   */
  export interface TestOneOf {
    tag: 'one-of',
    val: Array<string>,
  }
  /**
   * It is a string that begins with one of these texts, which are given as they are, without quotes.
   */
  export interface TestBeginsWith {
    tag: 'begins-with',
    val: Array<string>,
  }
  /**
   * Its JSON text has more bytes than this.
   */
  export interface TestLongerThan {
    tag: 'longer-than',
    val: number,
  }
  /**
   * A condition on a match. It is looked at where the value lies; nothing is copied for it.
   */
  export interface Condition {
    /**
     * The value that is looked at, as a JSON pointer below the match; the empty one is the match itself.
     */
    at: string,
    /**
     * What the value must be.
     */
    test: Test,
    /**
     * True if it must not be that. A value that is not there passes no test, so it passes each that is negated.
     */
    negated: boolean,
  }
  /**
   * Where a new value goes.
   */
  export interface Assignment {
    path: string,
    value: string,
  }
  /**
   * Where a value comes from and goes to.
   */
  export interface Relocation {
    source: string,
    target: string,
  }
  /**
   * One edit of RFC 6902. Paths are JSON pointers (RFC 6901); values are JSON text.
   */
  export type Edit = EditAdd | EditRemove | EditReplace | EditMove | EditCopy;
  /**
   * Sets a member, or inserts before an index; `-` as the index appends.
   */
  export interface EditAdd {
    tag: 'add',
    val: Assignment,
  }
  /**
   * Removes a value that must be there.
   */
  export interface EditRemove {
    tag: 'remove',
    val: string,
  }
  /**
   * Replaces a value that must be there.
   */
  export interface EditReplace {
    tag: 'replace',
    val: Assignment,
  }
  /**
   * Takes a value out of `source` and adds it at `target`: wraps or lifts without copying it out.
   */
  export interface EditMove {
    tag: 'move',
    val: Relocation,
  }
  /**
   * Adds the value at `source` a second time at `target`.
   */
  export interface EditCopy {
    tag: 'copy',
    val: Relocation,
  }
  /**
   * Why a value was not read.
   */
  export type ReadError = ReadErrorTooBig | ReadErrorInvalid;
  /**
   * The value's size in bytes; it is more than `max-bytes`.
   */
  export interface ReadErrorTooBig {
    tag: 'too-big',
    val: number,
  }
  /**
   * The pointer is malformed, or the body is not valid JSON there, or an object on the way has duplicate keys.
   */
  export interface ReadErrorInvalid {
    tag: 'invalid',
    val: string,
  }
  
  export class Document implements Disposable {
    /**
     * This type does not have a public constructor.
     */
    private constructor();
    /**
    * What the value is; none where there is no such value.
    */
    kind(pointer: string): Kind | undefined;
    /**
    * The size of the value's text in bytes.
    */
    size(pointer: string): number | undefined;
    /**
    * The value's JSON text, of at most `max-bytes` bytes.
    */
    get(pointer: string, maxBytes: number): string | undefined;
    /**
    * The names of an object's members, decoded, in their order; empty for anything else.
    */
    keys(pointer: string): Array<string>;
    /**
    * The string at a pointer, decoded; none where there is none, or another value. `max-bytes` is of its JSON text.
    */
    text(pointer: string, maxBytes: number): string | undefined;
    /**
    * What a pattern names and all conditions let pass, `limit` matches at most. A field is a JSON pointer below the match,
    * the empty one is the match itself; a value of more than `max-bytes` bytes comes as its size.
    */
    find(pattern: string, only: Array<Condition>, fields: Array<string>, maxBytes: number, limit: number): Matches;
    /**
    * Applies all edits in their order, or none of them and says which one failed and why.
    */
    patch(edits: Array<Edit>): void;
    /**
    * Makes the same edits on every match, or none of them and says which one failed and why. Paths are below the match; the
    * empty one is the match itself, which `add` and `replace` set, `remove` takes away, and `move` and `copy` put a value
    * below it in the place of. An edit fails where `patch` would: what only some have is asked for by the pattern
    * (`/messages/&#42;/name`) or by a condition. The first `named` matches are named.
    */
    patchEach(pattern: string, only: Array<Condition>, edits: Array<Edit>, named: number): Patched;
    [Symbol.dispose](): void;
  }
}
