import { Random } from '@rivulet/testkit/random';
import { describe, expect, it } from 'vitest';
import { BEAT_MS, type Claim, type LockPlace, type Probe, SILENCE_MS, takeLock } from '../../src/store/lmdb/env/lock-protocol.js';
import { headOf, type LockIdentity, type LockRecord, parseLock, stateLine } from '../../src/store/lmdb/env/lock-record.js';
import { failedProbe } from '../../src/store/lmdb/env/lock-socket.js';
import { StoreOpenError } from '../../src/store/lmdb/env/store-open-error.js';

interface Kernel {
  readonly boot: string;
  readonly fileSystem: LockIdentity['fileSystem'];
}

interface Socket {
  readonly kernel: Kernel;
  readonly owner: Starter;
  listening: boolean;
}

interface Lock {
  readonly owner: Starter;
  record: LockRecord;
}

const HERE: Kernel = { boot: 'a', fileSystem: 'local' };

/** A directory in memory with processes of any kernel, and a clock. At each step, chance decides which process goes on. */
class World {
  now = 0;
  readonly random: Random;
  readonly sockets = new Map<string, Socket>();
  readonly locks = new Map<string, Lock>();
  readonly #parked: { readonly owner: Starter; readonly at: number; readonly go: () => void }[] = [];
  #tokens = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  token(): string {
    return `${this.random.below(1_000)}-${this.#tokens++}`;
  }

  park(owner: Starter, at: number): Promise<void> {
    return new Promise((go) => this.#parked.push({ owner, at, go }));
  }

  /** Lets processes run one step each until `isOver`, or until all are dead or frozen. */
  async run(isOver: () => boolean, each: () => void = () => {}): Promise<void> {
    while (!isOver()) {
      // Every continuation of the last step runs before the next one.
      await new Promise((resolve) => setImmediate(resolve));
      each();
      if (isOver()) return;
      const able = this.#parked.filter(({ owner }) => owner.isRunning);
      if (able.length === 0) return;
      if (able.every(({ at }) => at > this.now)) this.now = Math.min(...able.map(({ at }) => at));
      const due = able.filter(({ at }) => at <= this.now);
      const next = due[this.random.below(due.length)] as (typeof due)[number];
      this.#parked.splice(this.#parked.indexOf(next), 1);
      this.now += this.random.below(4);
      next.go();
    }
  }
}

class FakeClaim implements Claim {
  readonly token: string;
  readonly #starter: Starter;

  constructor(token: string, starter: Starter) {
    this.token = token;
    this.#starter = starter;
  }

  get #lock(): Lock | undefined {
    return this.#starter.world.locks.get(this.token);
  }

  isWhole(): boolean {
    return this.#lock !== undefined && this.#starter.world.sockets.has(this.token);
  }

  async hold(): Promise<void> {
    await this.#starter.step();
    const lock = this.#lock;
    if (lock !== undefined) lock.record = { ...lock.record, state: 'holding' };
  }

  async withdraw(): Promise<void> {
    this.#starter.world.sockets.delete(this.token);
    await this.#starter.step();
    this.#starter.world.locks.delete(this.token);
  }
}

/** A process that wants the lock. */
class Starter implements LockPlace<FakeClaim> {
  readonly world: World;
  readonly kernel: Kernel;
  readonly identity: LockIdentity;
  isRunning = true;
  claimed: FakeClaim | undefined;
  refusal: unknown;

  constructor(world: World, kernel: Kernel = HERE) {
    this.world = world;
    this.kernel = kernel;
    this.identity = { pid: 1, host: 'h', ...kernel };
  }

  async take(waitMs = 0): Promise<void> {
    try {
      this.claimed = await takeLock<FakeClaim>(this, 'dir', { waitMs });
    } catch (error) {
      this.refusal = error;
    }
  }

  get isOver(): boolean {
    return this.claimed !== undefined || this.refusal !== undefined;
  }

  get owns(): boolean {
    return this.claimed?.isWhole() === true;
  }

  /** The kernel closes its sockets. */
  kill(): void {
    this.isRunning = false;
    for (const socket of this.world.sockets.values()) if (socket.owner === this) socket.listening = false;
  }

  step(): Promise<void> {
    return this.world.park(this, this.world.now);
  }

  monotonic(): number {
    return this.world.now;
  }

  pause(milliseconds: number): Promise<void> {
    return this.world.park(this, this.world.now + milliseconds);
  }

