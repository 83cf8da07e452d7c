import type { ServerResponse } from 'node:http';
import type { Clock } from '../../structures/clock.js';
import { UnsentResponses } from './unsent-responses.js';

/** Bytes up to which a body does not count. Errors need no memory of the budget. */
const SMALL_BYTES = 1_024;

interface Held {
  readonly give: () => void;
  /** The responses that were not sent yet. */
  readonly responses: Set<ServerResponse>;
}

/** Bounds the memory of the bodies that clients have not taken yet. A body that several responses share counts once. */
export class UnsentBodies {
  readonly #unsent: UnsentResponses;
  readonly #held = new Map<Buffer, Held>();

  constructor(mostBytes: number, clock: Pick<Clock, 'monotonic'>) {
    this.#unsent = new UnsentResponses(mostBytes, clock);
  }

  /** Returns whether a body of this size may be built now. Clients that have taken nothing for a while are dropped, the oldest first. */
  hasRoom(bytes: number): boolean {
    const give = this.#unsent.take(bytes, () => {});
    give?.();
    return give !== undefined;
  }

  /** Keeps the memory of a body until the response was sent. Returns false, and keeps nothing, when there is too little. */
  take(body: Buffer, response: ServerResponse): boolean {
    if (body.length <= SMALL_BYTES) return true;
    const held = this.#held.get(body) ?? this.#hold(body);
    if (held === undefined) return false;
    held.responses.add(response);
    response.once('close', () => {
      held.responses.delete(response);
      if (held.responses.size === 0) this.#give(body, held);
    });
    return true;
  }

  #hold(body: Buffer): Held | undefined {
    const give = this.#unsent.take(body.length, () => {
      for (const response of held.responses) (response.socket ?? response.req.socket).destroy();
      this.#give(body, held);
    });
    if (give === undefined) return undefined;
    const held: Held = { give, responses: new Set() };
    this.#held.set(body, held);
    return held;
  }

  #give(body: Buffer, held: Held): void {
    if (this.#held.get(body) === held) this.#held.delete(body);
    held.give();
  }
}
