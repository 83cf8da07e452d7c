import type { CloseName } from '@rivulet/protocol';

/** What a session does with its connection. All calls come from the event loop, never from inside a method of the connection. */
export interface ConnectionOwner {
  /** One whole text message; valid UTF-8, within the message limit. */
  onText(text: string): void;
  onBinary(data: Buffer): void;
  /** Everything that was written has left for the kernel, after `buffered` had been above zero. */
  onDrain(): void;
  /** Once, whatever the reason. No other call follows. */
  onClose(code: number): void;
}

/** One open WebSocket, server side. */
export interface Connection {
  readonly remoteAddress: string;
  /** Writes whole WebSocket frames as they are; the buffer may be shared by many connections and must not change. Ignored once closing. */
  write(frames: Buffer): void;
  /** Bytes that the kernel has not taken yet. */
  readonly buffered: number;
  readonly open: boolean;
  /** Sends a close frame and ends the connection; destroyed if the peer doesn't answer in time. Idempotent. */
  close(name: CloseName): void;
  /** Drops the TCP connection at once. Idempotent. */
  destroy(): void;
}
