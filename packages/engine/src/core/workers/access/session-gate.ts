import type { WorkerMessage } from '@rivulet/protocol';
import { HeldFrames } from './frame-queue.js';
import { GatedRegistrations, type GateParts } from './guest-registrations.js';

/** The session as its gate needs it. */
export interface GatedSession {
  /** A frame may have its effect. `units`: length of its text. */
  handle(message: WorkerMessage, units: number): void;
  /** More frames wait than may. */
  full(): void;
  /** Handling a frame that has waited threw this. */
  failed(error: unknown): void;
}

/** What stands between the frames of a session with rules and their effect. */
export class SessionGate {
  readonly registrations: GatedRegistrations;
  readonly #frames: HeldFrames;

  constructor(parts: GateParts, session: GatedSession) {
    const registrations = new GatedRegistrations(parts);
    const handle = (message: WorkerMessage, units: number) => {
      const handled = registrations.handle(message);
      if (handled !== false) return handled;
      session.handle(message, units);
      return undefined;
    };
    this.registrations = registrations;
    this.#frames = new HeldFrames(
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
