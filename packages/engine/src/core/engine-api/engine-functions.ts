import { randomUUID } from 'node:crypto';
import {
  field,
  isJsonObject,
  isNamespace,
  isRegistryId,
  type JsonObject,
  LIMITS,
  namespaceRule,
  optionalField,
  RivuletError,
  stringField,
} from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import { resultBytes } from '../builtins/answer.js';
import { boundedText, boundedTextInTurns } from '../builtins/bounded-text.js';
import { ENGINE_SCHEMAS, INFO_BATCH } from '../contracts/engine-schemas.js';
import type { FunctionFabric } from '../fabric/function-fabric.js';
import { DEFAULT_NAMESPACE } from '../fabric/function-registry.js';
import { type Call, type Caller, forbiddenText, type Outcome } from '../fabric/invocation.js';
import { rowsFor } from '../workers/access/guest-rows.js';
import { readAnnouncement, shorten } from '../workers/announcement.js';
import type { WorkerRegistry } from '../workers/worker-registry.js';
import type { WorkerSession } from '../workers/worker-session.js';
import { type Introspection, type Row, visibilityFor } from './introspection.js';
import { WorkerLogs } from './worker-logs.js';

interface EngineFunctionDeps {
  readonly fabric: FunctionFabric;
  readonly workers: WorkerRegistry<WorkerSession>;
  readonly introspection: Introspection;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Rows of a list from which on the engine writes the answer in several turns. */
const LONG_LIST = 1_000;

type Answer = (input: JsonObject, call: Call) => object | undefined;

/** Registers the engine::* functions of spec WP §1.12. */
export function registerEngineFunctions(deps: EngineFunctionDeps): void {
  const turns = TurnBudget.of(deps.clock);
  const add = (id: string, description: string, answer: Answer) => {
    const handler = (call: Call) => result(rowsFor(call.caller, answer(inputOf(call), call)), resultBytes(call), turns);
    deps.fabric.registerBuiltin(id, handler, description, ENGINE_SCHEMAS[id]);
  };
  registerWorkerFunctions(deps, add);
  registerFunctionFunctions(deps, add);
  registerTriggerFunctions(deps, add);
  const workerLogs = new WorkerLogs(deps.logger, deps.clock);
  for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) {
    add(`engine::log::${level}`, `Writes a line to the engine's log at level ${level}.`, (input, call) => {
      if (!workerLogs.mayWrite(call.caller)) return undefined;
      const text = stringField(input, 'message') ?? '';
      const message = shorten(text, LIMITS.workerLogChars);
      deps.logger[level === 'trace' ? 'debug' : level]('worker_log', {
        service: shorten(stringField(input, 'service_name') ?? '', LIMITS.labelChars) || undefined,
        message,
        ...(message === text ? {} : { shortened: true }),
      });
      return undefined;
    });
  }
  add('engine::health::check', 'Returns ok while the engine runs.', () => ({ status: 'ok' }));
}

type Add = (id: string, description: string, answer: Answer) => void;

function registerWorkerFunctions({ workers, introspection }: EngineFunctionDeps, add: Add): void {
  add('engine::workers::register', 'A worker says who it is.', (input, call) => {
    const session = call.caller === undefined ? undefined : workers.get(call.caller.workerId);
    session?.announce(readAnnouncement(input));
    return { success: true };
  });
  add('engine::workers::list', 'Workers that are connected now.', (input, { caller }) => {
    const workerId = stringField(input, 'worker_id');
    const runtime = stringField(input, 'runtime');
    const status = stringField(input, 'status');
    const search = stringField(input, 'search');
    const namespace = stringField(input, 'namespace');
    const rows = introspection
      .workers(visibilityFor(caller))
      .filter((row) => namespace === undefined || row.namespace === namespace)
      .filter((row) => workerId === undefined || row.id === workerId)
      .filter((row) => runtime === undefined || row.runtime === runtime)
      .filter((row) => status === undefined || row.status === status)
      .filter((row) => matches(search, row.name));
    return { workers: rows, timestamp: Date.now() };
  });
  add('engine::workers::info', 'One worker with its functions and triggers.', (input, { caller }) =>
    found(introspection.worker(requiredText(input, 'name'), visibilityFor(caller), stringField(input, 'namespace')), 'worker'),
  );
}

