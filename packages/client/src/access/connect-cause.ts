import type { Closed } from '../connection/socket.js';

/*
 * The client loads this module when a connection did not open. It uses no code of other modules of the client, because a bundler would then
 * make a third file of the code that both use.
 */

/** Milliseconds in which a listener must answer what it is. */
const PROBE_MS = 5_000;

export interface ConnectCause {
  readonly message: string;
  /** Whether the engine refused the token. */
  readonly isRefused: boolean;
}

/**
 * Returns why a socket did not open. Node names the cause. Browsers hide it, so the client sends one plain HTTP request to the listener.
 */
export async function causeOf(address: URL, { cause, reason }: Closed): Promise<ConnectCause> {
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

function failed(message: string): ConnectCause {
  return { message, isRefused: false };
}

function refused(message: string): ConnectCause {
  return { message, isRefused: true };
}
