import { randomUUID } from 'node:crypto';
import {
  decodeWorkerMessage,
  type ErrorBody,
  encodeError,
  encodeInvoke,
  encodeRegisterTrigger,
  encodeTriggerResult,
  encodeUnregisterTrigger,
  encodeWorkerRegistered,
  LIMITS,
  PONG_TEXT,
  type Reattach,
  RivuletError,
  type TriggerRegistrationResult,
  type WorkerMessage,
} from '@rivulet/protocol';
import type { LogFields, Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { Connection, ConnectionOwner } from '../../transport/connection.js';
import type { InboundMeter } from '../../transport/inbound-meter.js';
import { OutboundBatch } from '../../transport/outbound-batch.js';
import type { Channels } from '../channels/channels.js';
import { type CallerCard, callerCard } from '../fabric/caller-card.js';
import type { PendingCall, TriggerBinding, TriggerProvider } from '../fabric/fabric.js';
import type { FunctionFabric } from '../fabric/function-fabric.js';
import { DEFAULT_NAMESPACE, type FunctionOwner } from '../fabric/function-registry.js';
import { type Call, type Caller, failure, type Outcome } from '../fabric/invocation.js';
import { publicError } from '../fabric/public-error.js';
import type { Expiring, ExpiryWatch } from '../revocation/expiry-watch.js';
import type { Revocable, SessionDirectory } from '../revocation/session-directory.js';
import { GuestGate } from './access/guest-gate.js';
import type { GuestAdmission } from './access/listener-access.js';
import type { SessionPermissions } from './access/session-permissions.js';
import type { Announcement } from './announcement.js';
import { type Callee, callerFor, dataFor } from './caller-data.js';
import { DispatchedCalls } from './dispatched-calls.js';
import { NamespaceHold } from './namespace-hold.js';
import type { RegistrationBudgets } from './registration-budget.js';
import { WorkerRegistrations } from './registrations.js';
import { RequestedCalls } from './requested-calls.js';
import type { WorkerRegistry } from './worker-registry.js';

/** What all sessions of a worker listener share. */
export interface WorkerContext {
  readonly fabric: FunctionFabric;
  readonly workers: WorkerRegistry<WorkerSession>;
  readonly channels: Channels;
  /** Sessions by the identity of their user; absent in simulations. */
  readonly sessions?: SessionDirectory | undefined;
  /** Ends sessions whose access expires; absent in simulations. */
  readonly expiry?: ExpiryWatch | undefined;
  /** Bounds of registrations, of all listeners together; absent in simulations. */
  readonly budgets?: RegistrationBudgets | undefined;
  readonly maxInFlightCalls: number;
  readonly maxMessageBytes: number;
  /** Gets the calls of the sessions in place of their targets. */
  readonly middlewareFunction: string | undefined;
  /** Guests get errors of functions as they were thrown. */
  readonly exposeErrorMessages?: boolean | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Python's client below 0.25 closes on a message beyond this (spec WP §1.1). */
const PYTHON_MESSAGE_BYTES = 1_048_576;
/** Causes of warnings that a session remembers. */
const MOST_CAUSES = 100;
/** Answers of a guest up to this size count only for the bound of its whole queue. */
const LARGE_ANSWER_CHARS = 16_384;
const TELEMETRY = new Set(['OTLP', 'MTRC', 'LOGS']);

/**
 * One worker connection. Frames take effect in the order in which they arrive: each is handled to the point where a built-in has
 * queued its effect, or the frame for another worker is queued, before the next is looked at (spec WP §1.8).
 */
export class WorkerSession implements ConnectionOwner, FunctionOwner, Caller, TriggerProvider, Revocable, Expiring {
  readonly meter: InboundMeter | undefined;
  readonly workerId = randomUUID();
  readonly reattachToken = randomUUID();
  readonly connectedAt: number;
  /** As announced by engine::workers::register; `undefined` for sockets that never did, such as telemetry sockets. */
  announcement: Announcement | undefined;
  /** What it may call; `undefined`: everything, as on a listener without rules. */
  readonly access: SessionPermissions | undefined;
  readonly #context: WorkerContext;
  readonly #connection: Connection;
  readonly #outbound: OutboundBatch;
  readonly #gone: () => void;
  readonly #dispatched: DispatchedCalls;
  readonly #requested: RequestedCalls;
  readonly #registrations: WorkerRegistrations;
  /** What was warned of: one entry for each event and cause, at most `MOST_CAUSES`. */
  readonly #warned = new Set<string>();
  readonly #gate: GuestGate | undefined;
  /** Of a trusted session: what waits until its namespace is known. Guests belong to `default`. */
  readonly #hold: NamespaceHold | undefined;
  #state: 'open' | 'closed' = 'open';
  #card: CallerCard | undefined;
  readonly #callee: Callee;

  /** `gone` runs once, when the connection has ended and everything of the worker was cleaned up. Without `admission` the session is trusted. */
  constructor(
    context: WorkerContext,
    connection: Connection,
    gone: () => void = () => {},
    admission?: GuestAdmission,
    meter?: InboundMeter,
  ) {
    this.meter = meter;
    this.#context = context;
    this.#gone = gone;
    this.#connection = connection;
    this.connectedAt = context.clock.now();
    this.access = admission?.access;
    this.#callee = { guest: this.access !== undefined, cardOf: (sessionId) => context.workers.get(sessionId)?.card };
    this.#registrations = new WorkerRegistrations(context, this);
    this.#dispatched = new DispatchedCalls(context.logger);
    this.#requested = new RequestedCalls(context, this);
    if (admission === undefined) this.#hold = this.#newHold();
    else this.#gate = this.#gateOf(admission);
    this.#outbound = new OutboundBatch(
      (frames) => connection.write(frames),
      () => connection.buffered > 0,
    );
    this.send(encodeWorkerRegistered(this.workerId, this.reattachToken));
    context.workers.add(this);
  }

  /** Registers a session with rules where an operator and the clock can end it. Runs once, when its listener keeps the session. */
  begin(): void {
    if (this.access === undefined) return;
    this.#context.sessions?.add(this);
    const { expiresAtMs } = this.access.grant;
    if (expiresAtMs !== undefined) this.#context.expiry?.set(this, expiresAtMs);
  }

  /** Names this guest to the functions that it calls; `undefined` for a trusted worker. */
  get card(): CallerCard | undefined {
    if (this.access === undefined) return undefined;
    const { identity = null, context } = this.access.grant;
    this.#card ??= callerCard({ kind: 'guest', worker_id: this.workerId, session_id: this.workerId, identity, context });
    return this.#card;
  }

  get identity(): string | undefined {
    return this.access?.grant.identity;
  }

  get version(): string | undefined {
    return this.announcement?.version;
  }

  get maxMessageBytes(): number {
    const { runtime, takesLargeMessages } = this.announcement ?? {};
    return runtime === 'python' && takesLargeMessages !== true ? PYTHON_MESSAGE_BYTES : this.#context.maxMessageBytes;
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }

  /** Ids that it registered, serving or standing by. */
  get functionIds(): string[] {
    return this.#registrations.functionIds;
  }

  /** Calls that it is running for others. */
  get runningCalls(): number {
    return this.#dispatched.size;
  }

  onText(text: string): void {
    if (this.#state === 'closed') return;
    const decoded = decodeWorkerMessage(text, this.access === undefined ? undefined : LIMITS.guestKeys);
    if (decoded.kind === 'message') {
      (this.#gate ?? this.#hold)?.take(decoded.message, text.length);
      return;
    }
    if (decoded.kind === 'ignored') return;
    this.#context.logger.debug('worker_frame_ignored', { worker: this.workerId, code: decoded.code, reason: decoded.reason });
    const { invocationId, functionId = '', answerTo, trigger } = decoded;
    if (decoded.code === 'INVALID_NAMESPACE') this.warnOnce('namespace_invalid', '', { reason: decoded.reason });
    const error = { code: decoded.code, message: decoded.reason };
    if (answerTo !== undefined) this.#refuseAnswer(answerTo, error);
    if (invocationId !== undefined) this.send(encodeError({ invocationId, functionId }, error));
    if (trigger !== undefined) this.sendGivenTriggerError(trigger.id, trigger.type, trigger.functionId, error);
  }

  /** Telemetry is dropped; anything else is tried as JSON text (spec WP §1.1). */
  onBinary(data: Buffer): void {
    if (!TELEMETRY.has(data.toString('latin1', 0, 4))) this.onText(data.toString());
  }

  onDrain(): void {}

  onClose(): void {
    this.#cleanUp();
  }

  onDisconnect(): void {
    this.#gone();
  }

  /** Its worker came back on another connection: this one ends now, with the same clean-up as a disconnect. */
  retire(): void {
    this.#cleanUp();
    this.#connection.destroy();
  }

  /** The namespace of its functions and trigger types. */
  get namespace(): string {
    return this.#registrations.namespace;
  }

  revoke(): void {
    this.#endAccess('revoked');
  }

  /** Workers have no frame for it. */
  expiring(): boolean {
    return true;
  }

  expire(): void {
    this.#endAccess('expired');
  }

  /** The session and the channels that it made end now. What the kernel has not taken yet is dropped, so nothing more is delivered. */
  #endAccess(because: 'revoked' | 'expired'): void {
    if (this.#state === 'closed') return;
    this.#cleanUp();
    this.#context.channels.revoke(this.workerId, because);
    const unsent = this.#connection.buffered > 0;
    this.#connection.close(because);
    if (unsent) this.#connection.destroy();
  }

  /** The first announcement fixes the namespace. Throws OVERLOADED for a namespace too many. */
  announce(announcement: Announcement): void {
    const { shortened, namespace = DEFAULT_NAMESPACE } = announcement;
    const first = this.announcement === undefined;
    if (first && this.#hold !== undefined && !this.#context.workers.mayOpen(namespace)) {
      const text = `workers use ${LIMITS.namespaces} namespaces already; put this one into one of them`;
      this.#context.logger.warn('namespace_refused', { worker: this.workerId, limit: LIMITS.namespaces });
      throw new RivuletError('OVERLOADED', text);
    }
    this.announcement = announcement;
    if (this.#hold === undefined) {
      if (namespace !== DEFAULT_NAMESPACE) this.warnOnce('namespace_ignored', '', { namespace, reason: 'guests belong to default' });
    } else if (first) {
      this.#hold.settle(namespace);
      this.#registrations.moveTo(namespace);
    } else if (namespace !== this.namespace) {
      this.warnOnce('namespace_ignored', '', { namespace, reason: 'the first announcement fixes the namespace' });
    }
    if (shortened.length > 0) this.warnOnce('announcement_shortened', '', { limit: LIMITS.labelChars, keys: shortened });
    this.#context.workers.announced(this);
  }

  /** Calls that it made and that are not answered yet. */
  get requestedCalls(): number {
    return this.#requested.inFlight;
  }

  /** As `RequestedCalls.drain`. */
  async drain(timeoutMs: number): Promise<boolean> {
    return this.#state === 'closed' || this.#requested.drain(timeoutMs);
  }

  /** Sends what waits and closes with 1012: never 1000 or 1001, after which the Python SDK stays away (spec WP §1.4). */
  restart(): void {
    this.#outbound.flush();
    this.#connection.close('restart');
  }

  // FunctionOwner: this worker runs a function for somebody.

  dispatch(call: Call, done: (outcome: Outcome) => void): PendingCall {
    const { id, pending } = this.#dispatched.begin(done);
    if (this.#unsentBytes > (this.access === undefined ? LIMITS.workerCallBacklogBytes : LIMITS.guestCallBacklogBytes)) {
      pending.cancel();
      done(failure('OVERLOADED', 'the worker that should run the function reads more slowly than it is called; call again later'));
      return pending;
    }
    const frame = encodeInvoke({
      invocationId: id,
      functionId: this.#gate?.registrations.ownFunctionId(call.functionId) ?? call.functionId,
      data: dataFor(call, this.#callee),
      caller: callerFor(call, this.#callee),
      metadata: call.metadata,
      traceparent: call.traceparent,
      baggage: call.baggage,
    });
    const sent = this.send(frame);
    if (sent === 'sent') return pending;
    pending.cancel();
    if (sent === 'too_large')
      done(failure('MESSAGE_TOO_LARGE', `the call is larger than the ${this.maxMessageBytes} bytes that the worker of the function takes`));
    else done(failure('channel_send_failed', 'the worker that should run the function can take no more messages'));
    return pending;
  }

  displaced(id: string): void {
    this.#gate?.registrations.displaced(id);
  }

  // TriggerProvider: this worker provides a trigger type.

  register(binding: TriggerBinding): void {
    if (this.send(encodeRegisterTrigger(this.#asKnown(binding))) === 'too_large') {
      const most = this.maxMessageBytes;
      throw new RivuletError(
        'trigger_registration_failed',
        `the trigger is larger than the ${most} bytes that the provider of its type takes`,
      );
    }
  }

  unregister(binding: TriggerBinding): void {
    this.send(encodeUnregisterTrigger(this.#asKnown(binding)));
  }

  sendTriggerError(id: string, type: string, functionId: string, error: ErrorBody): void {
    const known = this.#asKnown({ id, type, functionId });
    this.sendGivenTriggerError(known.id, known.type, known.functionId, error);
  }

  /** Notifies this worker, as the registrant, that the provider of a trigger type refused its binding. */
  sendProviderError(binding: TriggerBinding, error: ErrorBody): void {
    const { exposeErrorMessages: expose = false, logger } = this.#context;
    const shown =
      this.access === undefined ? error : publicError({ error, origin: 'function' }, { functionId: binding.functionId, expose, logger });
    this.sendTriggerError(binding.id, binding.type, binding.functionId, shown);
  }

  sendGivenTriggerError(id: string, type: string, functionId: string, error: ErrorBody): void {
    this.send(encodeTriggerResult(id, type, functionId, error));
  }

  /** A binding under the names that this worker gave, where a hook or a prefix changed them. */
  #asKnown<Binding extends Pick<TriggerBinding, 'id' | 'type' | 'functionId'>>(binding: Binding): Binding {
    return this.#gate === undefined ? binding : { ...binding, ...this.#gate.registrations.asKnown(binding) };
  }

  #newHold(): NamespaceHold {
    return new NamespaceHold({
      handle: (message, chars) => this.#handle(message, chars),
      settle: (namespace) => this.#registrations.moveTo(namespace),
      full: () => {
        const fields = { worker: this.workerId, limit: LIMITS.namespaceHeldFrames, bytes: LIMITS.namespaceHeldChars };
        this.#context.logger.warn('namespace_wait_full', {
          ...fields,
          consequence: 'its registrations take effect before its announcement',
        });
      },
    });
  }

  #gateOf(admission: GuestAdmission): GuestGate {
    const { fabric, workers, logger } = this.#context;
    const isTrusted = (workerId: string) => workers.get(workerId)?.access === undefined;
    const isAnother = (workerId: string) => workers.get(workerId)?.identity !== this.identity;
    return new GuestGate(
      { ...admission, fabric, registrations: this.#registrations, worker: this, isTrusted, isAnother },
      {
        handle: (message, chars) => this.#handle(message, chars),
        full: () => {
          logger.warn('held_frames_full', { worker: this.workerId, limit: LIMITS.heldFrames, bytes: LIMITS.heldFrameChars });
          this.#connection.close('tryLater');
          this.#connection.destroy();
        },
        failed: (error) => {
          logger.error('connection_failed', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
          this.#connection.close('internal');
        },
      },
    );
  }

  /** `chars`: length of the frame's text. */
  #handle(message: WorkerMessage, chars: number): void {
    switch (message.type) {
      case 'invokefunction':
        this.meter?.request();
        return this.#requested.make(message, chars);
      case 'invocationresult':
        if (!this.#dispatched.settle(message)) this.#context.logger.debug('result_ignored', { worker: this.workerId });
        return;
      case 'registerfunction':
        return this.#registrations.addFunction(message);
      case 'unregisterfunction':
        return this.#registrations.removeFunction(message.id);
      case 'registertrigger':
        return this.#registrations.addTrigger(message);
      case 'unregistertrigger':
        return this.#registrations.removeTrigger(message.id);
      case 'registertriggertype':
        return this.#registrations.addTriggerType(message);
      case 'unregistertriggertype':
        return this.#registrations.removeTriggerType(message.id);
      case 'registerservice':
        return this.#registrations.addService(message.id);
      case 'triggerregistrationresult':
        return this.#providerAnswered(message);
      case 'reattach':
        return this.#reattach(message);
      case 'ping':
        this.send(PONG_TEXT);
        return;
      case 'pong':
        return;
      default:
        return message satisfies never;
    }
  }

  /** The token proves that it is the same worker, so its registrations need not wait for the announcement. */
  #reattach({ previous_worker_id: id, reattach_token: token }: Reattach): void {
    const previous = this.#context.workers.reattach(this, id, token);
    if (previous !== undefined) this.#hold?.settle(previous.namespace);
  }

  #refuseAnswer(invocationId: string, { code, message }: ErrorBody): void {
    if (this.#dispatched.refuse(invocationId, { code, message: `the answer of the worker can't be read: ${message}` }))
      this.warnOnce('answer_refused', message, { reason: message });
  }

  /**
   * A provider's word counts only for bindings of types that it provides now; it may have been replaced (spec WP §1.11). An error parks the
   * binding and reaches its registrant.
   */
  #providerAnswered(message: TriggerRegistrationResult): void {
    const { triggers } = this.#context.fabric;
    const own = this.#gate?.registrations.ownTriggerId(message.id) ?? message.id;
    const binding = triggers.providedBy(this, own) ?? triggers.providedBy(this, message.id);
    if (message.error === undefined || binding === undefined) return;
    triggers.park(binding.id);
    const registrant = binding.workerId === undefined ? undefined : this.#context.workers.get(binding.workerId);
    registrant?.sendProviderError(binding, message.error);
  }

  /** A warning the first time that this connection gives this cause, a line for debugging after that: no peer fills the log. */
  warnOnce(event: string, cause: string, fields: LogFields): void {
    const key = `${event} ${cause}`;
    // Some causes come from the peer, so their number is bounded.
    const level = this.#warned.has(key) || this.#warned.size >= MOST_CAUSES ? 'debug' : 'warn';
    if (level === 'warn') this.#warned.add(key);
    this.#context.logger[level](event, { worker: this.workerId, ...fields });
  }

  /** A guest that reads too slowly gets no large answers until it has read what waits for it. */
  mayAnswer(chars: number): boolean {
    if (this.access === undefined || chars <= LARGE_ANSWER_CHARS) return true;
    const may = this.#unsentBytes + chars <= LIMITS.guestAnswerBytes;
    if (!may) this.warnOnce('answers_unread', '', { limit: LIMITS.guestAnswerBytes });
    return may;
  }

  get #unsentBytes(): number {
    return this.#outbound.waiting + this.#connection.buffered;
  }

  /** The one way out. A connection that has too much queued is closed; a frame for which the client would close is not sent. */
  send(text: string): 'sent' | 'closed' | 'too_large' {
    if (this.#state === 'closed' || !this.#connection.open) return 'closed';
    if (isLonger(text, this.maxMessageBytes)) {
      this.warnOnce('frame_too_large', '', { limit: this.maxMessageBytes });
      return 'too_large';
    }
    const limit = this.access === undefined ? LIMITS.workerOutboundBytes : LIMITS.guestOutboundBytes;
    if (this.#unsentBytes > limit) {
      this.#context.logger.warn('worker_outbound_full', { worker: this.workerId, limit });
      this.#connection.close('tryLater');
      this.#connection.destroy();
      return 'closed';
    }
    this.#outbound.add(text);
    return 'sent';
  }

  /** Order as in spec WP §1.9. Runs once; what a newer connection has registered again is its own and stays. */
  #cleanUp(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#context.sessions?.remove(this);
    this.#context.expiry?.delete(this);
    this.#gate?.close();
    this.#hold?.close();
    this.#registrations.dropFunctions();
    this.#dispatched.fail();
    this.#requested.forget();
    this.#registrations.dropTriggers();
    this.#context.channels.ownerGone(this.workerId);
    this.#context.workers.remove(this);
    this.#requested.endDrain();
  }
}

/** Whether a text has more UTF-8 bytes than that; they are counted only when its length leaves it open. */
function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}
