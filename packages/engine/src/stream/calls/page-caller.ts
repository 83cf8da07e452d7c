import { LIMITS } from '@rivulet/protocol';
import { type CallerCard, callerCard } from '../../core/fabric/caller-card.js';
import type { FunctionRegistry } from '../../core/fabric/function-registry.js';
import type { Caller } from '../../core/fabric/invocation.js';
import type { TokenGrants } from '../../core/jwt/token-grants.js';
import type { Exposure } from '../../core/workers/access/exposure.js';
import { type CallLists, OPEN_GRANT } from '../../core/workers/access/grant.js';
import { SessionPermissions } from '../../core/workers/access/session-permissions.js';

/** The access of a stream client, as its auth decision gives it. */
export interface PageAccess {
  readonly context: unknown;
  readonly identity?: string | undefined;
  /** Grants of the token; `undefined` when the listener checks no tokens by itself. */
  readonly grants?: TokenGrants | undefined;
  /** Functions that the auth function allows and forbids; `undefined` when it names none. */
  readonly calls?: CallLists | undefined;
}

interface PageName {
  readonly sessionId: string;
  readonly address: string;
}

/** A page announces nothing, logs nothing and opens no channels. */
const NO_INFRASTRUCTURE: ReadonlySet<string> = new Set();

/** A stream client as the caller of functions: its name for them, and its permissions. */
export class PageCaller implements Caller {
  /** Id of the session. The stores let sessions take turns by it. */
  readonly workerId: string;
  /** Address of the client. */
  readonly address: string;
  readonly version = undefined;
  readonly maxMessageBytes = LIMITS.callResultBytes;
  readonly access: SessionPermissions;
  readonly card: CallerCard;

  constructor({ sessionId, address }: PageName, page: PageAccess, exposure: Exposure, functions: FunctionRegistry) {
    const { context, identity, grants: token, calls } = page;
    this.workerId = sessionId;
    this.address = address;
    this.access = new SessionPermissions({ ...OPEN_GRANT, ...calls, context, identity, token }, exposure, functions, NO_INFRASTRUCTURE);
    this.card = callerCard({ kind: 'page', worker_id: null, session_id: sessionId, identity: identity ?? null, context: context ?? {} });
  }

  /** Name of the user; `undefined` when there is none. */
  get identity(): string | undefined {
    return this.access.grant.identity;
  }
}
