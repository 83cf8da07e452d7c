import type { ConnectionState } from '@rivulet/client/connection';

/** Why there is no connection, in words for a log: without the credentials that an address may have. */
export class NoConnection {
  readonly #address: string;
  #cause = 'it has not opened yet';
  #before: ConnectionState['kind'] = 'connecting';
  #told = false;

  constructor(url: string) {
    // oxlint-disable-next-line eslint/no-restricted-globals -- checkUrl accepted this address before
    const { protocol, host, pathname } = new URL(url);
    this.#address = `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
  }

  get text(): string {
    return `no connection to ${this.#address} (${this.#cause})`;
  }

  /** Whether an attempt has failed for the first time since the last connection. Told of every change of state, in order. */
  failedFirst(state: ConnectionState): boolean {
    const failed = this.#before === 'connecting' && (state.kind === 'waiting' || (state.kind === 'closed' && state.by === 'attempts'));
    this.#before = state.kind;
    if (state.kind === 'open') this.#told = false;
    if (state.kind === 'waiting' || state.kind === 'closed') {
      const { code, reason } = state.last;
      this.#cause = reason === '' ? `closed with ${code}` : reason;
    }
    const first = failed && !this.#told;
    if (failed) this.#told = true;
    return first;
  }
}