function registerFunctionFunctions({ introspection }: EngineFunctionDeps, add: Add): void {
  add('engine::functions::list', 'Functions that can be called now.', (input, { caller }) => {
    const rows = introspection.functions(field(input, 'include_internal') === true, visibilityFor(caller));
    return { functions: rows.filter(wantedBy(input, 'function_id')) };
  });
  add('engine::functions::info', 'One function, or several, in detail.', (input, { caller }) => {
    const visibility = visibilityFor(caller);
    const id = stringField(input, 'function_id');
    const ids = optionalField(input, 'function_ids');
    if ((id === undefined) === (ids === undefined)) {
      throw new RivuletError('INVALID_ARGUMENTS', 'give either function_id or function_ids');
    }
    const namespace = stringField(input, 'namespace');
    const shows = (each: string) => visibility.showsFunction(each, namespace ?? DEFAULT_NAMESPACE);
    if (id !== undefined && !shows(id)) throw new RivuletError('FORBIDDEN', forbiddenText(id));
    if (id !== undefined) return found(introspection.functionDetail(id, visibility, namespace), 'function');
    if (!Array.isArray(ids) || ids.length > INFO_BATCH || !ids.every((each) => typeof each === 'string')) {
      throw new RivuletError('INVALID_ARGUMENTS', `function_ids must be an array of at most ${INFO_BATCH} strings`);
    }
    const details = (ids as string[]).map((each) =>
      shows(each)
        ? (introspection.functionDetail(each, visibility, namespace) ?? { function_id: each, error: 'not_found' })
        : { function_id: each, error: 'forbidden' },
    );
    return { functions: details };
  });
}

function registerTriggerFunctions({ fabric, introspection }: EngineFunctionDeps, add: Add): void {
  add('engine::triggers::list', 'Bindings for SDKs below 0.13, trigger types for the others.', (input, call) => {
    const internal = field(input, 'include_internal') === true;
    if (call.caller !== undefined && isBelow013(call.caller.version))
      return {
        triggers: introspection.bindings(internal, visibilityFor(call.caller)).filter(wantedBy(input, 'id', 'function_id', 'trigger_type')),
      };
    return { triggers: introspection.types(internal).filter(wantedBy(input, 'id')) };
  });
  add('engine::triggers::info', 'One trigger type.', (input) =>
    found(introspection.type(requiredText(input, 'id'), stringField(input, 'namespace')), 'trigger type'),
  );
  add('engine::trigger-types::list', 'Trigger types.', (input) => ({
    trigger_types: introspection.types(field(input, 'include_internal') === true).filter(wantedBy(input, 'id')),
  }));
  add('engine::registered-triggers::list', 'Bindings.', (input, { caller }) => {
    const type = stringField(input, 'trigger_type');
    const target = stringField(input, 'function_id');
    const rows = introspection
      .bindings(field(input, 'include_internal') === true, visibilityFor(caller))
      .filter((row) => type === undefined || row.trigger_type === type)
      .filter((row) => target === undefined || row.function_id === target)
      .filter(wantedBy(input, 'id', 'function_id', 'trigger_type'));
    return { registered_triggers: rows };
  });
  add('engine::registered-triggers::info', 'One binding.', (input, { caller }) =>
    found(introspection.binding(requiredText(input, 'id'), visibilityFor(caller)), 'trigger'),
  );
  add('engine::register_trigger', 'Binds a trigger to a function for as long as the engine runs.', (input, { caller }) => {
    refuseGuests(caller);
    const config = field(input, 'config') ?? {};
    if (!isJsonObject(config)) throw new RivuletError('deserialization_error', 'config must be an object');
    const id = randomUUID();
    fabric.triggers.register({
      id,
      type: requiredText(input, 'trigger_type'),
      functionId: requiredText(input, 'function_id'),
      namespace: namespaceField(input, 'namespace'),
      typeNamespace: namespaceField(input, 'trigger_namespace'),
      config,
      metadata: field(input, 'metadata') ?? undefined,
      workerId: undefined,
    });
    return { id };
  });
  add('engine::unregister_trigger', 'Removes a binding.', (input, { caller }) => {
    refuseGuests(caller);
    return { removed: fabric.triggers.unregister(requiredText(input, 'id')) };
  });
}

