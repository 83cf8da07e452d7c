import type { ConnectionState } from '@rivulet/client/connection';
import type { TriggerActionType } from './trigger-action.js';

export type Metadata = Record<string, unknown>;

/** A reference to one end of a channel, as it travels inside payloads. */
export type StreamChannelRef = { channel_id: string; access_key: string; direction: 'read' | 'write' };

/**
 * Who calls a function, as the engine says it. `guest`: a session of a listener with rules, such as a page; `identity` and `context` come
 * from the auth function. `worker`: a trusted worker, for itself. `http`: an HTTP request. `trigger`: another trigger. `engine`: the engine
 * asks, for instance for an auth answer.
 */
export type FunctionCaller<TContext = unknown> =
  | { kind: 'guest'; worker_id: string | null; session_id: string | null; identity: string | null; context: TContext }
  | { kind: 'worker'; worker_id: string | undefined }
  | { kind: 'http' }
  | { kind: 'trigger' }
  | { kind: 'engine' };

/** The third argument of a handler. */
export type CallContext = { readonly caller: FunctionCaller };

/** The input of a handler, and the metadata of the call or trigger, if it has any. Handlers state the type that they expect. */
// oxlint-disable-next-line typescript/no-explicit-any -- a handler for a narrower input must be assignable, as in the official SDK
export type RemoteFunctionHandler<TInput = any, TOutput = unknown> = (data: TInput, metadata?: Metadata) => Promise<TOutput> | TOutput;

/** What `registerFunction` takes: a `RemoteFunctionHandler`, or a handler that also reads who calls it. */
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

/** A function that the engine performs as an HTTP request instead of calling a worker. */
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

/** One binding of a trigger type, as its provider sees it. */
export type TriggerConfig<TConfig> = { id: string; function_id: string; config: TConfig; metadata?: Metadata };

/** The provider of a trigger type. A promise that rejects refuses the binding. It fires with `trigger({ function_id, payload })`. */
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
  /** Milliseconds until the call fails with `TIMEOUT`; for a void call those in which it may wait for a connection. Default: `invocationTimeoutMs` of the worker. */
  timeoutMs?: number;
  /** Reaches the handler as its second argument. */
  metadata?: Metadata;
};

export type EnqueueResult = { messageReceiptId: string };

/** Rows of the lists. What nobody has said is `null`, or is not there. */
export type FunctionInfo = {
  function_id: string;
  /** The worker that serves it; `engine` for functions of the engine. */
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
  /** The process id that it announced. */
  pid?: number | null;
  status: WorkerStatus;
  /** Milliseconds since 1970; `null` in the row of the engine itself. */
  connected_at_ms: number | null;
  function_count: number;
  functions: string[];
  active_invocations: number;
  isolation?: string | null;
};

export interface ReconnectionConfig {
  /** Bound of the first wait, in milliseconds. Default 1,000. */
  initialDelayMs: number;
  /** Bound of every wait, in milliseconds. Default 30,000. */
  maxDelayMs: number;
  /** Default 2. */
  backoffMultiplier: number;
  /** Accepted for the official SDK's sake; waits have full jitter. */
  jitterFactor: number;
  /** Attempts in a row that may fail; -1, the default: no bound. */
  maxRetries: number;
}

export interface InitOptions {
  /** As it is shown in the list of workers. Default: host and process id; in a browser `browser:` and eight digits. */
  workerName?: string;
  description?: string;
  /** The same, as later official SDKs call it. */
  workerDescription?: string;
  /** Default for `trigger`, in milliseconds. Default 30,000. */
  invocationTimeoutMs?: number;
  reconnectionConfig?: Partial<ReconnectionConfig>;
  /** The same. */
  reconnection?: Partial<ReconnectionConfig>;
  /** Sent with the WebSocket upgrade. Browsers can send none: put credentials into the query of the URL. */
  headers?: Record<string, string>;
  /**
   * The `auth_token` of the worker listener. Node sends it as `Authorization: Bearer`, browsers as `auth_token` in the query of the
   * URL, as they can send no headers.
   */
  authToken?: string;
  /** Handlers that run at the same time; a call beyond it is answered `OVERLOADED`. Default 10,000. */
  maxRunningHandlers?: number;
  /** Calls that wait for a connection; one beyond it fails with `QUEUE_FULL`. Default 10,000. */
  maxQueuedCalls?: number;
  /** UTF-8 bytes of one message to the engine; as its `max_message_bytes`. Default 16,777,216. */
  maxMessageBytes?: number;
  /** Where the SDK tells of what nobody waits for: a first attempt to connect that failed, refused triggers, failed void calls. Default: `console.warn`, also for what fails because it was called from here. */
  onWarning?: (code: string, message: string) => void;
  /** Accepted and ignored: there is no telemetry. */
  enableMetricsReporting?: boolean;
  /** Accepted and ignored: there is no telemetry. */
  otel?: unknown;
  /** Accepted and ignored: there is no telemetry. */
  telemetry?: unknown;
}

