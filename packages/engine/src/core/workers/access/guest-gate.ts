import type { WorkerMessage } from '@rivulet/protocol';
import { type GuestContext, GuestRegistrations } from './guest-registrations.js';
import { PausedFrameQueue } from './paused-frame-queue.js';

/** The session as its gate needs it. */
export interface GuestSession {
  /** A frame may have its effect. `units`: length of its text. */
  handle(message: WorkerMessage, units: number): void;
  /** More frames wait than may. */
  full(): void;
  /** Handling a frame that has waited threw this. */
  failed(error: unknown): void;
}

/** What stands between the frames of a session with rules and their effect. */
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

  /** `units`: length of the frame's text. */
  take(message: WorkerMessage, units: number): void {
    this.#frames.take(message, units);
  }

  /** Nothing of the session has an effect any more. */
  close(): void {
    this.#frames.close();
    this.registrations.close();
  }
}
