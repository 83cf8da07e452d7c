import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { SetupError } from '../set-up/workspace.mjs';

/** @typedef {import('./image.mjs').Image} Image */

/** Time for each step on a busy machine. */
const STEP_MS = 120_000;
const SECRETS = 'WORKER_TOKEN=the-token-of-workers\nADMIN_TOKEN=the-token-of-operators\nJWT_SECRET=a-secret-of-at-least-thirty-two-bytes\n';
const ITEM = 'http://127.0.0.1:3113/api/streams/chat/groups/room-1/items/m1';
const HEADERS = ['--header', 'Authorization: Bearer the-token-of-operators', '--header', 'Content-Type: application/json'];

/** Boots systemd as process 1. `$1` has the layers, `$2` the files of the machine, and `$3` a control group of its own. */
const BOOT = `set -e
echo $$ > "$3/cgroup.procs"
exec unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child=SIGKILL sh -ec '
ip link set lo up
mount -t tmpfs tmpfs /mnt
mkdir /mnt/root /mnt/upper /mnt/work
mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
cp -R "$2/." /mnt/root/
cd /mnt/root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do touch "dev/$device" && mount --bind "/dev/$device" "dev/$device"; done
mkdir dev/pts dev/shm
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
pivot_root . mnt
umount -l mnt
exec env -i container=rivulet PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin /lib/systemd/systemd --system --unit=rivulet.service
' sh "$@"`;

/**
 * Starts the unit under a real systemd in namespaces of this machine: a start, a write, a stop, a restart, a kill, and a mistake in the
 * configuration. Rejects with the first difference from what the unit promises.
 *
 * @param {string} root folder of the repository
 * @param {Image} image
 * @param {string} machine folder with a Debian that has systemd
 * @returns {Promise<readonly string[]>} what it has seen
 */
export async function tryUnit(root, image, machine) {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-unit-'));
  const group = join(unifiedGroups(), `rivulet-${process.pid}`);
  mkdirSync(group);
  for (const name of ['etc/rivulet', 'etc/systemd/system']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'etc/rivulet/rivulet.yaml'), readFileSync(join(root, 'ops/config/rivulet.yaml')));
  writeFileSync(join(folder, 'etc/rivulet/secrets.env'), SECRETS, { mode: 0o600 });
  writeFileSync(join(folder, 'etc/systemd/system/rivulet.service'), readFileSync(join(root, 'ops/systemd/rivulet.service')));
  const layers = [...image.layers.slice(0, -1), machine, ...image.layers.slice(-1)].join(':');
  const boot = spawn('sh', ['-c', BOOT, 'sh', layers, folder, group], { stdio: ['ignore', 'inherit', 'inherit'] });
  try {
    return await watchUnit(new Machine(boot.pid ?? 0));
  } finally {
    boot.kill('SIGKILL');
    await new Promise((resolve) => boot.once('close', resolve));
    rmSync(folder, { recursive: true });
    await until(() => spawnSync('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']).status === 0, 'no process is left');
  }
}

/** @param {Machine} machine */
async function watchUnit(machine) {
  const seen = [];
  await until(() => machine.curl(ITEM, ...HEADERS) === '404', 'the engine serves');
  const status = machine.sh('cat /proc/$(systemctl show rivulet --property MainPID --value)/status');
  const rights = ['Uid:\t[1-9]', 'CapEff:\t0+\n', 'CapBnd:\t0+\n', 'NoNewPrivs:\t1', 'Seccomp:\t2'];
  for (const right of rights) expect(new RegExp(right).test(status), `a process with ${right}`, status);
  seen.push('runs as a user of its own, with no capability and with a filter of system calls');
  expect(machine.curl(ITEM, ...HEADERS, '--request', 'PUT', '--data', '1') === '200', 'a write', '');
  machine.sh('systemctl stop rivulet');
  machine.expectState({ ActiveState: 'inactive', Result: 'success', ExecMainStatus: '0' });
  machine.sh('systemctl start rivulet');
  await until(() => machine.curl(ITEM, ...HEADERS) === '200', 'the item after a restart');
  seen.push('stops with exit code 0, and has its data after the next start');
  machine.sh('kill -9 $(systemctl show rivulet --property MainPID --value)');
  await until(() => machine.state()['NRestarts'] === '1' && machine.curl(ITEM, ...HEADERS) === '200', 'the item after a kill');
  seen.push('is started again after a kill, with its data');
  machine.sh('echo WORKER_TOKEN=x > /etc/rivulet/secrets.env; systemctl restart rivulet');
  await until(() => machine.state()['ActiveState'] === 'failed', 'a failed unit');
  machine.expectState({ ExecMainStatus: '78', NRestarts: '0' });
  seen.push('is not started again after a mistake in the configuration');
  return seen;
}

/** The namespaces of a booted systemd. */
class Machine {
  #unshare;

  /** @param {number} unshare process that has started process 1 of the machine */
  constructor(unshare) {
    this.#unshare = unshare;
  }

  /** @param {readonly string[]} namespaces @param {readonly string[]} words */
  #run(namespaces, words) {
    const pid = readFileSync(`/proc/${this.#unshare}/task/${this.#unshare}/children`, 'utf8').trim();
    const { stdout } = spawnSync('nsenter', ['--target', pid, ...namespaces, ...words], { encoding: 'utf8', timeout: STEP_MS });
    return stdout;
  }

  /** Runs a command in the machine. @param {string} command */
  sh(command) {
    return this.#run(['--all'], ['sh', '-c', command]);
  }

  /** Returns the status of a request from inside the machine, by the curl of this one. @param {readonly string[]} words */
  curl(...words) {
    return this.#run(['--net'], ['curl', '--silent', '--max-time', '30', '--output', '/dev/null', '--write-out', '%{http_code}', ...words]);
  }

  /** @returns {Record<string, string>} */
  state() {
    const text = this.sh('systemctl show rivulet --property ActiveState,Result,ExecMainStatus,NRestarts');
    return Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => line.split('=')),
    );
  }

  /** @param {Readonly<Record<string, string>>} wanted */
  expectState(wanted) {
    const state = this.state();
    for (const [name, value] of Object.entries(wanted)) expect(state[name] === value, `${name}=${value}`, JSON.stringify(state));
  }
}

/** Returns the folder of the control groups of version 2. */
function unifiedGroups() {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((each) => each.split(' ')[2] === 'cgroup2');
  if (line === undefined) throw new SetupError('this machine has no control groups of version 2, which systemd needs');
  return line.split(' ')[1] ?? '';
}

/** @param {boolean} isTrue @param {string} what @param {string} seen */
function expect(isTrue, what, seen) {
  if (!isTrue) throw new SetupError(`the unit under systemd: expected ${what}; got ${seen}`);
}

/** @param {() => boolean} isTrue @param {string} what */
async function until(isTrue, what) {
  const end = performance.now() + STEP_MS;
  while (!isTrue()) {
    if (performance.now() > end) throw new SetupError(`the unit under systemd: no sign of ${what} after ${STEP_MS / 1_000} s`);
    await after(200);
  }
}
