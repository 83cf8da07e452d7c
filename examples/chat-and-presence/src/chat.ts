// The functions of the chat, for any SDK with the documented interface. worker.ts runs them on Rivulet's SDK, worker-iii.ts on the official
// one.
import { randomUUID } from 'node:crypto';

const MOST_TEXT = 2_000;
const MOST_NAME = 80;

/** The members of an SDK that the chat uses. */
export interface Connected {
  registerFunction(id: string, handler: (input: Input) => Promise<unknown>): unknown;
  registerTrigger(trigger: { type: string; function_id: string; config: object }): unknown;
  trigger<TInput, TOutput>(request: { function_id: string; payload: TInput }): Promise<TOutput>;
}

/** The input of a function. A caller may send any value. */
type Input = Readonly<Record<string, unknown>>;
type Call = <TOutput>(functionId: string, payload: object) => Promise<TOutput>;

export interface Message {
  readonly id: string;
  readonly author: string;
  readonly text: string;
  /** The time of the message, in Unix milliseconds. */
  readonly at: number;
}

export interface Member {
  readonly id: string;
  /** The time at which the member joined, in Unix milliseconds. */
  readonly since: number;
}

/** A mistake of the caller. Over HTTP it becomes a 400. */
class BadInput extends Error {}

/** Registers the functions of the chat and their HTTP routes. Returns the backend of the stream `presence`. */
export function startChat(iii: Connected): PresenceBackend {
  const call: Call = (function_id, payload) => iii.trigger({ function_id, payload });
  const functions = { ...chatFunctions(call), ...presenceFunctions(call) };
  for (const [id, handler] of Object.entries(functions)) iii.registerFunction(id, handler);

  /** Serves a function over HTTP. Its input has the members of the body and the parameters of the path. A result of null becomes a 404. */
  const route = (http_method: string, api_path: string, id: keyof typeof functions, success = 200) => {
    iii.registerFunction(`http::${id}`, async ({ path_params, body }) => {
      try {
        const result = await functions[id]({ ...(body as Input | null), ...(path_params as Input) });
        return result === null ? { status_code: 404, body: { error: 'not found' } } : { status_code: success, body: result };
      } catch (error) {
        if (error instanceof BadInput) return { status_code: 400, body: { error: error.message } };
        throw error;
      }
    });
    iii.registerTrigger({ type: 'http', function_id: `http::${id}`, config: { api_path, http_method } });
  };
  route('POST', '/rooms/:room/messages', 'chat::post', 201);
  route('GET', '/rooms/:room/messages', 'chat::list');
  route('GET', '/rooms/:room/messages/:id', 'chat::get');
  route('DELETE', '/rooms/:room/messages/:id', 'chat::delete');
  route('POST', '/rooms/:room/events', 'chat::broadcast');
  route('PUT', '/rooms/:room/members/:user', 'presence::join');
  route('DELETE', '/rooms/:room/members/:user', 'presence::leave');
  route('GET', '/rooms/:room/members', 'presence::list');
  return new PresenceBackend(call);
}

function chatFunctions(call: Call) {
  const group = (room: unknown) => ({ stream_name: 'chat', group_id: name(room, 'room') });
  return {
    // All subscribers of /stream/chat/{room} get a `create` as soon as the message is stored.
    'chat::post': async ({ room, author, text }: Input): Promise<Message> => {
      const message = { id: randomUUID(), author: name(author, 'author'), text: within(text, 'text', MOST_TEXT), at: Date.now() };
      await call('stream::set', { ...group(room), item_id: message.id, data: message });
      return message;
    },
    'chat::get': async ({ room, id }: Input): Promise<Message | null> =>
      (await call<Message | undefined>('stream::get', { ...group(room), item_id: name(id, 'id') })) ?? null,
    'chat::list': async ({ room }: Input): Promise<Message[]> => call('stream::list', group(room)),
    'chat::delete': async ({ room, id }: Input) => {
      const { old_value } = await call<{ old_value: unknown }>('stream::delete', { ...group(room), item_id: name(id, 'id') });
      return { deleted: old_value !== null };
    },
    // The event goes to all subscribers and is not stored. Use events for data that nobody needs a moment later.
    'chat::broadcast': async ({ room, type, data }: Input) => {
      await call('stream::send', { ...group(room), type: name(type, 'type'), data: data ?? null });
      return { sent: true };
    },
  };
}

function presenceFunctions(call: Call) {
  const group = (room: unknown) => ({ stream_name: 'presence', group_id: name(room, 'room') });
  return {
    'presence::join': async ({ room, user }: Input): Promise<Member> => {
      const member = { id: name(user, 'user'), since: Date.now() };
      await call('stream::set', { ...group(room), item_id: member.id, data: member });
      return member;
    },
    'presence::leave': async ({ room, user }: Input) => {
      const { old_value } = await call<{ old_value: unknown }>('stream::delete', { ...group(room), item_id: name(user, 'user') });
      return { left: old_value !== null };
    },
    'presence::list': async ({ room }: Input): Promise<Member[]> => call('stream::list', group(room)),
  };
}

interface Room {
  readonly group_id: string;
}

interface Place extends Room {
  readonly item_id: string;
}

/**
 * The backend of the `presence` stream. It keeps the members in the state, one scope for each room. The engine calls it for every read and
 * write of the stream, and publishes its answers to subscribers.
 */
export class PresenceBackend {
  readonly #call: Call;

  constructor(call: Call) {
    this.#call = call;
  }

  async get({ group_id, item_id }: Place): Promise<Member | null> {
    return (await this.#call<Member | undefined>('state::get', { scope: scope(group_id), key: item_id })) ?? null;
  }

  set({ group_id, item_id, data }: Place & { readonly data: Member }): Promise<{ old_value?: Member; new_value: Member }> {
    return this.#call('state::set', { scope: scope(group_id), key: item_id, value: data });
  }

  async delete({ group_id, item_id }: Place): Promise<{ old_value?: Member }> {
    const old_value = await this.#call<Member | undefined>('state::delete', { scope: scope(group_id), key: item_id });
    return old_value === undefined ? {} : { old_value };
  }

  list({ group_id }: Room): Promise<Member[]> {
    return this.#call('state::list', { scope: scope(group_id) });
  }

  async listGroups(): Promise<string[]> {
    const { groups } = await this.#call<{ groups: string[] }>('state::list_groups', {});
    return groups.filter((group) => group.startsWith(scope(''))).map((group) => group.slice(scope('').length));
  }

  /** The interface of the SDK needs this function, but nobody calls it. The engine uses the functions above. */
  update(): Promise<never> {
    return Promise.reject(new Error('not called'));
  }
}

const scope = (room: string) => `presence/${room}`;
const name = (value: unknown, what: string) => within(value, what, MOST_NAME);

function within(value: unknown, what: string, most: number): string {
  if (typeof value === 'string' && value !== '' && value.length <= most) return value;
  throw new BadInput(`${what} must have 1 to ${most} characters`);
}
