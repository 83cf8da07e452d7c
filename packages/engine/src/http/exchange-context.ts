import type { HttpConfig } from '../config/config.js';
import type { Channels } from '../core/channels/channels.js';
import type { Fabric } from '../core/fabric/fabric.js';
import type { Span } from '../core/fabric/tracing.js';
import type { Logger } from '../logging/logger.js';
import type { Clock } from '../structures/clock.js';
import type { UnsentResponses } from '../transport/plain/unsent-responses.js';
import type { HttpRequest } from './request/http-request.js';
import type { BodyIntakes } from './request/request-body.js';
import type { RequestSlots } from './request-slots.js';
import type { Cors } from './response/cors.js';
import type { Route } from './routes/route.js';

/** The parts of a listener that all its exchanges use. */
export interface ExchangeContext {
  readonly config: HttpConfig;
  readonly fabric: Fabric;
  readonly channels: Channels;
  readonly cors: Cors;
  readonly slots: RequestSlots;
  /** RequestSlots of requests whose bodies stream to their functions. */
  readonly uploadSlots: RequestSlots;
  readonly intakes: BodyIntakes;
  /** Bounds the values that clients have not taken yet. */
  readonly unsent: UnsentResponses;
  /** Measures the time of responses. */
  readonly clock: Pick<Clock, 'timers'>;
  readonly logger: Logger;
  /** Whether the engine stops. An endless response must not begin then. */
  stopping: boolean;
  /** Routes whose function has been reported because its result was no response. */
  readonly reported: WeakSet<Route>;
}

/** A request with the route that serves it. */
export interface RoutedRequest extends HttpRequest {
  readonly route: Route;
  /** Query as the client sent it, without the question mark. */
  readonly query: string;
  /** Path parameters of the route, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Absent without tracing. */
  readonly span: Span | undefined;
}
