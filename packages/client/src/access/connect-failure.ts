import type { Closed } from '../connection/socket.js';
import { StreamError } from './stream-error.js';

/** The close reason of an attempt that ended because `getToken` failed. */
export const NO_TOKEN = 'no token';

/** The cause while the client dials the worker port. The engine opens these sockets, so an open socket does not end this cause. */
const WORKER_PORT = 'worker port';

/**
 * Reports why the client has no stream connection: once for each cause. The same cause is reported again after a connection was open. The
 * worker port of an engine opens each connection and then says what it is, so that cause ends only when a stream frame comes.
 */
export class ConnectFailures {
  readonly #address: URL;
  readonly #report: (error: StreamError) => void;
  #open = false;
  #cause: string | undefined;

  constructor(address: URL, report: (error: StreamError) => void) {
    this.#address = address;
    this.#report = report;
  }

  onAttempt(): void {
    this.#open = false;
  }

  onOpen(): void {
    this.#open = true;
    if (this.#cause !== WORKER_PORT) this.#cause = undefined;
  }

  /** Reports, once, that the worker port of an engine has answered. */
  onWorkerPort(): void {
    if (this.#cause === WORKER_PORT) return;
    this.#cause = WORKER_PORT;
    this.#report(failed('this is the worker port of an engine: streams have port 3112 by default'));
  }

  /** Ends the cause, because a frame of a stream port has come. */
  onStreamPort(): void {
    this.#cause = undefined;
  }

  /** Reports the cause if a socket ended before it opened. */
  onEnd(closed: Closed): void {
    // Without a token there was no attempt, and the client has reported the failure of `getToken`.
    if (this.#open || closed.reason === NO_TOKEN) return;
    const cause = closed.cause ?? closed.reason;
    if (this.#cause === cause) return;
    this.#cause = cause;
    this.#explain(closed)
      .catch(() => failed(`${this.#address.host} did not open: ${cause || 'no cause is known'}`))
      .then((error) => {
        if (this.#cause === cause) this.#report(error);
      }, this.#report);
  }

  /** Loads the code that finds the cause. Most pages never need it. */
  async #explain(closed: Closed): Promise<StreamError> {
    const { causeOf } = await import('./connect-cause.js');
    const { isRefused, message } = await causeOf(this.#address, closed);
    return isRefused ? new StreamError('UNAUTHORIZED', message) : failed(message);
  }
}

function failed(message: string): StreamError {
  return new StreamError('CONNECT_FAILED', message);
}
