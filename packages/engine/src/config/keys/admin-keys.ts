import { z } from 'zod';
import { type Fields, type Keys, key, specialKey } from './key.js';
import { allowedHosts, flag, host, wholeNumber } from './value-schemas.js';
import { TOKEN_BOUND } from './worker-listener-keys.js';

const token = z.unknown().optional().describe(TOKEN_BOUND);

/** Keys of `rivulet-admin`. `read-admin.ts` checks the tokens themselves, because no message may show them. */
export const ADMIN_KEYS = {
  port: key('port', wholeNumber(3_113, 0, 65_535), 'Port of the admin listener. 0 means any free port'),
  host: key('host', host, 'Address to listen on. Any other than a loopback address needs `token` or `viewer_token`'),
  token: specialKey('token', token, 'Secret that may read and change everything ([admin.md](admin.md#access))'),
  viewerToken: specialKey('viewer_token', token, 'Secret that may read everything and change nothing'),
  allowedHosts: key('allowed_hosts', allowedHosts, 'Further names that `Host` may have, beside loopback names and all addresses'),
  metricsOpen: key('metrics_open', flag(false), '`/metrics` needs no token. On a loopback address it never needs one'),
} as const satisfies Keys;

export interface AdminConfig extends Fields<typeof ADMIN_KEYS> {
  /** The secret that may do everything. `undefined`: without both secrets, everyone on this machine may. */
  readonly token: string | undefined;
  /** The secret that may read. */
  readonly viewerToken: string | undefined;
}
