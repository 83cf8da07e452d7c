import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../set-up/child-process.mjs';
import { contextFiles } from './build-context.mjs';
import { configOf, parseDockerfile } from './dockerfile.mjs';

/** @typedef {import('./dockerfile.mjs').Step} Step */
/** @typedef {import('./dockerfile.mjs').ImageConfig} ImageConfig */

/**
 * A built image: folders that overlay each other, the upper one first, and the settings of its Dockerfile.
 * @typedef {{ readonly layers: readonly string[], readonly config: ImageConfig }} Image
 */

/** Time for the whole build on a busy machine, with downloads. */
const BUILD_MS = 900_000;
/** Variables of this machine that npm needs to reach its registry. */
const PASSED = ['NODE_EXTRA_CA_CERTS', 'npm_config_registry', 'http_proxy', 'https_proxy', 'no_proxy'];
export const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Builds the last stage of the Dockerfile of this repository without a Docker engine, as root. Each instruction runs in an overlay of the
 * base image, in namespaces of its own. An image of the same Dockerfile, base and files is built once.
 *
 * @param {string} root folder of the repository
 * @param {string} base folder with the files of the base image
 * @returns {Promise<Image>}
 */
export async function buildImage(root, base) {
  const text = readFileSync(join(root, 'Dockerfile'), 'utf8');
  const files = contextFiles(root, readFileSync(join(root, '.dockerignore'), 'utf8'));
  const hash = createHash('sha256').update(base).update(text);
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(root, file)));
  const stages = parseDockerfile(text);
  const wanted = stages.at(-1);
  if (wanted === undefined) throw new Error('the Dockerfile has no stage');
  const images = join(root, '.rivulet/deployments/images');
  const place = join(images, hash.digest('hex').slice(0, 16));
  if (!existsSync(place)) {
    const made = join(images, `${process.pid}.part`);
    rmSync(made, { recursive: true, force: true });
    for (const file of files) {
      mkdirSync(dirname(join(made, 'context', file)), { recursive: true });
      cpSync(join(root, file), join(made, 'context', file));
    }
    for (const stage of stagesFor(wanted.name, stages)) await buildStage(stage, stages, base, made);
    // Only the layers of the last stage are needed from here on.
    const layers = layersOf(wanted, stages, base, made);
    for (const name of readdirSync(made)) if (!layers.includes(join(made, name))) rmSync(join(made, name), { recursive: true });
    // Other processes may build an image at the same time. A killed one leaves its part.
    const isBuilding = (/** @type {string} */ name) => name.endsWith('.part') && existsSync(`/proc/${Number.parseInt(name)}`);
    for (const old of readdirSync(images)) if (!isBuilding(old)) rmSync(join(images, old), { recursive: true, force: true });
    renameSync(made, place);
  }
  return { layers: layersOf(wanted, stages, base, place), config: configOf([...inheritedBy(wanted, stages), ...wanted.steps]) };
}

/** @typedef {import('./dockerfile.mjs').Stage} Stage */

/**
 * Returns the stages that this one needs, in their order, and itself.
 *
 * @param {string} name
 * @param {readonly Stage[]} stages
 * @returns {Stage[]}
 */
function stagesFor(name, stages) {
  const stage = stages.find((each) => each.name === name);
  if (stage === undefined) return [];
  const before = [stage.from, ...stage.steps.flatMap(({ flags }) => flags['from'] ?? [])].flatMap((each) => stagesFor(each, stages));
  return [...new Set([...before, stage])];
}

/** @param {Stage} stage @param {readonly Stage[]} stages @param {string} base @param {string} place @returns {string[]} */
function layersOf(stage, stages, base, place) {
  const from = stages.find(({ name }) => name === stage.from);
  return [join(place, stage.name), ...(from === undefined ? [base] : layersOf(from, stages, base, place))];
}

/** Returns the steps of all stages below this one. @param {Stage} stage @param {readonly Stage[]} stages @returns {readonly Step[]} */
function inheritedBy(stage, stages) {
  const from = stages.find(({ name }) => name === stage.from);
  return from === undefined ? [] : [...inheritedBy(from, stages), ...from.steps];
}

