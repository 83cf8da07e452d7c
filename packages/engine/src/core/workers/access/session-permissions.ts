import { DISCONNECT_FUNCTION, isEngineName } from '../../fabric/engine-names.js';
import { DEFAULT_NAMESPACE, type FunctionRegistry } from '../../fabric/function-registry.js';
import type { Exposure } from './exposure.js';
import type { Grant } from './grant.js';

/** Functions that every guest may call, because SDKs need them: to announce, to log and to open channels (spec RB §5.3). */
const INFRASTRUCTURE = new Set([
  'engine::channels::create',
  'engine::workers::register',
  ...['info', 'warn', 'error', 'debug', 'trace'].map((level) => `engine::log::${level}`),
  ...['get', 'set', 'get_all'].map((name) => `engine::baggage::${name}`),
]);

/** The permissions of one guest or stream session: its grant, and the rules of its listener. */
export class SessionPermissions {
  readonly grant: Grant;
  readonly #exposure: Exposure;
  readonly #functions: FunctionRegistry;
  readonly #infrastructure: ReadonlySet<string>;

  /** `infrastructure`: functions that need no rule. */
  constructor(grant: Grant, exposure: Exposure, functions: FunctionRegistry, infrastructure: ReadonlySet<string> = INFRASTRUCTURE) {
    this.grant = grant;
    this.#exposure = exposure;
    this.#functions = functions;
    this.#infrastructure = infrastructure;
  }

  /**
   * Returns whether the session may call a function, by the five steps of spec RB §5.3. An id that nobody registered gets the same answer
   * as a hidden one. On a listener that checks tokens, the token must allow the function too.
   */
  mayCall(functionId: string, namespace = DEFAULT_NAMESPACE): boolean {
    const { token, forbiddenFunctions } = this.grant;
    if (token === undefined || this.#infrastructure.has(functionId)) return this.#isExposed(functionId, namespace);
    if (!token.mayCall(functionId) || this.#isEngineName(functionId)) return false;
    if (namespace === DEFAULT_NAMESPACE && !this.#hasRules) return !forbiddenFunctions.has(functionId);
    return this.#isExposed(functionId, namespace);
  }

  /**
   * Returns whether `mayCall` may become true when a worker registers the function, because of its metadata. A registered function gets the
   * same answer, so that nobody learns which functions exist.
   */
  mayBecomeCallable(functionId: string): boolean {
    const { token, forbiddenFunctions } = this.grant;
    if (!this.#exposure.hasMetadataRules || forbiddenFunctions.has(functionId)) return false;
    return (token === undefined || token.mayCall(functionId)) && !this.#isEngineName(functionId);
  }

  /** Whether the listener or the auth function lists functions. Without a list, the token alone decides. */
  get #hasRules(): boolean {
    const { allowedFunctions, namespaces } = this.grant;
    return allowedFunctions.size > 0 || namespaces.size > 0 || this.#exposure.hasRules;
  }

  #isEngineName(functionId: string): boolean {
    return isEngineName(functionId, (id) => this.#functions.builtin(id));
  }

  #isExposed(functionId: string, namespace: string): boolean {
    if (namespace !== DEFAULT_NAMESPACE && this.#functions.builtin(functionId) === undefined) return this.#mayCallIn(functionId, namespace);
    const { forbiddenFunctions, allowedFunctions, allowedPatterns } = this.grant;
    if (functionId === DISCONNECT_FUNCTION) return this.names(functionId);
    if (forbiddenFunctions.has(functionId)) return false;
    if (allowedFunctions.has(functionId) || this.#infrastructure.has(functionId)) return true;
    const engineName = this.#isEngineName(functionId);
    if (allowedPatterns.some((pattern) => pattern.exposes(functionId, engineName))) return true;
    return this.#exposure.covers(functionId, this.#functions.find(functionId)?.metadata, engineName);
  }

  /** Returns whether the auth answer or a rule names exactly this id. A guest needs that for functions that end the sessions of others. */
  names(functionId: string): boolean {
    const { forbiddenFunctions, allowedFunctions, allowedPatterns } = this.grant;
    if (forbiddenFunctions.has(functionId)) return false;
    return (
      allowedFunctions.has(functionId) || allowedPatterns.some((pattern) => pattern.names(functionId)) || this.#exposure.names(functionId)
    );
  }

  /** Returns whether the session may call into a namespace. Only `namespaces` of the auth answer and rules with `namespace` allow it. */
  #mayCallIn(functionId: string, namespace: string): boolean {
    const { forbiddenFunctions, namespaces } = this.grant;
    if (forbiddenFunctions.has(functionId)) return false;
    const engineName = this.#isEngineName(functionId);
    const patterns = namespaces.get(namespace) ?? [];
    return (
      patterns.some((pattern) => pattern.exposes(functionId, engineName)) || this.#exposure.coversIn(namespace, functionId, engineName)
    );
  }
}
