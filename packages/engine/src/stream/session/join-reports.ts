import type { StreamJoin } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import { isStreamName, isValidId } from '../../store/shared/ids.js';
import { encodeTextFrame } from '../../transport/websocket-frame.js';
import type { JoinRefusalCause, RefusedJoin as RecordedRefusal, WhyRecords } from '../../why/why-records.js';
import type { Hub } from '../fanout/hub.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import type { JoinDenial } from './join-leave-triggers.js';
import type { SessionSocket } from './session-socket.js';

interface JoinReportDeps {
  readonly hub: Pick<Hub, 'counters'>;
  readonly frames: FrameEncoder;
  readonly logger: Logger;
  readonly why?: Pick<WhyRecords, 'joinRefused'> | undefined;
}

/** A join that breaks a bound. It has no effect. */
export interface IgnoredJoin {
  readonly subscriptionId: string;
  readonly code: 'INVALID_ID' | 'TOO_MANY_SUBSCRIPTIONS';
  readonly message: string;
}

/** A join that its functions or its token did not allow. */
export interface RefusedJoin {
  readonly subscriptionId: string;
  readonly stream: string;
  readonly group: string;
  readonly item: string | undefined;
  readonly because: JoinDenial;
  readonly cause: JoinRefusalCause;
}

/** The joins of a session when another one comes. */
interface JoinCounts {
  readonly limit: number;
  readonly pending: number;
  readonly members: number;
  /** The join replaces one of the members. */
  readonly replaces: boolean;
}

/** Returns why a join has no effect; `undefined` when it keeps all bounds. */
export function checkJoin(join: StreamJoin, { limit, pending, members, replaces }: JoinCounts): IgnoredJoin | undefined {
  const { subscriptionId, streamName, groupId, itemId } = join;
  if (!isStreamName(streamName) || !isValidId(groupId) || (itemId !== undefined && !isValidId(itemId))) {
    const message = 'stream, group and item are at most 256 bytes of UTF-8 without control characters';
    return { subscriptionId, code: 'INVALID_ID', message };
  }
  if (pending < limit && (replaces || members + pending < limit)) return undefined;
  const message = `a connection has at most ${limit} subscriptions; leave some, or open another`;
  return { subscriptionId, code: 'TOO_MANY_SUBSCRIPTIONS', message };
}

/**
 * Counts an ignored join and sends an error to a position-aware client. For other clients the first one of a connection is a warning in the
 * log.
 */
export function reportIgnoredJoin(
  { hub, logger, why }: JoinReportDeps,
  socket: SessionSocket,
  { streamName: stream, groupId: group, itemId: item }: StreamJoin,
  join: IgnoredJoin,
): void {
  const { code, message } = join;
  // A name that breaks a bound can be as long as a message.
  if (code === 'TOO_MANY_SUBSCRIPTIONS') noteRefused(why, socket, { stream, group, item, by: 'bound', reason: code });
  hub.counters.refusedJoins[code === 'INVALID_ID' ? 'invalid_id' : 'too_many']++;
  logger[socket.hasWarned || socket.positions ? 'debug' : 'warn']('join_ignored', { code, message, address: socket.remoteAddress });
  socket.hasWarned = true;
  socket.sendControl({ type: 'error', data: join });
}

/** Counts a refused join and reports it to the client. Resolves when the client may get the next frame. */
export function reportRefusedJoin({ hub, frames, why }: JoinReportDeps, socket: SessionSocket, join: RefusedJoin): Promise<void> {
  const { subscriptionId, stream, group, item, because, cause } = join;
  noteRefused(why, socket, { stream, group, item, ...cause });
  hub.counters.refusedJoins[because]++;
  socket.sendControl({ type: 'error', data: { subscriptionId, code: 'FORBIDDEN', message: 'the join was refused' } });
  return socket.writeBetween(encodeTextFrame(frames.unauthorized(stream, group, item)));
}

function noteRefused(why: JoinReportDeps['why'], socket: SessionSocket, refused: Omit<RecordedRefusal, 'at' | 'session'>): void {
  socket.refusedJoins++;
  const { number: session } = socket;
  if (session !== undefined) why?.joinRefused({ session, ...refused });
}
