import type { ConnectionState } from '@rivulet/client/connection';
import type { TriggerActionType } from './trigger-action.js';

export type Metadata = Record<string, unknown>;

/** A reference to one end of a channel. It can be part of a payload. */
export type StreamChannelRef = { channel_id: string; access_key: string; direction: 'read' | 'write' };

/**
 * The caller of a function, as the engine describes it.
 *
 * - `guest`: a guest session. `identity` and `context` come from the auth function.
 * - `page`: a client of the stream port, such as a page. `idempotency_key` is for the writes of the function: a repeated call has the same.
 * - `worker`: a trusted worker that calls for itself.
 * - `http`: an HTTP request.
 * - `trigger`: another trigger.
 * - `engine`: the engine itself, for instance for an auth answer.
 */
export type FunctionCaller<TContext = unknown> =
  | { kind: 'guest'; worker_id: string | null; session_id: string | null; identity: string | null; context: TContext }
  | {
      kind: 'page';
      worker_id: null;
      session_id: string | null;
      identity: string | null;
      context: TContext;
      idempotency_key: string | undefined;
    }
  | { kind: 'worker'; worker_id: string | undefined }
  | { kind: 'http' }
  | { kind: 'trigger' }
  | { kind: 'engine' };

/** The third argument of a handler. */
export type CallContext = { readonly caller: FunctionCaller };

/** A handler. It gets the input, and the metadata of the call or trigger if there is any. It states the input type that it expects. */
// oxlint-disable-next-line typescript/no-explicit-any -- a handler for a narrower input must be assignable, as in the official SDK
export type RemoteFunctionHandler<TInput = any, TOutput = unknown> = (data: TInput, metadata?: Metadata) => Promise<TOutput> | TOutput;

/** A handler that `registerFunction` accepts: a `RemoteFunctionHandler`, or a handler that also reads its caller. */
// oxlint-disable-next-line typescript/no-explicit-any -- a handler for a narrower input must be assignable
export type FunctionHandler<TInput = any, TOutput = unknown> = (
  data: TInput,
  metadata: Metadata | undefined,
  call: CallContext,
) => Promise<TOutput> | TOutput;

export type HttpAuthConfig =
  | { type: 'hmac'; secret_key: string }
  | { type: 'bearer'; token_key: string }
  | { type: 'api_key'; header: string; value_key: string };

/** A function that an engine calls as an HTTP request, without a worker. */
export type HttpInvocationConfig = {
  url: string;
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  timeout_ms?: number;
  headers?: Record<string, string>;
  auth?: HttpAuthConfig;
};

export type RegisterFunctionFormat = Record<string, unknown>;

export type RegisterFunctionOptions = {
  description?: string;
  request_format?: RegisterFunctionFormat;
  response_format?: RegisterFunctionFormat;
  metadata?: Metadata;
};

export type FunctionRef = { id: string; unregister: () => void };
export type Trigger = { unregister(): void };
export type RegisterTriggerInput = { type: string; function_id: string; config: unknown; metadata?: Metadata };
export type RegisterServiceInput = { id: string; name?: string; description?: string; parent_service_id?: string };
export type RegisterTriggerTypeInput = {
  id: string;
  description: string;
  trigger_request_format?: unknown;
  call_request_format?: unknown;
};

/** One binding of a trigger type, as its provider gets it. */
export type TriggerConfig<TConfig> = { id: string; function_id: string; config: TConfig; metadata?: Metadata };

/** The provider of a trigger type. It refuses a binding by rejecting. It fires a binding with `trigger({ function_id, payload })`. */
export type TriggerHandler<TConfig> = {
  registerTrigger(config: TriggerConfig<TConfig>): Promise<void>;
  unregisterTrigger(config: TriggerConfig<TConfig>): Promise<void>;
};

export type TriggerTypeRef<TConfig = unknown> = {
  id: string;
  registerTrigger(functionId: string, config: TConfig, metadata?: Metadata): Trigger;
  registerFunction(functionId: string, handler: FunctionHandler, config: TConfig, metadata?: Metadata): FunctionRef;
  unregister(): void;
};

export type TriggerRequest<TInput = unknown> = {
  function_id: string;
  payload: TInput;
  action?: TriggerActionType;
  /**
   * The milliseconds after which the call fails with `TIMEOUT`. For a void call, the milliseconds that it may wait for a connection.
   * @default `invocationTimeoutMs` of the worker
   */
  timeoutMs?: number;
  /** The metadata, which the handler gets as its second argument. */
  metadata?: Metadata;
};

export type EnqueueResult = { messageReceiptId: string };

