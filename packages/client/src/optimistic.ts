import type { OptimisticPart, OverlayPart } from './calls/call-overlay.js';
import { PendingDrafts } from './optimistic/pending-drafts.js';

export type { OptimisticPart } from './calls/call-overlay.js';
export type { Draft, DraftGroup } from './calls/call-types.js';

const PART: OverlayPart = { part: 'optimistic', open: (host) => new PendingDrafts(host) };

/**
 * The part of the client that shows the changes of calls before the server has them. Give it to `connect` as option `optimistic`. Then a
 * call may have a draft function: `client.call(name, payload, { optimistic: (draft) => … })`.
 */
export const optimistic: OptimisticPart = PART;
