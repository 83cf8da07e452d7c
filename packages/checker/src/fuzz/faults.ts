/** The built entry that exports the classes below. A module of a `data:` URL can import no package by its name. */
const PARTS = JSON.stringify(new URL('../../../engine/dist/parts.js', import.meta.url).href);

/**
 * Deliberate faults, each one that the fuzzer must find. They are put into the process of the engine before it starts, so that the product
 * holds no line of them.
 */
export const FAULTS: Readonly<Record<string, string>> = {
  /** E1 as it was: a throw on a lone surrogate, in a promise that nobody awaits. */
  'unhandled-rejection': `
    import { StreamSession } from ${PARTS};
    const { onText } = StreamSession.prototype;
    StreamSession.prototype.onText = function (text) {
      if (text.includes('"refresh"') && /\\\\ud[89a-f]/i.test(text)) void (async () => encodeURIComponent('\\ud800'))();
      return onText.call(this, text);
    };`,
  /** One change in fifty is never written to anybody. */
  'lost-change': `
    import { Hub } from ${PARTS};
    const { publish } = Hub.prototype;
    let n = 0;
    Hub.prototype.publish = function (commit, text) {
      if (commit.stream === 'calm' && ++n % 50 === 0) return;
      return publish.call(this, commit, text);
    };`,
  /** Every frame of a stream client is kept. */
  leak: `
    import { StreamSession } from ${PARTS};
    const { onText } = StreamSession.prototype;
    const kept = (globalThis.kept = []);
    StreamSession.prototype.onText = function (text) {
      kept.push({ text, copy: Array.from({ length: 3_000 }, () => text.length) });
      return onText.call(this, text);
    };`,
  /** A frame that names a prototype makes its reader throw, inside the boundary of the connection. */
  'caught-throw': `
    import { WorkerSession } from ${PARTS};
    const { onText } = WorkerSession.prototype;
    WorkerSession.prototype.onText = function (text) {
      if (text.includes('"__proto__"')) throw new TypeError('a deliberate fault');
      return onText.call(this, text);
    };`,
};

/** Arguments of Node that put a fault into the process. Throws for one that is unknown. */
export function nodeArgumentsOf(fault: string | undefined): readonly string[] {
  if (fault === undefined) return [];
  const source = FAULTS[fault];
  if (source === undefined) throw new Error(`there is no fault ${fault}; there are ${Object.keys(FAULTS).join(', ')}`);
  return ['--import', `data:text/javascript,${encodeURIComponent(source)}`];
}
