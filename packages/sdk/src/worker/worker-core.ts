import type { ConnectionState, Send } from '@rivulet/client/connection';
import { replaceRefs } from '../api/channel-ref.js';
import { registerBackend } from '../api/create-stream.js';
import { EngineFunctions, EngineTriggers, SDK_VERSION } from '../api/engine-names.js';
import { detailOf, type InvocationError, messageOf, sdkError } from '../api/errors.js';
import type { LineTaker } from '../api/logger.js';
import type {
  Channel,
  FunctionHandler,
  FunctionInfo,
  FunctionRef,
  HttpInvocationConfig,
  InitOptions,
  Metadata,
  RegisterFunctionOptions,
  RegisterServiceInput,
  RegisterTriggerInput,
  RegisterTriggerTypeInput,
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
} from '../api/types.js';
import { checkBound, checkCallback, checkHandler, checkId, checkTimeout, checkTriggerKeys, checkUrl } from './checks.js';
import { DEFAULT_TIMEOUT_MS, EngineLink, type EngineRequest, LONGEST_MS } from './engine-link.js';
import { Executor } from './executor.js';
import { checkInitOptions } from './option-rules.js';
import type { Platform } from './platform.js';
import { functionFrame, type Invocable, Registrations, serviceFrame, triggerFrame, triggerTypeFrame } from './registrations.js';
import { newUuid } from './uuid.js';
import { Warnings } from './warnings.js';

/** `draining` and `closed` accept no registration. */
type Intake = 'open' | 'draining' | 'closed';

const DEFAULT_RUNNING = 10_000;
const VOID = { type: 'void' } as const;

/** The worker of every runtime. The {@link Platform} provides the services that differ. */
export class WorkerCore<TReader, TWriter> implements Worker<TReader, TWriter>, LineTaker {
  readonly #url: string;
  readonly #options: InitOptions;
  readonly #platform: Platform<TReader, TWriter>;
  readonly #registrations = new Registrations();
  readonly #warnings: Warnings;
  readonly #executor: Executor;
  readonly #link: EngineLink;
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  #intake: Intake = 'open';
  #draining: Promise<void> | undefined;
  /** Ends the wait of `drain` early. */
  #endDrain = () => {};
  readonly #name: string;

