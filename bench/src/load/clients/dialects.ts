import type { RawSocket } from './raw-socket.js';

/** Writes to one kind of server and reads from it. The load knows servers only through this interface. */
export interface Dialect {
  watchUrl(base: string, group: string): string;
  /**
   * Called for each text until it returns true, which means that the watcher is subscribed. `undefined` stands for the end of the
   * handshake.
   */
  watcherReady(socket: RawSocket, group: string, text: string | undefined): boolean;
  writerReady(socket: RawSocket, text: string | undefined): boolean;
  /**
   * The script of a watcher for `sink/sink.c`: texts to expect and to send in turns, then the start of the text that confirms the
   * subscription.
   */
  sinkScript(group: string): readonly string[];
  /** Whether a frame of this length may be something other than a delivery, so that its text must be read. */
  isSuspect(length: number): boolean;
  /** Sends an answer if the text needs one. Returns false when the frame is not a delivery. */
  isDelivery(socket: RawSocket, text: string): boolean;
  /** Returns the message that stores or publishes `data`, a JSON text. */
  set(group: string, item: string, data: string, call: number): string;
  /** Returns the number of the call that a text acknowledges; `undefined` if it acknowledges none. */
  acknowledged(text: string): number | undefined;
  /** Whether such a text reports a failure. */
  isRefusal(text: string): boolean;
}

export type DialectName = 'rivulet' | 'socket.io' | 'uwebsockets' | 'rivulet-calls' | 'socket.io-calls';

const STREAM = 'bench';
const CALL_PREFIX = '00000000-0000-4000-8000-';

/**
 * Returns the frame that subscribers of Rivulet get for an update. The peers push the same text, so that all servers send the same bytes.
 */
function change(group: string, item: string, data: string): string {
  const place = `"streamName":"${STREAM}","groupId":"${group}","id":"${item}"`;
  return `{"timestamp":${Date.now()},${place},"event":{"type":"update","data":${data}}}`;
}

const rivulet: Dialect = {
  watchUrl: (base, group) => `${base}stream/${STREAM}/${group}`,
  watcherReady: (_socket, _group, text) => text?.includes('"type":"sync"') ?? false,
  writerReady: (_socket, text) => text?.includes('"workerregistered"') ?? false,
  sinkScript: () => ['{'],
  isSuspect: () => false,
  isDelivery: () => true,
  set(group, item, data, call) {
    const id = CALL_PREFIX + call.toString(16).padStart(12, '0');
    const place = `"stream_name":"${STREAM}","group_id":"${group}","item_id":"${item}"`;
    return `{"type":"invokefunction","invocation_id":"${id}","function_id":"stream::set","data":{${place},"data":${data}}}`;
  },
  acknowledged(text) {
    const at = text.indexOf(CALL_PREFIX);
    if (at < 0 || !text.includes('"invocationresult"')) return undefined;
    return Number.parseInt(text.slice(at + CALL_PREFIX.length, at + CALL_PREFIX.length + 12), 16);
  },
  isRefusal: (text) => text.includes('"error":{'),
};

/** Engine.IO 4 in Socket.IO 5: `0` open, `2` ping, `3` pong, `40` connect, `42` event, `43` acknowledgement. */
const socketIo: Dialect = {
  watchUrl: (base) => base,
  watcherReady(socket, group, text) {
    if (text?.startsWith('0{')) socket.send('40');
    if (text?.startsWith('40')) socket.send(`420["join","${group}"]`);
    return text?.startsWith('430') ?? false;
  },
  writerReady(socket, text) {
    if (text?.startsWith('0{')) socket.send('40');
    return text?.startsWith('40') ?? false;
  },
  sinkScript: (group) => ['0{', '40', '40', `420["join","${group}"]`, '430'],
  isSuspect: (length) => length < 8,
  isDelivery(socket, text) {
    if (text === '2') socket.send('3');
    return text.startsWith('42');
  },
  set: (group, item, data, call) => `42${call}["set","${group}",${change(group, item, data)}]`,
  acknowledged(text) {
    if (!text.startsWith('43')) return undefined;
    return Number.parseInt(text.slice(2), 10);
  },
  isRefusal: () => false,
};

const uwebsockets: Dialect = {
  watchUrl: (base, group) => `${base}?topic=${group}`,
  watcherReady: () => true,
  writerReady: () => true,
  sinkScript: () => [],
  isSuspect: () => false,
  isDelivery: () => true,
  set: (group, item, data) => `${group} ${change(group, item, data)}`,
  acknowledged: () => undefined,
  isRefusal: () => false,
};

/** The same connections as `rivulet`, with calls to another worker in place of writes. */
const rivuletCalls: Dialect = {
  ...rivulet,
  set(_group, _item, data, call) {
    const id = CALL_PREFIX + call.toString(16).padStart(12, '0');
    return `{"type":"invokefunction","invocation_id":"${id}","function_id":"bench::call","data":${data}}`;
  },
};

const socketIoCalls: Dialect = { ...socketIo, set: (_group, _item, data, call) => `42${call}["call",${data}]` };

export const DIALECTS: Readonly<Record<DialectName, Dialect>> = {
  rivulet,
  'socket.io': socketIo,
  uwebsockets,
  'rivulet-calls': rivuletCalls,
  'socket.io-calls': socketIoCalls,
};
