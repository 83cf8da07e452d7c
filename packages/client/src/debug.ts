import type { WebSocketConstructor, WebSocketLike } from './connection/web-socket.js';

/** The members of sockets that the lines need. The classes of browsers, of Node 22 and of `ws` have them. */
interface Listening extends WebSocketLike {
  addEventListener(
    type: string,
    listener: (event: { readonly data?: unknown; readonly code?: number; readonly reason?: string }) => void,
  ): void;
}

/**
 * Returns a class of sockets that tells the console in plain words what it sends and receives. Give it to `connect` as option `WebSocket`.
 * The lines name streams, groups, items and offsets, and have no values and no tokens. `base` is the class of the sockets, by default the
 * global one of browsers and Node 22.
 *
 * It has an entry of its own, `@rivulet/client/debug`, so that pages without it load none of its code.
 */
export function debugSockets(base: WebSocketConstructor = globalThis.WebSocket as WebSocketConstructor): WebSocketConstructor {
  return class DebugSocket extends (base as new (url: string, protocols?: string[]) => Listening) {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols);
      say(`connects to ${url.split('?', 1)[0]}`);
      this.addEventListener('open', () => say('is connected'));
      this.addEventListener('message', ({ data }) => say(`receives ${wordsOf(data)}`));
      this.addEventListener('close', ({ code, reason }) => say(`is not connected any more: ${code} ${reason}`.trimEnd()));
    }

    override send(data: string): void {
      say(`sends ${wordsOf(data)}`);
      super.send(data);
    }
  };
}

/** Returns such words as `an update of item m1 in chat/room-1, offset 7`. */
function wordsOf(text: unknown): string {
  const { type, event, offset, ...frame } = objectOf(parsed(text));
  const { subscriptionId, streamName, groupId, id, code, mode, since } = { ...frame, ...objectOf(frame.data) };
  const { type: change, event: sent } = objectOf(event);
  const kind = sent === undefined ? (change ?? type ?? 'a message') : `event ${textOf(objectOf(sent).type)}`;
  return [
    textOf(kind),
    id === undefined || id === null ? '' : ` of item ${textOf(id)}`,
    streamName === undefined ? '' : ` in ${textOf(streamName)}/${textOf(groupId)}`,
    streamName === undefined && subscriptionId !== undefined ? ` for subscription ${textOf(subscriptionId)}` : '',
    code === undefined ? '' : `: ${textOf(code)}`,
    mode === undefined ? '' : `: ${textOf(mode)}`,
    since === undefined ? '' : ` from position ${textOf(since)}`,
    offset === undefined ? '' : `, offset ${textOf(offset)}`,
  ].join('');
}

/** Returns the value of a frame. It uses no module of the client, so that a bundler makes one file of this one. */
function parsed(text: unknown): unknown {
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- the catch is the guard
    return typeof text === 'string' ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Partial<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? value : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function say(what: string): void {
  // oxlint-disable-next-line no-console -- an application that uses this class asks for it
  console.info(`[rivulet] the client ${what}`);
}
