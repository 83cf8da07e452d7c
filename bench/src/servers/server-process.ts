import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ServerOptions } from './server-options.js';

/** A server under test. It prints one line of JSON with its addresses. */
export interface ServerProcess {
  readonly name: string;
  readonly pid: number;
  /** Addresses for writers and for subscribers. */
  readonly writeUrl: string;
  readonly watchUrl: string;
  /** Address for HTTP requests; empty for a server without HTTP. */
  readonly httpUrl: string;
  /** Address of the admin listener; empty for other servers than Rivulet. */
  readonly adminUrl: string;
  /** Sends a line to the standard input of the server. Resolves with the parsed line of its answer. */
  ask(command: string): Promise<Readonly<Record<string, number>>>;
  stop(): Promise<void>;
}

/** Servers that push changes to subscribers. */
export type FanOutName = 'rivulet' | 'socket.io' | 'uwebsockets';
/** Servers that a scenario may compare. `before` is another build of Rivulet. */
export type ServerName = FanOutName | 'before' | 'node:http' | 'ws relay';

const START_TIMEOUT_MS = 90_000;
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const PINNED = spawnSync('taskset', ['--version']).status === 0;

/** The command that pins servers to their processor. The load gets the other ones. Without `taskset`, the kernel chooses. */
export const SERVER_CPU = '0';

export function pin(cpus: string, command: string, parameters: readonly string[]): [string, string[]] {
  return PINNED ? ['taskset', ['-c', cpus, command, ...parameters]] : [command, [...parameters]];
}

/** Returns the binary in the npm package `bun`; `undefined` if it has none for this platform. */
function bunBinary(): string | undefined {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve('bun/package.json'));
  const platform = `../@oven/bun-${process.platform}-${process.arch}/bin/bun`;
  const candidates = [join(folder, platform), join(folder, 'bin/bun.exe')];
  // Before its install script has run, `bun.exe` is a short text file.
  return candidates.find((path) => existsSync(path) && statSync(path).size > 1_000_000);
}

/** Returns the servers of a scenario in the order in which they take turns: the build before, if there is one, comes after this build. */
export function withBefore<Name extends ServerName>(names: readonly Name[], before: string | undefined): readonly (Name | 'before')[] {
  return before === undefined ? names : names.flatMap((name) => (name === 'rivulet' ? [name, 'before' as const] : [name]));
}

/** Returns the protocol that a server speaks: the build before speaks that of Rivulet. */
export function dialectOf<Name extends ServerName>(name: Name): Exclude<Name, 'before'> | 'rivulet' {
  return name === 'before' ? 'rivulet' : (name as Exclude<Name, 'before'>);
}

export function isAvailable(name: ServerName): boolean {
  return name !== 'uwebsockets' || bunBinary() !== undefined;
}

/** Starts a server pinned to its processor. `checkout`: the folder of the other build, for `before`. */
export async function startServer(name: ServerName, options: ServerOptions = {}, checkout = '.'): Promise<ServerProcess> {
  const node = ['--expose-gc'];
  const asked = JSON.stringify(options);
  const commands: Record<ServerName, [string, string[]]> = {
    rivulet: [process.execPath, [...node, here('./rivulet-server.js'), asked]],
    before: [process.execPath, [...node, join(checkout, 'bench/dist/servers/rivulet-server.js'), asked]],
    'socket.io': [process.execPath, [...node, here('./socket-io-server.js'), asked]],
    'node:http': [process.execPath, [...node, here('./node-http-server.js')]],
    'ws relay': [process.execPath, [...node, here('./ws-relay-server.js')]],
    uwebsockets: [bunBinary() ?? 'bun', [here('../../servers/uwebsockets-server.mjs')]],
  };
  const child = spawn(...pin(SERVER_CPU, ...commands[name]), { stdio: ['pipe', 'pipe', 'inherit'] });
  return new StartedServer(name, child).ready();
}

class StartedServer implements ServerProcess {
  readonly name: string;
  readonly pid: number;
  writeUrl = '';
  watchUrl = '';
  httpUrl = '';
  adminUrl = '';
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, child: ChildProcess) {
    if (child.pid === undefined || child.stdout === null) throw new Error(`${name} did not start`);
    this.name = name;
    this.pid = child.pid;
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async ready(): Promise<this> {
    const address = JSON.parse(await this.#line()) as { write: string; watch: string; http?: string; admin?: string };
    this.writeUrl = address.write;
    this.watchUrl = address.watch;
    this.httpUrl = address.http ?? '';
    this.adminUrl = address.admin ?? '';
    return this;
  }

  async ask(command: string): Promise<Readonly<Record<string, number>>> {
    this.#child.stdin?.write(`${command}\n`);
    return JSON.parse(await this.#line()) as Record<string, number>;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    // The measurement is over. An overloaded server would take a minute to stop in order.
    this.#child.kill('SIGKILL');
    await exit;
  }

  async #line(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.name} said nothing for ${START_TIMEOUT_MS} ms`)), START_TIMEOUT_MS);
    });
    try {
      const { value, done } = await Promise.race([this.#lines.next(), timeout]);
      if (done === true) throw new Error(`${this.name} ended`);
      return value;
    } finally {
      clearTimeout(timer);
    }
  }
}
