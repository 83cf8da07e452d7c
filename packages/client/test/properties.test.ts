import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { connect } from '../src/index.js';
import { type Answer, ModelEngine, show, type Write } from './model-engine.js';
import { TestClock } from './test-clock.js';
import type { Chat } from './watch.js';

type Step =
  | { readonly do: 'write'; readonly writes: readonly Write[] }
  | { readonly do: 'deliver' | 'lose' | 'repeat' | 'pass'; readonly count: number }
  | { readonly do: 'drop' | 'accept' | 'lag' | 'break' }
  | { readonly do: 'catchUp' | 'answer'; readonly answer: Answer };

const ids = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 4, arbitrary: ids.map((set) => ({ set })) },
  { weight: 2, arbitrary: ids.map((remove) => ({ remove })) },
  { weight: 2, arbitrary: fc.constantFrom('', 'a', 'b').map((say) => ({ say })) },
);
const answer = fc.constantFrom<Answer>('tail', 'changes', 'sync', 'parts');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.array(write, { minLength: 1, maxLength: 4 }).map((writes) => ({ do: 'write' as const, writes })) },
  { weight: 12, arbitrary: fc.nat(6).map((count) => ({ do: 'deliver' as const, count })) },
  { weight: 3, arbitrary: fc.constantFrom('drop' as const, 'lag' as const).map((what) => ({ do: what })) },
  { weight: 5, arbitrary: fc.constant({ do: 'accept' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'break' as const }) },
  { weight: 3, arbitrary: fc.nat(3).map((count) => ({ do: 'repeat' as const, count })) },
  { weight: 1, arbitrary: fc.nat(3).map((count) => ({ do: 'lose' as const, count })) },
  { weight: 3, arbitrary: fc.constantFrom(0, 20, 2_000).map((count) => ({ do: 'pass' as const, count })) },
  { weight: 3, arbitrary: answer.map((how) => ({ do: 'catchUp' as const, answer: how })) },
  { weight: 3, arbitrary: answer.map((how) => ({ do: 'answer' as const, answer: how })) },
);

const ITEM = 'a';

