import { FrameReader } from '../client/frame-reader.js';
import { WorkerClient } from '../client/worker-client.js';
import type { Peer, SimConnection } from './sim-connection.js';
import type { SimWorld } from './sim-world.js';

/** A worker on simulated connections. It reconnects whenever it loses one. */
export class SimWorker implements Peer {
  readonly client: WorkerClient;
  readonly #simulation: SimWorld;
  #frames = new FrameReader(() => {});
  #connection: SimConnection | undefined;

  constructor(name: string, simulation: SimWorld) {
    this.client = new WorkerClient(name, simulation.record);
    this.#simulation = simulation;
  }

  /** Connects, if an engine runs and the worker is not connected. */
  dial(): void {
    if (this.#connection !== undefined) return;
    const connection = this.#simulation.dialWorker(this);
    if (connection === undefined) return;
    this.#connection = connection;
    this.#frames = new FrameReader((text) => this.client.received(text));
    this.client.connected((text) => connection.send(text));
  }

  /** Ends the connection. The engine notices it within `noticedMs`. */
  leave(noticedMs: number): void {
    this.#connection?.leave(noticedMs);
  }

  onBytes(bytes: Buffer): void {
    this.#frames.read(bytes);
  }

  onLost(): void {
    this.#connection = undefined;
    this.client.lost();
    this.#simulation.time.after(this.#simulation.random.between(1, 200), () => this.dial());
  }
}
