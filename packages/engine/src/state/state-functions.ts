import { type JsonText, RivuletError } from '@rivulet/protocol';
import { resultBytes, storeFunctions } from '../core/builtins/answer.js';
import { readCount, readFlag, readInput, readText } from '../core/builtins/input.js';
import { requireStorable } from '../core/builtins/stored-value.js';
import { traced } from '../core/builtins/traced-write.js';
import { UpdateCall } from '../core/builtins/update-call.js';
import type { Fabric } from '../core/fabric/fabric.js';
import type { Call } from '../core/fabric/invocation.js';
import type { Logger } from '../logging/logger.js';
import { listGroup } from '../store/callers/list-group.js';
import { boundsOf, groupsPage, nextText, writeNames } from '../store/callers/list-names.js';
import { ListSlots } from '../store/callers/list-slots.js';
import { PendingWrites } from '../store/callers/pending-writes.js';
import type { ApplyResult, Change, StoredItem, StreamStore } from '../store/store.js';
import { systemClock } from '../structures/clock.js';
import { CoalescedReads } from '../structures/coalesced-reads.js';
import { TurnBudget } from '../structures/turn-budget.js';
import { MOST_LISTED, readName, readScope, readScopesQuery, readValue, STATE_STREAM } from './state-input.js';
import { STATE_SCHEMAS } from './state-schemas.js';

interface StateFunctionDeps {
  readonly fabric: Fabric;
  readonly store: StreamStore;
  /** Most bytes of a value as JSON; `undefined`: the bound of an item. */
  readonly maxValueBytes: number | undefined;
  readonly logger: Logger;
}

type StateChange = Extract<Change, { kind: 'set' | 'update' | 'delete' }>;

/** Registers the six state::* functions (spec SA §3.1). */
export function registerStateFunctions(deps: StateFunctionDeps): void {
  const functions = new StateFunctions(deps);
  const add = storeFunctions(deps, STATE_SCHEMAS, 'state_function_failed');
  add('state::set', 'SET_ERROR', 'Creates or replaces the value of a key.', (call) => functions.set(call));
  add('state::get', 'GET_ERROR', 'Reads the value of a key.', (call) => functions.get(call));
  add('state::delete', 'DELETE_ERROR', 'Removes a key and returns its value.', (call) => functions.delete(call));
  add('state::list', 'LIST_ERROR', 'Lists the values of a scope.', (call) => functions.list(call));
  add('state::list_groups', 'LIST_GROUPS_ERROR', 'Lists the scopes.', (call) => functions.listGroups(call));
  add('state::update', 'UPDATE_ERROR', 'Changes a value by operations, atomically.', (call) => functions.update(call));
}

class StateFunctions {
  readonly #store: StreamStore;
  readonly #maxValueBytes: number | undefined;
  readonly #writes = new PendingWrites();
  /** Lists in progress. Callers that want the same list at the same time share it. */
  readonly #names = new CoalescedReads<JsonText>();
  readonly #lists = new ListSlots();
  readonly #turns = TurnBudget.of(systemClock);

  constructor(deps: StateFunctionDeps) {
    this.#store = deps.store;
    this.#maxValueBytes = deps.maxValueBytes;
  }

  async set(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const change = { kind: 'set', ...readScope(input), item: readName(input, 'key'), data: readValue(call, input) } as const;
    requireStorable(change.data);
    this.#requireAllowed(change.data);
    const result = await this.#apply(call, change, change.data.length);
    return `{"old_value":${result.old ?? 'null'},"new_value":${change.data}}`;
  }

  async get(call: Call): Promise<JsonText | undefined> {
    const input = readInput(call);
    const ref = readScope(input);
    const item = readName(input, 'key');
    if (!this.#writes.has(ref)) return (await this.#store.get(ref, item)).value?.data;
    // Earlier writes are under way. An update that writes nothing waits for them in the store's queue.
    return (await this.#store.apply({ kind: 'update', ...ref, item, compute: () => undefined }, call.caller?.workerId)).old;
  }

  async delete(call: Call): Promise<JsonText | undefined> {
    const input = readInput(call);
    return (await this.#apply(call, { kind: 'delete', ...readScope(input), item: readName(input, 'key') }, 0)).old;
  }

  async list(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const ref = readScope(input);
    const options = {
      row: readFlag(input, 'with_keys') ? withKey : (item: StoredItem) => item.data,
      limit: readCount(input, 'limit', MOST_LISTED),
      after: readText(input, 'after'),
      maxBytes: resultBytes(call),
    };
    await this.#writes.settled(ref);
    const { rows, next } = await this.#lists.run(() => listGroup(this.#store, ref, options));
    return readFlag(input, 'with_next') ? `{"items":${rows}${nextText(options.limit === undefined ? undefined : next)}}` : rows;
  }

  async listGroups(call: Call): Promise<JsonText> {
    const query = readScopesQuery(call);
    await this.#writes.allSettled();
    const answer = await this.#names.run('', JSON.stringify(query), () =>
      this.#lists.run(async () => {
        const { text, next } = await writeNames(await groupsPage(this.#store, STATE_STREAM, boundsOf(query)), query);
        return `{"groups":[${text}]${nextText(next)}}`;
      }),
    );
    // Callers that share the list get it in different turns of the event loop.
    await this.#turns.pay(answer.length);
    return answer;
  }

  async update(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const update = new UpdateCall(call, input, (text) => this.#requireAllowed(text));
    const change = { kind: 'update', ...readScope(input), item: readName(input, 'key'), ...update.change } as const;
    return update.result((await this.#apply(call, change, update.text.length)).old);
  }

  /** `chars`: text length that the write keeps until it is answered. */
  #apply(call: Call, change: StateChange, chars: number): Promise<ApplyResult> {
    const run = () => this.#store.apply(change, call.caller?.workerId);
    if (call.span === undefined) return this.#writes.begin(change, chars, run);
    const { stream, group, kind } = change;
    return this.#writes.begin(change, chars, traced(call.span, { operation: `state.${kind}`, stream, group, changes: 1 }, run));
  }

  #requireAllowed(text: JsonText): void {
    const most = this.#maxValueBytes;
    if (most === undefined || Buffer.byteLength(text) <= most) return;
    throw new RivuletError(
      'VALUE_TOO_LARGE',
      `max_value_bytes of rivulet-state allows ${most} bytes of JSON; split the value over several keys`,
    );
  }
}

function withKey({ item, data }: StoredItem): JsonText {
  return `{"key":${JSON.stringify(item)},"value":${data}}`;
}
