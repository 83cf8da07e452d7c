import { Stream as BrowserStream } from '@motiadev/stream-client-browser';
import { Stream as NodeStream } from '@motiadev/stream-client-node';
import { Inbox } from '@rivulet/testkit/inbox';
import { Stream as BrowserStream_0_6_4 } from 'stream-client-browser-0.6.4';
import { Stream as BrowserStream_0_17_14 } from 'stream-client-browser-0.17.14';
import { onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';

/** An item of a group. These clients need the member `id` to distinguish items. */
export interface Item {
  readonly id: string;
  readonly [key: string]: unknown;
}

export interface CustomEvent {
  readonly type: string;
  readonly data: unknown;
}

interface Subscription<State> {
  readonly sub: { readonly subscriptionId: string };
  addChangeListener(listener: (state: State | null) => void): void;
  onEvent(type: string, listener: (data: unknown) => void): void;
  getState(): State;
  close(): void;
}

interface MotiaStream {
  subscribeItem(stream: string, group: string, id: string): Subscription<Item | null>;
  subscribeGroup(stream: string, group: string): Subscription<Item[]>;
  close(): void;
}

export const MOTIA_CLIENTS = [
  'stream-client-browser 0.2.2',
  'stream-client-browser 0.6.4',
  'stream-client-browser 0.17.14',
  'stream-client-node 0.17.6',
] as const;
export type MotiaClient = (typeof MOTIA_CLIENTS)[number];

/** The clients that accept sub-protocols. */
export const MOTIA_CLIENTS_WITH_PROTOCOLS = ['stream-client-browser 0.17.14', 'stream-client-node 0.17.6'] as const;

const OPEN: Readonly<Record<MotiaClient, (url: string, options: { readonly protocols?: string[] }) => MotiaStream>> = {
  'stream-client-browser 0.2.2': (url) => new BrowserStream(url),
  'stream-client-browser 0.6.4': (url) => new BrowserStream_0_6_4(url),
  'stream-client-browser 0.17.14': (url, options) => new BrowserStream_0_17_14(url, options),
  'stream-client-node 0.17.6': (url, options) => new NodeStream(url, options),
};

/** A subscription and its states so far. */
export class Watch<State> {
  readonly id: string;
  readonly #changes = new Inbox<{ readonly state: State }>();
  readonly events = new Inbox<CustomEvent>();
  readonly #subscription: Subscription<State>;

  constructor(subscription: Subscription<State>, events: readonly string[]) {
    this.#subscription = subscription;
    this.id = subscription.sub.subscriptionId;
    subscription.addChangeListener((state) => this.#changes.push({ state: structuredClone(state) as State }));
    for (const type of events) subscription.onEvent(type, (data) => this.events.push({ type, data }));
  }

  get state(): State {
    return this.#subscription.getState();
  }

  /** The states that the change listener got, in order. */
  get states(): State[] {
    return this.#changes.all.map(({ state }) => state);
  }

  /** Resolves with the next state that `wanted` accepts. It skips the states that an earlier call returned. */
  async until(wanted: (state: State) => boolean, what = 'the state'): Promise<State> {
    return (await this.#changes.take(({ state }) => wanted(state), what)).state;
  }

  close(): void {
    this.#subscription.close();
  }
}

/** A connection of a Motia stream client. It is closed when the test ends. */
export class Motia {
  readonly #stream: MotiaStream;

  constructor(client: MotiaClient, url: string, protocols?: readonly string[]) {
    if (client !== 'stream-client-node 0.17.6') installBrowserSocket();
    this.#stream = OPEN[client](url, protocols === undefined ? {} : { protocols: [...protocols] });
    onTestFinished(() => this.#stream.close());
  }

  group(stream: string, group: string, events: readonly string[] = []): Watch<Item[]> {
    return new Watch(this.#stream.subscribeGroup(stream, group), events);
  }

  item(stream: string, group: string, id: string, events: readonly string[] = []): Watch<Item | null> {
    return new Watch(this.#stream.subscribeItem(stream, group, id), events);
  }

  close(): void {
    this.#stream.close();
  }
}

/**
 * Gives the browser clients the global `WebSocket`, which Node 20 lacks. As in a browser, a refused connection does not end the process.
 * The class is replaced when the test ends, because 0.2.2 goes on reconnecting after its `close()`.
 */
function installBrowserSocket(): void {
  class BrowserSocket extends WebSocket {
    constructor(address: string, protocols?: string | string[]) {
      super(address, protocols ?? []);
      this.on('error', () => {});
    }
  }
  class NoSocket extends EventTarget {}
  vi.stubGlobal('WebSocket', BrowserSocket);
  onTestFinished(() => void vi.stubGlobal('WebSocket', NoSocket));
}