/** A client beside the model, which checks after each frame what it shows and what it told. */
class Trial {
  readonly #engine = new ModelEngine();
  readonly #clock = new TestClock();
  readonly #client = connect('ws://localhost', {
    silenceMs: 0,
    runtime: { clock: this.#clock, random: () => 0.5, openSocket: this.#engine.openSocket, awakening: () => () => {} },
  });
  /** What somebody holds who only listens. */
  #derived = new Map<string, string>();
  #last = -1;
  readonly #events: string[] = [];
  /** Positions of events that may be lost, as it was told. */
  readonly #lost = new Set<string>();
  #failure: unknown;
  /** Events up to here were before the first state of an epoch. */
  readonly #begins = new Map<string, number>();
  readonly #group = this.#client.subscribeGroup<Chat>('chat', 'r1', {
    onChange: this.#guarded((change) => {
      expect(change.offset).toBeGreaterThan(this.#last);
      this.#last = change.offset;
      const held = this.#derived.get(change.id);
      if (change.type === 'create') expect(held).toBeUndefined();
      else expect(change.old.text).toBe(held);
      if (change.type === 'delete') this.#derived.delete(change.id);
      else this.#derived.set(change.id, change.data.text);
      this.#check();
    }),
    onReset: this.#guarded(({ position }) => {
      this.#derived = new Map(this.#group.items.map(({ id, data }) => [id, data.text]));
      this.#last = position?.offset ?? -1;
      if (position !== undefined && !this.#begins.has(position.epoch)) this.#begins.set(position.epoch, position.offset);
      this.#check();
    }),
    onEvent: this.#guarded(({ name, offset }) => {
      expect(offset).toBeGreaterThan(this.#last);
      this.#last = offset ?? -1;
      this.#events.push(name);
    }),
    onGap: this.#guarded(({ after, through }) => {
      const epoch = this.#group.position?.epoch ?? '';
      for (let offset = after + 1; offset <= through; offset++) this.#lost.add(`${epoch}:${offset}`);
    }),
  });
  readonly #item = this.#client.subscribeItem<Chat>('chat', 'r1', ITEM);

  /** A listener can't fail the client, so what fails in one is kept. */
  #guarded<E>(listener: (event: E) => void): (event: E) => void {
    return (event) => {
      try {
        listener(event);
      } catch (error) {
        this.#failure ??= error;
      }
    };
  }

  run(steps: readonly Step[]): void {
    for (const each of steps) {
      this.#take(each);
      this.#check();
    }
    this.#heal();
    if (!steps.some((each) => each.do === 'lose')) expect(this.#client.counters.holes).toBe(0);
    expect(this.#group.status).toBe('live');
    expect(this.#place()).toBe(this.#engine.position);
    expect(show(this.#group.items.map(({ id, data }) => [id, data.text]))).toBe(this.#engine.state);
    expect(this.#item.item?.data.text).toBe(this.#engine.itemAt(this.#engine.position, ITEM));
    expect(new Map([...this.#derived].sort())).toEqual(new Map(this.#group.items.map(({ id, data }) => [id, data.text] as const).sort()));
    this.#checkEvents();
    void this.#client.close();
  }

  #take(each: Step): void {
    switch (each.do) {
      case 'write':
        return this.#engine.write(each.writes);
      case 'deliver':
        return this.#deliver(each.count);
      case 'repeat':
        return this.#engine.repeat(each.count);
      case 'lose':
        return this.#engine.lose(each.count, ITEM);
      case 'pass':
        return this.#clock.pass(each.count);
      case 'drop':
        return this.#engine.drop();
      case 'lag':
        return this.#engine.lag();
      case 'break':
        return this.#engine.breakHistory();
      case 'accept':
        return this.#engine.accept();
      case 'catchUp':
        this.#engine.answer = each.answer;
        return this.#engine.catchUp();
      case 'answer':
        this.#engine.answer = each.answer;
        return undefined;
      default:
        return each satisfies never;
    }
  }

  #deliver(count: number): void {
    for (let at = 0; at < count; at++) {
      this.#engine.deliver(1);
      this.#check();
    }
  }

  #place(): string | undefined {
    const { position } = this.#group;
    return position === undefined ? undefined : `${position.epoch}:${position.offset}`;
  }

  /** What is shown was the state at exactly the position that is shown with it, and never the inside of a batch. */
  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const place = this.#place();
    if (place !== undefined) expect(show(this.#group.items.map(({ id, data }) => [id, data.text]))).toBe(this.#engine.states.get(place));
  }

  #heal(): void {
    this.#engine.answer = 'tail';
    for (let round = 0; round < 30; round++) {
      this.#clock.pass(20_000);
      this.#engine.accept();
      this.#engine.catchUp();
      // What was lost is noticed when something comes behind it.
      if (round < 2) this.#engine.write([{ set: 'z' }]);
      while (!this.#engine.idle) this.#deliver(1);
    }
  }

  /** Each event was told once, in order, or announced as lost, or was before the client knew anything of its epoch. */
  #checkEvents(): void {
    const order = [...this.#engine.said.values()];
    const places = this.#events.map((name) => order.indexOf(name));
    expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
    for (const [place, name] of this.#engine.said) {
      if (this.#events.includes(name) || this.#lost.has(place)) continue;
      const [epoch = '', offset] = place.split(':');
      const begin = this.#begins.get(epoch);
      const wasOver = begin === undefined || Number(offset) <= begin || epoch !== this.#group.position?.epoch;
      expect(wasOver, `${name} at ${place} was told, or announced as lost`).toBe(true);
    }
  }
}

it('RV-1 RV-5 RV-6 RV-7 RV-10 RV-11 RV-33 whatever the server and the network do, a view shows a state that was, told once and in order', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 80 }), (steps) => new Trial().run([{ do: 'accept' }, ...steps])),
    { numRuns: Number(process.env.RIVULET_CLIENT_RUNS ?? 1_500) },
  );
}, 60_000);
