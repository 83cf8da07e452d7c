import type { OpenSocket } from '@rivulet/client/connection';
import { parseJson } from '@rivulet/protocol';

/** Tells the console what happens on the wire: the kind of each message and its ids, and never a payload or a credential. */
export function narrated(open: OpenSocket): OpenSocket {
  return (url, events) => {
    say(`connects to ${url.split('?', 1)[0]}`);
    const socket = open(url, {
      ...events,
      onOpen: () => {
        say('is connected');
        events.onOpen();
      },
      onText: (text) => {
        say(`receives ${summaryOf(text)}`);
        events.onText(text);
      },
      onClose: (closed) => {
        say(`is not connected any more: ${closed.code} ${closed.reason}`);
        events.onClose(closed);
      },
    });
    // The socket may have getters, so it stays the prototype.
    return Object.assign(Object.create(socket) as typeof socket, {
      send: (text: string) => {
        say(`sends ${summaryOf(text)}`);
        socket.send(text);
      },
    });
  };
}

/** Returns such a text as `invoke function app::hello (call 4f1c…)`. */
function summaryOf(text: string): string {
  const { type, function_id, id, trigger_type, invocation_id, error } = (parseJson(text) ?? {}) as Partial<Record<string, unknown>>;
  const failure = error && `failed with ${(error as { code?: string }).code}`;
  const kind = String(type).replace(/worker|register(?!ed)|registration|invoke|invocation/, '$& ');
  return [kind, function_id ?? id ?? trigger_type, invocation_id && `(call ${invocation_id as string})`, failure].filter(Boolean).join(' ');
}

function say(what: string): void {
  // oxlint-disable-next-line no-console -- the option debug asks for it
  console.info(`[rivulet] the worker ${what}`);
}
