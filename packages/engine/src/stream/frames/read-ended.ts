/** The engine ended a read before its reader had taken all of it: the reader was too slow, or there was no room to keep the rest for it. */
export class ReadEndedError extends Error {
  constructor(why: string, options?: ErrorOptions) {
    super(`the read was ended: ${why}`, options);
    this.name = 'ReadEndedError';
  }
}
