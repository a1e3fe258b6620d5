declare module 'bitrouter:host/field@0.1.0' {
  /**
   * One HTTP header or query parameter. Header names are lower case; neither part may hold CR, LF or NUL.
   */
  export interface Field {
    name: string,
    value: string,
  }
}
