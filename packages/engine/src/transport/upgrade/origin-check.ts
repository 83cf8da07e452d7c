/** An origin of this machine as browsers serialize it: scheme, host, and a port that is not the default one. */
const LOOPBACK_ORIGIN = /^(https?):\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?$/i;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };

/** Returns whether a page of this origin was loaded over HTTP from this machine. Browsers never send any other text for such a page. */
export function isLoopbackOrigin(origin: string): boolean {
  const [, scheme = '', port] = LOOPBACK_ORIGIN.exec(origin) ?? [];
  return scheme !== '' && (port === undefined || (Number(port) <= 65_535 && port !== DEFAULT_PORTS[scheme.toLowerCase()]));
}
