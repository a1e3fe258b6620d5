declare module 'bitrouter:provider/provider@0.1.0' {
  /**
   * What the provider is: a JSON object under `description.schema.json` of this folder. A constant of the build.
   */
  export function describe(): string;
}
