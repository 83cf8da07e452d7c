import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

/** Hardware address of the client's end. */
const CLIENT_MAC = '02:00:00:00:00:02';

/**
 * A network link between this machine and one client machine, which is a network namespace. A cut is silent, as in a real network: nothing
 * closes the connections, and no packet is answered any more.
 */
export class CutLink {
  /** Address of this machine on the link. */
  readonly host: string;
  readonly #holder: number;

  private constructor(host: string, holder: number) {
    this.host = host;
    this.#holder = holder;
  }

  /** Returns why this machine can make no link; `undefined` when it can. */
  static problem(): string | undefined {
    if (process.platform !== 'linux') return 'network namespaces exist on Linux only';
    const { status, stderr, error } = spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far'], {
      encoding: 'utf8',
    });
    return status === 0 ? undefined : `no network link can be made, which takes root: ${error?.message ?? stderr.trim()}`;
  }

  /** Makes a link. It goes when the test ends. */
  static async make(): Promise<CutLink> {
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready && exec sleep 600'], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void holder.kill('SIGKILL'));
    await once(holder.stdout, 'data');
    const { pid } = holder;
    if (pid === undefined) throw new Error('unshare has not started');
    // Each process of the tests has four addresses of the range for benchmarks (RFC 2544).
    const base = (pid & 0x3fff) * 4;
    const [host, client] = [1, 2].map((last) => `198.18.${base >> 8}.${(base & 255) + last}`) as [string, string];
    const name = `rv${pid}`;
    const link = new CutLink(host, pid);
    run('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'address', CLIENT_MAC, 'netns', String(pid)]);
    // The kernel keeps a namespace for minutes while a connection in it waits for its end.
    onTestFinished(() => void spawnSync('ip', ['link', 'delete', name]));
    run('ip', ['address', 'add', `${host}/30`, 'dev', name]);
    run('ip', ['link', 'set', name, 'up']);
    run('ip', ['neighbour', 'replace', client, 'lladdr', CLIENT_MAC, 'dev', name, 'nud', 'permanent']);
    run('nsenter', link.#there('ip', 'address', 'add', `${client}/30`, 'dev', 'eth0'));
    run('nsenter', link.#there('ip', 'link', 'set', 'eth0', 'up'));
    return link;
  }

  /** Starts a script of Node on the client machine, with its output in pipes. It ends with the test. */
  node(script: string, ...words: readonly string[]): ChildProcess {
    const child = spawn('nsenter', this.#there(process.execPath, '-e', script, ...words), { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  }

  /** Cuts the link. The client machine has no address any more, so it drops every packet. */
  cut(): void {
    run('nsenter', this.#there('ip', 'address', 'flush', 'dev', 'eth0'));
  }

  /** Returns the words of `nsenter` that run a program on the client machine. */
  #there(...words: readonly string[]): string[] {
    return ['--target', String(this.#holder), '--net', ...words];
  }
}

function run(program: string, words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${error?.message ?? stderr.trim()}`);
}
