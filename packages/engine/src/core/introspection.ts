import { isJsonObject } from '@rivulet/protocol';
import type { TriggerBinding } from './fabric.js';
import type { FunctionFabric } from './function-fabric.js';
import type { Builtin, Registration } from './function-registry.js';
import type { Caller } from './invocation.js';
import type { TriggerType } from './trigger-registry.js';
import type { WorkerRegistry } from './worker-registry.js';
import type { WorkerSession } from './worker-session.js';

export type Row = Readonly<Record<string, unknown>>;

/** What somebody may know of. */
export interface Sight {
  readonly knows: (functionId: string) => boolean;
  readonly sees: (binding: TriggerBinding) => boolean;
}

const EVERYTHING: Sight = { knows: () => true, sees: () => true };

/** What the caller of an engine::* function may know of: the functions that it may call, and of triggers its own. */
export function sightOf(caller: Caller | undefined): Sight {
  const access = caller?.access;
  if (caller === undefined || access === undefined) return EVERYTHING;
  return { knows: (functionId) => access.mayCall(functionId), sees: (binding) => binding.workerId === caller.workerId };
}

/** Rows of the engine::* lists: the union of what old and new SDKs read (spec WP §1.12). */
export class Introspection {
  readonly #fabric: FunctionFabric;
  readonly #workers: WorkerRegistry;

  constructor(fabric: FunctionFabric, workers: WorkerRegistry) {
    this.#fabric = fabric;
    this.#workers = workers;
  }

  functions(includeInternal: boolean, sight: Sight = EVERYTHING): Row[] {
    return this.#fabric.functions
      .list()
      .filter((entry) => sight.knows(entry.id))
      .filter((entry) => includeInternal || !isInternal(entry))
      .map((entry) => this.#functionRow(entry));
  }

  functionDetail(id: string, sight: Sight): Row | undefined {
    const entry = this.#fabric.functions.builtin(id) ?? this.#fabric.functions.find(id);
    if (entry === undefined) return undefined;
    return { ...this.#functionRow(entry), registered_triggers: this.bindings(true, sight).filter((row) => row.function_id === id) };
  }

  /** Connected workers that announced a pid, then the engine itself. */
  workers(sight: Sight = EVERYTHING): Row[] {
    const announced = this.#workers.sessions().filter((session) => typeof session.announcement?.pid === 'number');
    return [...announced.map((session) => workerRow(session, sight)), ENGINE_ROW];
  }

  worker(name: string, sight: Sight = EVERYTHING): Row | undefined {
    const worker = this.workers(sight).find((row) => row.name === name || row.id === name);
    if (worker === undefined) return undefined;
    const ids = new Set(worker.functions as readonly string[]);
    return {
      worker,
      functions: this.functions(true).filter((row) => ids.has(row.function_id as string)),
      trigger_types: this.types(true).filter((row) => row.worker_name === name),
      registered_triggers: this.bindings(true, sight).filter((row) => row.worker_name === name),
    };
  }

  types(includeInternal: boolean): Row[] {
    return this.#fabric.triggers
      .types()
      .filter((type) => includeInternal || !type.id.startsWith('engine::'))
      .map((type) => this.#typeRow(type));
  }

  type(id: string): Row | undefined {
    const type = this.#fabric.triggers.type(id);
    return type === undefined ? undefined : this.#typeRow(type);
  }

  bindings(includeInternal: boolean, sight: Sight = EVERYTHING): Row[] {
    return this.#fabric.triggers
      .bindings()
      .filter(sight.sees)
      .filter((binding) => includeInternal || !(binding.functionId.startsWith('engine::') || binding.type.startsWith('engine::')))
      .map((binding) => this.#bindingRow(binding));
  }

  binding(id: string, sight: Sight = EVERYTHING): Row | undefined {
    const binding = this.#fabric.triggers.binding(id);
    if (binding === undefined || !sight.sees(binding)) return undefined;
    return {
      ...this.#bindingRow(binding),
      metadata: binding.metadata ?? null,
      trigger: this.type(binding.type) ?? null,
      function: this.functionDetail(binding.functionId, sight) ?? null,
    };
  }

  #functionRow(entry: Registration | Builtin): Row {
    const registration = 'owner' in entry ? entry : undefined;
    return {
      function_id: entry.id,
      worker_name: registration === undefined ? 'engine' : this.#workerName(registration.owner.workerId),
      description: entry.description,
      request_format: registration?.requestFormat ?? null,
      response_format: registration?.responseFormat ?? null,
      metadata: registration?.metadata ?? null,
    };
  }

  #typeRow(type: TriggerType): Row {
    return {
      id: type.id,
      worker_name: type.workerId === undefined ? 'engine' : this.#workerName(type.workerId),
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
      worker_name: binding.workerId === undefined ? 'engine' : this.#workerName(binding.workerId),
      config: binding.config,
      config_summary: JSON.stringify(binding.config).slice(0, 120),
      ...(binding.metadata === undefined ? {} : { metadata: binding.metadata }),
    };
  }

  #workerName(workerId: string): string | null {
    return this.#workers.get(workerId)?.announcement?.name ?? null;
  }
}

function isInternal(entry: Registration | Builtin): boolean {
  if (entry.id.startsWith('engine::')) return true;
  return 'owner' in entry && isJsonObject(entry.metadata) && entry.metadata.internal === true;
}

function workerRow(session: WorkerSession, sight: Sight): Row {
  const { announcement } = session;
  const functions = session.functionIds.filter(sight.knows);
  return {
    id: session.workerId,
    name: announcement?.name ?? null,
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
