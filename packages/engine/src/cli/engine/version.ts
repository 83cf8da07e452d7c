import { ENGINE_VERSION } from '../../config/engine-version.js';
import type { Command } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';

export const versionCommand: Command = {
  name: 'version',
  options: {},
  async run(_input, context) {
    context.out(`${ENGINE_VERSION}\n`);
    return EXIT.ok;
  },
};
