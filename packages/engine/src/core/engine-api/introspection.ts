import { isJsonObject } from '@rivulet/protocol';
import { jsonWithin } from '../builtins/json-within.js';
import type { TriggerBinding } from '../fabric/fabric.js';
import type { FunctionFabric } from '../fabric/function-fabric.js';
import { type Builtin, DEFAULT_NAMESPACE, namespaceOf, type Registration } from '../fabric/function-registry.js';
import type { Caller } from '../fabric/invocation.js';
import type { TriggerType } from '../fabric/trigger-registry.js';
import type { WorkerRegistry } from '../workers/worker-registry.js';
import type { WorkerSession } from '../workers/worker-session.js';

/** Characters of the summary of a config. A config with more than `SUMMED_CHARS` has its keys there. */
const SUMMARY_CHARS = 120;
const SUMMED_CHARS = 65_536;

export type Row = Readonly<Record<string, unknown>>;

/** Functions and bindings that a caller may see. */
export interface Visibility {
  readonly showsFunction: (functionId: string, namespace: string) => boolean;
  readonly showsBinding: (binding: TriggerBinding) => boolean;
}

const EVERYTHING: Visibility = { showsFunction: () => true, showsBinding: () => true };

/** Returns the view of a caller: the functions that it may call, and its own triggers. A trusted caller sees everything. */
export function visibilityFor(caller: Caller | undefined): Visibility {
  const access = caller?.access;
  if (caller === undefined || access === undefined) return EVERYTHING;
  return {
    showsFunction: (functionId, namespace) => access.mayCall(functionId, namespace),
    showsBinding: (binding) => binding.workerId === caller.workerId,
  };
}

/** Makes the rows of the engine::* lists, with the fields that old and new SDKs read (spec WP §1.12). */
export class Introspection {
  readonly #fabric: FunctionFabric;
  readonly #workers: WorkerRegistry<WorkerSession>;
  readonly #summaries = new WeakMap<TriggerBinding, string>();

  constructor(fabric: FunctionFabric, workers: WorkerRegistry<WorkerSession>) {
    this.#fabric = fabric;
    this.#workers = workers;
  }

  functions(includeInternal: boolean, visibility: Visibility = EVERYTHING): Row[] {
    return this.#fabric.functions
      .list()
      .filter((entry) => visibility.showsFunction(entry.id, namespaceOf(entry)))
      .filter((entry) => includeInternal || !isInternal(entry))
      .map((entry) => this.#functionRow(entry));
  }

  /** Returns the name of the worker that serves a function, or `engine`. */
  workerNameOf(entry: Registration | Builtin): string {
    return 'owner' in entry ? this.#workerName(entry.owner.workerId, entry.id) : 'engine';
  }

  /** Returns the name of the worker that registered a binding, or `engine`. */
  workerNameOfBinding({ workerId, functionId }: TriggerBinding): string {
    return workerId === undefined ? 'engine' : this.#workerName(workerId, functionId);
  }

  /** Returns the schemas and the metadata of a function. */
  schemasOf(entry: Registration | Builtin): { readonly request: unknown; readonly response: unknown; readonly metadata: unknown } {
    if ('owner' in entry)
      return { request: entry.requestFormat ?? null, response: entry.responseFormat ?? null, metadata: entry.metadata ?? null };
    const { contract } = entry;
    return { request: contract?.requestSchema ?? null, response: contract?.responseSchema ?? null, metadata: null };
  }

  /**
   * Returns one function in detail. Without a namespace it is that of `default`, and otherwise that of the namespace which has the
   * function.
   */
  functionDetail(id: string, visibility: Visibility, namespace?: string): Row | undefined {
    const { functions } = this.#fabric;
    const entry = functions.builtin(id) ?? functions.find(id, namespace) ?? this.#elsewhere(id, namespace);
    if (entry === undefined || !visibility.showsFunction(id, namespaceOf(entry))) return undefined;
    const bound = (row: Row) => row.function_id === id && row.namespace === namespaceOf(entry);
    return {
      ...this.#functionRow(entry),
      registered_triggers: this.bindings(true, visibility, ({ functionId }) => functionId === id).filter(bound),
    };
  }

  /** Returns the connected workers that announced a pid, and the engine itself as the last row. */
  workers(visibility: Visibility = EVERYTHING): Row[] {
    const announced = this.#workers.sessions().filter((session) => typeof session.announcement?.pid === 'number');
    const names = new Map<string, number>();
    for (const session of announced) names.set(nameKey(session), (names.get(nameKey(session)) ?? 0) + 1);
    return [...announced.map((session) => workerRow(session, visibility, names.get(nameKey(session)) ?? 1)), ENGINE_ROW];
  }

  worker(name: string, visibility: Visibility = EVERYTHING, namespace?: string): Row | undefined {
    const wanted = (row: Row) => (row.name === name || row.id === name) && (namespace === undefined || row.namespace === namespace);
    const worker = this.workers(visibility).find(wanted);
    if (worker === undefined) return undefined;
    const ids = new Set(worker.functions as readonly string[]);
    return {
      worker,
      functions: this.functions(true).filter((row) => ids.has(row.function_id as string) && row.namespace === worker.namespace),
      trigger_types: this.types(true).filter((row) => row.worker_name === name && row.namespace === worker.namespace),
      registered_triggers: this.bindings(true, visibility).filter((row) => row.worker_name === name),
    };
  }

  types(includeInternal: boolean): Row[] {
    return this.#fabric.triggers
      .types()
      .filter((type) => includeInternal || !type.id.startsWith('engine::'))
      .map((type) => this.#typeRow(type));
  }

  type(id: string, namespace?: string): Row | undefined {
    const type = this.#fabric.triggers.type(id, namespace);
    return type === undefined ? undefined : this.#typeRow(type);
  }

  bindings(
    includeInternal: boolean,
    visibility: Visibility = EVERYTHING,
    isWanted: (binding: TriggerBinding) => boolean = () => true,
  ): Row[] {
    return this.#fabric.triggers
      .bindings()
      .filter(isWanted)
      .filter(visibility.showsBinding)
      .filter((binding) => includeInternal || !(binding.functionId.startsWith('engine::') || binding.type.startsWith('engine::')))
      .map((binding) => this.#bindingRow(binding));
  }

  binding(id: string, visibility: Visibility = EVERYTHING): Row | undefined {
    const binding = this.#fabric.triggers.binding(id);
    if (binding === undefined || !visibility.showsBinding(binding)) return undefined;
    return {
      ...this.#bindingRow(binding),
      metadata: binding.metadata ?? null,
      trigger: this.type(binding.type, binding.typeNamespace) ?? null,
      function: this.functionDetail(binding.functionId, visibility, binding.namespace) ?? null,
    };
  }

  /** Returns the beginning of a config as text. It is kept, because a config may be long and never changes. */
  summaryOf(binding: TriggerBinding): string {
    let summary = this.#summaries.get(binding);
    if (summary === undefined) {
      // The copy does not keep the whole text in memory.
      summary = Buffer.from((jsonWithin(binding.config, SUMMED_CHARS) ?? keysOf(binding.config)).slice(0, SUMMARY_CHARS)).toString();
      this.#summaries.set(binding, summary);
    }
    return summary;
  }

  #functionRow(entry: Registration | Builtin): Row {
    const { request, response, metadata } = this.schemasOf(entry);
    return {
      function_id: entry.id,
      namespace: namespaceOf(entry),
      worker_name: this.workerNameOf(entry),
      description: entry.description,
      request_schema: request,
      response_schema: response,
      request_format: request,
      response_format: response,
      metadata,
    };
  }

  #typeRow(type: TriggerType): Row {
    return {
      id: type.id,
      namespace: type.namespace,
      worker_name: type.workerId === undefined ? 'engine' : this.#workerName(type.workerId, type.id),
      description: type.description,
      trigger_request_format: type.triggerRequestFormat,
      call_request_format: type.callRequestFormat,
    };
  }

  #bindingRow(binding: TriggerBinding): Row {
    return {
      id: binding.id,
      trigger_type: binding.type,
      function_id: binding.functionId,
      namespace: binding.namespace ?? DEFAULT_NAMESPACE,
      worker_name: this.workerNameOfBinding(binding),
      state: this.#fabric.triggers.waits(binding.id) ? 'waiting' : 'live',
      config: binding.config,
      config_summary: this.summaryOf(binding),
      ...(binding.metadata === undefined ? {} : { metadata: binding.metadata }),
    };
  }

