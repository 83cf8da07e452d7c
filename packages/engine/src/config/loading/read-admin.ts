import { isLoopback } from '../../structures/ip-address.js';
import { ADMIN_KEYS, type AdminConfig } from '../keys/admin-keys.js';
import { readFields, schemaOf } from '../keys/key.js';
import type { Findings } from './findings.js';
import type { WorkerEntry } from './read-entries.js';
import { readSection } from './read-section.js';
import { readToken } from './read-token.js';

const adminSchema = schemaOf(ADMIN_KEYS);

/** Returns the admin listener of a start without a file. */
export function defaultAdmin(): AdminConfig {
  return { ...readFields(ADMIN_KEYS, adminSchema.parse({})), token: undefined, viewerToken: undefined };
}

/** Reads the admin listener. Off loopback it must have a token, because whoever reaches it may call every function. */
export function readAdmin(entry: WorkerEntry, findings: Findings): AdminConfig | undefined {
  const values = readSection(adminSchema, entry.config, findings);
  if (values === undefined) return undefined;
  const { path } = entry.config;
  const token = readToken(values.token, [...path, 'token'], 'admin_token_short', findings);
  const viewerToken = readToken(values.viewer_token, [...path, 'viewer_token'], 'admin_token_short', findings);
  const isGiven = values.token !== undefined || values.viewer_token !== undefined;
  if (!isLoopback(values.host) && !isGiven) {
    const who = `everyone who can connect to ${values.host}:${values.port} could read and change everything`;
    findings.problem(path, `${who}: set token, or host: 127.0.0.1`);
  }
  if (token !== undefined && token === viewerToken)
    findings.problem([...path, 'viewer_token'], 'token and viewer_token are the same; give each its own value');
  return { ...readFields(ADMIN_KEYS, values), token, viewerToken };
}
