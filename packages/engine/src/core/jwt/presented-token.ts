import { decodeQuery } from '../../transport/upgrade/upgrade-input.js';
import type { UpgradeRequest } from '../../transport/upgrade/upgrade-request.js';

/**
 * Returns the token of a request: that of `Authorization: Bearer`, else the sub-protocol behind `Authorization`, else `?token=`. Pages can
 * set no headers on a WebSocket, so they use one of the others.
 */
export function presentedToken({ headers, protocols, rawQuery }: Pick<UpgradeRequest, 'headers' | 'protocols' | 'rawQuery'>) {
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization?.trim() ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  if (protocols[0] === 'Authorization' && protocols[1] !== undefined) return protocols[1];
  return decodeQuery(rawQuery)['token']?.at(-1);
}
