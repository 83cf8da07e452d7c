import type { KeepAlive } from './keep-alive.js';
import type { WakeSource } from './wake-source.js';

/** Milliseconds that an answer may take. */
const ANSWER_MS = 10_000;
/** Milliseconds by which a timer may be late before the whole page is taken to have stood still meanwhile. */
const LATE_MS = 2_000;

/**
 * For sockets that can't ping: asks for a sign of life after `silenceMs` without one, and when the page wakes up, and drops a connection that
 * stays silent for another 10 s. `probe` sends the question; false: the server has no answer to it, so its silence says nothing.
 */
export function probeKeepAlive(silenceMs: number, probe: () => boolean, wakeSource: WakeSource): KeepAlive {
  return (link) => {
    const { clock } = link;
    let heardAt = clock.now();
    let timer: unknown;
    const later = (run: () => void, ms: number) => {
      clock.clearTimer(timer);
      timer = clock.setTimer(run, ms);
    };
    const rest = () => later(look, Math.max(heardAt + silenceMs - clock.now(), 0));
    const look = () => {
      if (clock.now() - heardAt < silenceMs) rest();
      else ask();
    };
    const ask = () => {
      const askedAt = clock.now();
      const asked = probe();
      later(() => {
        if (heardAt >= askedAt || !asked) {
          heardAt = Math.max(heardAt, askedAt);
          rest();
        } else if (clock.now() - askedAt > ANSWER_MS + LATE_MS) ask();
        else link.drop(`nothing came for ${silenceMs + ANSWER_MS} ms`);
      }, ANSWER_MS);
    };
    const stopListening = wakeSource(ask);
    rest();
    return {
      heard: () => {
        heardAt = clock.now();
      },
      stop: () => {
        clock.clearTimer(timer);
        stopListening();
      },
    };
  };
}
