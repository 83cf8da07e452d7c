import { type InvokeFunction, LIMITS, type RegisterTrigger, type WorkerMessage } from '@rivulet/protocol';
import { DEFAULT_NAMESPACE } from '../fabric/function-registry.js';

/** The session whose frames the hold delays. */
export interface HoldingSession {
  /** Handles a frame that takes effect now. */
  handle(message: WorkerMessage, chars: number): void;
  /** Puts the session into this namespace. */
  settle(namespace: string): void;
  /** Runs when more frames wait than `LIMITS.namespaceHeldFrames` or `LIMITS.namespaceHeldChars` allow. The wait ends now. */
  full(): void;
}

type HoldState =
  | {
      readonly kind: 'waiting';
      /** Frames that wait, in order. */
      readonly frames: { readonly message: WorkerMessage; readonly chars: number }[];
      /** Text length of these frames. */
      chars: number;
      /** Ends the wait. `undefined` while no frame waits. */
      timer: NodeJS.Timeout | undefined;
    }
  | { readonly kind: 'settled' }
  | { readonly kind: 'closed' };

const ANNOUNCEMENT = 'engine::workers::register';

/**
 * Holds registrations until their worker announces its namespace, at most `LIMITS.namespaceGraceMs`. Calls behind them wait too, so that
 * frames keep their order.
 *
 * waiting ──(announcement, proof, time or bound)──▶ settled ──▶ closed
 *
 * A worker with a namespace names it in every call and trigger (PROTOCOL.md, V25-2). A call or a trigger without one is therefore a proof:
 * the worker belongs to `default`, and the wait ends at once. SDKs that announce last or never are served without a delay.
 */
export class NamespaceHold {
  readonly #session: HoldingSession;
  #state: HoldState = { kind: 'waiting', frames: [], chars: 0, timer: undefined };

  constructor(session: HoldingSession) {
    this.#session = session;
  }

  /** Handles a frame now, or keeps it until the namespace is known. `chars`: length of the frame's text. */
  take(message: WorkerMessage, chars: number): void {
    const state = this.#state;
    if (state.kind === 'closed') return;
    if (state.kind === 'settled' || passes(message)) return this.#session.handle(message, chars);
    if (provesDefault(message)) {
      this.settle(DEFAULT_NAMESPACE);
      return this.#session.handle(message, chars);
    }
    const { frames } = state;
    // A call waits only for registrations that came before it.
    if (message.type === 'invokefunction' && frames.length === 0) return this.#session.handle(message, chars);
    if (frames.length >= LIMITS.namespaceHeldFrames || (frames.length > 0 && state.chars + chars > LIMITS.namespaceHeldChars)) {
      this.#session.full();
      this.settle(DEFAULT_NAMESPACE);
      return this.#session.handle(message, chars);
    }
    frames.push({ message, chars });
    state.chars += chars;
    state.timer ??= setTimeout(() => this.settle(DEFAULT_NAMESPACE), LIMITS.namespaceGraceMs).unref();
  }

  /** Ends the wait and handles the frames that waited. It has no effect when the wait has ended. */
  settle(namespace: string): void {
    if (this.#state.kind !== 'waiting') return;
    const { frames, timer } = this.#state;
    clearTimeout(timer);
    this.#session.settle(namespace);
    this.#state = { kind: 'settled' };
    // A frame may end the session, and `close` then drops the rest.
    for (const { message, chars } of frames) this.take(message, chars);
  }

  /** Drops the frames that wait and every later one, because the session has ended. */
  close(): void {
    if (this.#state.kind === 'waiting') clearTimeout(this.#state.timer);
    this.#state = { kind: 'closed' };
  }
}

function passes(message: WorkerMessage): boolean {
  switch (message.type) {
    case 'registerfunction':
    case 'unregisterfunction':
    case 'registertriggertype':
    case 'unregistertriggertype':
    case 'registertrigger':
    case 'unregistertrigger':
      return false;
    case 'invokefunction':
      return message.function_id === ANNOUNCEMENT;
    case 'invocationresult':
    case 'triggerregistrationresult':
    case 'registerservice':
    case 'reattach':
    case 'ping':
    case 'pong':
      return true;
    default:
      return message satisfies never;
  }
}

function provesDefault(message: WorkerMessage): boolean {
  return (message.type === 'invokefunction' || message.type === 'registertrigger') && isWithoutNamespace(message);
}

function isWithoutNamespace(message: InvokeFunction | RegisterTrigger): boolean {
  return message.namespace === undefined && (message.type === 'invokefunction' || message.trigger_namespace === undefined);
}
