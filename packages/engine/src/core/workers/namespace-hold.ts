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
  #waiting: { readonly message: WorkerMessage; readonly chars: number }[] = [];
  #chars = 0;
  #timer: NodeJS.Timeout | undefined;
  #settled = false;
  #closed = false;

  constructor(session: HoldingSession) {
    this.#session = session;
  }

  /** Handles a frame now, or keeps it until the namespace is known. `chars`: length of the frame's text. */
  take(message: WorkerMessage, chars: number): void {
    if (this.#settled || passes(message)) return this.#session.handle(message, chars);
    if (provesDefault(message)) {
      this.settle(DEFAULT_NAMESPACE);
      return this.#session.handle(message, chars);
    }
    // A call waits only for registrations that came before it.
    if (message.type === 'invokefunction' && this.#waiting.length === 0) return this.#session.handle(message, chars);
    if (
      this.#waiting.length >= LIMITS.namespaceHeldFrames ||
      (this.#waiting.length > 0 && this.#chars + chars > LIMITS.namespaceHeldChars)
    ) {
      this.#session.full();
      this.settle(DEFAULT_NAMESPACE);
      return this.#session.handle(message, chars);
    }
    this.#waiting.push({ message, chars });
    this.#chars += chars;
    this.#timer ??= setTimeout(() => this.settle(DEFAULT_NAMESPACE), LIMITS.namespaceGraceMs).unref();
  }

  /** Ends the wait, once, and handles the frames that waited. */
  settle(namespace: string): void {
    if (this.#settled) return;
    this.#session.settle(namespace);
    this.#settled = true;
    clearTimeout(this.#timer);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { message, chars } of waiting) if (!this.#closed) this.#session.handle(message, chars);
  }

  /** Drops the frames that wait, because the session has ended. */
  close(): void {
    this.#closed = true;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#waiting = [];
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
