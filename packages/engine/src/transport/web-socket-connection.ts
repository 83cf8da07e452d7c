import type { Socket } from 'node:net';
import { CLOSE_CODES, type CloseName } from '@rivulet/protocol';
import { WebSocket } from 'ws';
import type { Logger } from '../logging/logger.js';
import { systemClock } from '../structures/clock.js';
import { plainAddress } from '../structures/ip-address.js';
import { TurnBudget } from '../structures/turn-budget.js';
import type { Connection, ConnectionOwner } from './connection.js';
import { InboundBacklog, type ParsedFrame } from './inbound-backlog.js';
import type { Liveness, Pingable } from './liveness.js';
import { Pongs } from './pongs.js';
import type { InboundMeter } from './rates/inbound-meter.js';
import { SlowReader } from './slow-reader.js';
import { type TextReceiver, takeTextFrames } from './text-frames.js';
import { PING_FRAME, PONG_FRAME } from './websocket-frame.js';
import {
  feedThrough,
  mostBesideParser,
  type ParsedPiece,
  type Parser,
  type ParserFeed,
  parsePiece,
  startReading,
  stopReading,
  takenByKernel,
  unfinishedBytes,
  unfinishedMessage,
} from './ws-internals.js';

/** Codes of RFC 6455 for a Close frame without a code, and for a connection that ended without a Close frame. */
const NO_CODE = 1005;
const NO_CLOSE_FRAME = 1006;
/** All connections share the turn of the event loop. */
const TURNS = TurnBudget.of(systemClock);
/** RFC 6455 calls this a policy violation. `ws` also closes with it, and without a reason, when a message has too many fragments. */
const POLICY_VIOLATION = 1008;
/** Pause before the kernel probes a silent peer of a transfer. */
const KEEP_ALIVE_MS = 30_000;

/** Facts that a connection gets once, after its handshake. */
export interface ConnectionStart {
  readonly liveness: Liveness;
  readonly logger: Logger;
  /** See `Verdict.bulk`. */
  readonly mayRest: boolean;
  /** See `UpgradeRequest`. */
  readonly remoteAddress: string;
}

/**
 * A server-side WebSocket. `ws` parses input and does the closing handshake. The engine writes its frames past `ws`, straight to the
 * socket. Both write only whole frames, so neither can split a frame of the other.
 *
 * Input takes this way: socket → parser of `ws` → `feed` → the owner. `feed` reads ordinary text frames itself and calls `receivedText` for
 * each. All other bytes go back to the parser, one piece at a time, which calls `received`, `pinged` or `answered` for each frame. When the
 * turn of the event loop has used up its time, the rest waits in the `InboundBacklog`.
 *
 * The listeners are shared functions and no closures, because a process has ten thousand idle connections.
 */
export class WebSocketConnection extends WebSocket implements Connection, Pingable, ParserFeed, TextReceiver {
  declare protected readonly _receiver: Parser | null;
  #owner: ConnectionOwner | undefined;
  #meter: InboundMeter | undefined;
  /** State of the owner's session. `ending` means that it ends later in this turn. */
  #session: 'open' | 'ending' | 'ended' = 'open';
  /** Close code with which the session ends. */
  #endCode = NO_CLOSE_FRAME;
  #raw: Socket | undefined;
  #liveness: Liveness | undefined;
  #logger: Logger | undefined;
  reader = new SlowReader(0);
  /** `undefined` until the first ping. */
  #pongs: Pongs | undefined;
  /** Input that waits for a later turn; `undefined` when there is none. */
  #backlog: InboundBacklog | undefined;
  /** The kernel is not asked for more bytes until `resume`. */
  #readStopped = false;
  #unfinishedChanged: ((bytes: number) => void) | undefined;
  mayRest = false;
  remoteAddress = '';

  /**
   * Begins to watch the connection. The listener calls it once, right after the handshake. The kernel probes a peer that `mayRest`, because
   * the engine may not read it for a long time.
   */
  begin(socket: Socket, { liveness, logger, mayRest, remoteAddress }: ConnectionStart): void {
    this.mayRest = mayRest;
    if (mayRest) socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.reader = new SlowReader(socket.bytesWritten);
    if (this._receiver !== null) feedThrough(this._receiver, this);
    this.#raw = socket;
    this.#liveness = liveness;
    this.#logger = logger;
    this.remoteAddress = remoteAddress;
    socket.setNoDelay(true);
    this.on('error', onError);
    this.on('close', onClose);
    liveness.add(this);
  }

