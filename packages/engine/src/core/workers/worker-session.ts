import { randomUUID } from 'node:crypto';
import {
  decodeWorkerMessage,
  type ErrorBody,
  encodeError,
  encodeRegisterTrigger,
  encodeTriggerResult,
  encodeUnregisterTrigger,
  encodeWorkerRegistered,
  LIMITS,
  PONG_TEXT,
  type Reattach,
  RivuletError,
  type WorkerMessage,
} from '@rivulet/protocol';
import type { LogFields } from '../../logging/logger.js';
import type { Connection, ConnectionOwner } from '../../transport/connection.js';
import type { InboundMeter } from '../../transport/rates/inbound-meter.js';
import { type CallerCard, callerCard } from '../fabric/caller-card.js';
import type { PendingCall, TriggerBinding, TriggerProvider } from '../fabric/fabric.js';
import { DEFAULT_NAMESPACE, type FunctionOwner } from '../fabric/function-registry.js';
import type { Call, Caller, Outcome } from '../fabric/invocation.js';
import type { Expiring } from '../revocation/expiry-watch.js';
import type { Revocable } from '../revocation/session-directory.js';
import type { GuestAdmission } from './access/listener-access.js';
import { type BindingNames, NameMap } from './access/name-map.js';
import type { SessionPermissions } from './access/session-permissions.js';
import type { Announcement } from './announcement.js';
import { DispatchedCalls } from './dispatched-calls.js';
import { takeProviderAnswer } from './provider-answer.js';
import { WorkerRegistrations } from './registrations.js';
import { RequestedCalls } from './requested-calls.js';
import { entryOf, type SessionEntry } from './session-entry.js';
import { SessionWarnings } from './session-warnings.js';
import type { WorkerContext } from './worker-context.js';
import { type Sent, WorkerOutbound } from './worker-outbound.js';

/** Largest message in bytes that Python's client below 0.25 takes. It closes on a larger one (spec WP §1.1). */
const PYTHON_MESSAGE_BYTES = 1_048_576;
/** First characters of the binary frames that carry telemetry. */
const TELEMETRY = new Set(['OTLP', 'MTRC', 'LOGS']);

/**
 * One worker connection: a trusted worker, or a guest of a listener with rules.
 *
 * A frame travels connection → entry stage → handler. Frames take effect in the order of their arrival. The session handles a frame up to
 * the point where a built-in has queued its effect, or where the frame for another worker is queued. Only then does it read the next one
 * (spec WP §1.8). Otherwise a call could overtake the registration that it needs.
 *
 * Everything that the session owns ends with it, in the order of `#cleanUp`.
 */
export class WorkerSession implements ConnectionOwner, FunctionOwner, Caller, TriggerProvider, Revocable, Expiring {
  readonly meter: InboundMeter | undefined;
  readonly workerId = randomUUID();
  readonly reattachToken = randomUUID();
  readonly connectedAt: number;
  /** Data of engine::workers::register; `undefined` for sockets that never call it, such as telemetry sockets. */
  announcement: Announcement | undefined;
  /** Permissions of a guest; `undefined` for a trusted worker, which may call everything. */
  readonly access: SessionPermissions | undefined;
  /** Names that the session gave to its registrations. It stays empty for a trusted worker. */
  readonly names = new NameMap();
  readonly #context: WorkerContext<WorkerSession>;
  readonly #connection: Connection;
  readonly #warnings: SessionWarnings;
  readonly #outbound: WorkerOutbound;
  readonly #onEnded: () => void;
  /** Calls that the worker runs for others. */
  readonly #dispatched: DispatchedCalls;
  /** Calls that the worker made. */
  readonly #requested: RequestedCalls;
  readonly #registrations: WorkerRegistrations;
  readonly #entry: SessionEntry;
  #state: 'open' | 'closed' = 'open';
  #card: CallerCard | undefined;

