import { GroupFanout, GroupLog, Hub, StreamSession, Subscription } from '@rivulet/engine/parts';
import { type Bug, bug, onceIn } from './bug.js';

type Methods<T> = { [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T];

/** Replaces a method of a class. Returns a function that restores the original. */
function replaced<T extends object, K extends Methods<T> & string>(prototype: T, name: K, make: (original: T[K]) => T[K]): () => void {
  const original = prototype[name];
  Object.defineProperty(prototype, name, { value: make(original), configurable: true, writable: true });
  return () => {
    Object.defineProperty(prototype, name, { value: original, configurable: true, writable: true });
  };
}

/** Replaces a getter of a class. Returns a function that restores the original. */
function replacedGetter(prototype: object, name: string, get: () => unknown): () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, name);
  Object.defineProperty(prototype, name, { get, configurable: true });
  return () => {
    if (original !== undefined) Object.defineProperty(prototype, name, original);
  };
}

export const DELIVERY_BUGS: readonly Bug[] = [
  bug('skip-one-on-resume', 'I4', 'a resumed subscription misses the first change after its cursor', () => {
    const strikes = onceIn(5);
    return {
      install: () =>
        replaced(
          GroupLog.prototype,
          'stretch',
          (stretch) =>
            function skipping(this: GroupLog, cursor, options) {
              const skips = options.filter !== undefined && cursor < this.head && strikes();
              return stretch.call(this, skips ? cursor + 1 : cursor, options);
            },
        ),
    };
  }),
  bug('batch-cut-off-by-one', 'I4', 'a batch ends one change before the cursor that it states', () => {
    const strikes = onceIn(4);
    return {
      install: () =>
        replaced(
          GroupLog.prototype,
          'stretch',
          (stretch) =>
            function cutting(this: GroupLog, cursor, options) {
              const whole = stretch.call(this, cursor, options);
              if (whole.cursor - cursor < 2 || !strikes()) return whole;
              return { frames: stretch.call(this, cursor, { ...options, through: whole.cursor - 1 }).frames, cursor: whole.cursor };
            },
        ),
    };
  }),
  bug('served-below-the-log', 'I4', 'a cursor below the log is served from the log', () => ({
    install: () => replacedGetter(GroupLog.prototype, 'base', () => 0),
  })),
  bug('filter-drops-frames', 'I4', 'the item filter drops some changes', () => ({
    install: () =>
      replaced(
        Subscription.prototype,
        'wants',
        (wants) =>
          function dropping(this: Subscription, item) {
            return item !== 'i1' && wants.call(this, item);
          },
      ),
  })),
  bug('laggard-skipped', 'I4', 'a slow reader continues at the newest offset', () => ({
    install: () =>
      replaced(
        GroupFanout.prototype,
        'leaveLive',
        (leaveLive) =>
          function skipping(this: GroupFanout, subscription) {
            leaveLive.call(this, subscription);
            if (subscription.cursor >= 0) subscription.cursor = this.log.head;
          },
      ),
  })),
  bug('caught-up-before-it-is-sent', 'I4', 'after an outage a position is sent before the missed changes', () => ({
    install: () =>
      replaced(
        Hub.prototype,
        'setAvailable',
        (setAvailable) =>
          function hasty(this: Hub, ref, available) {
            this.flush = () => {};
            setAvailable.call(this, ref, available);
            Reflect.deleteProperty(this, 'flush');
          },
      ),
  })),
  bug('drain-not-heard', 'I13', 'a slow reader gets nothing when its socket drains', () => ({
    install: () => replaced(StreamSession.prototype, 'onDrain', () => function deaf() {}),
  })),
  bug('last-flush-forgotten', 'I13', 'sometimes a turn of the loop ends without a flush', () => {
    const strikes = onceIn(6);
    return {
      install: () =>
        replaced(
          Hub.prototype,
          'publish',
          (publish) =>
            function forgetting(this: Hub, ...args) {
              if (!strikes()) publish.apply(this, args);
            },
        ),
    };
  }),
];
