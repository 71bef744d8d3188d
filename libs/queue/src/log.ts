/** Where the engine says what it does: the fields of one object, and the name of the event. pino has this shape. */
export interface Log {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}
