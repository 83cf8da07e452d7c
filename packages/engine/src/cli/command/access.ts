import type { CommandContext } from './command.js';
import { EXIT } from './exit-codes.js';
import { CommandFailure } from './failure.js';

/**
 * Returns the token of a variable, or `undefined` if it is not set or empty. Throws a usage failure for a token that no engine has. The
 * message leaves the token out.
 */
export function tokenOf({ env }: Pick<CommandContext, 'env'>, variable: string): string | undefined {
  const token = env[variable];
  if (token === undefined || token === '') return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw wrong(`${variable} has a character that no token has: give printable ASCII characters without spaces`);
}

/** Throws a usage failure for an address with a name or a password, which other users of the machine could see. */
export function refuseCredentials(address: string, option: string): void {
  const [authority = ''] = address.replace(/^[^/?#@]*:?[/\\]{2,}/, '').split(/[/?#\\]/, 1);
  if (authority.includes('@'))
    throw wrong(`${option} has a name or a password; give an address without them, and the token in its variable`);
}

function wrong(message: string): CommandFailure {
  return new CommandFailure('INVALID_ARGUMENTS', message, EXIT.usage);
}