/** What a worker offers. `TReader` and `TWriter` are the ends of channels of the runtime. */
export interface Worker<TReader, TWriter> {
  /** Runs `handler` for calls of `functionId`, now and after every reconnect. Throws for an empty id and for one that this worker has. */
  registerFunction(functionId: string, handler: FunctionHandler | HttpInvocationConfig, options?: RegisterFunctionOptions): FunctionRef;
  /** Binds a function to a trigger, now and after every reconnect. */
  registerTrigger(trigger: RegisterTriggerInput): Trigger;
  /**
   * Provides a trigger type. Each binding is told once, whatever connections come and go, and its end once, each after the one before it
   * was done. In place of the provider of the same id, if there is one.
   */
  registerTriggerType<TConfig>(triggerType: RegisterTriggerTypeInput, handler: TriggerHandler<TConfig>): TriggerTypeRef<TConfig>;
  unregisterTriggerType(triggerType: { id: string; description?: string }): void;
  /** For introspection only. */
  registerService(service: RegisterServiceInput): void;
  /** Calls a function. Rejects with an {@link InvocationError}. Calls are sent in the order in which they are made. */
  trigger<TInput, TOutput>(request: TriggerRequest<TInput>): Promise<TOutput>;
  /** A pipe between two workers. `bufferSize`: messages that it holds; default 64, at most 1,024. */
  createChannel(bufferSize?: number): Promise<Channel<TReader, TWriter>>;
  /** Serves the stream `streamName` with a backend of its own in place of the engine's. */
  createStream<TData>(streamName: string, stream: StreamBackend<TData>): void;
  listFunctions(): Promise<FunctionInfo[]>;
  listWorkers(): Promise<WorkerInfo[]>;
  listTriggers(includeInternal?: boolean): Promise<TriggerInfo[]>;
  listTriggerTypes(includeInternal?: boolean): Promise<TriggerTypeInfo[]>;
  /** Calls back with all functions when they change. Answers what ends it. */
  onFunctionsAvailable(callback: (functions: FunctionInfo[]) => void): () => void;
  readonly connectionState: ConnectionState;
  /** The id that the engine gave to this connection; another one after each reconnect, `undefined` before the first. */
  readonly workerId: string | undefined;
  /** Calls back after every change of the connection. Answers what ends it. */
  onConnectionState(listener: (state: ConnectionState) => void): () => void;
  /**
   * Takes its functions back, so that no new call comes, and registers nothing more; waits until the handlers that run have ended, their
   * answers have reached the engine and what waited for a connection was sent; then closes. After `timeoutMs` (default 30,000) it closes
   * whatever still runs: also a handler that awaits this call, and so itself. Any number of calls is the first one; `close` does not wait.
   */
  drain(timeoutMs?: number): Promise<void>;
  /** Closes now. Calls without an answer fail with `WORKER_CLOSED`. */
  close(): Promise<void>;
  /** The same, as the official SDK calls it. */
  shutdown(): Promise<void>;
}

export interface Channel<TReader, TWriter> {
  writer: TWriter;
  reader: TReader;
  /** To be sent to others inside a payload, which find a live writer in its place. */
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
 * `old_value`: `null`, or not there, if there was no item. `version` when it was asked for; `replayed` when the key of the write was used
 * before.
 */
export type StreamSetResult<TData> = { old_value?: TData | null; new_value: TData; version?: string; replayed?: true };
export type StreamDeleteResult<TData = unknown> = { old_value?: TData | null; version?: string | null; replayed?: true };

/** A backend of a stream. `set` and `delete` may answer nothing: the engine then takes the data as stored, and asks `get` for what was before. */
export interface StreamBackend<TData> {
  get(input: StreamGetInput): Promise<TData | null | undefined>;
  set(input: StreamSetInput): Promise<StreamSetResult<TData> | null | undefined> | Promise<void>;
  delete(input: StreamDeleteInput): Promise<StreamDeleteResult | null | undefined> | Promise<void>;
  list(input: StreamListInput): Promise<TData[]>;
  listGroups(input: StreamListGroupsInput): Promise<string[]>;
  /** Accepted for the official SDK's sake, which does not register it either: the engine updates through `get` and `set`. */
  update?(input: never): Promise<unknown>;
}
