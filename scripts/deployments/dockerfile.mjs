/**
 * One instruction of a Dockerfile, without its flags, such as `COPY` with `a b/` and `{ from: 'build' }`.
 * @typedef {{ readonly instruction: string, readonly rest: string, readonly flags: Readonly<Record<string, string>> }} Step
 * @typedef {{ readonly name: string, readonly from: string, readonly steps: readonly Step[] }} Stage
 */

const INSTRUCTIONS = [
  'ARG',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'FROM',
  'HEALTHCHECK',
  'LABEL',
  'RUN',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
];

/**
 * Parses a Dockerfile. It knows the instructions above in their shell and JSON forms, comments, flags and continued lines. Throws for
 * anything else, so that no instruction is left out without a word.
 *
 * @param {string} text
 * @param {Readonly<Record<string, string>>} [given] values of arguments
 * @returns {readonly Stage[]}
 */
export function parseDockerfile(text, given = {}) {
  /** @type {{ name: string, from: string, steps: Step[] }[]} */
  const stages = [];
  /** Arguments before the first stage count in FROM, and those of a stage count in that stage. @type {Record<string, string>} */
  const outer = {};
  let inner = /** @type {Record<string, string>} */ ({});
  for (const line of linesOf(text)) {
    const [, instruction = '', content = ''] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? [];
    if (!INSTRUCTIONS.includes(instruction)) throw new Error(`not an instruction that this parser knows: ${line}`);
    const { flags, rest } = splitFlags(content);
    if (instruction === 'ARG') {
      const [, name = '', fallback = ''] = /^(\w+)(?:=(.*))?$/.exec(rest) ?? [];
      (stages.length === 0 ? outer : inner)[name] = given[name] ?? fallback;
    } else if (instruction === 'FROM') {
      const [, from = '', name = ''] = /^(\S+) AS (\S+)$/.exec(expand(rest, outer)) ?? [];
      if (name === '') throw new Error(`a stage needs a name: ${line}`);
      inner = {};
      stages.push({ name, from, steps: [] });
    } else {
      // The shell of RUN expands variables by itself.
      const value = instruction === 'RUN' ? rest : expand(rest, inner);
      const stage = stages.at(-1);
      if (stage === undefined) throw new Error(`stands before the first FROM: ${line}`);
      stage.steps.push({ instruction, rest: value, flags });
    }
  }
  return stages;
}

/** Returns the instructions of a text, each in one line. @param {string} text @returns {string[]} */
function linesOf(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
}

/** @param {string} content @returns {{ flags: Record<string, string>, rest: string }} */
function splitFlags(content) {
  /** @type {Record<string, string>} */
  const flags = {};
  let rest = content;
  for (;;) {
    const [flag, name = '', value = ''] = /^--([a-z-]+)=(\S+)\s+/.exec(rest) ?? [];
    if (flag === undefined) return { flags, rest };
    flags[name] = value;
    rest = rest.slice(flag.length);
  }
}

/** @param {string} text @param {Readonly<Record<string, string>>} values */
function expand(text, values) {
  return text.replaceAll(/\$\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/**
 * Settings of an image, as `docker inspect` shows them.
 * @typedef {object} ImageConfig
 * @property {Readonly<Record<string, string>>} env
 * @property {Readonly<Record<string, string>>} labels
 * @property {string} user
 * @property {string} workdir
 * @property {readonly string[]} volumes
 * @property {readonly number[]} ports
 * @property {string} stopSignal
 * @property {readonly string[]} entrypoint
 * @property {readonly string[]} cmd
 * @property {readonly string[]} healthcheck
 */

/**
 * Returns the settings of an image with these steps. Commands must have the JSON form, because a shell would become process 1.
 *
 * @param {readonly Step[]} steps
 * @returns {ImageConfig}
 */
export function configOf(steps) {
  /** @param {string} name */
  const all = (name) => steps.filter(({ instruction }) => instruction === name).map(({ rest }) => rest);
  /** @param {string} name @param {string} fallback */
  const last = (name, fallback) => all(name).at(-1) ?? fallback;
  /** @param {string} name @returns {Record<string, string>} */
  const pairs = (name) => Object.fromEntries(all(name).flatMap((rest) => [...rest.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g)].map(pairOf)));
  return {
    env: pairs('ENV'),
    labels: pairs('LABEL'),
    user: last('USER', '0:0'),
    workdir: last('WORKDIR', '/'),
    volumes: all('VOLUME'),
    ports: all('EXPOSE').flatMap((rest) => rest.split(' ').map(Number)),
    stopSignal: last('STOPSIGNAL', 'SIGTERM'),
    entrypoint: JSON.parse(last('ENTRYPOINT', '[]')),
    cmd: JSON.parse(last('CMD', '[]')),
    healthcheck: JSON.parse(last('HEALTHCHECK', 'CMD []').replace(/^CMD /, '')),
  };
}

/** @param {RegExpMatchArray} match @returns {[string, string]} */
function pairOf([, name = '', quoted, plain]) {
  return [name, quoted ?? plain ?? ''];
}
