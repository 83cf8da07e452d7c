import type { ErrorBody, TriggerRegistrationResult } from '@rivulet/protocol';
import type { TriggerBinding, TriggerProvider } from '../fabric/fabric.js';
import { publicError } from '../fabric/public-error.js';
import type { BindingNames, NameMap } from './access/name-map.js';
import type { WorkerContext } from './worker-context.js';
import type { RegisteredWorker } from './worker-registry.js';

/** A session as provider of trigger types, and as registrant of triggers. */
interface TriggerPeer extends RegisteredWorker, TriggerProvider {
  /** `undefined` for a trusted worker. */
  readonly access: object | undefined;
  readonly names: NameMap;
  sendTriggerError(names: BindingNames, error: ErrorBody): void;
}

type AnswerContext<Session extends TriggerPeer> = Pick<WorkerContext<Session>, 'fabric' | 'workers' | 'exposeErrorMessages' | 'logger'>;

/**
 * Parks a binding that its provider refused and sends the error to the registrant. It ignores the provider of a type that another
 * provider has replaced (spec WP §1.11).
 */
export function takeProviderAnswer<Session extends TriggerPeer>(
  provider: Session,
  message: TriggerRegistrationResult,
  context: AnswerContext<Session>,
): void {
  const { triggers } = context.fabric;
  const registered = provider.names.registered('trigger', message.id) ?? message.id;
  const binding = triggers.providedBy(provider, registered) ?? triggers.providedBy(provider, message.id);
  if (message.error === undefined || binding === undefined) return;
  triggers.park(binding.id);
  const registrant = binding.workerId === undefined ? undefined : context.workers.get(binding.workerId);
  if (registrant !== undefined) sendRefusal(registrant, binding, message.error, context);
}

/** Sends the refusal of a provider to the registrant. A guest gets no raw error. */
function sendRefusal<Session extends TriggerPeer>(
  registrant: Session,
  binding: TriggerBinding,
  error: ErrorBody,
  { exposeErrorMessages: expose = false, logger }: AnswerContext<Session>,
): void {
  const { functionId } = binding;
  const isTrusted = registrant.access === undefined;
  const shown = isTrusted ? error : publicError({ error, origin: 'function' }, { functionId, expose, logger });
  registrant.sendTriggerError(registrant.names.binding(binding), shown);
}
