import { describe, expect, it } from 'vitest';
import {
  Connection,
  type ConnectionOptions,
  type ConnectionState,
  DEFAULT_BACKOFF,
  pingKeepAlive,
  type SocketEvents,
} from '../../src/connection/connection.js';
import { TestClock } from '../test-clock.js';

interface TestSocket {
  readonly events: SocketEvents;
  readonly sent: string[];
  buffered: number;
  pings: number;
  terminated: boolean;
  closed: { code: number; reason: string } | undefined;
}

function start(options: Partial<ConnectionOptions> = {}) {
  const clock = new TestClock();
  const sockets: TestSocket[] = [];
  const states: ConnectionState[] = [];
  const lost: number[] = [];
  const texts: string[] = [];
  let wake = () => {};
  const connection = new Connection({
    url: 'ws://test',
    owner: {
      onOpen: (send) => send('first'),
      onFlushed: (send) => send('last'),
      onText: (text) => void texts.push(text),
      onLost: ({ code }) => void lost.push(code),
      onState: (state) => void states.push(state),
    },
    openSocket: (_url, events) => {
      const socket: TestSocket = { events, sent: [], buffered: 0, pings: 0, terminated: false, closed: undefined };
      sockets.push(socket);
      return {
        send: (text) => void socket.sent.push(text),
        get bufferedAmount() {
          return socket.buffered;
        },
        close: (code, reason) => {
          socket.closed = { code, reason };
        },
        terminate: () => {
          socket.terminated = true;
        },
        ping: () => {
          socket.pings++;
        },
      };
    },
    wakeSource: (callback) => {
      wake = callback;
      return () => {
        wake = () => {};
      };
    },
    clock,
    random: () => 0.999,
    ...options,
  });
  const socket = (n: number) => {
    const found = sockets[n];
    if (found === undefined) throw new Error(`no socket ${n}`);
    return found;
  };
  return { clock, sockets, socket, states, lost, texts, connection, wake: () => wake() };
}

const LOST = { code: 1006, reason: '' };
const delays = (states: readonly ConnectionState[]) => states.flatMap((state) => (state.kind === 'waiting' ? [state.delayMs] : []));

describe('a connection that fails', () => {
  it('is tried again within 1 s, then at most twice as late each time, never later than 30 s', () => {
    const { clock, sockets, socket, states } = start();
    for (let n = 0; n < 8; n++) {
      socket(n).events.onClose(LOST);
      clock.pass(delays(states).at(-1) ?? 0);
    }
    expect(sockets).toHaveLength(9);
    expect(delays(states)).toEqual([999, 1_998, 3_996, 7_992, 15_984, 29_970, 29_970, 29_970]);
  });

  it('waits less after a close whose reason has a bound of its own', () => {
    const { clock, socket, states } = start({ backoff: { ...DEFAULT_BACKOFF, maxDelayMsAfter: { soon: 5_000 } } });
    for (let n = 0; n < 6; n++) {
      socket(n).events.onClose({ code: 1013, reason: n === 5 ? '' : 'soon' });
      clock.pass(delays(states).at(-1) ?? 0);
    }
    expect(delays(states)).toEqual([999, 1_998, 3_996, 4_995, 4_995, 29_970]);
  });

  it('waits any time below the bound', () => {
    const { socket, states } = start({ random: () => 0 });
    socket(0).events.onClose(LOST);
    expect(delays(states)).toEqual([0]);
  });

  it('is given up after the attempts that it has, and says so', () => {
    const { clock, socket, sockets, connection } = start({ maxAttempts: 1 });
    socket(0).events.onClose(LOST);
    clock.pass(1_000);
    socket(1).events.onClose(LOST);
    expect(connection.state).toEqual({ kind: 'closed', by: 'attempts', last: LOST });
    clock.pass(100_000);
    expect(sockets).toHaveLength(2);
    expect(connection.send('x')).toBe('closed');
    expect(clock.pending).toBe(0);
  });

  it('counts as failed when it does not open in 10 s; later events of the slow socket have no effect', () => {
    const { clock, socket, sockets, states } = start();
    clock.pass(10_000);
    expect(socket(0).terminated).toBe(true);
    clock.pass(1_000);
    socket(0).events.onOpen();
    socket(0).events.onText('late');
    socket(0).events.onClose(LOST);
    expect(sockets).toHaveLength(2);
    expect(states.at(-1)).toEqual({ kind: 'connecting', attempt: 1 });
  });

  it('is tried at once when the network is back or the page is visible, and only then', () => {
    const { socket, sockets, wake } = start();
    wake();
    expect(sockets).toHaveLength(1);
    socket(0).events.onClose(LOST);
    wake();
    expect(sockets).toHaveLength(2);
    socket(1).events.onOpen();
    wake();
    expect(sockets).toHaveLength(2);
  });
});

