import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Inbox } from '@rivulet/testkit/inbox';
import { onTestFinished } from 'vitest';
import { type Image, PATH } from '../deployments/image.mjs';

/** An address that is not loopback. A listener that binds loopback refuses connections to it. */
const ADDRESS = '198.18.0.2';

export interface ContainerOptions {
  /** User and group as in `USER`, by default those of the image. */
  readonly user?: string;
  /** Further groups of the process, such as `fsGroup` of Kubernetes. @default none */
  readonly groups?: readonly number[];
  /** Folder of this machine for the volume of the image. */
  readonly volume: string;
  /** Arguments in place of those of the image. */
  readonly cmd?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Containers that share a network namespace, as in Kubernetes. Each has mount and PID namespaces of its own, a root without write access,
 * no capability, and its volume. They end with the test.
 */
export class Pod {
  readonly address = ADDRESS;
  readonly #image: Image;
  readonly #holder: number;

  private constructor(image: Image, holder: number) {
    this.#image = image;
    this.#holder = holder;
  }

  static async start(image: Image): Promise<Pod> {
    const script = `ip link set lo up && ip address add ${ADDRESS}/32 dev lo && echo ready && exec sleep 3600`;
    const holder = spawn('unshare', ['--net', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void holder.kill('SIGKILL'));
    await once(holder.stdout, 'data');
    if (holder.pid === undefined) throw new Error('unshare has not started');
    return new Pod(image, holder.pid);
  }

  run(options: ContainerOptions): Container {
    const { config } = this.#image;
    return this.#container([...config.entrypoint, ...(options.cmd ?? config.cmd)], options);
  }

  /** Runs the health check of the image beside the others, and resolves with its exit code. */
  async healthCheck(options: ContainerOptions): Promise<number | null> {
    return (await this.#container(this.#image.config.healthcheck, options).ended).code;
  }

  /** Runs a program of this machine in the network of the pod. Resolves when it prints `text`, and rejects when it ends before. */
  async accompany(program: string, words: readonly string[], text: string): Promise<void> {
    const child = spawn('nsenter', ['--target', String(this.#holder), '--net', program, ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const { ended, lines } = outputOf(child);
    const early = ended.then(({ code, stdout }) => {
      if (!stdout.includes(text)) throw new Error(`${program} ended with ${code}: ${stdout}`);
    });
    await Promise.race([lines.take((line) => line.includes(text), text), early]);
  }

  /** Sends a request from this machine to a port of the pod, and resolves with its status and its body. */
  async curl(port: number, path: string, ...words: readonly string[]): Promise<{ readonly status: number; readonly body: string }> {
    const url = `http://${ADDRESS}:${port}${path}`;
    const curl = ['curl', '--silent', '--show-error', '--max-time', '60', '--write-out', '\n%{http_code}', ...words, url];
    const child = spawn('nsenter', ['--target', String(this.#holder), '--net', ...curl], { stdio: ['ignore', 'pipe', 'pipe'] });
    const { stdout, stderr } = await outputOf(child).ended;
    const [, body = '', status] = /^(.*)\n(\d+)$/s.exec(stdout) ?? [];
    if (status === undefined) throw new Error(stderr);
    return { status: Number(status), body };
  }

  #container(words: readonly string[], options: ContainerOptions): Container {
    const { layers, config } = this.#image;
    const [uid, gid] = (options.user ?? config.user).split(':');
    const { groups = [] } = options;
    const identity = [`--reuid=${uid}`, `--regid=${gid}`, groups.length > 0 ? `--groups=${groups.join(',')}` : '--clear-groups'];
    const rights = ['--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'];
    const env = Object.entries({ PATH, ...config.env, ...options.env }).map(([name, value]) => `${name}=${value}`);
    const command = ['setpriv', ...identity, ...rights, 'env', '-i', `--chdir=${config.workdir}`, ...env, ...words];
    const shell = ['sh', '-c', ENTER, 'sh', layers.join(':'), options.volume, config.volumes[0] ?? '', ...command];
    const namespaces = ['unshare', '--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child=SIGKILL'];
    const child = spawn('nsenter', ['--target', String(this.#holder), '--net', ...namespaces, ...shell], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Container(child);
  }
}

/** Enters the image, whose overlay has no upper layer, so that nothing can be written. It becomes the command by exec, as process 1. */
const ENTER = `set -e
layers="$1" volume="$2" target="$3"; shift 3
mount -t tmpfs tmpfs /mnt
mkdir /mnt/root /mnt/nothing
mount -t overlay overlay -o "lowerdir=$layers:/mnt/nothing" /mnt/root
cd /mnt/root
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero random urandom; do touch "dev/$device" && mount --bind "/dev/$device" "dev/$device"; done
mount --bind "$volume" ".$target"
pivot_root . .
umount -l .
exec "$@"`;

/** A process with the namespaces of a container. */
export class Container {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #lines: Inbox<string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    ({ ended: this.ended, lines: this.#lines } = outputOf(child));
    onTestFinished(() => void child.kill('SIGKILL'));
  }

  /** Resolves when the engine has printed its ready line. Rejects when it ends before. */
  async ready(): Promise<void> {
    const early = this.ended.then(({ code, stderr }) => Promise.reject(new Error(`ended with ${code}: ${stderr}`)));
    await Promise.race([this.#lines.take((line) => line.startsWith('ready '), 'the ready line'), early]);
  }

  /** Number of process 1 of the container in the namespace of this machine. */
  get pid(): number {
    // `nsenter` becomes `unshare` by exec, and the only child of `unshare` is process 1.
    const children = readFileSync(`/proc/${this.#child.pid}/task/${this.#child.pid}/children`, 'utf8');
    return Number(children);
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Returns the status files of all processes of the container, as it sees them. */
  processes(): readonly string[] {
    const folder = `/proc/${this.pid}/root/proc`;
    const names = readdirSync(folder).filter((name) => /^\d+$/.test(name));
    return names.flatMap((name) => {
      try {
        return readFileSync(`${folder}/${name}/status`, 'utf8');
      } catch {
        // It has ended since, and left no zombie.
        return [];
      }
    });
  }

  /** Runs a command in the container, as `docker exec` does, with the rights and the environment of process 1. */
  exec(...words: readonly string[]): Ended {
    const [, uid = ''] = /^Uid:\t(\d+)/m.exec(this.processes()[0] ?? '') ?? [];
    const inside = ['--target', String(this.pid), '--mount', '--pid', '--net', '--uts', '--ipc', '--setuid', uid];
    const env = readFileSync(`/proc/${this.pid}/environ`, 'utf8')
      .split('\0')
      .filter((each) => each !== '');
    const { status, stdout, stderr } = spawnSync('nsenter', [...inside, 'env', '-i', ...env, ...words], { encoding: 'utf8' });
    return { code: status, stdout, stderr };
  }
}

function outputOf(child: ChildProcess): { readonly ended: Promise<Ended>; readonly lines: Inbox<string> } {
  const lines = new Inbox<string>();
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { ended, lines };
}