/** A row of the list of functions. An unknown member is `null` or absent. */
export type FunctionInfo = {
  function_id: string;
  /** The worker that serves the function; `engine` for functions of the engine. */
  worker_name?: string | null;
  description?: string | null;
  request_format?: RegisterFunctionFormat | null;
  response_format?: RegisterFunctionFormat | null;
  metadata?: Metadata | null;
};
export type TriggerInfo = {
  id: string;
  trigger_type: string;
  function_id: string;
  worker_name?: string | null;
  config?: unknown;
  metadata?: Metadata;
};
export type TriggerTypeInfo = {
  id: string;
  worker_name?: string | null;
  description: string;
  trigger_request_format?: unknown;
  call_request_format?: unknown;
};
export type WorkerStatus = 'connected' | 'available' | 'busy' | 'disconnected';
export type WorkerInfo = {
  id: string;
  name?: string | null;
  description?: string | null;
  runtime?: string | null;
  version?: string | null;
  os?: string | null;
  ip_address?: string | null;
  /** The process id that the worker announced. */
  pid?: number | null;
  status: WorkerStatus;
  /** The time of the connection, in Unix milliseconds; `null` in the row of the engine itself. */
  connected_at_ms: number | null;
  function_count: number;
  functions: string[];
  active_invocations: number;
  isolation?: string | null;
};

export interface ReconnectionConfig {
  /**
   * The bound of the first wait, in milliseconds.
   * @default 1,000
   */
  initialDelayMs: number;
  /**
   * The bound of every wait, in milliseconds.
   * @default 30,000
   */
  maxDelayMs: number;
  /**
   * The factor between the bounds of two waits.
   * @default 2
   */
  backoffMultiplier: number;
  /** Accepted because the official SDK has it. Waits always have full jitter. */
  jitterFactor: number;
  /**
   * The attempts in a row that may fail before the worker closes. -1 means no bound.
   * @default -1
   */
  maxRetries: number;
}

/** The options of a worker. An unknown or wrong option throws `INVALID_ARGUMENTS`. */
export interface InitOptions {
  /**
   * The name in the list of workers.
   * @default host and process id; in a browser `browser:` and eight digits
   */
  workerName?: string;
  description?: string;
  /** The same as `description`. Later official SDKs have this name. */
  workerDescription?: string;
  /**
   * The time-out of `trigger`, in milliseconds.
   * @default 30,000
   */
  invocationTimeoutMs?: number;
  /** The waits between attempts to connect. */
  reconnectionConfig?: Partial<ReconnectionConfig>;
  /** The same as `reconnectionConfig`. Its members win. */
  reconnection?: Partial<ReconnectionConfig>;
  /** Headers of the WebSocket upgrade. Browsers can't send headers, so a page puts credentials into the query of the URL. */
  headers?: Record<string, string>;
  /**
   * The `auth_token` of the worker listener. Node sends it as `Authorization: Bearer`, and a browser as `auth_token` in the query of the
   * URL.
   */
  authToken?: string;
  /**
   * The most handlers that run at the same time. A further call is answered `OVERLOADED`.
   * @default 10,000
   */
  maxRunningHandlers?: number;
  /**
   * The most calls that wait for a connection. A further call fails with `QUEUE_FULL`.
   * @default 10,000
   */
  maxQueuedCalls?: number;
  /**
   * The most UTF-8 bytes of one message to the engine. Set it to the `max_message_bytes` of the listener.
   * @default 16,777,216
   */
  maxMessageBytes?: number;
  /**
   * Called with failures that no caller waits for: a first attempt to connect that failed, refused triggers, failed void calls. A call that
   * this function makes reports its own failure with `console.warn`.
   * @default `console.warn`
   */
  onWarning?: (code: string, message: string) => void;
  /**
   * Whether the worker tells the console in plain words what it sends and receives. The lines have ids and no payloads. A page has no such
   * lines, because the network panel of the browser shows the frames.
   * @default false
   */
  debug?: boolean;
  /** Accepted and ignored, because this SDK has no telemetry. */
  enableMetricsReporting?: boolean;
  /** Accepted and ignored, because this SDK has no telemetry. */
  otel?: unknown;
  /** Accepted and ignored, because this SDK has no telemetry. */
  telemetry?: unknown;
}