  /**
   * @param onEnded Runs once, when the TCP connection has ended and everything of the session is removed.
   * @param admission What the listener's rules and its auth function allow a guest. Without it the session is trusted.
   */
  constructor(
    context: WorkerContext<WorkerSession>,
    connection: Connection,
    onEnded: () => void = () => {},
    admission?: GuestAdmission,
    meter?: InboundMeter,
  ) {
    const { clock, logger, workers } = context;
    const { workerId } = this;
    const maxMessageBytes = () => this.maxMessageBytes;
    this.meter = meter;
    this.#context = context;
    this.#onEnded = onEnded;
    this.#connection = connection;
    this.connectedAt = clock.now();
    this.access = admission?.access;
    const guest = admission !== undefined;
    this.#warnings = new SessionWarnings(logger, workerId);
    this.#outbound = new WorkerOutbound({ connection, workerId, guest, maxMessageBytes, warnings: this.#warnings, logger });
    this.#registrations = new WorkerRegistrations(context, this);
    const callee = { guest, cardOf: (id: string) => workers.get(id)?.card ?? context.fabric.pages.get(id) };
    this.#dispatched = new DispatchedCalls({
      outbound: this.#outbound,
      names: this.names,
      callee,
      maxMessageBytes,
      counts: context.fabric.counts,
      logger,
    });
    this.#requested = new RequestedCalls(context, this);
    const handle = (message: WorkerMessage, chars: number) => this.#handle(message, chars);
    const { fabric } = context;
    this.#entry = entryOf({ session: this, connection, registrations: this.#registrations, fabric, workers, logger, handle }, admission);
    this.send(encodeWorkerRegistered(workerId, this.reattachToken));
    workers.add(this);
  }

  /** Registers a guest where an operator and the clock can end its session. Runs once, when the listener keeps the session. */
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

  /** The namespace of its functions and trigger types. */
  get namespace(): string {
    return this.#registrations.namespace;
  }

  /** Ids of the functions that it registered, sorted. Another worker may serve them now. */
  get functionIds(): string[] {
    return this.#registrations.functionIds;
  }

  /** Calls that it runs for others. */
  get runningCalls(): number {
    return this.#dispatched.size;
  }

  /** Calls that it made and that have no answer yet. */
  get requestedCalls(): number {
    return this.#requested.inFlight;
  }

  // ConnectionOwner: frames of the peer, and the end of its connection.

  get sessionId(): string {
    return this.workerId;
  }

  onText(text: string): void {
    if (this.#state === 'closed') return;
    const decoded = decodeWorkerMessage(text, this.access === undefined ? undefined : LIMITS.guestKeys);
    if (decoded.kind === 'message') {
      this.#entry.stage.take(decoded.message, text.length);
      return;
    }
    if (decoded.kind === 'ignored') return;
    this.#context.logger.debug('worker_frame_ignored', { worker: this.workerId, code: decoded.code, reason: decoded.reason });
    const { invocationId, functionId = '', answerTo, trigger } = decoded;
    if (decoded.code === 'INVALID_NAMESPACE') this.warnOnce('namespace_invalid', '', { reason: decoded.reason });
    const error = { code: decoded.code, message: decoded.reason };
    if (answerTo !== undefined) this.#refuseAnswer(answerTo, error);
    if (invocationId !== undefined) this.send(encodeError({ invocationId, functionId }, error));
    if (trigger !== undefined) this.sendTriggerError(trigger, error);
  }

  /** Drops telemetry and reads any other binary frame as JSON text (spec WP §1.1). */
  onBinary(data: Buffer): void {
    if (!TELEMETRY.has(data.toString('latin1', 0, 4))) this.onText(data.toString());
  }

  onDrain(): void {}

  onClose(): void {
    this.#cleanUp();
  }

  onDisconnect(): void {
    this.#onEnded();
  }

  // Ends of the session that the engine decides.

  /** Ends this session, because its worker came back on another connection. The clean-up is that of a disconnect. */
  retire(): void {
    this.#cleanUp();
    this.#connection.destroy();
  }

  revoke(): void {
    this.#endAccess('revoked');
  }

  /** Returns true at once: the worker protocol has no frame that says when access ends. */
  expiring(): boolean {
    return true;
  }

  expire(): void {
    this.#endAccess('expired');
  }

  /** Sends what waits and closes with 1012. After 1000 or 1001 the Python SDK would not reconnect (spec WP §1.4). */
  restart(): void {
    this.#outbound.flush();
    this.#connection.close('restart');
  }

  /** Refuses new calls and waits for the calls in flight, as `RequestedCalls.drain`. */
  async drain(timeoutMs: number): Promise<boolean> {
    return this.#state === 'closed' || this.#requested.drain(timeoutMs);
  }

  /** Ends the session and its channels now. Bytes that the kernel has not taken are dropped, so that nothing more reaches the peer. */
  #endAccess(because: 'revoked' | 'expired'): void {
    if (this.#state === 'closed') return;
    this.#cleanUp();
    this.#context.channels.revoke(this.workerId, because);
    const hasUnsentBytes = this.#connection.buffered > 0;
    this.#connection.close(because);
    if (hasUnsentBytes) this.#connection.destroy();
  }

  /** Takes an announcement. The first one fixes the namespace. Throws OVERLOADED when there are too many namespaces. */
  announce(announcement: Announcement): void {
    const { shortened, namespace = DEFAULT_NAMESPACE } = announcement;
    const entry = this.#entry;
    const isFirst = this.announcement === undefined;
    if (isFirst && entry.kind === 'trusted' && !this.#context.workers.mayOpen(namespace)) {
      const text = `workers use ${LIMITS.namespaces} namespaces already; put this one into one of them`;
      this.#context.logger.warn('namespace_refused', { worker: this.workerId, limit: LIMITS.namespaces });
      throw new RivuletError('OVERLOADED', text);
    }
    this.announcement = announcement;
    if (entry.kind === 'guest') {
      if (namespace !== DEFAULT_NAMESPACE) this.warnOnce('namespace_ignored', '', { namespace, reason: 'guests belong to default' });
    } else if (isFirst) {
      entry.stage.settle(namespace);
      this.#registrations.moveTo(namespace);
    } else if (namespace !== this.namespace) {
      this.warnOnce('namespace_ignored', '', { namespace, reason: 'the first announcement fixes the namespace' });
    }
    if (shortened.length > 0) this.warnOnce('announcement_shortened', '', { limit: LIMITS.labelChars, keys: shortened });
    this.#context.workers.announced(this);
  }

  // FunctionOwner: this worker runs functions for others.

  dispatch(call: Call, done: (outcome: Outcome) => void): PendingCall {
    return this.#dispatched.dispatch(call, done);
  }

  displaced(id: string): void {
    if (this.#entry.kind === 'guest') this.#entry.stage.registrations.displaced(id);
  }

  // TriggerProvider: this worker provides a trigger type.

  register(binding: TriggerBinding): void {
    if (this.send(encodeRegisterTrigger(this.names.binding(binding))) !== 'too_large') return;
    const text = `the trigger is larger than the ${this.maxMessageBytes} bytes that the provider of its type takes`;
    throw new RivuletError('trigger_registration_failed', text);
  }

  unregister(binding: TriggerBinding): void {
    this.send(encodeUnregisterTrigger(this.names.binding(binding)));
  }

  /** Sends the error of a binding to this worker as its registrant. `names` are those that the worker gave. */
  sendTriggerError({ id, type, functionId }: BindingNames, error: ErrorBody): void {
    this.send(encodeTriggerResult(id, type, functionId, error));
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
        return takeProviderAnswer(this, message, this.#context);
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

  /** Takes the place of the worker's old connection. The token proves the namespace too, so registrations need not wait for it. */
  #reattach({ previous_worker_id: id, reattach_token: token }: Reattach): void {
    const previous = this.#context.workers.reattach(this, id, token);
    if (previous !== undefined && this.#entry.kind === 'trusted') this.#entry.stage.settle(previous.namespace);
  }

  #refuseAnswer(invocationId: string, { code, message }: ErrorBody): void {
    if (this.#dispatched.refuse(invocationId, { code, message: `the answer of the worker can't be read: ${message}` }))
      this.warnOnce('answer_refused', message, { reason: message });
  }

  /** Writes a warning about the first occurrence of a cause in this session. */
  warnOnce(event: string, cause: string, fields: LogFields): void {
    this.#warnings.add(event, cause, fields);
  }

  /** Returns whether an answer of this length may be queued, as `WorkerOutbound.mayAnswer`. */
  mayAnswer(chars: number): boolean {
    return this.#outbound.mayAnswer(chars);
  }

  /** Queues a frame for the peer, as `WorkerOutbound.send`. */
  send(text: string): Sent {
    return this.#outbound.send(text);
  }

  /**
   * Removes everything that the session owns, once, in the order of spec WP §1.9. Functions go first, so that no new call reaches the
   * worker. Running calls fail before its triggers go. A registration that a newer connection has repeated belongs to that one and stays.
   */
  #cleanUp(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#outbound.close();
    this.#context.sessions?.remove(this);
    this.#context.expiry?.delete(this);
    this.#entry.stage.close();
    this.#registrations.dropFunctions();
    this.#dispatched.fail();
    this.#requested.forget();
    this.#registrations.dropTriggers();
    this.#context.channels.ownerDisconnected(this.workerId);
    this.#context.workers.remove(this);
    this.#requested.endDrain();
  }
}
