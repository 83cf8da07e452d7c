import { expect, test } from 'vitest';
import { failedAnswer, outcomeAnswer, refusalAnswer } from '../../src/stream/calls/posted/call-answer.js';

const error = (code: string) => ({ code, message: 'm' });

test('RV-64 a code of a function has 422 and `ran`, also when the engine has the same code', () => {
  for (const code of ['OVERLOADED', 'FORBIDDEN', 'TIMEOUT', 'function_not_found', 'NOT_OWNER', 'toString']) {
    const { status, body } = outcomeAnswer({ kind: 'error', error: error(code), ran: true }, []);
    expect([status, JSON.parse(String(body))]).toEqual([422, { error: { code, message: 'm', ran: true } }]);
  }
});

test('RV-64 a function that failed without a code, and a result that is too large, have 500 and `ran`', () => {
  for (const code of ['invocation_failed', 'invocation_error', 'RESULT_TOO_LARGE']) {
    const { status, body } = outcomeAnswer({ kind: 'error', error: { ...error(code), error_id: 'e' }, ran: true }, [undefined]);
    expect([status, JSON.parse(String(body))]).toEqual([
      500,
      { error: { code, message: 'm', errorId: 'e', ran: true }, positions: [null] },
    ]);
  }
});

test.each([
  ['OVERLOADED', 503],
  ['function_not_found', 404],
  ['channel_send_failed', 503],
  ['invocation_stopped', 500],
  ['a code that has no status', 500],
])('RV-64 the code %s of the engine has %i, and no `ran`', (code, status) => {
  const answer = refusalAnswer(error(code));
  expect([answer.status, JSON.parse(String(answer.body))]).toEqual([status, { error: error(code) }]);
  expect(failedAnswer(new Error(code))).toBeUndefined();
});
