/** URL of the built entry that exports the classes below. A module with a `data:` URL cannot import packages by name. */
const PARTS = JSON.stringify(new URL('../../../engine/dist/parts.js', import.meta.url).href);

/**
 * Deliberate faults that the fuzzer must find. They are loaded into the engine process before it starts, so the product contains no line of
 * them.
 */
export const FAULTS: Readonly<Record<string, string>> = {
  /** Throws on a lone surrogate in a promise that nothing awaits, as case E1 did. */
  'unhandled-rejection': `
    import { StreamSession } from ${PARTS};
    const { onText } = StreamSession.prototype;
    StreamSession.prototype.onText = function (text) {
      if (text.includes('"refresh"') && /\\\\ud[89a-f]/i.test(text)) void (async () => encodeURIComponent('\\ud800'))();
      return onText.call(this, text);
    };`,
  /** Loses one change in ten. The innocent client always has more of them under way. */
  'lost-change': `
    import { Hub } from ${PARTS};
    const { publish } = Hub.prototype;
    let n = 0;
    Hub.prototype.publish = function (commit, text) {
      if (commit.stream === 'calm' && ++n % 10 === 0) return;
      return publish.call(this, commit, text);
    };`,
  /** Keeps every frame of a stream client in memory, with 24 KB. */
  leak: `
    import { StreamSession } from ${PARTS};
    const { onText } = StreamSession.prototype;
    const kept = (globalThis.kept = []);
    StreamSession.prototype.onText = function (text) {
      kept.push({ text, copy: Array.from({ length: 3_000 }, () => text.length) });
      return onText.call(this, text);
    };`,
  /** Throws on a frame that names a prototype. The error boundary of the connection catches it. */
  'caught-throw': `
    import { WorkerSession } from ${PARTS};
    const { onText } = WorkerSession.prototype;
    WorkerSession.prototype.onText = function (text) {
      if (text.includes('"__proto__"')) throw new TypeError('a deliberate fault');
      return onText.call(this, text);
    };`,
};

/** Returns the arguments of Node that load a fault into the process. Throws for an unknown name. */
export function nodeArgumentsOf(fault: string | undefined): readonly string[] {
  if (fault === undefined) return [];
  const source = FAULTS[fault];
  if (source === undefined) throw new Error(`there is no fault ${fault}; there are ${Object.keys(FAULTS).join(', ')}`);
  return ['--import', `data:text/javascript,${encodeURIComponent(source)}`];
}
