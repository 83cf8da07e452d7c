import { Connection, type ConnectionState, DEFAULT_BACKOFF } from '@rivulet/client/connection';
import { decodeEngineMessage, type EngineMessage, isRegistryId, LIMITS, utf8Length } from '@rivulet/protocol';
import { Calls } from './calls.js';
import { replaceRefs } from './channel-ref.js';
import { registerBackend } from './create-stream.js';
import { EngineFunctions, EngineTriggers, SDK_VERSION } from './engine-names.js';
import { type InvocationError, sdkError } from './errors.js';
import { Executor, messageOf } from './executor.js';
import { NoConnection } from './no-connection.js';
import type { Platform } from './platform.js';
import { functionFrame, type Invocable, Registrations, serviceFrame, triggerFrame, triggerTypeFrame } from './registrations.js';
import type {
  Channel,
  FunctionInfo,
  FunctionRef,
  HttpInvocationConfig,
  InitOptions,
  Metadata,
  RegisterFunctionOptions,
  RegisterServiceInput,
  RegisterTriggerInput,
  RegisterTriggerTypeInput,
  RemoteFunctionHandler,
  StreamBackend,
  StreamChannelRef,
  Trigger,
  TriggerHandler,
  TriggerInfo,
  TriggerRequest,
  TriggerTypeInfo,
  TriggerTypeRef,
  Worker,
  WorkerInfo,
} from './types.js';
import { newUuid } from './uuid.js';

type Intake = 'open' | 'draining' | 'closed';

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_RUNNING = 10_000;
const DEFAULT_QUEUED = 10_000;
/** Longest that a timer of the runtimes can wait. */
const LONGEST_MS = 2_147_483_647;
const VOID = { type: 'void' } as const;

/** The worker of every runtime; what is particular to one comes as its {@link Platform}. */
export class WorkerCore<TReader, TWriter> implements Worker<TReader, TWriter> {
  readonly #url: string;
  readonly #options: InitOptions;
  readonly #platform: Platform<TReader, TWriter>;
  readonly #registrations = new Registrations();
  readonly #noConnection: NoConnection;
  readonly #calls: Calls;
  readonly #executor: Executor;
  readonly #connection: Connection;
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  #workerId: string | undefined;
  #reattachToken: string | undefined;
  /** Of the connection of the moment: answers go out on the one that the call came by. */
  #generation = 0;
  #intake: Intake = 'open';
  #draining: Promise<void> | undefined;
  /** Ends the wait of `drain`. */
  #endDrain = () => {};
  readonly #name: string;

