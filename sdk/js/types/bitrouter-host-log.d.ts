declare module 'bitrouter:host/log@0.1.0' {
  /**
   * A line for the host's log, of at most 1 KiB (the rest is cut off), at most 32 in one hook, and over time at most as
   * many as somebody reads: 256 at once and then four a second for a component. Secrets are scrubbed.
   */
  export function log(level: Level, message: string): void;
  /**
   * How loud a line of the log is.
   * # Variants
   * 
   * ## `"error"`
   * 
   * ## `"warn"`
   * 
   * ## `"info"`
   * 
   * ## `"debug"`
   */
  export type Level = 'error' | 'warn' | 'info' | 'debug';
}
