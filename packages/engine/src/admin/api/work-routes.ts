import { isNamespace, LIMITS, namespaceRule } from '@rivulet/protocol';
import { jsonWithin } from '../../core/builtins/json-within.js';
import type { TriggerBinding } from '../../core/fabric/fabric.js';
import { type Builtin, DEFAULT_NAMESPACE, namespaceOf, type Registration } from '../../core/fabric/function-registry.js';
import type { WorkerSession } from '../../core/workers/worker-session.js';
import type { EngineParts } from '../../metrics/engine-parts.js';
import { systemClock } from '../../structures/clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, AnswerError, errorAnswer, jsonAnswer, textAnswer } from '../answer.js';
import { firstOf, PageWriter, PROCESS, type Row, readOnly } from '../page.js';
import type { RouteRow } from '../routes.js';
import { readSearch } from '../search.js';

type Entry = Registration | Builtin;

const TURNS = TurnBudget.of(systemClock);

/** The paths that show workers, their functions and their triggers. They need the viewer's token. */
export function workRoutes(parts: EngineParts): readonly RouteRow[] {
  const get = (path: string, handle: RouteRow['handle']): RouteRow => ({ method: 'GET', path, need: 'viewer', handle });
  return [
    get('/api/workers', (request) => listWorkers(parts, request)),
    get('/api/workers/{worker}', (request) => showWorker(parts, request)),
    get('/api/functions', (request) => listFunctions(parts, request)),
    get('/api/functions/{function}', (request) => showFunction(parts, request)),
    get('/api/triggers', (request) => listTriggers(parts, request)),
    get('/api/triggers/{trigger}', (request) => showTrigger(parts, request)),
  ];
}

function listWorkers({ workers }: EngineParts, request: AdminRequest): Promise<Answer> {
  return sortedPage(workers.sessions(), request, {
    keyOf: ({ workerId }) => workerId,
    textsOf: ({ workerId, announcement, namespace, remoteAddress }) => [workerId, announcement?.name ?? '', namespace, remoteAddress],
    rowOf: workerRow,
  });
}

function showWorker({ workers }: EngineParts, { query, parameters }: AdminRequest): Answer {
  readOnly(query);
  const session = workers.get(parameters.worker ?? '');
  if (session === undefined) return errorAnswer(404, 'NOT_FOUND', 'no worker has this id; it may have left');
  return jsonAnswer(200, { process: PROCESS, ...workerRow(session) });
}

function workerRow(session: WorkerSession): Row {
  const { announcement, access } = session;
  return {
    worker_id: session.workerId,
    name: announcement?.name ?? null,
    namespace: session.namespace,
    kind: access === undefined ? 'trusted' : 'guest',
    runtime: announcement?.runtime ?? null,
    version: announcement?.version ?? null,
    pid: announcement?.pid ?? null,
    address: session.remoteAddress,
    connected_at_ms: session.connectedAt,
    functions: session.functionIds.length,
    active_calls: session.runningCalls,
  };
}

async function listFunctions({ fabric, introspection }: EngineParts, { query }: AdminRequest): Promise<Answer> {
  const { limit, after, matches, worker } = readSearch(query, 'worker');
  const last = after === undefined ? undefined : readFunctionCursor(after);
  const isAfter = (entry: Entry) =>
    (last === undefined || compareFunctions(entry, last.id, last.namespace) > 0) &&
    (worker === undefined || ownerOf(entry) === worker) &&
    (matches === undefined || matches(entry.id) || matches(namespaceOf(entry)));
  const compare = (one: Entry, other: Entry) => compareFunctions(one, other.id, namespaceOf(other));
  const { entries, more } = await firstOf(fabric.functions.entries(), { limit, isAfter, compare }, TURNS);
  const rowOf = (entry: Entry): Row => functionRow(entry, introspection.workerNameOf(entry));
  const end = more ? entries.at(-1) : undefined;
  const page = new PageWriter(TURNS);
  await page.addAll(entries, rowOf);
  return page.answer(end === undefined ? undefined : functionCursor(end));
}

function functionRow(entry: Entry, workerName: string): Row {
  return {
    function_id: entry.id,
    namespace: namespaceOf(entry),
    worker_id: ownerOf(entry) ?? null,
    worker_name: workerName,
    description: entry.description ?? null,
  };
}

/** Returns the worker that serves a function; `undefined` for a function of the engine. */
function ownerOf(entry: Entry): string | undefined {
  return 'owner' in entry ? entry.owner.workerId : undefined;
}

