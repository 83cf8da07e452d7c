/** The engine ended a read before its reader had taken all of it. The reader was too slow, or the spool had no room for the rest. */
export class ReadEndedError extends Error {
  constructor(why: string, options?: ErrorOptions) {
    super(`the read was ended: ${why}`, options);
    this.name = 'ReadEndedError';
  }
}