  async list(): Promise<readonly string[]> {
    const { locks, random } = this.world;
    const before = new Set(locks.keys());
    await this.step();
    // A listing has every file that exists throughout, and any of the others.
    return [...new Set([...before, ...locks.keys()])].filter((name) => (before.has(name) && locks.has(name)) || random.below(2) === 0);
  }

  async read(token: string): Promise<LockRecord | undefined> {
    await this.step();
    return this.world.locks.get(token)?.record;
  }

  async connect(token: string): Promise<Probe> {
    await this.step();
    const socket = this.world.sockets.get(token);
    return socket?.listening === true && socket.kernel === this.kernel ? 'alive' : 'dead';
  }

  async remove(token: string): Promise<void> {
    await this.step();
    this.world.locks.delete(token);
    await this.step();
    this.world.sockets.delete(token);
  }

  async claim(): Promise<FakeClaim | undefined> {
    const { world, kernel } = this;
    const token = world.token();
    const socket: Socket = { kernel, owner: this, listening: false };
    world.sockets.set(token, socket);
    await this.step();
    if (!world.sockets.has(token)) return undefined;
    socket.listening = true;
    await this.step();
    const beats = kernel.fileSystem === 'shared';
    world.locks.set(token, { owner: this, record: { ...this.identity, socket: true, beats, state: 'starting', beat: 0 } });
    if (beats) this.#beat(token).catch(() => {});
    await this.step();
    return new FakeClaim(token, this);
  }

  async removeLeftovers(own: string): Promise<void> {
    for (const token of this.world.sockets.keys()) {
      if (token === own || this.world.locks.has(token)) continue;
      if ((await this.connect(token)) === 'dead') this.world.sockets.delete(token);
    }
  }

  async #beat(token: string): Promise<void> {
    for (;;) {
      await this.pause(BEAT_MS);
      const lock = this.world.locks.get(token);
      if (lock === undefined) return;
      lock.record = { ...lock.record, beat: lock.record.beat + 1 };
    }
  }
}

/** Starts processes in one world. Checks after each step that at most one owns the directory. */
async function startAll(world: World, starters: readonly Starter[], waitMs = 0): Promise<void> {
  for (const starter of starters) starter.take(waitMs).catch(() => {});
  await world.run(
    () => starters.every((each) => each.isOver || !each.isRunning),
    () => expect(starters.filter(({ owns }) => owns).length).toBeLessThan(2),
  );
}

async function holderIn(world: World, kernel: Kernel = HERE): Promise<Starter> {
  const holder = new Starter(world, kernel);
  await startAll(world, [holder]);
  expect(holder.owns).toBe(true);
  return holder;
}

const refusals = (starters: readonly Starter[]) => starters.filter(({ refusal }) => refusal instanceof StoreOpenError).length;

describe('the lock of a directory', () => {
  it('goes to exactly one of several processes that start at once, whatever their order', async () => {
    for (let seed = 0; seed < 150; seed++) {
      const world = new World(seed);
      const starters = Array.from({ length: 2 + (seed % 3) }, () => new Starter(world));
      await startAll(world, starters);
      expect([seed, starters.filter(({ owns }) => owns).length]).toEqual([seed, 1]);
      expect(refusals(starters)).toBe(starters.length - 1);
      expect(world.locks.size).toBe(1);
      expect(world.now).toBeLessThan(1_000);
    }
  });

  it('goes from a killed process to exactly one of several, and nothing of the killed one stays', async () => {
    for (let seed = 0; seed < 150; seed++) {
      const world = new World(seed);
      const dead = await holderIn(world);
      dead.kill();
      const starters = Array.from({ length: 3 }, () => new Starter(world));
      await startAll(world, starters);
      expect([seed, starters.filter(({ owns }) => owns).length]).toEqual([seed, 1]);
      expect([world.locks.size, world.sockets.size]).toEqual([1, 1]);
    }
  });

  it('is refused while its process is frozen', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const world = new World(seed);
      const holder = await holderIn(world);
      holder.isRunning = false;
      const starters = [new Starter(world), new Starter(world)];
      const before = world.now;
      await startAll(world, starters);
      expect(refusals(starters)).toBe(2);
      expect(world.now - before).toBeLessThan(1_000);
      expect(holder.owns).toBe(true);
    }
  });

  it('has at most one owner while processes are killed and frozen at any step', async () => {
    for (let seed = 0; seed < 300; seed++) {
      const world = new World(seed);
      const starters = Array.from({ length: 4 }, () => new Starter(world));
      for (const starter of starters) starter.take(world.random.below(2) * 400).catch(() => {});
      let steps = 0;
      await world.run(
        () => ++steps > 400 || starters.every((each) => each.isOver),
        () => {
          expect(starters.filter(({ owns, isRunning }) => owns && isRunning).length).toBeLessThan(2);
          const any = starters[world.random.below(starters.length)] as Starter;
          const event = world.random.below(60);
          if (event === 0) any.kill();
          else if (event === 1) any.isRunning = false;
          else if (event === 2 && !any.isRunning && [...world.sockets.values()].every(({ owner, listening }) => owner !== any || listening))
            any.isRunning = true;
        },
      );
    }
  });

  it('is waited for, and then goes to one of those that wait', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const world = new World(seed);
      const holder = await holderIn(world);
      const starters = [new Starter(world), new Starter(world)];
      for (const starter of starters) starter.take(5_000).catch(() => {});
      const begin = world.now;
      let isReleased = false;
      await world.run(
        () => starters.every(({ isOver }) => isOver),
        () => {
          expect([holder, ...starters].filter(({ owns }) => owns).length).toBeLessThan(2);
          if (isReleased || world.now < begin + 1_000) return;
          isReleased = true;
          holder.claimed?.withdraw().catch(() => {});
        },
      );
      expect(starters.filter(({ owns }) => owns)).toHaveLength(1);
      expect(refusals(starters)).toBe(1);
      expect(world.now - begin).toBeGreaterThanOrEqual(5_000);
    }
  });
});

