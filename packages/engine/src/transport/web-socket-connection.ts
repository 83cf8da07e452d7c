import type { Socket } from 'node:net';
import { CLOSE_CODES, type CloseName } from '@rivulet/protocol';
import { WebSocket } from 'ws';
import type { Logger } from '../logging/logger.js';
import { systemClock } from '../structures/clock.js';
import { TurnBudget } from '../structures/turn-budget.js';
import type { Connection, ConnectionOwner } from './connection.js';
import type { InboundMeter } from './inbound-meter.js';
import { LateFrames } from './late-frames.js';
import type { Liveness, Pingable } from './liveness.js';
import { encodePong, PING_FRAME, PONG_FRAME } from './websocket-frame.js';

/** Codes of RFC 6455 for a Close frame without a code, and for a connection that ended without a Close frame. */
const NO_CODE = 1005;
const NO_CLOSE_FRAME = 1006;
/** All connections share the turn of the event loop. */
const TURNS = TurnBudget.of(systemClock);
/** What RFC 6455 calls a policy violation; `ws` ends a message of too many fragments with it too, and also without a reason. */
const POLICY_VIOLATION = 1008;
/** Of `ws`: it waits for the first byte of a frame. */
const BETWEEN_FRAMES = 0;
const FIRST_CONTROL_OPCODE = 8;
/** Beyond so many unsent bytes only the latest ping is answered, when they have gone out, as RFC 6455 §5.5.3 allows. */
const PONG_BACKLOG_BYTES = 65_536;
/** Pause before the kernel asks a silent peer of a transfer whether it is there. */
const KEEP_ALIVE_MS = 30_000;

/** The state of the parser as `ws` keeps it. Its version is pinned, and tests of slow messages fail if a name changes. */
interface Parser {
  readonly _state: number;
  readonly _opcode: number;
  /** Opcode of the fragmented message that is not finished; 0 when there is none. */
  readonly _fragmented: number;
  /** Replaced when a message is whole. */
  readonly _fragments: object;
  /** Bytes of the fragments that are whole. */
  readonly _messageLength: number;
  /** Bytes that were read and not parsed. */
  readonly _bufferedBytes: number;
}

/** The handle of a Node socket. */
interface Handle {
  /** Bytes that Node has given to libuv. */
  readonly bytesWritten: number;
  /** Bytes that libuv has not given to the kernel yet. */
  readonly writeQueueSize: number;
  /** True while libuv reads the socket. Node sets it too. */
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

/** Pongs that leave together when the bytes of one read are handled: a write for each ping would hold up the event loop. */
interface PongBatch {
  readonly frames: Buffer[];
  bytes: number;
}

/** Facts that a connection gets once, after its handshake. */
export interface ConnectionStart {
  readonly liveness: Liveness;
  readonly logger: Logger;
  /** As in `Verdict.bulk`. */
  readonly mayRest: boolean;
  /** As in `UpgradeRequest`. */
  readonly remoteAddress: string;
}

/**
 * `ws` parses and shakes hands on close; whole frames are written past it, straight to the socket. Both sides write
 * only whole frames, so they can't tear each other. Listeners are shared functions, not closures: an idle connection is paid for
 * ten thousand times.
 */
export class WebSocketConnection extends WebSocket implements Connection, Pingable {
  declare protected readonly _receiver: Parser | null;
  #owner: ConnectionOwner | undefined;
  #meter: InboundMeter | undefined;
  /** Of the owner's session. `ending`: it ends later in this turn. */
  #session: 'open' | 'ending' | 'ended' = 'open';
  /** Code with which the session ends. */
  #endCode = NO_CLOSE_FRAME;
  #raw: Socket | undefined;
  #liveness: Liveness | undefined;
  #logger: Logger | undefined;
  awaitsPong = false;
  unread = 0;
  leftAtPing = Infinity;
  /** Bytes written before the unanswered ping; −1 when there is none. */
  #pingedAt = -1;
  /** Bytes written before the last ping that was answered: the peer has read them. */
  #readUpTo = 0;
  /** Payload of the latest ping, which waits for its pong. */
  #owedPong: Buffer | undefined;
  #pongs: PongBatch | undefined;
  /** The socket is not read until the next turn. */
  #resting = false;
  /** The kernel is not asked for more bytes until `resume`. */
  #readStopped = false;
  /** Frames that wait for a later turn; `undefined`: none do. */
  #late: LateFrames | undefined;
  mayRest = false;
  remoteAddress = '';

  /** Called once, right after the handshake. The kernel watches a peer that `mayRest` while it reads nothing. */
  begin(socket: Socket, { liveness, logger, mayRest, remoteAddress }: ConnectionStart): void {
    this.mayRest = mayRest;
    if (mayRest) socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#readUpTo = socket.bytesWritten;
    this.#raw = socket;
    this.#liveness = liveness;
    this.#logger = logger;
    this.remoteAddress = remoteAddress;
    socket.setNoDelay(true);
    this.on('error', onError);
    this.on('close', onClose);
    liveness.add(this);
  }

