import type { CloseName } from '@rivulet/protocol';
import type { InboundMeter } from './inbound-meter.js';

/** What a session does with its connection. All calls come from the event loop, never from inside a method of the connection. */
export interface ConnectionOwner {
  /** Counts what the peer sends; absent: nothing is counted. Read once, when the owner takes the connection. */
  readonly meter?: InboundMeter | undefined;
  /** One whole text message; valid UTF-8, within the message limit. */
  onText(text: string): void;
  onBinary(data: Buffer): void;
  /** Everything that was written has left for the kernel, after `buffered` had been above zero. */
  onDrain(): void;
  /**
   * Ends the session. Runs once, in the turn in which the peer's Close frame is read, the engine sends its own, or TCP ends, whichever
   * is first. No message and no drain follows. `code` is that of the first Close frame; 1006 without one.
   */
  onClose(code: number): void;
  /** Runs once, after `onClose`, when the TCP connection has ended. */
  onDisconnect?(): void;
}

/** One open WebSocket, server side. */
export interface Connection {
  readonly remoteAddress: string;
  /** Writes whole WebSocket frames as they are; the buffer may be shared by many connections and must not change. Ignored once closing. */
  write(frames: Buffer): void;
  /** The same for one frame in two parts, which leave together. `sent` runs when the kernel has taken both, or the connection has failed. */
  writeFrame(head: Buffer, payload: Buffer, sent: () => void): void;
  /** Bytes that the kernel has not taken yet. */
  readonly buffered: number;
  readonly open: boolean;
  /**
   * Reads nothing more of the peer until `resume`, so that its TCP window fills; a few messages that were read already may still come.
   * Its silence is not held against it meanwhile. Idempotent.
   */
  pause(): void;
  resume(): void;
  /** Calls `changed` after each read with the bytes that were read of a message which is not whole; 0 when there is none. */
  watchUnfinished(changed: (bytes: number) => void): void;
  /** Sends something that means nothing: the kernel of a closed peer answers with a reset, which the next probe sees although nothing is read. */
  probePeer(): void;
  /** Sends a close frame and ends the connection; destroyed if the peer doesn't answer in time. Idempotent. */
  close(name: CloseName): void;
  /** Drops the TCP connection at once. Idempotent. */
  destroy(): void;
}
