import { compactStores } from '../../tools/compact.js';
import type { Command } from '../command/command.js';
import { CONFIG_OPTIONS } from '../command/config-option.js';
import { JSON_OPTION, megabytes, runTool } from './carry.js';

export const compactCommand: Command = {
  name: 'compact',
  options: { ...CONFIG_OPTIONS, ...JSON_OPTION },
  notes: ['Stop the engine first. The disk needs room for a copy of the items. A crash at any moment leaves the old file or the new one.'],
  run: (input, context) =>
    runTool(input, context, async (config, onStep) => {
      const stores = await compactStores(config, (step) => onStep(step, 0, 0));
      return {
        value: { stores },
        lines: stores.map(({ name, before, after }) => `${name}: ${megabytes(before)} before, ${megabytes(after)} now`),
      };
    }),
};
