import type { ControlFrame } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { Logger } from '../../logging/logger.js';
import type { Connection } from '../../transport/connection.js';
import type { SessionEnd } from '../../why/why-records.js';
import type { AnswerSocket } from '../calls/session-calls.js';
import type { Subscriber } from '../fanout/subscriber.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';

/** The part of a connection that a session writes to. An answer to a plain request has it too. */
export type SessionOutlet = Pick<Connection, 'buffered' | 'close' | 'remoteAddress' | 'write'>;

export interface SessionSocketDeps {
  readonly frames: FrameEncoder;
  readonly config: Pick<StreamConfig, 'maxBufferedBytes' | 'maxSubscriptionsPerConnection'>;
  readonly logger: Logger;
}

/** The connection of one stream client, or one plain read, as the hub and the session write to it. */
export class SessionSocket implements Subscriber, AnswerSocket {
  readonly #connection: SessionOutlet;
  /** Shared by all sessions of a gateway. */
  readonly #deps: SessionSocketDeps;
  #wakers: (() => void)[] | undefined;
  #locked = false;
  /** Number of control frames that wait until the socket takes them. */
  #waitingFrames = 0;
  readonly number: number | undefined;
  /** Number of refused joins, each of which is recorded where anybody can ask for it. */
  refusedJoins = 0;
  /** A join that broke a bound was logged as a warning. */
  hasWarned = false;
  /** Why the engine ends the session; `undefined` when it does not, or when the close code says all. */
  because: SessionEnd | undefined;
  /** False when the session has ended. Nothing is written from then on. */
  open = true;
  positions = false;

  constructor(connection: SessionOutlet, deps: SessionSocketDeps, number?: number) {
    this.number = number;
    this.#connection = connection;
    this.#deps = deps;
  }

  get ready(): boolean {
    return !this.#locked && this.hasRoom;
  }

  get hasRoom(): boolean {
    return this.#connection.buffered <= this.#deps.config.maxBufferedBytes;
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }

  write(frames: Buffer): void {
    this.#connection.write(frames);
  }

  whenChanged(): Promise<void> {
    if (!this.open) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wakers ??= [];
      this.#wakers.push(resolve);
    });
  }

  tryLock(): boolean {
    if (!this.ready) return false;
    this.#locked = true;
    return true;
  }

  unlock(): void {
    this.#locked = false;
    this.wake();
  }

  fail(because: 'internal' | 'tryLater'): void {
    if (because === 'tryLater') this.#deps.logger.warn('snapshot_abandoned', { address: this.#connection.remoteAddress });
    this.because ??= because === 'tryLater' ? 'overload' : 'engine_failed';
    this.#connection.close(because);
  }

  overrun(): void {
    this.#deps.logger.warn('call_answers_unread', { address: this.#connection.remoteAddress });
    this.because ??= 'overload';
    this.#connection.close('tryLater');
  }

  /** Wakes everyone who awaits `whenChanged`. */
  wake(): void {
    const wakers = this.#wakers;
    if (wakers === undefined) return;
    this.#wakers = undefined;
    for (const resolve of wakers) resolve();
  }

  /** Sends a control frame to a position-aware client. Drops it when too many already wait for the socket. */
  sendControl(frame: ControlFrame): void {
    const { config, frames } = this.#deps;
    if (!this.positions || this.#waitingFrames >= config.maxSubscriptionsPerConnection) return;
    this.#waitingFrames++;
    this.inBackground(this.#sendCounted(frames.control(frame)), 'stream_control_frame');
  }

  /**
   * Writes a frame when the socket takes it. Resolves then, or when the session has ended. The caller bounds the frames that wait here.
   */
  async writeWhenReady(frame: Buffer): Promise<void> {
    while (this.open && !this.ready) await this.whenChanged();
    if (this.open) this.#connection.write(frame);
  }

  /** Writes a frame that belongs to no group. Waits while a message of several fragments is under way. */
  async writeBetween(frame: Buffer): Promise<void> {
    while (this.open && this.#locked) await this.whenChanged();
    if (this.open) this.#connection.write(frame);
  }

  /** Runs a task that nobody awaits. Its failure closes this connection and has no other effect. */
  inBackground(work: Promise<void>, task: string): void {
    work.catch((error: unknown) => this.failed(task, error));
  }

  /** Logs the failure of a task and closes the connection. */
  failed(task: string, error: unknown): void {
    this.#deps.logger.error('background_failed', { task, error, address: this.#connection.remoteAddress });
    this.because ??= 'engine_failed';
    this.#connection.close('internal');
  }

  async #sendCounted(frame: Buffer): Promise<void> {
    await this.writeWhenReady(frame);
    this.#waitingFrames--;
  }
}