describe('a connection that opened', () => {
  it('begins its backoff anew only if it held 5 s', () => {
    const { clock, socket, states } = start();
    socket(0).events.onOpen();
    clock.pass(4_999);
    socket(0).events.onClose(LOST);
    clock.pass(1_000);
    socket(1).events.onOpen();
    socket(1).events.onClose(LOST);
    clock.pass(2_000);
    socket(2).events.onOpen();
    clock.pass(5_000);
    socket(2).events.onClose(LOST);
    expect(delays(states)).toEqual([999, 1_998, 999]);
  });

  it('pings, and is dropped when nothing comes for 60 s', () => {
    const { clock, socket, lost } = start({ keepAlive: pingKeepAlive({ everyMs: 20_000, silentMs: 60_000 }) });
    socket(0).events.onOpen();
    clock.pass(50_000);
    socket(0).events.onActivity();
    clock.pass(59_000);
    expect(lost).toEqual([]);
    clock.pass(21_000);
    expect(lost).toEqual([1006]);
    expect(socket(0)).toMatchObject({ terminated: true, pings: 5 });
  });
});

describe('what is sent', () => {
  it('while there is no connection waits between the first texts and the last, without unwanted texts', () => {
    const { socket, connection } = start();
    expect(connection.send('a')).toBe('queued');
    expect(connection.send('b', () => false)).toBe('queued');
    expect(connection.send('c')).toBe('queued');
    socket(0).events.onOpen();
    expect(connection.send('d')).toBe('sent');
    expect(socket(0).sent).toEqual(['first', 'a', 'c', 'last', 'd']);
    expect(connection.queued).toBe(0);
  });

  it('is refused beyond the bounds of messages and of size, for which unwanted texts do not count', () => {
    const { connection } = start({ outbound: { messages: 2, units: 10 } });
    let wanted = true;
    expect(connection.send('12345678901')).toBe('full');
    expect(connection.send('1', () => wanted)).toBe('queued');
    expect(connection.send('2')).toBe('queued');
    expect(connection.send('3')).toBe('full');
    wanted = false;
    expect(connection.send('3')).toBe('queued');
  });

  it('is refused while the socket holds too much', () => {
    const { socket, connection } = start({ maxBufferedBytes: 100 });
    socket(0).events.onOpen();
    socket(0).buffered = 101;
    expect(connection.send('x')).toBe('full');
    socket(0).buffered = 100;
    expect(connection.send('x')).toBe('sent');
  });
});

describe('closing', () => {
  it('ends with the close of the socket, once for all who ask', async () => {
    const { socket, connection, clock, lost } = start();
    socket(0).events.onOpen();
    const both = Promise.all([connection.close(1000, 'bye'), connection.close()]);
    expect(connection.state).toEqual({ kind: 'closing' });
    expect(connection.send('x')).toBe('closed');
    socket(0).events.onClose({ code: 1000, reason: 'bye' });
    await both;
    expect(connection.state).toMatchObject({ kind: 'closed', by: 'owner' });
    expect([lost, clock.pending]).toEqual([[1000], 0]);
    await connection.close();
  });

  it('takes at most 2 s from a peer that says nothing', async () => {
    const { socket, connection, clock } = start();
    socket(0).events.onOpen();
    const closed = connection.close();
    clock.pass(2_000);
    await closed;
    expect(socket(0).terminated).toBe(true);
  });

  it.each([
    ['while it connects', () => {}],
    ['while it waits', (socket: TestSocket) => socket.events.onClose(LOST)],
  ])('%s leaves nothing behind', async (_when, before) => {
    const { socket, sockets, connection, clock } = start();
    before(socket(0));
    connection.send('x');
    await connection.close();
    clock.pass(100_000);
    expect([sockets.length, connection.queued, clock.pending, connection.state.kind]).toEqual([1, 0, 0, 'closed']);
  });

  it('by an owner that hears of a new attempt opens no socket', () => {
    let close = () => Promise.resolve();
    const onState = ({ kind }: ConnectionState) => {
      if (kind === 'connecting') void close();
    };
    const { socket, sockets, connection, clock } = start({
      owner: { onOpen: () => {}, onFlushed: () => {}, onText: () => {}, onLost: () => {}, onState },
    });
    socket(0).events.onClose({ code: 1006, reason: '' });
    close = () => connection.close();
    clock.pass(100_000);
    expect([sockets.length, clock.pending, connection.state.kind]).toEqual([1, 0, 'closed']);
  });

  it('by an owner that closes as soon as it is open stays closed', async () => {
    let close = () => Promise.resolve();
    const owner = { onOpen: () => void close(), onFlushed: () => {}, onText: () => {}, onLost: () => {}, onState: () => {} };
    const { socket, connection } = start({ owner });
    close = () => connection.close();
    socket(0).events.onOpen();
    expect(connection.state.kind).toBe('closing');
  });
});
