import type { ISdk } from '@rivulet/sdk';
import type { StreamAuthInput, StreamAuthResult, StreamJoinLeaveEvent, StreamJoinResult } from '@rivulet/sdk/stream';
import { type Person, personOf } from '../shared/people.js';

/** Registers who may connect, and the items that show who is here. */
export function registerPeople(worker: ISdk): void {
  // The engine calls it for each join of a page. A lease is an item that ends when the page leaves.
  worker.registerFunction('people::joined', ({ stream_name, id, context }: StreamJoinLeaveEvent<Person>): StreamJoinResult => {
    // `id` names the item if the page joins one item and not the group.
    if (typeof id === 'string') return {};
    if (stream_name === 'here') return { lease: { item_id: context.id, data: { name: context.name } } };
    if (stream_name === 'typing') return { lease: { item_id: context.id, data: false, client_data: true } };
    return {};
  });
  worker.registerTrigger({ type: 'stream:join', function_id: 'people::joined', config: {} });

  // The engine calls it for each connection. EVERYBODY GETS IN UNDER ANY NAME: check a session here, or let the engine check signed tokens.
  worker.registerFunction('people::auth', (input: StreamAuthInput): StreamAuthResult => {
    const person = personOf(tokenIn(input));
    return person === undefined ? { unauthorized: true } : { identity: person.id, context: person };
  });
}

/** A page sends its token as the second sub-protocol, or in the query. */
function tokenIn({ headers, query_params }: StreamAuthInput): string {
  return query_params['token']?.[0] ?? headers['sec-websocket-protocol']?.split(',')[1]?.trim() ?? '';
}
