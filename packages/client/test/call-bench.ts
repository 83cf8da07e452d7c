import { onTestFinished, vi } from 'vitest';
import type { OpenSocket, SocketEvents } from '../src/connection/socket.js';
import { type ConnectOptions, connect, type StreamClient } from '../src/index.js';
import { TestClock } from './test-clock.js';

/** The `data` of a frame that the client sent. */
export interface SentData {
  readonly callId: string;
  readonly functionId: string;
  readonly idempotencyKey: string;
  readonly repeatedAfterMs?: number;
  readonly timeoutMs: number;
  readonly confirm: readonly { readonly streamName: string; readonly groupId: string }[];
  readonly data: unknown;
  readonly subscriptionId?: string;
}

export interface Sent {
  readonly type: string;
  readonly data: SentData;
}

/** One connection, whose other end is the test. */
export class TestSocket {
  readonly sent: Sent[] = [];
  readonly #events: SocketEvents;

  constructor(events: SocketEvents) {
    this.#events = events;
  }

  open(): void {
    this.#events.onOpen();
  }

  lose(code = 1006, reason = ''): void {
    this.#events.onClose({ code, reason });
  }

  receive(frame: object): void {
    this.#events.onText(JSON.stringify(frame));
  }

  result(callId: string, result: unknown = null, positions?: readonly unknown[]): void {
    this.receive({ type: 'result', data: { callId, result, positions } });
  }

  error(callId: string, code: string, positions?: readonly unknown[], ran?: true): void {
    this.receive({ type: 'call_error', data: { callId, code, message: `${code}!`, errorId: 'x1', ran, positions } });
  }

  /** The calls that the client sent on this connection. */
  get calls(): readonly SentData[] {
    return this.sent.flatMap(({ type, data }) => (type === 'call' ? [data] : []));
  }
}

/** A client without a network and without a clock of its own. */
export class CallBench {
  readonly clock = new TestClock();
  readonly sockets: TestSocket[] = [];
  readonly client: StreamClient;
  /** How each call ended, with the name that the test gave it. */
  readonly ends: string[] = [];

  constructor(options: ConnectOptions = {}) {
    // The age of a call is that of the clock that has gone further. So the wall clock stands still, or a busy machine would age a call.
    if (!vi.isFakeTimers()) {
      vi.useFakeTimers({ toFake: ['Date'] });
      onTestFinished(() => void vi.useRealTimers());
    }
    const openSocket: OpenSocket = (_url, events) => {
      const socket = new TestSocket(events);
      this.sockets.push(socket);
      return { send: (text) => void socket.sent.push(JSON.parse(text) as Sent), bufferedAmount: 0, close: () => {}, terminate: () => {} };
    };
    const runtime = { clock: this.clock, random: () => 0.5, openSocket, wakeSource: () => () => {} };
    this.client = connect('ws://localhost', { silenceMs: 0, runtime, ...options });
  }

  /** The newest connection. */
  get socket(): TestSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error('the client has not connected');
    return socket;
  }

  /** Loses the connection, and opens the next one after the wait of the client. */
  reconnect(code?: number): TestSocket {
    this.socket.lose(code);
    this.clock.pass(20_000);
    this.socket.open();
    return this.socket;
  }

  /** Makes a call that the test calls `name`, and notes how it ends. */
  readonly note = (name: string, call: Promise<unknown>): void => {
    call.then(
      (result) => this.ends.push(`${name}: ${JSON.stringify(result)}`),
      (error: unknown) => this.ends.push(`${name}: ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}`),
    );
  };
}
