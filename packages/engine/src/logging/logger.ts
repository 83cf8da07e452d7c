/** Structured logging. A line has one event name, and ids and counts as fields. It never has payloads, tokens or queries. */
export interface Logger {
  /**
   * Whether debug lines are written. Hot paths read it first, so that they build no fields for nothing.
   * @default false
   */
  readonly isDebug?: boolean;
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