/** One function with its schemas, and the workers that have registered it. A schema that is too long is left out. */
function showFunction({ fabric, introspection }: EngineParts, { query, parameters }: AdminRequest): Answer {
  const { namespace } = readOnly(query, 'namespace');
  if (namespace !== undefined && !isNamespace(namespace)) throw new AnswerError(400, 'INVALID_NAMESPACE', namespaceRule('namespace'));
  const id = parameters.function ?? '';
  const { functions } = fabric;
  const entry = functions.builtin(id) ?? functions.find(id, namespace ?? functions.newestNamespace(id));
  if (entry === undefined) return errorAnswer(404, 'NOT_FOUND', 'no worker serves this function now');
  const { request, response, metadata } = introspection.schemasOf(entry);
  const row = {
    process: PROCESS,
    ...functionRow(entry, introspection.workerNameOf(entry)),
    registrants: functions.owners(id, namespaceOf(entry)).length,
  };
  const members = Object.entries({ request_schema: request, response_schema: response, metadata }).map(([name, value]) => {
    const text = jsonWithin(value, LIMITS.adminSchemaChars);
    return text === undefined ? `"${name}":null,"${name}_left_out":true` : `"${name}":${text}`;
  });
  return textAnswer(200, `${JSON.stringify(row).slice(0, -1)},${members.join(',')}}`);
}

/** The length of the namespace comes first, because both names may have any character. */
function functionCursor(entry: Entry): string {
  const namespace = namespaceOf(entry);
  return `${namespace.length}:${namespace}${entry.id}`;
}

function readFunctionCursor(cursor: string): { readonly id: string; readonly namespace: string } {
  const [head = '', digits] = /^(\d{1,3}):/.exec(cursor) ?? [];
  if (digits === undefined) throw new AnswerError(400, 'INVALID_ARGUMENTS', 'after must be the next of an earlier page');
  const end = head.length + Number(digits);
  return { id: cursor.slice(end), namespace: cursor.slice(head.length, end) };
}

function compareFunctions(entry: Entry, id: string, namespace: string): number {
  return compareNames(entry.id, id) || compareNames(namespaceOf(entry), namespace);
}

function listTriggers(parts: EngineParts, request: AdminRequest): Promise<Answer> {
  return sortedPage(parts.fabric.triggers.eachBinding(), request, {
    keyOf: ({ id }) => id,
    textsOf: ({ id, type, functionId }) => [id, type, functionId],
    isOf: ({ workerId }, worker) => workerId === worker,
    rowOf: (binding) => triggerRow(parts, binding),
  });
}

function showTrigger(parts: EngineParts, { query, parameters }: AdminRequest): Answer {
  readOnly(query);
  const binding = parts.fabric.triggers.binding(parameters.trigger ?? '');
  if (binding === undefined) return errorAnswer(404, 'NOT_FOUND', 'no trigger has this id');
  const row = { process: PROCESS, ...triggerRow(parts, binding) };
  const config = jsonWithin(binding.config, LIMITS.adminSchemaChars);
  const member = config === undefined ? '"config":null,"config_left_out":true' : `"config":${config}`;
  return textAnswer(200, `${JSON.stringify(row).slice(0, -1)},${member}}`);
}

function triggerRow({ fabric, introspection }: EngineParts, binding: TriggerBinding): Row {
  const { id, type, functionId, namespace = DEFAULT_NAMESPACE, workerId } = binding;
  return {
    id,
    trigger_type: type,
    function_id: functionId,
    namespace,
    worker_id: workerId ?? null,
    worker_name: introspection.workerNameOfBinding(binding),
    state: fabric.triggers.waits(id) ? 'waiting' : 'live',
    waits_for: waitsFor({ fabric }, binding),
    config_summary: introspection.summaryOf(binding),
  };
}

/** Returns what must come before a trigger can fire: the provider of its type, or its function. */
function waitsFor({ fabric }: Pick<EngineParts, 'fabric'>, { id, type, functionId, namespace }: TriggerBinding): Row | null {
  if (fabric.triggers.waits(id)) return { kind: 'trigger_type', id: type, remedy: fabric.triggers.remedyOf(type) ?? null };
  if (!fabric.functions.has(functionId, namespace)) return { kind: 'function', id: functionId, remedy: null };
  return null;
}

interface SortedList<T> {
  /** The key of the last row is the cursor, so rows may come and go between pages. */
  readonly keyOf: (entry: T) => string;
  /** The texts that a search looks into. */
  readonly textsOf: (entry: T) => readonly string[];
  readonly rowOf: (entry: T) => Row;
  /** Returns whether an entry belongs to a worker. @default the list takes no worker */
  readonly isOf?: (entry: T, worker: string) => boolean;
}

/** Returns the page of a list in the order of its keys. */
async function sortedPage<T>(all: Iterable<T>, { query }: AdminRequest, { keyOf, textsOf, rowOf, isOf }: SortedList<T>): Promise<Answer> {
  const { limit, after, matches, worker } = readSearch(query, ...(isOf === undefined ? [] : ['worker' as const]));
  const isAfter = (entry: T) =>
    (after === undefined || keyOf(entry) > after) &&
    (worker === undefined || isOf?.(entry, worker) === true) &&
    (matches === undefined || textsOf(entry).some((text) => matches(text)));
  const compare = (one: T, other: T) => compareNames(keyOf(one), keyOf(other));
  const { entries, more } = await firstOf(all, { limit, isAfter, compare }, TURNS);
  const end = more ? entries.at(-1) : undefined;
  const page = new PageWriter(TURNS);
  await page.addAll(entries, rowOf);
  return page.answer(end === undefined ? undefined : keyOf(end));
}

function compareNames(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
