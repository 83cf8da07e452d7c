import assert from 'node:assert/strict';
import type { OpenSocket, SocketEvents } from '../src/connection/socket.js';
import type { SentData } from './call-bench.js';

export type Reply = { readonly kind: 'result'; readonly value: string } | { readonly kind: 'error'; readonly code: string };

interface Running {
  readonly key: string;
  readonly callId: string;
}

/**
 * An engine that runs calls, without a clock and without sockets. Frames wait in both directions until the test delivers them, and are lost
 * with the connection. It runs each key at most once: a repeat gets the kept reply, or waits for the running function.
 */
export class CallModel {
  #events: SocketEvents | undefined;
  #isOpen = false;
  #toEngine: SentData[] = [];
  #toClient: object[] = [];
  /** The calls of this connection that wait for a reply. */
  #waiting: Running[] = [];
  #lastId = 0;
  /** Functions that run or have run, by key. `undefined`: it still runs. */
  readonly #ledger = new Map<string, Reply | undefined>();
  /** How often each function has run, by the payload of its call. */
  readonly runs = new Map<string, number>();
  /** The payloads in the order in which the functions began. */
  readonly began: string[] = [];

  readonly openSocket: OpenSocket = (_url, events) => {
    this.#forget();
    this.#events = events;
    return {
      send: (text) => this.#read((JSON.parse(text) as { readonly data: SentData }).data, events),
      bufferedAmount: 0,
      close: () => {},
      terminate: () => {
        if (this.#events === events) this.#forget();
      },
    };
  };

  get idle(): boolean {
    return this.#toEngine.length + this.#toClient.length + this.#waiting.length === 0;
  }

  accept(): void {
    if (this.#events === undefined || this.#isOpen) return;
    this.#isOpen = true;
    this.#events.onOpen();
  }

  drop(): void {
    const events = this.#events;
    this.#forget();
    events?.onClose({ code: 1006, reason: '' });
  }

  /** The engine takes the next frame of the client. `stopping`: it refuses the call, because it stops. */
  take(stopping = false): void {
    const call = this.#toEngine.shift();
    if (call === undefined) return;
    const { callId, idempotencyKey: key, data } = call;
    if (stopping) {
      this.#error(callId, 'ENGINE_STOPPING');
      return;
    }
    this.#waiting.push({ key, callId });
    if (this.#ledger.has(key)) this.#reply(key);
    else {
      this.#ledger.set(key, undefined);
      this.runs.set(String(data), (this.runs.get(String(data)) ?? 0) + 1);
      this.began.push(String(data));
    }
  }

  /** The running function number `at` ends. It may belong to a connection that is lost. */
  finish(at: number, replyOf: (key: string) => Reply): void {
    const running = [...this.#ledger].filter(([, kept]) => kept === undefined);
    const key = running[at % Math.max(1, running.length)]?.[0];
    if (key === undefined) return;
    this.#ledger.set(key, replyOf(key));
    this.#reply(key);
  }

  /** The client gets the next frame of the engine. */
  deliver(): void {
    const frame = this.#toClient.shift();
    if (frame !== undefined) this.#events?.onText(JSON.stringify(frame));
  }

  #read(call: SentData, events: SocketEvents): void {
    if (this.#events !== events) return;
    const id = Number(call.callId.slice(1));
    assert.ok(id > this.#lastId, 'the calls of a connection are sent in the order in which they were made');
    this.#lastId = id;
    this.#toEngine.push(call);
  }

  #reply(key: string): void {
    const reply = this.#ledger.get(key);
    if (reply === undefined) return;
    for (const { callId } of this.#waiting.filter((each) => each.key === key)) {
      if (reply.kind === 'error') this.#error(callId, reply.code);
      else this.#toClient.push({ type: 'result', data: { callId, result: reply.value } });
    }
    this.#waiting = this.#waiting.filter((each) => each.key !== key);
  }

  #error(callId: string, code: string): void {
    this.#toClient.push({ type: 'call_error', data: { callId, code, message: code } });
  }

  #forget(): void {
    this.#events = undefined;
    this.#isOpen = false;
    this.#lastId = 0;
    this.#toEngine = [];
    this.#toClient = [];
    this.#waiting = [];
  }
}
