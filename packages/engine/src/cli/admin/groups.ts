import { percentEncode } from '@rivulet/protocol';
import type { Command } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';
import { CommandFailure, fail } from '../command/failure.js';
import { printAdminList, ROWS_OPTIONS } from './admin-rows.js';

export const groupsCommand: Command = {
  name: 'groups',
  positionals: [{ name: 'STREAM', description: 'the name of the stream' }],
  options: ROWS_OPTIONS,
  run: async (input, context) => {
    const [stream = ''] = input.words;
    if (stream === '')
      return fail(new CommandFailure('INVALID_ARGUMENTS', 'name a stream; its name is not empty', EXIT.usage), context, input.flag('json'));
    return printAdminList(input, context, {
      path: `streams/${percentEncode(stream)}/groups`,
      name: 'groups',
      columns: {
        GROUP: 'group',
        SUBSCRIPTIONS: 'subscriptions',
        'LOG CHANGES': 'log_changes',
        'LOG BYTES': 'log_bytes',
      },
    });
  },
};
