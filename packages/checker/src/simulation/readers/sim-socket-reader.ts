import { ReferenceClient, type Watched } from '../../client/reference-client.js';
import type { SimConnection } from '../sim-connection.js';
import type { SimWorld } from '../sim-world.js';
import { SimReader } from './sim-reader.js';

/** A reader with WebSockets. One connection has several subscriptions. */
export class SimSocketReader extends SimReader<ReferenceClient> {
  readonly #watched: readonly Watched[];

  constructor(simulation: SimWorld, name: string, who: string) {
    const watched = chooseWatched(simulation);
    super(simulation, new ReferenceClient(name, who, watched, simulation.record));
    this.#watched = watched;
  }

  protected override dial(): SimConnection | undefined {
    return this.simulation.dialStream(this);
  }

  protected override change(connection: SimConnection): void {
    const index = this.simulation.random.below(this.#watched.length);
    if (this.#watched[index]?.positions === true) this.#rejoin(index);
    // On one connection the client could not tell which of two joins an answer belongs to.
    else connection.leave(0);
  }

  protected override endAtEngine(connection: SimConnection | undefined): void {
    connection?.close('refused');
  }

  protected override joinAll(): void {
    for (let index = 0; index < this.#watched.length; index++) this.client.join(index);
  }

  protected override leaveAll(): void {
    for (let index = 0; index < this.#watched.length; index++) this.client.leave(index);
  }

  #rejoin(index: number): void {
    this.client.leave(index);
    this.simulation.time.after(this.simulation.random.between(0, 300), () => {
      if (!this.retired) this.client.join(index);
    });
  }
}

/** Chooses groups and items, sometimes several of one group. */
function chooseWatched({ plan, random }: SimWorld): Watched[] {
  const watched: Watched[] = [];
  for (const group of plan.groups) {
    // A client that is not position-aware cannot distinguish the answers to several subscriptions of one group on one connection.
    const positions = random.chance(plan.pad > 10_000 ? 0.4 : 0.85);
    if (random.chance(0.8) || watched.length === 0) watched.push({ group, positions });
    if (random.chance(0.25)) watched.push({ group, item: random.pick(plan.items), positions });
  }
  return watched;
}