describe('the lock of a process on another kernel', () => {
  const there: Kernel = { boot: 'b', fileSystem: 'shared' };
  const here: Kernel = { boot: 'a', fileSystem: 'shared' };

  it('is refused at its next heartbeat', async () => {
    const world = new World(1);
    const holder = await holderIn(world, there);
    const other = new Starter(world, here);
    const before = world.now;
    await startAll(world, [other]);
    expect(String(other.refusal)).toContain('dir is in use by process 1 on h; stop that engine');
    expect(world.now - before).toBeLessThan(1_000);
    expect(holder.owns).toBe(true);
  });

  it('is taken over when it shows no heartbeat for 10 seconds, and then it is lost', async () => {
    const world = new World(2);
    const holder = await holderIn(world, there);
    holder.isRunning = false;
    const starters = [new Starter(world, here), new Starter(world, { ...here, boot: 'c' })];
    const before = world.now;
    await startAll(world, starters);
    expect(starters.filter(({ owns }) => owns)).toHaveLength(1);
    expect(world.now - before).toBeGreaterThanOrEqual(SILENCE_MS);
    expect(holder.owns).toBe(false);
  });

  it('is taken over at once when only one kernel can have the file system mounted', async () => {
    const world = new World(3);
    const before = await holderIn(world, { ...HERE, boot: 'earlier' });
    before.kill();
    const other = new Starter(world);
    const from = world.now;
    await startAll(world, [other]);
    expect(other.owns).toBe(true);
    expect(world.now - from).toBeLessThan(1_000);
  });

  it('is refused when it shows no heartbeats at all and the file system is shared from here', async () => {
    const world = new World(4);
    await holderIn(world, { boot: 'b', fileSystem: 'local' });
    const other = new Starter(world, here);
    await startAll(world, [other], 60_000);
    expect(String(other.refusal)).toContain("can't be checked from here");
  });
});

describe('a lock file', () => {
  const record: LockRecord = { pid: 7, host: 'h', boot: 'b', fileSystem: 'local', socket: true, beats: false, state: 'starting', beat: 0 };

  it('is read as it was written, and its second line keeps its length', () => {
    for (const state of ['starting', 'holding'] as const) {
      const next = { ...record, state, beat: 12 };
      expect(parseLock(headOf(next) + stateLine(next))).toEqual(next);
      expect(stateLine(next)).toHaveLength(stateLine(record).length);
    }
  });

  it('is no lock when it is cut off or damaged', () => {
    const text = headOf(record) + stateLine(record);
    for (let end = 0; end < text.length - 1; end++) expect(parseLock(text.slice(0, end))).toBeUndefined();
    for (const text of ['', '\0'.repeat(200), 'null\nholding  0000000000000000\n', '{"pid":"1"}\nholding  0000000000000000\n'])
      expect(parseLock(text)).toBeUndefined();
  });
});

it.each([
  ['ECONNREFUSED', 'dead'],
  ['ENOENT', 'dead'],
  ['EAGAIN', 'alive'],
  // Bun reports a connection that the holder has closed at once in this way.
  ['ECONNRESET', 'alive'],
  ['EACCES', 'unclear'],
  [undefined, 'unclear'],
])('a connection that failed with %s says that the process is %s', (code, state) => {
  expect(failedProbe(code)).toBe(state);
});