  constructor(url: string, options: InitOptions, platform: Platform<TReader, TWriter>) {
    checkUrl(url);
    this.#url = url;
    this.#options = options;
    this.#platform = platform;
    this.#noConnection = new NoConnection(url);
    this.#calls = new Calls(() => this.#noConnection.text);
    this.#name = options.workerName ?? platform.defaultName();
    this.#executor = new Executor({
      maxRunning: options.maxRunningHandlers ?? DEFAULT_RUNNING,
      maxMessageBytes: this.#maxMessageBytes,
      functions: this.#registrations.functions,
      triggerTypes: this.#registrations.triggerTypes,
      revive: (data) => replaceRefs(data, (ref) => this.openChannel(ref)),
      warn: (code, message) => this.#warn(code, message),
    });
    this.#connection = this.#connect();
  }

  get connectionState(): ConnectionState {
    return this.#connection.state;
  }

  get workerId(): string | undefined {
    return this.#workerId;
  }

  onConnectionState(listener: (state: ConnectionState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  registerFunction(
    functionId: string,
    handler: RemoteFunctionHandler | HttpInvocationConfig,
    options: RegisterFunctionOptions = {},
  ): FunctionRef {
    checkId(functionId);
    const { functions } = this.#registrations;
    if (functions.has(functionId)) throw sdkError('INVALID_ARGUMENTS', `function id already registered: ${functionId}`);
    checkHandler(handler);
    const invocable: Invocable = typeof handler === 'function' ? { kind: 'handler', run: handler } : { kind: 'http', config: handler };
    checkBound(functions.size, 'functions');
    const registered = { invocable, frame: this.#encode(functionFrame(functionId, options, invocable)) };
    functions.set(functionId, registered);
    this.#tell(registered.frame);
    const unregister = () => {
      if (functions.get(functionId) !== registered) return;
      functions.delete(functionId);
      this.#tell(JSON.stringify({ type: 'unregisterfunction', id: functionId }));
    };
    return { id: functionId, unregister };
  }

  registerTrigger(trigger: RegisterTriggerInput): Trigger {
    checkId(trigger.function_id);
    checkId(trigger.type);
    const { triggers } = this.#registrations;
    checkBound(triggers.size, 'triggers');
    const id = newUuid();
    const { type } = trigger;
    const frame = this.#encode(triggerFrame(id, trigger));
    triggers.set(id, { type, frame });
    this.#tell(frame);
    const unregister = () => {
      if (triggers.delete(id)) this.#tell(JSON.stringify({ type: 'unregistertrigger', id, trigger_type: type }));
    };
    return { unregister };
  }

  registerTriggerType<TConfig>(triggerType: RegisterTriggerTypeInput, handler: TriggerHandler<TConfig>): TriggerTypeRef<TConfig> {
    const { id } = triggerType;
    checkId(id);
    const { triggerTypes } = this.#registrations;
    checkBound(triggerTypes.size, 'trigger types');
    const frame = this.#encode(triggerTypeFrame(triggerType));
    triggerTypes.set(id, { handler: handler as TriggerHandler<unknown>, frame });
    this.#tell(frame);
    const registerTrigger = (functionId: string, config: TConfig, metadata?: Metadata) =>
      this.registerTrigger({ type: id, function_id: functionId, config, ...(metadata === undefined ? {} : { metadata }) });
    return {
      id,
      registerTrigger,
      registerFunction: (functionId, run, config, metadata) => {
        const ref = this.registerFunction(functionId, run);
        registerTrigger(functionId, config, metadata);
        return ref;
      },
      unregister: () => this.unregisterTriggerType(triggerType),
    };
  }

  unregisterTriggerType({ id }: { id: string; description?: string }): void {
    if (this.#registrations.triggerTypes.delete(id)) this.#tell(JSON.stringify({ type: 'unregistertriggertype', id }));
  }

  registerService(service: RegisterServiceInput): void {
    checkId(service.id);
    checkBound(this.#registrations.services.size, 'services');
    const frame = this.#encode(serviceFrame(service));
    this.#registrations.services.set(service.id, { frame });
    this.#tell(frame);
  }

  trigger<TInput, TOutput>(request: TriggerRequest<TInput>): Promise<TOutput> {
    const isVoid = request.action?.type === 'void';
    const answer = this.#call<TInput, TOutput>(request);
    // Whoever fires and forgets does not wait for the promise: a failure is told, and ends no process.
    if (isVoid) answer.catch((error: InvocationError) => this.#warn(error.code, messageOf(error)));
    return answer;
  }

  async #call<TInput, TOutput>(request: TriggerRequest<TInput>): Promise<TOutput> {
    const { function_id, payload, action, metadata } = request;
    checkId(function_id);
    const timeoutMs = request.timeoutMs ?? this.#options.invocationTimeoutMs ?? DEFAULT_TIMEOUT_MS;
    if (Number.isNaN(Number(timeoutMs))) throw sdkError('INVALID_ARGUMENTS', 'timeoutMs must be a number of milliseconds', function_id);
    if (this.#intake === 'closed') throw sdkError('WORKER_CLOSED', 'the worker is closed; make a new one', function_id);
    const isVoid = action?.type === 'void';
    const id = isVoid ? undefined : newUuid();
    const data = payload === undefined ? null : payload;
    const text = this.#encode({ type: 'invokefunction', invocation_id: id, function_id, data, action, metadata }, function_id);
    if (id === undefined) {
      this.#hand(text, undefined, function_id);
      return undefined as TOutput;
    }
    const answer = this.#calls.open(id, function_id, Math.min(Math.max(timeoutMs, 0), LONGEST_MS));
    this.#hand(text, id, function_id);
    return (await answer) as TOutput;
  }

  async createChannel(bufferSize?: number): Promise<Channel<TReader, TWriter>> {
    const payload = bufferSize === undefined ? {} : { buffer_size: bufferSize };
    const refs = await this.trigger<object, { writer: StreamChannelRef; reader: StreamChannelRef }>({
      function_id: 'engine::channels::create',
      payload,
    });
    const { openReader, openWriter } = this.#platform;
    return {
      writerRef: refs.writer,
      readerRef: refs.reader,
      writer: openWriter(this.#url, refs.writer),
      reader: openReader(this.#url, refs.reader),
    };
  }

  /** The live end that a reference means. References in the input of handlers are replaced already. */
  openChannel(ref: StreamChannelRef): TReader | TWriter {
    const { openReader, openWriter } = this.#platform;
    return ref.direction === 'read' ? openReader(this.#url, ref) : openWriter(this.#url, ref);
  }

  createStream<TData>(streamName: string, stream: StreamBackend<TData>): void {
    registerBackend(this, streamName, stream);
  }

  async listFunctions(): Promise<FunctionInfo[]> {
    return this.#list('functions', EngineFunctions.LIST_FUNCTIONS, false);
  }

  async listWorkers(): Promise<WorkerInfo[]> {
    return this.#list('workers', EngineFunctions.LIST_WORKERS, false);
  }

  async listTriggers(includeInternal = false): Promise<TriggerInfo[]> {
    return this.#list('registered_triggers', 'engine::registered-triggers::list', includeInternal);
  }

  async listTriggerTypes(includeInternal = false): Promise<TriggerTypeInfo[]> {
    return this.#list('trigger_types', EngineFunctions.LIST_TRIGGER_TYPES, includeInternal);
  }

  onFunctionsAvailable(callback: (functions: FunctionInfo[]) => void): () => void {
    const id = `engine.on_functions_available.${newUuid()}`;
    const ref = this.registerFunction(id, ({ functions }: { functions?: FunctionInfo[] }) => callback(functions ?? []));
    const trigger = this.registerTrigger({ type: EngineTriggers.FUNCTIONS_AVAILABLE, function_id: id, config: {} });
    return () => {
      trigger.unregister();
      ref.unregister();
    };
  }

  drain(timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    if (this.#intake === 'closed') return this.close();
    this.#draining ??= this.#drain(Math.min(timeoutMs, LONGEST_MS));
    return this.#draining;
  }

  async #drain(timeoutMs: number): Promise<void> {
    this.#intake = 'draining';
    for (const [id, { type }] of this.#registrations.triggers)
      this.#tell(JSON.stringify({ type: 'unregistertrigger', id, trigger_type: type }));
    for (const id of this.#registrations.functions.keys()) this.#tell(JSON.stringify({ type: 'unregisterfunction', id }));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      this.#endDrain = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#quiet(timeoutMs), late]);
    clearTimeout(timer);
    await this.close();
  }

  async close(): Promise<void> {
    this.#intake = 'closed';
    this.#endDrain();
    const closed = this.#connection.close(1000, 'worker closed');
    this.#calls.failAll('WORKER_CLOSED', 'the worker was closed before the answer came');
    await closed;
  }

  shutdown(): Promise<void> {
    return this.close();
  }

  /** After the answer to a call of the engine itself, every call sent to this worker before it took its functions back has arrived. */
  async #quiet(timeoutMs: number): Promise<void> {
    if (this.#connection.state.kind === 'open')
      await this.trigger({ function_id: 'engine::health::check', payload: {}, timeoutMs }).catch(() => undefined);
    await this.#executor.whenIdle();
  }

  #connect(): Connection {
    const { initialDelayMs, maxDelayMs, backoffMultiplier, maxRetries } = {
      ...this.#options.reconnectionConfig,
      ...this.#options.reconnection,
    };
    return new Connection({
      url: this.#url,
      owner: {
        onOpen: (send) => this.#opened(send),
        onFlushed: (send) => this.#flushed(send),
        onText: (text) => this.#receive(text),
        onLost: ({ code, reason }) => {
          this.#generation++;
          this.#calls.failSent(`the connection was lost (${code}${reason === '' ? '' : ` ${reason}`})`);
        },
        onState: (state) => this.#changed(state),
      },
      openSocket: this.#platform.openSocket(this.#options.headers ?? {}),
      backoff: {
        initialDelayMs: initialDelayMs ?? DEFAULT_BACKOFF.initialDelayMs,
        maxDelayMs: maxDelayMs ?? DEFAULT_BACKOFF.maxDelayMs,
        multiplier: backoffMultiplier ?? DEFAULT_BACKOFF.multiplier,
      },
      maxAttempts: maxRetries === undefined || maxRetries < 0 ? Number.POSITIVE_INFINITY : maxRetries,
      outbound: { messages: this.#options.maxQueuedCalls ?? DEFAULT_QUEUED, units: LIMITS.workerOutboundBytes },
      ...(this.#platform.keepAlive === undefined ? {} : { keepAlive: this.#platform.keepAlive }),
    });
  }

  /** The old connection is given up before its registrations are made again, so that the engine never sees both. */
  #opened(send: (text: string) => void): void {
    if (this.#workerId !== undefined)
      send(JSON.stringify({ type: 'reattach', previous_worker_id: this.#workerId, reattach_token: this.#reattachToken }));
    if (this.#intake !== 'open') return;
    for (const frame of this.#registrations.frames()) send(frame);
  }

  #flushed(send: (text: string) => void): void {
    this.#calls.markAllSent();
    const { runtime, os, pid } = this.#platform;
    const description = this.#options.description ?? this.#options.workerDescription;
    const data = { runtime, version: SDK_VERSION, name: this.#name, description, os, pid, isolation: null };
    send(JSON.stringify({ type: 'invokefunction', function_id: EngineFunctions.REGISTER_WORKER, data, action: VOID }));
  }

  #receive(text: string): void {
    // What comes until the close is answered runs no handler any more.
    if (this.#intake === 'closed') return;
    const decoded = decodeEngineMessage(text);
    if (decoded.kind === 'message') this.#take(decoded.message);
    else if (decoded.kind === 'invalid') this.#warn(decoded.code, `a frame of the engine was ignored: ${decoded.reason}`);
  }

  #take(message: EngineMessage): void {
    switch (message.type) {
      case 'workerregistered':
        this.#workerId = message.worker_id;
        this.#reattachToken = message.reattach_token;
        return;
      case 'invocationresult':
        return this.#calls.answer(message);
      case 'invokefunction':
        return this.#executor.invoke(message, this.#reply());
      case 'registertrigger':
        return this.#executor.bind(message, this.#reply());
      case 'unregistertrigger':
        return this.#executor.unbind(message);
      case 'triggerregistrationresult':
        if (message.error !== undefined)
          this.#warn(message.error.code, `trigger on ${message.function_id} refused: ${message.error.message}`);
        return;
      case 'error':
      case 'registrationrejected':
        return this.#warn(message.error.code, message.error.message);
      case 'ping':
        this.#connection.send('{"type":"pong"}');
        return;
      case 'pong':
        return;
    }
  }

  #reply(): (text: string) => void {
    const generation = this.#generation;
    return (text) => {
      if (generation !== this.#generation || this.#intake === 'closed') return;
      // Without its answer the caller would wait for ever; the end of the connection is an answer.
      if (this.#connection.send(text) === 'full') this.#connection.restart('too much waits to be sent');
    };
  }

  #changed(state: ConnectionState): void {
    if (this.#noConnection.failedFirst(state)) {
      const goesOn = state.kind === 'waiting' ? '; it is tried again' : '';
      this.#warn('NO_CONNECTION', `${this.#noConnection.text}${goesOn}`);
    }
    if (state.kind === 'closed') {
      this.#intake = 'closed';
      const why = state.by === 'owner' ? 'the worker was closed' : `no attempt to connect is left: ${this.#noConnection.text}`;
      this.#calls.failAll('WORKER_CLOSED', why);
    }
    for (const listener of this.#listeners) {
      try {
        listener(state);
      } catch (error) {
        this.#warn('INVALID_ARGUMENTS', `a listener of onConnectionState threw: ${messageOf(error)}`);
      }
    }
  }

  /** Hands a call to the connection, or fails it. */
  #hand(text: string, id: string | undefined, functionId: string): void {
    const sending = this.#connection.send(text, () => id === undefined || this.#calls.has(id));
    if (sending === 'sent' && id !== undefined) this.#calls.markSent(id);
    if (sending !== 'full' && sending !== 'closed') return;
    const [code, message] =
      sending === 'full'
        ? (['QUEUE_FULL', 'too much waits to be sent; wait for the connection'] as const)
        : (['WORKER_CLOSED', 'the worker is closed; make a new one'] as const);
    if (id === undefined) throw sdkError(code, message, functionId);
    this.#calls.fail(id, code, message);
  }

  /** A registration goes out now, or with all others when the connection is back. */
  #tell(text: string): void {
    if (this.#connection.state.kind !== 'open') return;
    if (this.#connection.send(text) === 'full') this.#connection.restart('too much waits to be sent');
  }

  #encode(frame: object, functionId?: string): string {
    let text: string;
    try {
      text = JSON.stringify(frame);
    } catch (error) {
      throw sdkError('serialization_error', `the value is no JSON: ${messageOf(error)}`, functionId);
    }
    const most = this.#maxMessageBytes;
    if (text.length * 3 <= most || utf8Length(text) <= most) return text;
    throw sdkError('MESSAGE_TOO_LARGE', `the message is larger than ${most} bytes; send it in parts, or through a channel`, functionId);
  }

  async #list<TRow>(key: string, functionId: string, includeInternal: boolean): Promise<TRow[]> {
    const answer = await this.trigger<object, Record<string, unknown>>({
      function_id: functionId,
      payload: { include_internal: includeInternal },
    });
    const rows = answer[key];
    return Array.isArray(rows) ? (rows as TRow[]) : [];
  }

  get #maxMessageBytes(): number {
    return this.#options.maxMessageBytes ?? LIMITS.workerMessageBytes;
  }

  #warn(code: string, message: string): void {
    // oxlint-disable-next-line no-console -- the default of onWarning
    const { onWarning = (...line: string[]) => console.warn('[rivulet]', ...line) } = this.#options;
    try {
      onWarning(code, message);
    } catch {
      // Whoever is told may fail; there is nobody else to tell.
    }
  }
}

function checkUrl(url: string): void {
  let protocol = '';
  try {
    ({ protocol } = new URL(url));
  } catch {
    // No URL at all: refused below, as one of another protocol.
  }
  if (protocol !== 'ws:' && protocol !== 'wss:')
    throw sdkError('INVALID_ARGUMENTS', 'the address of the engine must be a ws:// or wss:// URL, such as ws://localhost:49134');
}

function checkId(id: string): void {
  if (typeof id !== 'string' || id.trim() === '') throw sdkError('INVALID_ARGUMENTS', 'id is required');
  if (!isRegistryId(id)) throw sdkError('INVALID_ARGUMENTS', `the id is longer than ${LIMITS.registryIdBytes} bytes`);
}

/** Of JavaScript, where the types say nothing. */
function checkHandler(handler: unknown): void {
  if (typeof handler === 'function' || (typeof handler === 'object' && handler !== null && 'url' in handler)) return;
  throw sdkError('INVALID_ARGUMENTS', 'the handler must be a function, or an object with the url to call');
}

function checkBound(size: number, what: string): void {
  if (size >= LIMITS.registrationsPerWorker)
    throw sdkError('OVERLOADED', `a worker registers at most ${LIMITS.registrationsPerWorker} ${what}`);
}
