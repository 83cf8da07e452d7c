import { isLoopback } from '../../structures/ip-address.js';
import type { AdminConfig, HttpConfig, StreamConfig, WorkerManagerConfig } from '../config.js';
import type { KeyPath } from './config-source.js';
import type { Findings } from './findings.js';

/** A listener of the configuration, with the place of its entry, and with the name that the file has for it. */
export type PlacedListener = { readonly entry: string; readonly path: KeyPath; readonly hostGiven: boolean } & (
  | { readonly kind: 'worker'; readonly config: WorkerManagerConfig }
  | { readonly kind: 'stream'; readonly config: StreamConfig }
  | { readonly kind: 'http'; readonly config: HttpConfig }
  | { readonly kind: 'admin'; readonly config: AdminConfig }
);

const NAMES = { worker: 'worker', stream: 'stream', http: 'HTTP', admin: 'admin' } as const;

/**
 * Reports who can connect to each listener. It adds a note for a default host, and a warning or a refusal for a port that is open to all.
 */
export function reportOpenDoors(listeners: readonly PlacedListener[], requireAuth: boolean, findings: Findings): void {
  for (const listener of listeners) {
    if (!listener.hostGiven) noteLoopback(listener, findings);
    const open = openDoor(listener);
    if (open === undefined || isLoopback(listener.config.host)) continue;
    if (requireAuth) findings.problem(listener.path, `require_auth is set, and ${open.message}`);
    else findings.warn(open.code, listener.path, open.message, { host: listener.config.host, port: listener.config.port });
  }
}

function noteLoopback({ kind, config, path }: PlacedListener, findings: Findings): void {
  const message = `the ${NAMES[kind]} port ${config.port} listens on ${config.host} only, as the entry has no host`;
  findings.note('loopback_only', path, `${message}; add host: 0.0.0.0 to let other machines and containers connect`);
}

function openDoor(listener: PlacedListener): { readonly code: string; readonly message: string } | undefined {
  // `readAdmin` refuses an admin listener that is open to other machines.
  if (listener.kind === 'http' || listener.kind === 'admin') return undefined;
  const { host, port, allowAnonymous } = listener.config;
  if (allowAnonymous) return undefined;
  const who = `ANYONE who can connect to ${host.includes(':') ? `[${host}]` : host}:${port} may`;
  const meant = 'allow_anonymous: true says that this is meant';
  if (listener.kind === 'stream') {
    if (listener.config.authFunction !== undefined || listener.config.jwt !== undefined) return undefined;
    const calls = listener.config.exposeFunctions === undefined ? '' : ', and call what expose_functions names';
    return {
      code: 'stream_without_auth',
      message: `${who} read every stream${calls}: set auth or auth_function of ${listener.entry}, or host: 127.0.0.1; ${meant}`,
    };
  }
  const { authToken, rbac } = listener.config;
  if (rbac !== undefined && rbac.authFunction === undefined && rbac.jwt === undefined) {
    const rights = 'call what expose_functions of rbac names, and register functions and triggers';
    return { code: 'guest_port_open', message: `${who} ${rights}: set auth or auth_function_id of rbac, or host: 127.0.0.1; ${meant}` };
  }
  if (rbac !== undefined || authToken !== undefined) return undefined;
  const rights = 'call and replace every function, and read and write all streams and state';
  return { code: 'worker_port_open', message: `${who} ${rights}: set auth_token or rbac, or host: 127.0.0.1; ${meant}` };
}