/** A worker. `TReader` and `TWriter` are the channel ends of the runtime. */
export interface Worker<TReader, TWriter> {
  /**
   * Runs `handler` for calls of `functionId`, now and after every reconnect. Throws `INVALID_ARGUMENTS` for an empty id, and for an id that
   * this worker has registered.
   */
  registerFunction(functionId: string, handler: FunctionHandler | HttpInvocationConfig, options?: RegisterFunctionOptions): FunctionRef;
  /** Binds a function to a trigger, now and after every reconnect. */
  registerTrigger(trigger: RegisterTriggerInput): Trigger;
  /**
   * Provides a trigger type. The handler is called once for each binding and once for its end, also across reconnects. The calls for one
   * binding run one after another. The handler replaces an earlier provider of the same id.
   */
  registerTriggerType<TConfig>(triggerType: RegisterTriggerTypeInput, handler: TriggerHandler<TConfig>): TriggerTypeRef<TConfig>;
  unregisterTriggerType(triggerType: { id: string; description?: string }): void;
  /** Registers a service. Only introspection shows it. */
  registerService(service: RegisterServiceInput): void;
  /** Calls a function. Rejects with an `InvocationError`. Calls are sent in the order in which they are made. */
  trigger<TInput, TOutput>(request: TriggerRequest<TInput>): Promise<TOutput>;
  /** Creates a pipe between two workers. `bufferSize`: the messages that it holds, by default 64 and at most 1,024. */
  createChannel(bufferSize?: number): Promise<Channel<TReader, TWriter>>;
  /** Serves the stream `streamName` from a backend of the application. The engine does not store the stream. */
  createStream<TData>(streamName: string, stream: StreamBackend<TData>): void;
  listFunctions(): Promise<FunctionInfo[]>;
  listWorkers(): Promise<WorkerInfo[]>;
  listTriggers(includeInternal?: boolean): Promise<TriggerInfo[]>;
  listTriggerTypes(includeInternal?: boolean): Promise<TriggerTypeInfo[]>;
  /** Calls `callback` with all functions when they change. Returns a function that ends the calls. */
  onFunctionsAvailable(callback: (functions: FunctionInfo[]) => void): () => void;
  readonly connectionState: ConnectionState;
  /** The id that the engine gave to this connection. It changes with each reconnect, and is `undefined` before the first connection. */
  readonly workerId: string | undefined;
  /** Calls `listener` after every change of the connection. Returns a function that ends the calls. */
  onConnectionState(listener: (state: ConnectionState) => void): () => void;
  /**
   * Closes the worker without losing work. It removes the functions, so that no new call comes, and accepts no registration. It waits until
   * the running handlers have ended, the engine has their answers, and the queue is sent. Then it closes. After `timeoutMs` (by default
   * 30,000) it closes anyway. A handler that awaits this call waits for itself until then. Further calls wait for the first one. `close`
   * does not wait.
   */
  drain(timeoutMs?: number): Promise<void>;
  /** Closes the worker now. Calls without an answer fail with `WORKER_CLOSED`. */
  close(): Promise<void>;
  /** The same as `close`. The official SDK has this name. */
  shutdown(): Promise<void>;
}

export interface Channel<TReader, TWriter> {
  writer: TWriter;
  reader: TReader;
  /** The reference of the writer. A handler that gets it inside a payload finds an open writer in its place. */
  writerRef: StreamChannelRef;
  readerRef: StreamChannelRef;
}

export type StreamGetInput = { stream_name: string; group_id: string; item_id: string };
// oxlint-disable-next-line typescript/no-explicit-any -- as in the official SDK, whose backends read it untyped
export type StreamSetInput = { stream_name: string; group_id: string; item_id: string; data: any };
export type StreamDeleteInput = StreamGetInput;
export type StreamListInput = { stream_name: string; group_id: string };
export type StreamListGroupsInput = { stream_name: string };
/**
 * The result of a write. `old_value` is `null` or absent if there was no item. `version` is present if the write requested it. `replayed`
 * is present if an earlier write had the same idempotency key.
 */
export type StreamSetResult<TData> = { old_value?: TData | null; new_value: TData; version?: string; replayed?: true };
export type StreamDeleteResult<TData = unknown> = { old_value?: TData | null; version?: string | null; replayed?: true };

/**
 * A backend of a stream. If `set` returns nothing, the engine takes the data as stored. For a `set` or `delete` that returns nothing, the
 * engine calls `get` for the old value.
 */
export interface StreamBackend<TData> {
  get(input: StreamGetInput): Promise<TData | null | undefined>;
  set(input: StreamSetInput): Promise<StreamSetResult<TData> | null | undefined> | Promise<void>;
  delete(input: StreamDeleteInput): Promise<StreamDeleteResult | null | undefined> | Promise<void>;
  list(input: StreamListInput): Promise<TData[]>;
  listGroups(input: StreamListGroupsInput): Promise<string[]>;
  /** Accepted because the official SDK has it, and never called. The engine updates through `get` and `set`. */
  update?(input: never): Promise<unknown>;
}
