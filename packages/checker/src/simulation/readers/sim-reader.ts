import type { WatchingClient } from '../../client/watching-client.js';
import type { Peer, SimConnection } from '../sim-connection.js';
import type { SimWorld } from '../sim-world.js';

/** A stream client on simulated connections. It reconnects whenever it loses one, and resumes from its positions. */
export abstract class SimReader<Client extends WatchingClient = WatchingClient> implements Peer {
  readonly client: Client;
  protected readonly simulation: SimWorld;
  #connection: SimConnection | undefined;
  protected retired = false;
  #awayUntil = 0;

  constructor(simulation: SimWorld, client: Client) {
    this.simulation = simulation;
    this.client = client;
    this.#dialLater(20);
  }

  onBytes(bytes: Buffer): void {
    this.client.read(bytes);
  }

  onLost(): void {
    this.#connection = undefined;
    this.client.lost();
    this.#dialLater(this.simulation.faulty && this.simulation.random.chance(0.2) ? 3_000 : 300);
  }

  /** Disturbs its connection, or changes its subscriptions. */
  disturb(): void {
    const { random, time } = this.simulation;
    const connection = this.#connection;
    if (connection === undefined) return;
    const draw = random.below(100);
    const { name } = this.client;
    if (draw < 30) {
      this.simulation.nemesis('reset', name);
      connection.cut(random.between(0, 200), random.between(0, 2_000));
    } else if (draw < 45) {
      this.simulation.nemesis('cut-after', name);
      connection.leave(random.between(0, 500));
    } else if (draw < 70) {
      this.simulation.nemesis('blackhole', name, 'down');
      connection.quality.stalled = true;
      time.after(random.between(10, 1_500), () => connection.unstall());
    } else if (draw < 85) {
      this.simulation.nemesis('bandwidth', name);
      connection.quality.chunkBytes = random.between(1, 60) + this.simulation.plan.pad / 4;
      connection.quality.latencyMs = random.between(1, 80);
    } else {
      this.change(connection);
    }
  }

  /** Disconnects, and reconnects only after this time. */
  stayAway(milliseconds: number): void {
    this.#awayUntil = this.simulation.time.monotonic() + milliseconds;
    this.#connection?.leave(0);
  }

  /** Ends the connection from the engine's side. */
  evict(): void {
    this.endAtEngine(this.#connection);
  }

  heal(): void {
    this.#awayUntil = 0;
    if (this.#connection === undefined) this.#dialLater(300);
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.quality.latencyMs = 2;
    connection.quality.chunkBytes = 200_000;
    connection.unstall();
    this.joinAll();
  }

  /** Ends the client for good. */
  retire(): void {
    this.retired = true;
    this.leaveAll();
    this.#connection?.leave(100);
  }

  /** Opens a connection. Returns undefined while no engine runs. */
  protected abstract dial(): SimConnection | undefined;

  /** Changes the subscriptions of an open connection. */
  protected abstract change(connection: SimConnection): void;

  /** Makes the engine end the access of the client, and its connection if it has one. */
  protected abstract endAtEngine(connection: SimConnection | undefined): void;

  /** Joins every target of an open connection that is not joined. */
  protected abstract joinAll(): void;

  /** Leaves every target. */
  protected abstract leaveAll(): void;

  #dialLater(most: number): void {
    const { time, random } = this.simulation;
    const away = Math.max(0, this.#awayUntil - time.monotonic());
    time.after(away + random.between(1, most), () => this.#dial());
  }

  #dial(): void {
    if (this.retired || this.#connection !== undefined) return;
    const connection = this.dial();
    if (connection === undefined) {
      this.#dialLater(100);
      return;
    }
    this.#connection = connection;
    this.client.connected((text) => connection.send(text));
  }
}
