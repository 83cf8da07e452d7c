import type { Case } from '../runner/case.js';
import { httpAnswerCases } from './http/http-answers.js';
import { httpRequestCases } from './http/http-requests.js';
import { stateCases } from './state/state-functions.js';
import { stateTriggerCases } from './state/state-triggers.js';
import { backendCases } from './streams/custom-backends.js';
import { streamAuthCases } from './streams/stream-auth.js';
import { deliveryCases } from './streams/stream-delivery.js';
import { streamCases } from './streams/stream-functions.js';
import { joinCases } from './streams/stream-joins.js';
import { updateCases } from './streams/update-operations.js';
import { channelCases } from './workers/channels.js';
import { callCases } from './workers/function-calls.js';
import { rbacCallCases } from './workers/rbac-calls.js';
import { rbacRegistrationCases } from './workers/rbac-registrations.js';
import { listCases } from './workers/worker-lists.js';
import { triggerCases } from './workers/worker-triggers.js';

export const CASES: readonly Case[] = [
  ...callCases,
  ...triggerCases,
  ...listCases,
  ...streamCases,
  ...deliveryCases,
  ...joinCases,
  ...streamAuthCases,
  ...backendCases,
  ...stateCases,
  ...updateCases,
  ...stateTriggerCases,
  ...httpRequestCases,
  ...httpAnswerCases,
  ...channelCases,
  ...rbacCallCases,
  ...rbacRegistrationCases,
];
