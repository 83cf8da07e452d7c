import { FrameReader } from '../client/frame-reader.js';
import { ReferenceClient, type Watched } from '../client/reference-client.js';
import type { Peer, SimConnection } from './sim-connection.js';
import type { SimWorld } from './sim-world.js';

/** A stream client on simulated connections. It reconnects whenever it loses one, and resumes from its positions. */
export class SimReader implements Peer {
  readonly client: ReferenceClient;
  readonly #simulation: SimWorld;
  readonly #watched: readonly Watched[];
  #frames = new FrameReader(() => {});
  #connection: SimConnection | undefined;
  #retired = false;
  #awayUntil = 0;

  constructor(simulation: SimWorld, name: string, who: string) {
    this.#simulation = simulation;
    this.#watched = this.#choose();
    this.client = new ReferenceClient(name, who, this.#watched, simulation.record);
    this.#dialLater(20);
  }

  onBytes(bytes: Buffer): void {
    this.#frames.read(bytes);
  }

  onLost(): void {
    this.#connection = undefined;
    this.client.lost();
    this.#dialLater(this.#simulation.faulty && this.#simulation.random.chance(0.2) ? 3_000 : 300);
  }

  /** Disturbs its connection, or changes its subscriptions. */
  disturb(): void {
    const { random, time } = this.#simulation;
    const connection = this.#connection;
    if (connection === undefined) return;
    const draw = random.below(100);
    const { name } = this.client;
    if (draw < 30) {
      this.#simulation.nemesis('reset', name);
      connection.cut(random.between(0, 200), random.between(0, 2_000));
    } else if (draw < 45) {
      this.#simulation.nemesis('cut-after', name);
      connection.leave(random.between(0, 500));
    } else if (draw < 70) {
      this.#simulation.nemesis('blackhole', name, 'down');
      connection.quality.stalled = true;
      time.after(random.between(10, 1_500), () => connection.unstall());
    } else if (draw < 85) {
      this.#simulation.nemesis('bandwidth', name);
      connection.quality.chunkBytes = random.between(1, 60) + this.#simulation.plan.pad / 4;
      connection.quality.latencyMs = random.between(1, 80);
    } else {
      const index = random.below(this.#watched.length);
      if (this.#watched[index]?.positions === true) this.#change(index);
      // On one connection the client could not tell which of two joins an answer belongs to.
      else connection.leave(0);
    }
  }

  /** Disconnects, and reconnects only after this time. */
  stayAway(milliseconds: number): void {
    this.#awayUntil = this.#simulation.time.monotonic() + milliseconds;
    this.#connection?.leave(0);
  }

  /** Ends the connection from the engine's side. */
  evict(): void {
    this.#connection?.close('refused');
  }

  heal(): void {
    this.#awayUntil = 0;
    if (this.#connection === undefined) this.#dialLater(300);
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.quality.latencyMs = 2;
    connection.quality.chunkBytes = 200_000;
    connection.unstall();
    for (let index = 0; index < this.#watched.length; index++) this.client.join(index);
  }

  /** Ends the client for good. */
  retire(): void {
    this.#retired = true;
    for (let index = 0; index < this.#watched.length; index++) this.client.leave(index);
    this.#connection?.leave(100);
  }

  #change(index: number): void {
    this.client.leave(index);
    this.#simulation.time.after(this.#simulation.random.between(0, 300), () => {
      if (!this.#retired) this.client.join(index);
    });
  }

  #dialLater(most: number): void {
    const { time, random } = this.#simulation;
    const away = Math.max(0, this.#awayUntil - time.monotonic());
    time.after(away + random.between(1, most), () => this.#dial());
  }

  #dial(): void {
    if (this.#retired || this.#connection !== undefined) return;
    const connection = this.#simulation.dialStream(this);
    if (connection === undefined) {
      this.#dialLater(100);
      return;
    }
    this.#connection = connection;
    this.#frames = new FrameReader((text) => this.client.received(text));
    this.client.connected((text) => connection.send(text));
  }

  /** Chooses groups and items, sometimes several of one group. */
  #choose(): Watched[] {
    const { plan, random } = this.#simulation;
    const watched: Watched[] = [];
    for (const group of plan.groups) {
      // A client that is not position-aware cannot distinguish the answers to several subscriptions of one group on one connection.
      const positions = random.chance(plan.pad > 10_000 ? 0.4 : 0.85);
      if (random.chance(0.8) || watched.length === 0) watched.push({ group, positions });
      if (random.chance(0.25)) watched.push({ group, item: random.pick(plan.items), positions });
    }
    return watched;
  }
}
