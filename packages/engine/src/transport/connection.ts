import type { CloseName } from '@rivulet/protocol';
import type { InboundMeter } from './rates/inbound-meter.js';

/**
 * The contract between a WebSocket and the session behind it.
 *
 * Data flow. The listener accepts an upgrade, creates the `Connection` and asks the gateway for its `ConnectionOwner`, which is a stream
 * session, a worker session or an end of a channel. Messages of the peer go from the connection to the owner, one at a time and in order.
 * The owner answers by `write`, with frames that are already encoded:
 *
 *     peer → socket → parser → backlog (messages that wait for a later turn) → owner.onText / onBinary
 *     peer ← socket ← connection.write ← owner
 *
 * Invariants.
 * 1. The connection calls its owner only from the event loop, never from inside a method that the owner has called.
 * 2. `onClose` runs exactly once. No message and no drain follows it, and later writes are ignored.
 * 3. Frames that the peer sent before its Close frame or its FIN are delivered before `onClose`, also when they wait for a later turn.
 * 4. An error that the owner throws closes its own connection with `internal` (1011), and no other connection.
 * 5. `buffered` counts each byte that the kernel has not taken. The owner must read it before it writes, because the connection accepts any
 *    amount.
 *
 * Example. A stream session writes a change to its peer while `buffered` is small. When the peer reads slowly, the session stops writing,
 * remembers its position, and continues in `onDrain`:
 *
 *     onDrain() { if (connection.buffered === 0) subscription.flush(); }
 *
 * If `onClose` ran before the last messages, a worker that sends a result and closes at once would lose that result. If it waited for the
 * end of TCP, a peer that never answers the Close frame would keep its leases and registrations until the time-out.
 */

/** The session behind a connection. It receives the input of the peer. */
export interface ConnectionOwner {
  /** Meter that counts the input of the peer. The connection reads it once, when it gets its owner. Without a meter nothing is counted. */
  readonly meter?: InboundMeter | undefined;
  /** Id of the session in debug lines. @default none */
  readonly sessionId?: string;
  /** Takes one whole text message. It is valid UTF-8 and within the message limit of the listener. */
  onText(text: string): void;
  /** Takes one whole binary message. */
  onBinary(data: Buffer): void;
  /** Runs when the kernel has taken all bytes, after `buffered` was above zero. */
  onDrain(): void;
  /**
   * Ends the session. It runs in the turn in which the engine reads the peer's Close frame, sends its own, or sees the end of TCP,
   * whichever is first. `code` is the code of the first Close frame, or 1006 without one.
   */
  onClose(code: number): void;
  /** Runs once, after `onClose`, when the TCP connection has ended. */
  onDisconnect?(): void;
}

/** One open WebSocket on the side of the server. */
export interface Connection {
  /** Address of the client, as a trusted proxy names it, or of the peer of the socket. */
  readonly remoteAddress: string;
  /** Address of the peer of the socket: the client itself, or the proxy nearest to the engine. */
  readonly peerAddress: string;
  /** Writes whole WebSocket frames unchanged. Many connections may share the buffer, so it must not change. Ignored once closing. */
  write(frames: Buffer): void;
  /** Writes one frame in two parts, which leave together. `sent` runs when the kernel has taken both, or when the connection has failed. */
  writeFrame(head: Buffer, payload: Buffer, sent: () => void): void;
  /** Bytes that the kernel has not taken yet. */
  readonly buffered: number;
  /** Whether no side has begun to close. */
  readonly open: boolean;
  /**
   * Stops reading the peer until `resume`, so that its TCP window fills. A few messages that were read already may still arrive. The engine
   * does not hold the silence of a paused peer against it. Idempotent.
   */
  pause(): void;
  /** Reads the peer again. Idempotent. */
  resume(): void;
  /**
   * Calls `changed` after each read, with the bytes that were read of an unfinished message, or 0 when there is none. Calls it with 0 when
   * the TCP connection has ended.
   */
  watchUnfinished(changed: (bytes: number) => void): void;
  /**
   * Sends a pong, which peers ignore. The kernel of a peer that has left answers with a reset. So the engine notices that peer at the next
   * probe, although it reads nothing.
   */
  probePeer(): void;
  /** Sends a close frame and ends the connection. Drops it if the peer does not answer in time. Idempotent. */
  close(name: CloseName): void;
  /** Drops the TCP connection at once. Idempotent. */
  destroy(): void;
}
