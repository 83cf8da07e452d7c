import type { WorkerMessage } from '@rivulet/protocol';
import { type GuestContext, GuestRegistrations } from './guest-registrations.js';
import { PausedFrameQueue } from './paused-frame-queue.js';

/** The session behind the gate. */
export interface GuestSession {
  /** Handles a frame that takes effect now. `units`: length of its text. */
  handle(message: WorkerMessage, units: number): void;
  /** Runs when more frames wait than may. */
  full(): void;
  /** Runs with the error of a frame that had waited. */
  failed(error: unknown): void;
}

/** The entry stage of a guest's frames. Registrations pass permissions and hooks here, and the frames behind them wait. */
export class GuestGate {
  readonly registrations: GuestRegistrations;
  readonly #frames: PausedFrameQueue;

  constructor(context: GuestContext, session: GuestSession) {
    const registrations = new GuestRegistrations(context);
    const handle = (message: WorkerMessage, units: number) => {
      const handled = registrations.handle(message);
      if (handled !== false) return handled;
      session.handle(message, units);
      return undefined;
    };
    this.registrations = registrations;
    this.#frames = new PausedFrameQueue(
      handle,
      () => session.full(),
      (error) => session.failed(error),
    );
  }

  /** Handles a frame now, or keeps it until a hook has decided. `units`: length of the frame's text. */
  take(message: WorkerMessage, units: number): void {
    this.#frames.take(message, units);
  }

  /** Drops everything that waits, because the session has ended. */
  close(): void {
    this.#frames.close();
    this.registrations.close();
  }
}
