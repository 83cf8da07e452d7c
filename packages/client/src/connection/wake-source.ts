/**
 * Calls `wake` when the runtime says that a connection may work again: the network is back, or the user sees the page again. Returns a
 * function that ends the calls.
 */
export type WakeSource = (wake: () => void) => () => void;

interface EventSource {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** The wake source of pages: `online` of the window and `visibilitychange` of the document. Where they do not exist, it never calls. */
export const pageWakeSource: WakeSource = (wake) => {
  const scope: { readonly document?: EventSource & { readonly visibilityState: string } } & Partial<EventSource> = globalThis as never;
  const { document } = scope;
  const onVisible = () => {
    if (document?.visibilityState === 'visible') wake();
  };
  scope.addEventListener?.('online', wake);
  document?.addEventListener('visibilitychange', onVisible);
  return () => {
    scope.removeEventListener?.('online', wake);
    document?.removeEventListener('visibilitychange', onVisible);
  };
};
