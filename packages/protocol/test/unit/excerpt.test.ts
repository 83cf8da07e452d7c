import { expect, it } from 'vitest';
import { decodeWorkerMessage } from '../../src/index.js';

it('what is repeated to a sender is well-formed, wherever a long name is cut', () => {
  const name = `${'x'.repeat(63)}${'😀'.repeat(1_000)}`;
  const frame = { type: 'invokefunction', invocation_id: '6f1c2a9e-0000-4000-8000-000000000001', function_id: name };
  expect(decodeWorkerMessage(JSON.stringify(frame))).toMatchObject({ kind: 'invalid', functionId: `${'x'.repeat(63)}\ufffd` });
  expect(decodeWorkerMessage(JSON.stringify({ type: name }))).toMatchObject({ kind: 'ignored', type: `${'x'.repeat(63)}\ufffd` });
});
