import { LIMITS, parseJson, type WorkerMessage } from '@rivulet/protocol';

/** Length in UTF-16 code units from which on a frame waits as text. Its parsed values may take twenty times as much memory. */
const LONG_FRAME_UNITS = 1_024;

interface PausedFrame {
  readonly message: WorkerMessage | string;
  readonly units: number;
}

/** Messages that never wait. They end work and begin none, and the hook itself may wait for them. */
const PASSING = new Set<WorkerMessage['type']>(['invocationresult', 'triggerregistrationresult', 'ping', 'pong', 'reattach']);

/**
 * Keeps the frames of one session in order. While a hook decides about a frame, the frames behind it wait.
 *
 * idle ──(handle returns a promise)──▶ paused ──(the promise resolves)──▶ idle ──▶ closed
 */
export class PausedFrameQueue {
  readonly #handle: (message: WorkerMessage, units: number) => Promise<void> | undefined;
  readonly #onFull: () => void;
  readonly #onFailed: (error: unknown) => void;
  #paused: PausedFrame[] = [];
  #units = 0;
  #pending = false;
  #closed = false;

  /**
   * @param handle Handles a frame. It returns a promise when a hook must decide.
   * @param onFull Runs when more frames wait than `LIMITS` allow. That frame is dropped.
   * @param onFailed Runs with an error of a frame that had waited, or of the hook. The queue is closed then. For a frame that did not wait,
   * `take` throws the error.
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

  /** Handles a frame now, or keeps it. `units`: length of the frame's text. */
  take(message: WorkerMessage, units: number): void {
    if (this.#closed) return;
    if (!this.#pending || PASSING.has(message.type)) {
      this.#run(message, units);
      return;
    }
    if (this.#paused.length >= LIMITS.heldFrames || (this.#paused.length > 0 && this.#units + units > LIMITS.heldFrameChars)) {
      this.#onFull();
      return;
    }
    this.#paused.push({ message: units > LONG_FRAME_UNITS ? JSON.stringify(message) : message, units });
    this.#units += units;
  }

  /** Drops the frames that wait and handles nothing more. */
  close(): void {
    this.#closed = true;
    this.#paused = [];
  }

  #run(message: WorkerMessage, units: number): void {
    const deciding = this.#handle(message, units);
    if (deciding === undefined) return;
    this.#pending = true;
    deciding
      .then(() => this.#resume())
      .catch((error: unknown) => {
        this.close();
        this.#onFailed(error);
      });
  }

  #resume(): void {
    this.#pending = false;
    let taken = 0;
    while (!this.#pending && !this.#closed && taken < this.#paused.length) {
      const { message, units } = this.#paused[taken++] as PausedFrame;
      this.#units -= units;
      this.#run(typeof message === 'string' ? (parseJson(message) as WorkerMessage) : message, units);
    }
    this.#paused.splice(0, taken);
  }
}
