import type { Closed } from '../connection/socket.js';
import { StreamError } from './stream-error.js';

/** Milliseconds in which a listener must answer what it is. */
const PROBE_MS = 5_000;
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
    const report = (error: StreamError) => {
      if (this.#cause === cause) this.#report(error);
    };
    explain(this.#address, closed).then(report, report);
  }
}

/**
 * Returns why a socket did not open. Node names the cause. Browsers hide it, so the client sends one plain HTTP request to the listener.
 */
async function explain(address: URL, { cause, reason }: Closed): Promise<StreamError> {
  const { host, pathname } = address;
  const status = Number(/response: (\d+)/.exec(cause ?? '')?.[1]);
  if (status === 401 || status === 403) return refused(`${host} answered ${status}: the token is refused`);
  if (status === 404) return failed(`${host} has no streams at ${pathname}: check the path, and path_prefix`);
  if (status > 0) return failed(`${host} answered ${status}: streams have port 3112 by default`);
  if (/REFUSED/.test(cause ?? '')) return failed(`nobody listens at ${host}: check that the engine runs`);
  if (cause !== undefined && !/non-101/.test(cause)) return failed(`${host}: ${cause}`);
  return failed(`${host}${pathname} did not open (${reason || 'no cause is known'}): ${await likelyCause(address)}`);
}

async function likelyCause({ protocol, host, pathname }: URL): Promise<string> {
  const url = `${protocol.replace('ws', 'http')}//${host}${pathname}`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS), credentials: 'omit' });
    const listener = ((await answer.json()) as { readonly listener?: unknown } | null)?.listener;
    if (listener === 'stream') return 'a stream listener is there, so the token is refused, or it is busy';
    if (typeof listener === 'string') return `the ${listener.slice(0, 40)} listener has this port: streams have port 3112 by default`;
  } catch {
    // The page can't read an answer. The text below lists the causes that are left.
  }
  return 'nobody listens there, the path or the port is wrong, the token is refused, or the browser blocks the connection';
}

function failed(message: string): StreamError {
  return new StreamError('CONNECT_FAILED', message);
}

function refused(message: string): StreamError {
  return new StreamError('UNAUTHORIZED', message);
}