  own(owner: ConnectionOwner): void {
    this.#owner = owner;
    this.#meter = owner.meter;
    this.#meter?.attach(this);
    this.on('message', onMessage);
    this.on('ping', onPing);
    this.on('pong', onPong);
    this.#raw?.on('drain', onDrain.bind(undefined, this));
    // A peer that reads nothing more can keep the socket open long after its FIN.
    this.#raw?.once('end', endSession.bind(undefined, this));
  }

  get open(): boolean {
    return this.readyState === WebSocket.OPEN;
  }

  get buffered(): number {
    return this.#raw?.writableLength ?? 0;
  }

  get #handle(): Handle | null {
    return ((this.#raw ?? {}) as { readonly _handle?: Handle | null })._handle ?? null;
  }

  get left(): number {
    const handle = this.#handle;
    // A large message counts as buffered until all of it has left; the handle knows of its parts.
    return handle === null ? 0 : handle.bytesWritten - handle.writeQueueSize;
  }

  write(frames: Buffer): void {
    if (this.readyState === WebSocket.OPEN) this.#raw?.write(frames);
  }

  writeFrame(head: Buffer, payload: Buffer, sent: () => void): void {
    if (this.readyState !== WebSocket.OPEN) return;
    this.#raw?.cork();
    this.#raw?.write(head);
    this.#raw?.write(payload, sent);
    this.#raw?.uncork();
  }

  override pause(): void {
    this.awaitsPong = false;
    super.pause();
    // A paused socket of Node still reads 64 KiB. Hundreds of paused writers of one guest would hold that much each.
    const handle = this.#handle;
    if (!this.mayRest || handle?.reading !== true) return;
    handle.reading = false;
    handle.readStop();
    this.#readStopped = true;
  }

  override resume(): void {
    super.resume();
    const handle = this.#handle;
    if (!this.#readStopped || handle === null) return;
    this.#readStopped = false;
    if (handle.reading) return;
    handle.reading = true;
    handle.readStart();
  }

  watchUnfinished(changed: (bytes: number) => void): void {
    // `ws` has parsed the bytes when this listener runs, because it was added later.
    this.#raw?.on('data', () => {
      const parser = this._receiver;
      if (parser !== null) changed(parser._messageLength + parser._bufferedBytes);
    });
  }

  probePeer(): void {
    if (this.buffered === 0) this.write(PONG_FRAME);
  }

