import { isJsonObject, type JsonObject, parseJson, stringField } from '@rivulet/protocol';
import type { Config } from '../../config/config.js';
import { tokenOf } from '../command/access.js';
import type { CommandContext } from '../command/command.js';
import { CommandFailure } from '../command/failure.js';
import { type Finding, findingsOf } from './finding.js';
import { isAdminListener, reachable } from './port-checks.js';

const ANSWER_MS = 2_000;
const { ok, note, change } = findingsOf('engine');

/** Asks the running engine of the configuration whether it is ready. Another program on its port gets no token. */
export async function checkEngine({ admin }: Config, context: Pick<CommandContext, 'env'>): Promise<readonly Finding[]> {
  if (admin === undefined)
    return [note('the file lists no rivulet-admin, so nothing reports health and metrics; add - name: rivulet-admin')];
  if (!(await isAdminListener(admin.host, admin.port)))
    return [note(`no engine answers at the admin listener ${admin.host}:${admin.port}`)];
  let body: unknown;
  let isReady: boolean;
  try {
    const token = tokenOf(context, 'RIVULET_ADMIN_TOKEN');
    const response = await fetch(`http://${reachable(admin.host)}:${admin.port}/ready`, {
      signal: AbortSignal.timeout(ANSWER_MS),
      redirect: 'error',
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    });
    body = parseJson(await response.text());
    isReady = response.ok;
  } catch (error) {
    if (error instanceof CommandFailure) return [change(error.message)];
    return [note(`no engine answers at the admin listener ${admin.host}:${admin.port}`)];
  }
  if (isReady) return [ok('the running engine is ready')];
  const reasons = isJsonObject(body) && Array.isArray(body.reasons) ? body.reasons.filter(isJsonObject) : [];
  return reasons.length === 0 ? [change('the running engine is not ready; give RIVULET_ADMIN_TOKEN to see why')] : reasons.map(reasonOf);
}

function reasonOf(reason: JsonObject): Finding {
  return change(`the running engine is not ready: ${stringField(reason, 'message') ?? ''} (${stringField(reason, 'code') ?? ''})`);
}
