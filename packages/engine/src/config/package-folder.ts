import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Returns the folder of the engine package, whether its code runs from `src`, from `dist` or from the bundle. */
export function packageFolder(folder: string = import.meta.dirname): string {
  return existsSync(join(folder, 'package.json')) || dirname(folder) === folder ? folder : packageFolder(dirname(folder));
}
