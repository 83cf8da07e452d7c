import { LIMITS, parseJson, type WorkerMessage } from '@rivulet/protocol';

/** Length in UTF-16 code units from which on a frame waits as text. Its parsed values may take twenty times as much memory. */
const LONG_FRAME_UNITS = 1_024;

interface PausedFrame {
  readonly message: WorkerMessage | string;
  readonly units: number;
}

type QueueState =
  | { readonly kind: 'idle' }
  /** A hook decides. `frames` wait in order, and their texts have `units` UTF-16 code units. */
  | { readonly kind: 'paused'; readonly frames: PausedFrame[]; units: number }
  | { readonly kind: 'closed' };

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
  #state: QueueState = { kind: 'idle' };

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
    const state = this.#state;
    if (state.kind === 'closed') return;
    if (state.kind === 'idle' || PASSING.has(message.type)) {
      this.#run(message, units);
      return;
    }
    const { frames } = state;
    if (frames.length >= LIMITS.heldFrames || (frames.length > 0 && state.units + units > LIMITS.heldFrameChars)) {
      this.#onFull();
      return;
    }
    frames.push({ message: units > LONG_FRAME_UNITS ? JSON.stringify(message) : message, units });
    state.units += units;
  }

  /** Drops the frames that wait and handles nothing more. */
  close(): void {
    this.#state = { kind: 'closed' };
  }

  #run(message: WorkerMessage, units: number): void {
    const deciding = this.#handle(message, units);
    if (deciding === undefined) return;
    if (this.#state.kind === 'idle') this.#state = { kind: 'paused', frames: [], units: 0 };
    deciding
      .then(() => this.#resume())
      .catch((error: unknown) => {
        this.close();
        this.#onFailed(error);
      });
  }

  /** Handles the frames that waited, up to the next one about which a hook must decide. */
  #resume(): void {
    if (this.#state.kind !== 'paused') return;
    const { frames } = this.#state;
    let { units: left } = this.#state;
    this.#state = { kind: 'idle' };
    let taken = 0;
    for (const { message, units } of frames) {
      taken++;
      left -= units;
      this.#run(typeof message === 'string' ? (parseJson(message) as WorkerMessage) : message, units);
      const state = this.#stateNow();
      if (state.kind === 'closed') return;
      if (state.kind === 'paused') {
        state.frames.push(...frames.slice(taken));
        state.units += left;
        return;
      }
    }
  }

  /** Returns the state after a call that may have changed it. */
  #stateNow(): QueueState {
    return this.#state;
  }
}
