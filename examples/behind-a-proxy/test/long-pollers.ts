import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Agent, get } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Inbox } from '@rivulet/testkit/inbox';
import { onTestFinished } from 'vitest';

export interface Polled {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** Sends one plain request. */
export function request(url: string, headers: Readonly<Record<string, string>> = {}, agent?: Agent): Promise<Polled> {
  return new Promise((resolve, reject) => {
    get(url, { headers, ...(agent === undefined ? {} : { agent }) }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (more: string) => (text += more));
      response.once('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      response.once('error', reject);
    }).once('error', reject);
  });
}

/** The requests that reach a listener of this process, from now on. */
export class Arrivals {
  readonly urls: string[] = [];

  constructor(port: number) {
    const arrived = (message: unknown) => {
      const { request: of } = message as { readonly request: { readonly url: string; readonly socket: Socket } };
      if ((of.socket.address() as AddressInfo).port === port) this.urls.push(of.url);
    };
    subscribe('http.server.request.start', arrived);
    onTestFinished(() => void unsubscribe('http.server.request.start', arrived));
  }

  /** Returns the number of requests, and begins again at 0. */
  take(): number {
    return this.urls.splice(0).length;
  }
}

/** Readers that poll one group, each on a connection of its own, as docs/http-reading.md says. */
export class LongPollers {
  /** One entry for each answer without changes. */
  readonly idle = new Inbox<{ readonly reader: number }>();
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly #offsets: number[][];
  readonly #waits: readonly number[];
  #isOver = false;
  #told: (() => void) | undefined;

  /** `waits`: the seconds to wait; a poller takes the next number after an answer without changes, and the first one after the last. */
  constructor(count: number, url: string, since: string, waits: readonly number[]) {
    this.#waits = waits;
    this.#offsets = Array.from({ length: count }, () => []);
    for (const [index, offsets] of this.#offsets.entries())
      this.#poll(index, url, since, offsets).catch((error: unknown) => {
        if (!this.#isOver) throw error;
      });
    onTestFinished(() => this.end());
  }

  /** Gives up the requests that wait. */
  end(): void {
    this.#isOver = true;
    this.#agent.destroy();
  }

  /** The offsets that each reader got, in their order. */
  get offsets(): readonly (readonly number[])[] {
    return this.#offsets;
  }

  /** Resolves when every reader has this change. */
  async have(offset: number): Promise<void> {
    while (!this.#offsets.every((got) => (got.at(-1) ?? 0) >= offset)) await new Promise<void>((resolve) => (this.#told = resolve));
  }

  async #poll(index: number, url: string, first: string, offsets: number[]): Promise<void> {
    let since = first;
    let turn = 0;
    while (!this.#isOver) {
      const { status, text } = await request(`${url}?since=${since}&wait=${this.#waits[turn]}`, {}, this.#agent);
      if (status !== 200) throw new Error(`status ${status}: ${text}`);
      const { position, changes } = JSON.parse(text) as { readonly position: string; readonly changes: readonly { offset?: number }[] };
      since = position;
      if (changes.length === 0) {
        turn = (turn + 1) % this.#waits.length;
        this.idle.push({ reader: index });
      }
      // A `gap` has no offset.
      offsets.push(...changes.flatMap(({ offset }) => offset ?? []));
      this.#told?.();
    }
  }
}
