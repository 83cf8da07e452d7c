import { LIMITS, parseJson, type WorkerMessage } from '@rivulet/protocol';

/** A longer frame waits as text: parsed, its values may take twenty times as much. */
const LONG_FRAME_UNITS = 1_024;

interface Held {
  readonly message: WorkerMessage | string;
  readonly units: number;
}

/** These end what is under way and start nothing; the hook itself may wait for them. */
const PASSING = new Set<WorkerMessage['type']>(['invocationresult', 'triggerregistrationresult', 'ping', 'pong', 'reattach']);

/** Frames of one session in the order of arrival: while a hook decides about one, those behind it wait. */
export class PausedFrameQueue {
  readonly #handle: (message: WorkerMessage, units: number) => Promise<void> | undefined;
  readonly #onFull: () => void;
  readonly #onFailed: (error: unknown) => void;
  #held: Held[] = [];
  #units = 0;
  #pending = false;
  #closed = false;

  /**
   * `handle` answers a promise when a hook is asked. `onFull`: more waits than may. `onFailed`: what it threw for a frame that has waited,
   * or for what the hook said; for others it throws to the caller of `take`. After that nothing is handled any more.
   */
  constructor(
    handle: (message: WorkerMessage, units: number) => Promise<void> | undefined,
    onFull: () => void,
    onFailed: (error: unknown) => void,
  ) {
    this.#handle = handle;
    this.#onFull = onFull;
    this.#onFailed = onFailed;
  }

  /** `units`: length of the frame's text. */
  take(message: WorkerMessage, units: number): void {
    if (this.#closed) return;
    if (!this.#pending || PASSING.has(message.type)) {
      this.#run(message, units);
      return;
    }
    if (this.#held.length >= LIMITS.heldFrames || (this.#held.length > 0 && this.#units + units > LIMITS.heldFrameChars)) {
      this.#onFull();
      return;
    }
    this.#held.push({ message: units > LONG_FRAME_UNITS ? JSON.stringify(message) : message, units });
    this.#units += units;
  }

  /** What waits is forgotten, and nothing is handled any more. */
  close(): void {
    this.#closed = true;
    this.#held = [];
  }

  #run(message: WorkerMessage, units: number): void {
    const deciding = this.#handle(message, units);
    if (deciding === undefined) return;
    this.#pending = true;
    deciding
      .then(() => this.#goOn())
      .catch((error: unknown) => {
        this.close();
        this.#onFailed(error);
      });
  }

  #goOn(): void {
    this.#pending = false;
    let taken = 0;
    while (!this.#pending && !this.#closed && taken < this.#held.length) {
      const { message, units } = this.#held[taken++] as Held;
      this.#units -= units;
      this.#run(typeof message === 'string' ? (parseJson(message) as WorkerMessage) : message, units);
    }
    this.#held.splice(0, taken);
  }
}
