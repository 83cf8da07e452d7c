import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Connection } from '../../transport/connection.js';
import { OutboundBatch } from '../../transport/outbound-batch.js';
import type { SessionWarnings } from './session-warnings.js';

/** Answers to a guest up to this length count for the bound of its whole queue only. */
const LARGE_ANSWER_CHARS = 16_384;

export type Sent = 'sent' | 'closed' | 'too_large';

export interface OutboundOptions {
  readonly connection: Connection;
  readonly workerId: string;
  /** True: the bounds of guests apply. */
  readonly guest: boolean;
  /** Returns the largest message that the peer takes now, in bytes. The announcement of a worker may lower it. */
  readonly maxMessageBytes: () => number;
  readonly warnings: SessionWarnings;
  readonly logger: Logger;
}

/** Sends the frames of one worker session and bounds what waits for a peer that reads slowly. */
export class WorkerOutbound {
  readonly #options: OutboundOptions;
  readonly #batch: OutboundBatch;
  #closed = false;

  constructor(options: OutboundOptions) {
    const { connection } = options;
    this.#options = options;
    this.#batch = new OutboundBatch(
      (frames) => connection.write(frames),
      () => connection.buffered > 0,
    );
  }

  /** True while more is queued than another call may add to. The caller of the function then gets OVERLOADED. */
  get isBacklogged(): boolean {
    return this.#unsentBytes > (this.#options.guest ? LIMITS.guestCallBacklogBytes : LIMITS.workerCallBacklogBytes);
  }

  /** Returns whether an answer of this length may be queued. A guest that reads slowly gets no large answers until it has read. */
  mayAnswer(chars: number): boolean {
    const { guest, warnings } = this.#options;
    if (!guest || chars <= LARGE_ANSWER_CHARS) return true;
    const may = this.#unsentBytes + chars <= LIMITS.guestAnswerBytes;
    if (!may) warnings.add('answers_unread', '', { limit: LIMITS.guestAnswerBytes });
    return may;
  }

  /**
   * Queues a frame. A frame that is larger than the peer takes is not sent, because the peer would close. A connection with too many
   * unsent bytes is closed with 1013.
   */
  send(text: string): Sent {
    const { connection, workerId, guest, maxMessageBytes, warnings, logger } = this.#options;
    if (this.#closed || !connection.open) return 'closed';
    const most = maxMessageBytes();
    if (isLonger(text, most)) {
      warnings.add('frame_too_large', '', { limit: most });
      return 'too_large';
    }
    const limit = guest ? LIMITS.guestOutboundBytes : LIMITS.workerOutboundBytes;
    if (this.#unsentBytes > limit) {
      logger.warn('worker_outbound_full', { worker: workerId, limit });
      connection.close('tryLater');
      connection.destroy();
      return 'closed';
    }
    this.#batch.add(text);
    return 'sent';
  }

  /** Sends nothing from now on, also while the connection is still open. Queued frames are still written. */
  close(): void {
    this.#closed = true;
  }

  /** Writes the queued frames to the connection now. */
  flush(): void {
    this.#batch.flush();
  }

  get #unsentBytes(): number {
    return this.#batch.waiting + this.#options.connection.buffered;
  }
}

/** Returns whether a text has more UTF-8 bytes than `bytes`. They are counted only when its length leaves that open. */
function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}
