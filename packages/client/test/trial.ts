import assert from 'node:assert/strict';
import { connect } from '../src/index.js';
import { type Answer, ModelEngine, show, type Write } from './model-engine.js';
import { TestClock } from './test-clock.js';
import type { Chat } from './watch.js';

export type Step =
  | { readonly do: 'write'; readonly writes: readonly Write[] }
  | { readonly do: 'deliver' | 'lose' | 'repeat' | 'pass'; readonly count: number }
  | { readonly do: 'drop' | 'accept' | 'lag' | 'break' | 'unavailable' | 'available' }
  | { readonly do: 'catchUp' | 'answer'; readonly answer: Answer };

const ITEM = 'a';

/** A client that is connected to the model. After each frame the trial checks the items and the events of its views. */
export class Trial {
  readonly #engine = new ModelEngine();
  readonly #clock = new TestClock();
  readonly #client = connect('ws://localhost', {
    silenceMs: 0,
    runtime: { clock: this.#clock, random: () => 0.5, openSocket: this.#engine.openSocket, wakeSource: () => () => {} },
  });
  /** The items as a listener of changes derives them. */
  #derived = new Map<string, string>();
  #last = -1;
  readonly #events: string[] = [];
  /** The positions of events that the client reported as lost. */
  readonly #lost = new Set<string>();
  #failure: Error | undefined;
  /** The offset of the first state of each epoch. The client need not report earlier events. */
  readonly #begins = new Map<string, number>();
  readonly #group = this.#client.subscribeGroup<Chat>('chat', 'r1', {
    onChange: this.#guarded((change) => {
      assert.ok(change.offset > this.#last, 'reported twice or out of order');
      this.#last = change.offset;
      const before = this.#derived.get(change.id);
      if (change.type === 'create') assert.equal(before, undefined);
      else assert.equal(change.old.text, before);
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
      assert.ok((offset ?? -1) > this.#last, 'reported twice or out of order');
      this.#last = offset ?? -1;
      this.#events.push(name);
    }),
    onGap: this.#guarded(({ after, through }) => {
      const epoch = this.#group.position?.epoch ?? '';
      for (let offset = after + 1; offset <= through; offset++) this.#lost.add(`${epoch}:${offset}`);
    }),
  });
  readonly #item = this.#client.subscribeItem<Chat>('chat', 'r1', ITEM);

  /** The first error of a listener. It can't fail the client, so the trial keeps it and throws it later. */
  #guarded<E>(listener: (event: E) => void): (event: E) => void {
    return (event) => {
      try {
        listener(event);
      } catch (error) {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      }
    };
  }

  run(steps: readonly Step[]): void {
    for (const each of steps) {
      this.#take(each);
      this.#check();
    }
    this.#heal();
    if (!steps.some((each) => each.do === 'lose')) assert.equal(this.#client.counters.holes, 0);
    assert.equal(this.#group.status, 'live');
    assert.equal(this.#place(), this.#engine.position);
    assert.equal(show(this.#group.items.map(({ id, data }) => [id, data.text])), this.#engine.state);
    assert.equal(this.#item.item?.data.text, this.#engine.itemAt(this.#engine.position, ITEM));
    const shown = new Map(this.#group.items.map(({ id, data }) => [id, data.text]));
    assert.deepEqual(Object.fromEntries(this.#derived), Object.fromEntries(shown));
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
      case 'unavailable':
      case 'available':
        return this.#engine.setAvailable(each.do === 'available');
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

  /** Checks that the items were the state at exactly the position of the view. A state inside a batch fails the check. */
  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const place = this.#place();
    if (place !== undefined) assert.equal(show(this.#group.items.map(({ id, data }) => [id, data.text])), this.#engine.states.get(place));
  }

  #heal(): void {
    this.#engine.answer = 'tail';
    this.#engine.setAvailable(true);
    for (let round = 0; round < 30; round++) {
      this.#clock.pass(20_000);
      this.#engine.accept();
      this.#engine.catchUp();
      // The client notices a lost frame when a later frame comes.
      if (round < 2) this.#engine.write([{ set: 'z' }]);
      while (!this.#engine.idle) this.#deliver(1);
    }
  }

  /** Checks each event: reported once and in order, reported as lost, hidden, or older than the first state of its epoch. */
  #checkEvents(): void {
    const order = [...this.#engine.said.values()];
    const places = this.#events.map((name) => order.indexOf(name));
    assert.deepEqual(
      places,
      [...new Set(places)].sort((a, b) => a - b),
    );
    for (const [place, name] of this.#engine.said) {
      if (this.#events.includes(name) || this.#lost.has(place) || this.#engine.hidden.has(place)) continue;
      const [epoch = '', offset] = place.split(':');
      const begin = this.#begins.get(epoch);
      const wasOver = begin === undefined || Number(offset) <= begin || epoch !== this.#group.position?.epoch;
      assert.ok(wasOver, `${name} at ${place} was reported, or announced as lost`);
    }
  }
}
