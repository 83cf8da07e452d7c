import type { KeepAlive } from './keep-alive.js';
import type { WakeSource } from './wake-source.js';

/** The milliseconds that an answer may take. */
const ANSWER_MS = 10_000;
/** The milliseconds by which a timer may be late. A later timer means that the whole page was suspended. */
const LATE_MS = 2_000;

/**
 * Returns a policy for sockets that can't ping. It probes the server after `silenceMs` milliseconds without a sign of life, and when the
 * page wakes up. It drops a connection that stays silent for another `ANSWER_MS`. `probe` sends a message that the server must answer. It
 * returns false if the server has no answer to it. Then the silence of the server proves nothing, and the connection stays.
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
    const rest = () => later(check, Math.max(heardAt + silenceMs - clock.now(), 0));
    const check = () => {
      if (clock.now() - heardAt < silenceMs) rest();
      else probeNow();
    };
    const probeNow = () => {
      const probedAt = clock.now();
      const isAnswered = probe();
      later(() => {
        if (heardAt >= probedAt || !isAnswered) {
          heardAt = Math.max(heardAt, probedAt);
          rest();
        } else if (clock.now() - probedAt > ANSWER_MS + LATE_MS) probeNow();
        else link.drop(`nothing came for ${silenceMs + ANSWER_MS} ms`);
      }, ANSWER_MS);
    };
    const stopListening = wakeSource(probeNow);
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