/** Prepares the root of a stage for commands, and defines the copy of Docker: a folder gives its content. `$1` is the place. */
const PREAMBLE = `set -e
cd "$1"
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=work" root
mount -t proc proc root/proc
mount --bind /dev root/dev
mount -t tmpfs tmpfs root/run
mount --bind /etc/resolv.conf root/etc/resolv.conf
if [ -n "$NODE_EXTRA_CA_CERTS" ]; then
  cp "$NODE_EXTRA_CA_CERTS" root/run/authorities.crt
  export NODE_EXTRA_CA_CERTS=/run/authorities.crt
fi
copy() {
  if [ -d "$1" ]; then mkdir -p "$2" && cp -dpR "$1/." "$2/"
  else case "$2" in */) mkdir -p "$2" ;; esac && cp -dp "$1" "$2"
  fi
}
`;

/** @param {Stage} stage @param {readonly Stage[]} stages @param {string} base @param {string} place */
async function buildStage(stage, stages, base, place) {
  const [upper = '', ...lower] = layersOf(stage, stages, base, place);
  for (const folder of [upper, ...['work', 'root', 'other'].map((name) => join(place, name))]) mkdirSync(folder, { recursive: true });
  const layers = Object.fromEntries(stages.map((each) => [each.name, layersOf(each, stages, base, place).join(':')]));
  const script = PREAMBLE + commandsOf(stage, inheritedBy(stage, stages), layers).join('\n');
  const env = { LOWER: lower.join(':'), UPPER: upper, CACHE: npmCache() };
  const words = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh', place];
  const code = await run('unshare', words, { cwd: place, env, timeoutMs: BUILD_MS });
  if (code !== 0) throw new Error(`the stage ${stage.name} of the Dockerfile failed with exit code ${code}; its output is above`);
  rmSync(join(place, 'work'), { recursive: true });
}

/**
 * Returns the commands of a shell for the steps of a stage.
 *
 * @param {Stage} stage
 * @param {readonly Step[]} inherited
 * @param {Readonly<Record<string, string>>} layers of each stage
 * @returns {string[]}
 */
function commandsOf(stage, inherited, layers) {
  let workdir = inherited.findLast(({ instruction }) => instruction === 'WORKDIR')?.rest ?? '/';
  let env = inherited.flatMap(({ instruction, rest }) => (instruction === 'ENV' ? rest : [])).join(' ');
  return stage.steps.flatMap(({ instruction, rest, flags }) => {
    if (instruction === 'ENV') env = `${env} ${rest}`;
    if (instruction === 'WORKDIR') workdir = rest;
    if (instruction === 'WORKDIR') return `mkdir -p root${rest}`;
    if (instruction === 'COPY') return copy(rest.split(/\s+/), flags['from']);
    return instruction === 'RUN' ? runInside(rest, flags['mount']) : [];
  });

  /** @param {string[]} words @param {string | undefined} from */
  function copy(words, from) {
    const target = words.pop() ?? '';
    const inside = `root${target.startsWith('/') ? target : join(workdir, target)}`;
    if (from === undefined) return words.map((word) => `copy context/${word} ${inside}`);
    return [
      // An overlay without an upper layer needs two lower ones.
      `mount -t overlay overlay -o lowerdir=${layers[from]}:"$1"/work other`,
      ...words.map((word) => `copy other${word} ${inside}`),
      'umount other',
    ];
  }

  /** @param {string} command @param {string | undefined} mount */
  function runInside(command, mount) {
    const target = /^type=cache,target=(\S+)$/.exec(mount ?? '')?.[1];
    if (mount !== undefined && target === undefined) throw new Error(`a mount that this program does not know: ${mount}`);
    const passed = PASSED.map((name) => `\${${name}:+"${name}=$${name}"}`).join(' ');
    const quoted = `cd ${workdir} && ${command}`.replaceAll("'", `'\\''`);
    const inside = `chroot root env -i PATH=${PATH} HOME=/root ${env} ${passed} sh -c '${quoted}'`;
    if (target === undefined) return inside;
    return [`mkdir -p root${target}`, `mount --bind "$CACHE" root${target}`, inside, `umount root${target}`];
  }
}

/** Returns the cache of npm on this machine, which a build may fill and use as it may that of a builder. */
function npmCache() {
  const folder = process.env['npm_config_cache'] ?? join(homedir(), '.npm');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Returns why this machine cannot build or run an image; `undefined` when it can.
 *
 * @returns {string | undefined}
 */
export function imageProblem() {
  if (process.platform !== 'linux') return 'NO_NAMESPACES: namespaces exist on Linux only';
  const words = ['--mount', '--pid', '--net', '--fork', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'];
  const { status, stderr, error } = spawnSync('unshare', words, { encoding: 'utf8' });
  return status === 0 ? undefined : `NO_NAMESPACES: mounts and namespaces take root: ${error?.message ?? stderr.trim()}`;
}