  /** Returns the name of a worker. The first segment of the id replaces a missing name. */
  #workerName(workerId: string, id: string): string {
    return this.#workers.get(workerId)?.announcement?.name ?? id.split('::', 1)[0] ?? id;
  }

  #elsewhere(id: string, namespace: string | undefined): Registration | undefined {
    return namespace === undefined ? this.#fabric.functions.find(id, this.#fabric.functions.newestNamespace(id)) : undefined;
  }
}

function keysOf(config: object): string {
  const keys = Object.keys(config).slice(0, SUMMARY_CHARS);
  return `{${keys.map((key) => `${JSON.stringify(key.slice(0, SUMMARY_CHARS))}:…`).join(',')}}`;
}

function isInternal(entry: Registration | Builtin): boolean {
  if (entry.id.startsWith('engine::')) return true;
  return 'owner' in entry && isJsonObject(entry.metadata) && entry.metadata.internal === true;
}

function nameKey({ namespace, announcement, workerId }: WorkerSession): string {
  return JSON.stringify([namespace, announcement?.name ?? workerId]);
}

/** Returns the row of a worker. `instances`: count of connected workers with its namespace and name. */
function workerRow(session: WorkerSession, visibility: Visibility, instances: number): Row {
  const { announcement } = session;
  const functions = session.functionIds.filter((id) => visibility.showsFunction(id, session.namespace));
  return {
    id: session.workerId,
    name: announcement?.name ?? null,
    namespace: session.namespace,
    instance_count: instances,
    description: announcement?.description ?? null,
    runtime: announcement?.runtime ?? null,
    version: announcement?.version ?? null,
    os: announcement?.os ?? null,
    ip_address: session.remoteAddress,
    internal: false,
    status: 'connected',
    connected_at_ms: session.connectedAt,
    function_count: functions.length,
    functions,
    active_invocations: session.runningCalls,
    latest_metrics: null,
    pid: announcement?.pid ?? null,
    isolation: announcement?.isolation ?? null,
  };
}

const ENGINE_ROW: Row = {
  id: 'engine',
  name: 'engine',
  namespace: DEFAULT_NAMESPACE,
  instance_count: 1,
  description: 'Functions of the engine itself.',
  runtime: 'engine',
  version: null,
  os: null,
  ip_address: null,
  internal: true,
  status: 'connected',
  connected_at_ms: null,
  function_count: 0,
  functions: [],
  active_invocations: 0,
  latest_metrics: null,
  pid: process.pid,
  isolation: 'in-process',
};
