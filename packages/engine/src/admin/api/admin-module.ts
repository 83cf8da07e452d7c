import { join } from 'node:path';
import type { AdminConfig } from '../../config/config.js';
import { packageFolder } from '../../config/package-folder.js';
import type { Logger } from '../../logging/logger.js';
import type { EngineParts } from '../../metrics/engine-parts.js';
import { METRICS } from '../../metrics/metrics.js';
import type { Clock } from '../../structures/clock.js';
import type { DescriptorReserve } from '../../transport/admission/descriptor-reserve.js';
import { ListenError } from '../../transport/listener.js';
import { AdminListener } from '../admin-listener.js';
import { InspectorFiles } from '../inspector/inspector-files.js';
import { AdminRoutes, type RouteRow } from '../routes.js';
import { engineRoutes } from './engine-routes.js';
import { exportRoutes } from './export-route.js';
import { groupRoutes } from './group-routes.js';
import { inspectorRoutes } from './inspector-routes.js';
import { listRoutes } from './list-routes.js';
import { overviewRoutes } from './overview-routes.js';
import { sessionRoutes } from './session-routes.js';
import { whyRoutes } from './why-route.js';
import { workRoutes } from './work-routes.js';
import { writeRoutes } from './write-routes.js';

export interface AdminModuleOptions {
  readonly config: AdminConfig;
  /** Nobody asked for the listener: the engine also starts when another process has its port. */
  readonly isOptional: boolean;
  readonly parts: EngineParts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly descriptors: DescriptorReserve;
}

type Scraped = { readonly text: string; readonly type: string };

/** Returns all paths of the listener, in the order of docs/admin.md. */
export function adminRoutes(parts: EngineParts, scrape: () => Promise<Scraped>, files = builtInspector()): readonly RouteRow[] {
  return [
    ...inspectorRoutes(files),
    ...engineRoutes(parts, scrape),
    ...overviewRoutes(parts),
    ...listRoutes(parts),
    ...groupRoutes(parts),
    ...sessionRoutes(parts),
    ...workRoutes(parts),
    ...exportRoutes(parts),
    ...whyRoutes(parts),
    ...writeRoutes(parts),
  ];
}

/** Returns the files of the inspector that the build puts into the engine package. */
function builtInspector(): InspectorFiles {
  return new InspectorFiles(join(packageFolder(), 'inspector'));
}

/** The admin listener of one engine: probes, metrics and the API for operators. It opens first and closes last. */
export class AdminModule {
  readonly #options: AdminModuleOptions;
  readonly #listener: AdminListener;
  #scrape: () => Promise<Scraped> = async () => ({ text: '', type: 'text/plain' });

  constructor(options: AdminModuleOptions) {
    const { config, parts, clock, logger, descriptors } = options;
    this.#options = options;
    const routes = new AdminRoutes(adminRoutes(parts, () => this.#scrape()));
    const { counters, streams } = parts;
    this.#listener = new AdminListener({ config, find: routes.find, live: streams?.live, clock, logger, counters, descriptors });
  }

  /** Opens the port. Resolves with its address, or with `undefined` when the port is taken and nobody asked for it. */
  async open(): Promise<{ readonly host: string; readonly port: number } | undefined> {
    const { isOptional, logger, parts } = this.#options;
    // Only an engine with this listener loads the library of metrics, which measures from now on.
    const { Scrape } = await import('../../metrics/scrape.js');
    const scrape = new Scrape(parts, METRICS);
    this.#scrape = () => scrape.text();
    try {
      const address = await this.#listener.listen();
      parts.loop.start();
      parts.samples.start(parts);
      return address;
    } catch (error) {
      if (!isOptional || !(error instanceof ListenError) || error.code !== 'EADDRINUSE') throw error;
      logger.warn('admin_port_taken', {
        port: error.port,
        consequence: 'this engine has no /health, /ready, /metrics and /api; give rivulet-admin another port in a configuration file',
      });
      return undefined;
    }
  }

  close(): Promise<void> {
    this.#options.parts.loop.stop();
    this.#options.parts.samples.stop();
    return this.#listener.close();
  }
}
