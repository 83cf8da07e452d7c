import type { ConnectionState } from '@rivulet/client/connection';

/** Knows why there is no connection, as a text for errors and logs. The text has no credentials of the address. */
export class NoConnection {
  readonly #address: string;
  #cause = 'it has not opened yet';
  #before: ConnectionState['kind'] = 'connecting';
  #reported = false;

  constructor(url: string) {
    // oxlint-disable-next-line eslint/no-restricted-globals -- checkUrl accepted this address before
    const { protocol, host, pathname } = new URL(url);
    this.#address = `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
  }

  get text(): string {
    return `no connection to ${this.#address} (${this.#cause})`;
  }

  /**
   * Returns whether an attempt failed for the first time since the last connection. It must be called for each change of state, in order.
   */
  failedFirst(state: ConnectionState): boolean {
    const failed = this.#before === 'connecting' && (state.kind === 'waiting' || (state.kind === 'closed' && state.by === 'attempts'));
    this.#before = state.kind;
    if (state.kind === 'open') this.#reported = false;
    if (state.kind === 'waiting' || state.kind === 'closed') {
      const { code, reason } = state.last;
      this.#cause = reason === '' ? `closed with ${code}` : reason;
    }
    const first = failed && !this.#reported;
    if (failed) this.#reported = true;
    return first;
  }
}
