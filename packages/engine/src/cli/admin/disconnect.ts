import { field } from '@rivulet/protocol';
import type { Command } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';
import { CommandFailure } from '../command/failure.js';
import { ADMIN_OPTIONS, withAdmin } from './admin-api.js';

export const disconnectCommand: Command = {
  name: 'disconnect',
  positionals: [{ name: 'SESSION', description: 'the id of a session, from rivulet sessions', optional: true }],
  options: {
    ...ADMIN_OPTIONS,
    identity: { type: 'value', value: 'ID', description: 'end all sessions of this identity, in place of SESSION' },
    json: { type: 'flag', description: 'print one JSON value on stdout' },
  },
  notes: ['A client may connect again. Let your auth function refuse it first.'],
  run: (input, context) =>
    withAdmin(input, context, async ({ post }) => {
      const [session] = input.words;
      const identity = input.value('identity');
      if ((session === undefined) === (identity === undefined))
        throw new CommandFailure('INVALID_ARGUMENTS', 'name a session, or an identity with --identity', EXIT.usage);
      const answer = await post('sessions/disconnect', identity === undefined ? { session_id: session } : { identity });
      const disconnected = Number(field(answer, 'disconnected'));
      if (disconnected === 0) throw new CommandFailure('NOT_FOUND', 'no such session is connected', EXIT.failed);
      context.out(input.flag('json') ? `${JSON.stringify({ ok: true, disconnected })}\n` : `disconnected ${disconnected}\n`);
      return EXIT.ok;
    }),
};