  probe(): void {
    // Its pong would not be read.
    if (this.isPaused) return;
    this.awaitsPong = true;
    // It stands behind everything that the peer has not read: a second one would reach it no sooner.
    if (this.#pingedAt >= 0) return;
    this.#pingedAt = this.#raw?.bytesWritten ?? 0;
    this.unread = this.#pingedAt - this.#readUpTo;
    this.write(PING_FRAME);
  }

  pinged(data: Buffer): void {
    this.awaitsPong = false;
    this.#meter?.frame(data.length);
    if (!this.#resting && TURNS.over) this.#rest();
    // A pong says that the frames before its ping were handled, so it waits for those that a later turn handles.
    if (this.#late === undefined) return this.#answerPing(data);
    const copy = Buffer.from(data);
    this.#late.afterwards(() => this.#answerPing(copy));
  }

  #answerPing(data: Buffer): void {
    const full = this.buffered + (this.#pongs?.bytes ?? 0) > PONG_BACKLOG_BYTES;
    this.#owedPong = full ? Buffer.from(data) : undefined;
    if (full || !this.open) return;
    if (this.#pongs === undefined) {
      this.#pongs = { frames: [], bytes: 0 };
      process.nextTick(sendPongs, this);
    }
    const frame = encodePong(data);
    this.#pongs.frames.push(frame);
    this.#pongs.bytes += frame.length;
  }

  /** Sends the pongs that wait in one write. */
  sendPongs(): void {
    const pongs = this.#pongs;
    this.#pongs = undefined;
    if (pongs !== undefined) this.write(Buffer.concat(pongs.frames, pongs.bytes));
  }

  drained(): void {
    // What the kernel took, nobody need have read: a sign of life only where the benefit of the doubt is given.
    if (this.#liveness?.sparesSlowReaders === true) this.awaitsPong = false;
    const data = this.#owedPong;
    this.#owedPong = undefined;
    if (data !== undefined && this.open) this.pong(data);
    if (this.#session === 'open') this.guard(drained);
  }

  answered(): void {
    this.awaitsPong = false;
    this.#meter?.frame(0);
    if (!this.#resting && TURNS.over) this.#rest();
    if (this.#pingedAt >= 0) this.#readUpTo = this.#pingedAt + PING_FRAME.length;
    this.#pingedAt = -1;
  }

  get unfinished(): object | undefined {
    const parser = this._receiver;
    if (parser === null || this.readyState !== WebSocket.OPEN || this.isPaused || this.#late !== undefined) return undefined;
    // A control frame that never ends pins 125 bytes, and its sender can't answer the next ping.
    const begun = parser._fragmented !== 0 || (parser._state !== BETWEEN_FRAMES && parser._opcode < FIRST_CONTROL_OPCODE);
    return begun ? parser._fragments : undefined;
  }

  expire(): void {
    this.close(POLICY_VIOLATION);
  }

  /**
   * The engine calls it with a name. `ws` calls it with a number while it reads: with the peer's code when it has read the peer's Close
   * frame, or with the code of a protocol error. Either way the session ends in this turn, and does not wait until TCP ends.
   */
  override close(name?: CloseName | number, reason?: string | Buffer): void {
    // The peer sent these frames before its Close frame.
    if (typeof name !== 'string' && this.#late !== undefined && this.#session === 'open')
      return this.#late.afterwards(() => this.close(name, reason));
    this.sendPongs();
    // The answer must be read; what comes before it is dropped.
    this.resume();
    if (typeof name === 'string') {
      const entry = CLOSE_CODES[name];
      super.close(entry.code, entry.reason);
      this.#endSoon(entry.code);
    } else {
      super.close(name, reason);
      this.endSession(name ?? NO_CODE);
    }
  }

  destroy(): void {
    this.terminate();
    this.#endSoon(NO_CLOSE_FRAME);
  }

  /** Runs the owner's code for peer input; whatever it throws ends this connection and nothing else. */
  guard(run: (owner: ConnectionOwner) => void): void {
    if (this.#owner === undefined) return;
    try {
      run(this.#owner);
    } catch (error) {
      this.#failed(error);
    }
  }

  received(data: Buffer, isBinary: boolean): void {
    this.awaitsPong = false;
    const owner = this.#owner;
    if (owner === undefined || this.readyState !== WebSocket.OPEN) return;
    this.#meter?.frame(data.length);
    if (this.#late === undefined && !TURNS.over) this.#deliver(data, isBinary);
    else this.#putOff(data, isBinary);
  }

  #deliver(data: Buffer, isBinary: boolean): void {
    const owner = this.#owner;
    if (owner === undefined || this.#session !== 'open') return;
    try {
      if (isBinary) owner.onBinary(data);
      else owner.onText(data.toString());
    } catch (error) {
      this.#failed(error);
    }
  }

  /** The socket is not read until the frame is delivered; `ws` may still have others of the same read. */
  #putOff(data: Buffer, isBinary: boolean): void {
    this.#raw?.pause();
    if (this.#late !== undefined) return this.#late.add(data, isBinary);
    const late = new LateFrames(TURNS, (each, binary) => this.#deliver(each, binary));
    this.#late = late;
    late.add(data, isBinary);
    late.afterwards(() => {
      this.#late = undefined;
      if (!this.isPaused) this.#raw?.resume();
    });
    late.run().catch((error: unknown) => this.#failed(error));
  }

  /** Reads nothing more of the socket in this turn. */
  #rest(): void {
    if (this.#late !== undefined) return;
    this.#resting = true;
    this.#raw?.pause();
    setImmediate(resume, this);
  }

  /** Reads the socket again after a rest. */
  rested(): void {
    this.#resting = false;
    if (this.#late === undefined && !this.isPaused) this.#raw?.resume();
  }

  /** Ends the owner's session, once. The first code counts. */
  endSession(code: number = this.#endCode): void {
    if (this.#session === 'ended') return;
    // The peer sent these frames before its end.
    if (this.#late !== undefined && this.#session === 'open') return this.#late.afterwards(() => this.endSession(code));
    const first = this.#session === 'ending' ? this.#endCode : code;
    this.#session = 'ended';
    this.guard((owner) => owner.onClose(first));
  }

  /** Ends the session later in this turn: the caller may be the owner, in the middle of its work. */
  #endSoon(code: number): void {
    if (this.#session !== 'open') return;
    this.#session = 'ending';
    this.#endCode = code;
    process.nextTick(endSession, this);
  }

  /** TCP has ended. */
  disconnected(code: number): void {
    this.#liveness?.remove(this);
    if (this.#late !== undefined && this.#session === 'open') this.#late.afterwards(() => this.#disconnected(code));
    else this.#disconnected(code);
  }

  #disconnected(code: number): void {
    this.endSession(code);
    this.guard((owner) => owner.onDisconnect?.());
    this.#owner = undefined;
  }

  #failed(error: unknown): void {
    this.#logger?.error('connection_failed', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    this.close('internal');
  }
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  (this as WebSocketConnection).received(data as Buffer, isBinary);
}

function onPing(this: WebSocket, data: Buffer): void {
  (this as WebSocketConnection).pinged(data);
}

function onPong(this: WebSocket): void {
  (this as WebSocketConnection).answered();
}

function onDrain(connection: WebSocketConnection): void {
  connection.drained();
}

function drained(owner: ConnectionOwner): void {
  owner.onDrain();
}

function sendPongs(connection: WebSocketConnection): void {
  connection.sendPongs();
}

function resume(connection: WebSocketConnection): void {
  connection.rested();
}

function endSession(connection: WebSocketConnection): void {
  connection.endSession();
}

/** `ws` closes with the right code by itself; the event only must not stay unheard. */
function onError(): void {}

function onClose(this: WebSocket, code: number): void {
  (this as WebSocketConnection).disconnected(code);
}
