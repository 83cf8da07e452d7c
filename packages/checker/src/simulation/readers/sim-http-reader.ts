import { EventClient } from '../../client/event-client.js';
import { PollClient } from '../../client/poll-client.js';
import type { SimConnection } from '../sim-connection.js';
import type { SimWorld } from '../sim-world.js';
import { SimReader } from './sim-reader.js';

/** Longest pauses before the next request, in milliseconds, by what came. */
const PAUSES = { answer: 20, unavailable: 300, refusal: 2_000 };
/** When the faults have ended, no right changes any more. A reader that is refused then stays away. */
const FOR_GOOD_MS = 3_600_000;

/** A reader by plain HTTP: of an event stream, or by long polling. */
export class SimHttpReader extends SimReader<EventClient | PollClient> {
  constructor(simulation: SimWorld, name: string, who: string) {
    super(simulation, chooseClient(simulation, name, who));
  }

  override onBytes(bytes: Buffer): void {
    super.onBytes(bytes);
    if (this.client instanceof EventClient && this.client.refused) this.stayAway(this.simulation.faulty ? PAUSES.refusal : FOR_GOOD_MS);
  }

  protected override dial(): SimConnection | undefined {
    return this.simulation.dialHttp(this);
  }

  /** A client can't change the groups of its stream, so it leaves and opens another one. */
  protected override change(connection: SimConnection): void {
    connection.leave(this.simulation.random.between(0, 300));
  }

  protected override endAtEngine(): void {
    this.simulation.disconnect(this.client.who);
  }

  protected override joinAll(): void {}

  protected override leaveAll(): void {}
}

/** Chooses the kind of the client, and its targets. A stream has each group once. */
function chooseClient(simulation: SimWorld, name: string, who: string): EventClient | PollClient {
  const { plan, random, record, time } = simulation;
  const targets = plan.groups
    .map((group) => (random.chance(0.25) ? { group, item: random.pick(plan.items) } : { group }))
    .filter((_target, index) => index === 0 || random.chance(0.6));
  if (random.chance(0.6)) return new EventClient({ name, who, targets, record, sinceInQuery: random.chance(0.3) });
  return new PollClient({
    name,
    who,
    target: random.pick(targets),
    record,
    waitS: random.pick([0, 1, 5, 30]),
    beginsBySnapshot: random.chance(0.5),
    after: (came, next) => {
      if (came !== 'refusal' || simulation.faulty) time.after(random.between(0, PAUSES[came]), next);
    },
  });
}
