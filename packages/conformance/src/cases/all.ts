import type { Case } from '../case.js';
import { channelCases } from './channels.js';
import { backendCases } from './custom-backends.js';
import { httpAnswerCases } from './http-answers.js';
import { httpRequestCases } from './http-requests.js';
import { rbacCallCases } from './rbac-calls.js';
import { rbacRegistrationCases } from './rbac-registrations.js';
import { stateCases } from './state-functions.js';
import { stateTriggerCases } from './state-triggers.js';
import { streamAuthCases } from './stream-auth.js';
import { deliveryCases } from './stream-delivery.js';
import { streamCases } from './stream-functions.js';
import { joinCases } from './stream-joins.js';
import { updateCases } from './update-operations.js';
import { callCases } from './worker-calls.js';
import { listCases } from './worker-lists.js';
import { triggerCases } from './worker-triggers.js';

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
