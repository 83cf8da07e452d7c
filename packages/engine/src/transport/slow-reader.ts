/** Bytes that the kernel may hold for one connection: the largest send buffer that Linux grows to by itself. */
const MOST_UNREAD_BYTES = 4_194_304;

/** The bytes that one connection has sent, at this moment. */
export interface SentBytes {
  /** Bytes that the engine has written to the socket since it was opened. */
  readonly written: number;
  /** Bytes of these that the kernel has taken. */
  readonly taken: number;
  /** Bytes of these that wait in the memory of the engine. */
  readonly buffered: number;
}

/** Decides how long a peer may leave a ping without an answer. */
export type Patience =
  /** The peer may stop reading as long as something that was sent to it may be unread, as the slow reader of a transfer does. */
  | { readonly kind: 'transfer' }
  /** The peer may be late as long as its unsent bytes keep leaving. So a peer that stands still is dropped, whatever is queued for it. */
  | { readonly kind: 'strict' }
  /**
   * The peer may be late as long as it has unsent bytes, or as the slowest allowed reader needs for the bytes in the kernel. That reader
   * takes `inTimeout` bytes until a pong is due, and `inInterval` bytes from one ping to the next.
   */
  | { readonly kind: 'patient'; readonly inTimeout: number; readonly inInterval: number };

export type Judgement = 'alive' | 'spared' | 'lost';

/**
 * - `idle`: no ping is unanswered.
 * - `pinged`: a ping is unanswered, and nothing has arrived since the last probe.
 * - `heard`: a ping is unanswered, but something else has arrived since the last probe.
 */
type State =
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'pinged' | 'heard';
      /** Bytes written before the ping. */
      readonly pingedAt: number;
      /** Bytes before the ping that the peer may not have read yet. A patient judgement lowers them as time passes. */
      readonly unread: number;
      /** Bytes that the kernel had taken at the last probe. Infinite if none were buffered then. */
      readonly takenAtProbe: number;
    };

const IDLE: State = { kind: 'idle' };

/**
 * Tells a peer that reads slowly from a peer that is lost. The kernel takes bytes long before the peer reads them, and nothing shows how
 * many are unread. So the engine sends a ping behind them: its pong proves that the peer has read all bytes before it.
 *
 * | State    | `probe`                | `heard`   | `ponged` |
 * | -------- | ---------------------- | --------- | -------- |
 * | `idle`   | `pinged`, sends a ping | `idle`    | `idle`   |
 * | `pinged` | `pinged`               | `heard`   | `idle`   |
 * | `heard`  | `pinged`               | `heard`   | `idle`   |
 *
 * `judge` returns `alive` in each state but `pinged`, and changes only `unread`.
 */
export class SlowReader {
  /** Bytes that the peer has certainly read. */
  #readUpTo: number;
  #state: State = IDLE;

  /** `written` counts the bytes of the handshake, which the peer has read. */
  constructor(written: number) {
    this.#readUpTo = written;
  }

  /**
   * Begins to wait for a sign of life. Returns whether to send a ping. A second ping would stand behind the first one and prove nothing.
   */
  probe({ written, taken, buffered }: SentBytes): boolean {
    const takenAtProbe = buffered > 0 ? taken : Number.POSITIVE_INFINITY;
    if (this.#state.kind !== 'idle') {
      this.#state = { ...this.#state, kind: 'pinged', takenAtProbe };
      return false;
    }
    this.#state = { kind: 'pinged', pingedAt: written, unread: written - this.#readUpTo, takenAtProbe };
    return true;
  }

  /** Notes that something other than a pong has arrived, or that the engine does not read this peer now. */
  heard(): void {
    if (this.#state.kind === 'pinged') this.#state = { ...this.#state, kind: 'heard' };
  }

  /** Notes the pong of the ping. `pingBytes` is the size of the ping frame. */
  ponged(pingBytes: number): void {
    if (this.#state.kind !== 'idle') this.#readUpTo = this.#state.pingedAt + pingBytes;
    this.#state = IDLE;
  }

  /** Judges a peer whose pong is due. `spared` means that it is only slow, so the engine waits for another interval. */
  judge(patience: Patience, { taken, buffered }: SentBytes): Judgement {
    const state = this.#state;
    if (state.kind !== 'pinged') return 'alive';
    switch (patience.kind) {
      case 'transfer':
        return buffered > 0 || state.unread > 0 ? 'spared' : 'lost';
      case 'strict':
        return taken > state.takenAtProbe ? 'spared' : 'lost';
      case 'patient':
        if (buffered > 0) return 'spared';
        if (state.unread <= patience.inTimeout) return 'lost';
        this.#state = { ...state, unread: Math.min(state.unread, MOST_UNREAD_BYTES) - patience.inInterval };
        return 'spared';
      default:
        return patience satisfies never;
    }
  }
}
