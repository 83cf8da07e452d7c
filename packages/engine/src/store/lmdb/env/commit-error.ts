/** How long the reason of a failed commit may be behind the failure. */
const REASON_MS = 100;

/**
 * What made a commit fail, from what lmdb rejected with. lmdb tells the reason by a second promise, and rejects a third one that nobody
 * has; one that stays unheard would end the process. Call it in the turn in which the commit failed. Never rejects.
 */
export async function commitFailure(error: unknown, committed: PromiseLike<unknown>): Promise<unknown> {
  committed.then(undefined, () => {});
  if (!(error instanceof Error) || !('commitError' in error) || !(error.commitError instanceof Promise)) return error;
  const reason = error.commitError.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), REASON_MS);
  });
  const cause = await Promise.race([reason, late]);
  clearTimeout(timer);
  return cause ?? error;
}
