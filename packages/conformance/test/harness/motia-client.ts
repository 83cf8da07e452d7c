import { Stream as BrowserStream } from '@motiadev/stream-client-browser';
import { Stream as NodeStream } from '@motiadev/stream-client-node';
import { onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Inbox } from './inbox.js';

/** An element of a group as these clients want it: they tell elements apart by `id`. */
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

export const MOTIA_CLIENTS = ['stream-client-browser 0.2.2', 'stream-client-node 0.17.6'] as const;
export type MotiaClient = (typeof MOTIA_CLIENTS)[number];

/** A subscription and the states that it went through. */
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

  /** The states that its change listener was told of, in order. */
  get states(): State[] {
    return this.#changes.all.map(({ state }) => state);
  }

  /** Waits for a change that was not awaited before. */
  async until(wanted: (state: State) => boolean, what = 'the state'): Promise<State> {
    return (await this.#changes.take(({ state }) => wanted(state), what)).state;
  }

  close(): void {
    this.#subscription.close();
  }
}

/** A connection of a Motia stream client, closed when the test ends. */
export class Motia {
  readonly #stream: MotiaStream;

  constructor(client: MotiaClient, url: string, protocols?: readonly string[]) {
    if (client === 'stream-client-browser 0.2.2') installBrowserSocket();
    const options = protocols === undefined ? {} : { protocols: [...protocols] };
    this.#stream = client === 'stream-client-browser 0.2.2' ? new BrowserStream(url) : new NodeStream(url, options);
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
 * Gives the browser client the global that Node 20 lacks. Like that of a browser it does not end the process when a connection is
 * refused. It goes when the test ends, and with it the reconnecting that this client goes on with after its `close()`.
 */
function installBrowserSocket(): void {
  class BrowserSocket extends WebSocket {
    constructor(address: string) {
      super(address);
      this.on('error', () => {});
    }
  }
  class NoSocket extends EventTarget {}
  vi.stubGlobal('WebSocket', BrowserSocket);
  onTestFinished(() => void vi.stubGlobal('WebSocket', NoSocket));
}