/** Refuses guests, because durable triggers pass no permission and no hook, and outlive the session. */
function refuseGuests(caller: Caller | undefined): void {
  if (caller?.access === undefined) return;
  throw new RivuletError('FORBIDDEN', 'a guest session registers and removes triggers with messages, not with this function');
}

function inputOf(call: Call): JsonObject {
  const { value } = call.payload;
  if (value === null) return {};
  if (!isJsonObject(value)) throw new RivuletError('deserialization_error', 'the input must be an object');
  return value;
}

/**
 * Returns the outcome at once, or a promise of it when the value has a long list. The list is written in several turns of the event loop.
 */
function result(value: unknown, maxBytes: number, turns: TurnBudget): Outcome | Promise<Outcome> {
  if (!isJsonObject(value)) return { kind: 'result', text: JSON.stringify(value) };
  const isLong = Object.values(value).some((member) => Array.isArray(member) && member.length > LONG_LIST);
  if (!isLong) return { kind: 'result', text: boundedText(value, maxBytes) };
  return boundedTextInTurns(value, maxBytes, turns).then((text) => ({ kind: 'result', text }));
}

function requiredText(input: JsonObject, key: string): string {
  const value = stringField(input, key);
  if (value === undefined || !isRegistryId(value)) throw new RivuletError('deserialization_error', `${key} must be a string`);
  return value;
}

function found(row: Row | undefined, what: string): Row {
  if (row === undefined) throw new RivuletError('NOT_FOUND', `no such ${what}`);
  return row;
}

/** Returns whether any of the values contains the text, in upper or lower case. */
function matches(search: string | undefined, ...values: readonly unknown[]): boolean {
  if (search === undefined) return true;
  const wanted = search.toLowerCase();
  return values.some((value) => typeof value === 'string' && value.toLowerCase().includes(wanted));
}

/** Returns a filter for rows by `search`, `prefix`, `worker`, `workers` and `namespace`. `id` is the key of a row's id. */
function wantedBy(input: JsonObject, id: string, ...searched: readonly string[]): (row: Row) => boolean {
  const prefix = stringField(input, 'prefix');
  const search = stringField(input, 'search');
  const namespace = stringField(input, 'namespace');
  const names = workerNames(input);
  return (row) =>
    (prefix === undefined || String(row[id]).startsWith(prefix)) &&
    (names === undefined || names.has(String(row.worker_name))) &&
    (namespace === undefined || row.namespace === namespace) &&
    matches(search, row[id], ...searched.map((key) => row[key]));
}

function namespaceField(input: JsonObject, key: string): string | undefined {
  const name = optionalField(input, key);
  if (name !== undefined && !isNamespace(name)) throw new RivuletError('INVALID_NAMESPACE', namespaceRule(key));
  return name;
}

function workerNames(input: JsonObject): Set<string> | undefined {
  const one = stringField(input, 'worker');
  const many = field(input, 'workers');
  if (Array.isArray(many)) return new Set(many.filter((name): name is string => typeof name === 'string'));
  return one === undefined ? undefined : new Set([one]);
}

/** Returns false for versions that can't be read, because newer shapes are the default. */
function isBelow013(version: string | undefined): boolean {
  const match = /^(\d{1,4})\.(\d{1,4})\./.exec(version ?? '');
  if (match === null) return false;
  return Number(match[1]) === 0 && Number(match[2]) < 13;
}