  /** Connects the owner's session, which receives messages from now on. */
  own(owner: ConnectionOwner): void {
    this.#owner = owner;
    this.#meter = owner.meter;
    this.#meter?.attach(this);
    this.on('message', onMessage);
    this.on('ping', onPing);
    this.on('pong', onPong);
    this.#raw?.on('drain', onDrain.bind(undefined, this));
    // Without this, a peer that sends FIN and reads nothing would keep its session until the socket closes.
    this.#raw?.once('end', endSession.bind(undefined, this));
  }

  get open(): boolean {
    return this.readyState === WebSocket.OPEN;
  }

  get peerAddress(): string {
    return plainAddress(this.#raw?.remoteAddress ?? '');
  }

  get buffered(): number {
    return this.#raw?.writableLength ?? 0;
  }

  get written(): number {
    return this.#raw?.bytesWritten ?? 0;
  }

  get taken(): number {
    return takenByKernel(this.#raw);
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
    this.reader.heard();
    super.pause();
    // A paused socket of Node still reads 64 KiB. Hundreds of paused writers of one guest would hold that much each.
    if (this.mayRest && stopReading(this.#raw)) this.#readStopped = true;
  }

  override resume(): void {
    super.resume();
    if (this.#readStopped && startReading(this.#raw)) this.#readStopped = false;
  }

  watchUnfinished(changed: (bytes: number) => void): void {
    this.#unfinishedChanged = changed;
  }

  probePeer(): void {
    if (this.buffered === 0) this.write(PONG_FRAME);
  }

  probe(): void {
    // The engine would not read the pong of a paused connection.
    if (!this.isPaused && this.reader.probe(this)) this.write(PING_FRAME);
  }

  /** Takes a ping from the parser. */
  pinged(data: Buffer): void {
    this.reader.heard();
    this.#meter?.frame(data.length);
    // A pong says that the engine has handled the frames before the ping. So a ping waits behind the frames in the backlog.
    if (this.#backlog === undefined) this.#answerPing(data);
    else this.#backlog.add({ kind: 'ping', data: Buffer.from(data) });
  }

  #answerPing(data: Buffer): void {
    this.#pongs ??= new Pongs(this);
    this.#pongs.answer(data);
  }

  /** Takes the news that the kernel has taken all bytes. */
  drained(): void {
    // The kernel has taken the bytes, but the peer may not have read them. A strict listener therefore does not take this as a sign of
    // life.
    if (this.#liveness?.sparesSlowReaders === true) this.reader.heard();
    this.#pongs?.drained();
    if (this.#session === 'open') this.guard(drained);
  }

  /** Takes a pong from the parser. */
  answered(): void {
    this.#meter?.frame(0);
    this.reader.ponged(PING_FRAME.length);
  }

  get unfinished(): object | undefined {
    const parser = this._receiver;
    const isRead = this.readyState === WebSocket.OPEN && !this.isPaused && this.#backlog === undefined;
    return parser === null || !isRead ? undefined : unfinishedMessage(parser);
  }

  expire(): void {
    this.close(POLICY_VIOLATION);
  }

  /**
   * Begins or continues the closing handshake. The engine calls it with a name. `ws` calls it with a number while it parses: the code of
   * the peer's Close frame, or the code of a protocol error. In both cases the session ends in this turn and does not wait for the end of
   * TCP.
   */
  override close(name?: CloseName | number, reason?: string | Buffer): void {
    // The peer sent the frames in the backlog before its Close frame.
    if (typeof name !== 'string' && this.#backlog !== undefined && this.#session === 'open')
      return this.#backlog.afterwards(() => this.close(name, reason));
    this.#pongs?.flush();
    // The engine must read the peer's Close frame. It drops the frames before that.
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

  /** Calls the owner. An error of the owner's code ends this connection and nothing else. */
  guard(run: (owner: ConnectionOwner) => void): void {
    if (this.#owner === undefined) return;
    try {
      run(this.#owner);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Parses bytes of the socket, in pieces, until this turn has used up its time. */
  feed(bytes: Buffer, done: (error?: Error | null) => void): void {
    let rest = bytes;
    let error: Error | undefined;
    while (rest.length > 0 && this.takesFrames) {
      rest = this.#takeTexts(rest);
      if (rest.length > 0 && this.takesFrames) ({ rest, error } = this.#parsePiece(rest));
    }
    if (rest.length === 0 && this.#backlog === undefined) return done(error);
    this.#beginBacklog().feed(rest, (later) => done(later ?? error));
  }

  get takesFrames(): boolean {
    return this.#backlog === undefined && !TURNS.over;
  }

  /** Reads the text frames at the begin of the bytes and returns the rest. */
  #takeTexts(bytes: Buffer): Buffer {
    const most = mostBesideParser(this._receiver as Parser);
    const taken = most === undefined ? 0 : takeTextFrames(bytes, most, this);
    return taken === 0 ? bytes : bytes.subarray(taken);
  }

  receivedText(text: string, bytes: number): void {
    this.reader.heard();
    const owner = this.#owner;
    if (owner === undefined || this.#session !== 'open') return;
    this.#meter?.frame(bytes);
    try {
      owner.onText(text);
    } catch (error) {
      this.#failed(error);
    }
  }

  #parsePiece(bytes: Buffer): ParsedPiece {
    const parser = this._receiver as Parser;
    const piece = parsePiece(parser, bytes);
    this.#unfinishedChanged?.(unfinishedBytes(parser));
    return piece;
  }

  /** Takes a whole message from the parser. */
  received(data: Buffer, isBinary: boolean): void {
    this.reader.heard();
    if (this.#owner === undefined || this.#session !== 'open') return;
    this.#meter?.frame(data.length);
    const kind = isBinary ? 'binary' : 'text';
    if (this.#backlog === undefined && !TURNS.over) this.#handle(kind, data);
    else this.#beginBacklog().add({ kind, data });
  }

  #handle(kind: ParsedFrame['kind'], data: Buffer): void {
    if (kind === 'ping') return this.#answerPing(data);
    const owner = this.#owner;
    if (owner === undefined || this.#session !== 'open') return;
    try {
      if (kind === 'binary') owner.onBinary(data);
      else owner.onText(data.toString());
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Returns the backlog, and begins one if there is none. The socket is not read until it is empty. */
  #beginBacklog(): InboundBacklog {
    if (this.#backlog !== undefined) return this.#backlog;
    this.#raw?.pause();
    const backlog = new InboundBacklog(TURNS, {
      parsePiece: (bytes) => this.#parsePiece(bytes),
      handle: ({ kind, data }) => this.#handle(kind, data),
      ended: () => {
        this.#backlog = undefined;
      },
    });
    this.#backlog = backlog;
    const resume = () => {
      if (this.#backlog === undefined && !this.isPaused) this.#raw?.resume();
    };
    backlog.run().then(resume, (error: unknown) => this.#failed(error));
    return backlog;
  }

  /** Ends the owner's session once. The first code counts. */
  endSession(code: number = this.#endCode): void {
    if (this.#session === 'ended') return;
    // The peer sent the frames in the backlog before it ended the connection.
    if (this.#backlog !== undefined && this.#session === 'open') return this.#backlog.afterwards(() => this.endSession(code));
    const first = this.#session === 'ending' ? this.#endCode : code;
    this.#session = 'ended';
    this.guard((owner) => owner.onClose(first));
  }

  /** Ends the session later in this turn. The caller may be the owner itself, in the middle of its work. */
  #endSoon(code: number): void {
    if (this.#session !== 'open') return;
    this.#session = 'ending';
    this.#endCode = code;
    process.nextTick(endSession, this);
  }

  /** Ends the session after the TCP connection has ended. */
  disconnected(code: number): void {
    this.#liveness?.remove(this);
    if (this.#backlog !== undefined && this.#session === 'open') this.#backlog.afterwards(() => this.#disconnected(code));
    else this.#disconnected(code);
  }

  #disconnected(code: number): void {
    this.endSession(code);
    this.#unfinishedChanged?.(0);
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

function endSession(connection: WebSocketConnection): void {
  connection.endSession();
}

/** `ws` closes with the right code by itself. Without a listener, Node would throw the error. */
function onError(): void {}

function onClose(this: WebSocket, code: number): void {
  (this as WebSocketConnection).disconnected(code);
}
