import { ENGINE_VERSION } from '../config/engine-version.js';
import type { Command } from './command.js';
import { EXIT } from './exit-codes.js';

export const versionCommand: Command = {
  name: 'version',
  summary: 'print the version',
  options: {},
  async run(_values, context) {
    context.out(`${ENGINE_VERSION}\n`);
    return EXIT.ok;
  },
};