  constructor(url: string, options: InitOptions, platform: Platform<TReader, TWriter>) {
    checkUrl(url);
    checkInitOptions(options);
    this.#url = url;
    this.#options = options;
    this.#platform = platform;
    this.#warnings = new Warnings(options.onWarning);
    this.#name = options.workerName ?? platform.defaultName();
    this.#link = new EngineLink({
      url,
      options,
      platform,
      warnings: this.#warnings,
      owner: {
        onOpen: (send) => this.#opened(send),
        onFlushed: (send) => this.#introduce(send),
        onRequest: (request) => this.#take(request),
        onLost: () => this.#executor.bindings.lost(),
        onState: (state) => this.#changed(state),
      },
    });
    this.#executor = new Executor({
      maxRunning: options.maxRunningHandlers ?? DEFAULT_RUNNING,
      maxMessageBytes: this.#link.maxMessageBytes,
      functions: this.#registrations.functions,
      triggerTypes: this.#registrations.triggerTypes,
      revive: (data) => replaceRefs(data, (ref) => this.openChannel(ref)),
      warn: (code, message) => this.#warnings.report(code, message),
    });
  }

  get connectionState(): ConnectionState {
    return this.#link.state;
  }

  get workerId(): string | undefined {
    return this.#link.workerId;
  }

  onConnectionState(listener: (state: ConnectionState) => void): () => void {
    checkCallback('listener', listener);
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  registerFunction(
    functionId: string,
    handler: FunctionHandler | HttpInvocationConfig,
    options: RegisterFunctionOptions = {},
  ): FunctionRef {
    checkId(functionId);
    this.#checkIntake();
    const { functions } = this.#registrations;
    if (functions.has(functionId)) throw sdkError('INVALID_ARGUMENTS', `function id already registered: ${functionId}`);
    checkHandler(handler);
    const invocable: Invocable = typeof handler === 'function' ? { kind: 'handler', run: handler } : { kind: 'http', config: handler };
    checkBound(functions.size, 'functions');
    const registered = { invocable, frame: this.#link.encode(functionFrame(functionId, options, invocable)) };
    functions.set(functionId, registered);
    this.#link.sendRegistration(registered.frame);
    const unregister = () => {
      if (functions.get(functionId) !== registered) return;
      functions.delete(functionId);
      this.#link.sendRegistration(JSON.stringify({ type: 'unregisterfunction', id: functionId }));
    };
    return { id: functionId, unregister };
  }

  registerTrigger(trigger: RegisterTriggerInput): Trigger {
    checkId(trigger.function_id);
    checkId(trigger.type);
    checkTriggerKeys(trigger);
    this.#checkIntake();
    const { triggers } = this.#registrations;
    checkBound(triggers.size, 'triggers');
    const id = newUuid();
    const { type } = trigger;
    const frame = this.#link.encode(triggerFrame(id, trigger));
    triggers.set(id, { type, frame });
    this.#link.sendRegistration(frame);
    const unregister = () => {
      if (triggers.delete(id)) this.#link.sendRegistration(JSON.stringify({ type: 'unregistertrigger', id, trigger_type: type }));
    };
    return { unregister };
  }

  registerTriggerType<TConfig>(triggerType: RegisterTriggerTypeInput, handler: TriggerHandler<TConfig>): TriggerTypeRef<TConfig> {
    const { id } = triggerType;
    checkId(id);
    this.#checkIntake();
    const { triggerTypes } = this.#registrations;
    checkBound(triggerTypes.size, 'trigger types');
    const registered = { handler: handler as TriggerHandler<unknown>, frame: this.#link.encode(triggerTypeFrame(triggerType)) };
    triggerTypes.set(id, registered);
    this.#link.sendRegistration(registered.frame);
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
      unregister: () => {
        if (triggerTypes.get(id) === registered) this.unregisterTriggerType({ id });
      },
    };
  }

  unregisterTriggerType({ id }: { id: string; description?: string }): void {
    const { triggerTypes } = this.#registrations;
    const registered = triggerTypes.get(id);
    if (registered === undefined) return;
    triggerTypes.delete(id);
    this.#executor.bindings.forget(registered);
    this.#link.sendRegistration(JSON.stringify({ type: 'unregistertriggertype', id }));
  }

  registerService(service: RegisterServiceInput): void {
    checkId(service.id);
    this.#checkIntake();
    checkBound(this.#registrations.services.size, 'services');
    const frame = this.#link.encode(serviceFrame(service));
    this.#registrations.services.set(service.id, { frame });
    this.#link.sendRegistration(frame);
  }

  trigger<TInput, TOutput>(request: TriggerRequest<TInput>): Promise<TOutput> {
    const warn = this.#warnings.forThis;
    const answer = this.#link.call<TOutput>(request, warn);
    // The caller of a void call usually ignores the promise. A failure is reported, and the rejection ends no process.
    if (request.action?.type === 'void')
      answer.catch((error: InvocationError) => warn(error.code, `${request.function_id}: ${detailOf(error)}`));
    return answer;
  }

  /** Sends a log line. A lost line is not reported as a warning, because a warning may go to the same log. */
  takeLine(functionId: string, payload: object, fallBack: () => void): void {
    this.#link.line(functionId, payload, fallBack);
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

  /** Opens the channel end of a reference. The references in the input of a handler are already open. */
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
    checkCallback('callback', callback);
    const id = `engine.on_functions_available.${newUuid()}`;
    const ref = this.registerFunction(id, ({ functions }: { functions?: FunctionInfo[] }) => callback(functions ?? []));
    const trigger = this.registerTrigger({ type: EngineTriggers.FUNCTIONS_AVAILABLE, function_id: id, config: {} });
    return () => {
      trigger.unregister();
      ref.unregister();
    };
  }

  async drain(timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    checkTimeout(timeoutMs);
    if (this.#intake === 'closed') return this.close();
    this.#draining ??= this.#drain(Math.min(timeoutMs, LONGEST_MS));
    await this.#draining;
  }

  async #drain(timeoutMs: number): Promise<void> {
    this.#intake = 'draining';
    for (const [id, { type }] of this.#registrations.triggers)
      this.#link.sendRegistration(JSON.stringify({ type: 'unregistertrigger', id, trigger_type: type }));
    for (const id of this.#registrations.functions.keys()) this.#link.sendRegistration(JSON.stringify({ type: 'unregisterfunction', id }));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      this.#endDrain = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#settled(timeoutMs), late]);
    clearTimeout(timer);
    await this.close();
  }

  async close(): Promise<void> {
    this.#intake = 'closed';
    this.#endDrain();
    await this.#link.close();
  }

  shutdown(): Promise<void> {
    return this.close();
  }

  /**
   * Resolves when all calls of this worker are answered. After the first round trip, every call that the engine sent before it removed the
   * functions has arrived. After the second round trip, the engine has the answers to these calls.
   */
  async #settled(timeoutMs: number): Promise<void> {
    await this.#link.roundTrip(timeoutMs);
    await this.#executor.whenIdle();
    await this.#link.roundTrip(timeoutMs);
  }

  #opened(send: Send): void {
    if (this.#intake !== 'open') return;
    for (const frame of this.#registrations.frames()) send(frame);
  }

  #introduce(send: Send): void {
    const { runtime, os, pid } = this.#platform;
    const description = this.#options.description ?? this.#options.workerDescription;
    const data = { runtime, version: SDK_VERSION, name: this.#name, description, os, pid, isolation: null };
    send(JSON.stringify({ type: 'invokefunction', function_id: EngineFunctions.REGISTER_WORKER, data, action: VOID }));
  }

  #take(request: EngineRequest): void {
    switch (request.type) {
      case 'invokefunction':
        return this.#executor.invoke(request, this.#link.reply());
      case 'registertrigger':
        return this.#executor.bind(request, this.#link.reply());
      case 'unregistertrigger':
        return this.#executor.bindings.end(request);
      case 'triggerregistrationresult':
        if (request.error !== undefined)
          this.#warnings.report(request.error.code, `trigger on ${request.function_id} refused: ${request.error.message}`);
        return;
      case 'error':
      case 'registrationrejected':
        return this.#warnings.report(request.error.code, request.error.message);
    }
  }

  #changed(state: ConnectionState): void {
    if (state.kind === 'closed') this.#intake = 'closed';
    if (state.kind === 'open')
      this.#settleBindings().catch((error: unknown) =>
        this.#warnings.report('INVALID_ARGUMENTS', `bindings were not settled: ${messageOf(error)}`),
      );
    for (const listener of this.#listeners) {
      try {
        listener(state);
      } catch (error) {
        this.#warnings.report('INVALID_ARGUMENTS', `a listener of onConnectionState threw: ${messageOf(error)}`);
      }
    }
  }

  /** Ends bindings that the engine did not announce. The engine announces bindings when it reads the registration of their type. */
  async #settleBindings(): Promise<void> {
    const { bindings } = this.#executor;
    if (bindings.size === 0 || this.#intake !== 'open') return;
    if ((await this.#link.roundTrip(DEFAULT_TIMEOUT_MS)) && this.#intake === 'open') bindings.settle();
  }

  #checkIntake(): void {
    if (this.#intake === 'open') return;
    throw sdkError('WORKER_CLOSED', this.#intake === 'draining' ? 'the worker drains' : 'the worker is closed; make a new one');
  }

  async #list<TRow>(key: string, functionId: string, includeInternal: boolean): Promise<TRow[]> {
    const answer = await this.trigger<object, Record<string, unknown>>({
      function_id: functionId,
      payload: { include_internal: includeInternal },
    });
    const rows = answer[key];
    return Array.isArray(rows) ? (rows as TRow[]) : [];
  }
}
