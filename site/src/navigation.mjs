import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressOf, pagesOf } from './pages.mjs';
import { titleIn } from './titles.mjs';

// The groups of pages in the side bar. Their order is also that of "next page". A page that no list names stands at the end of the group of
// its folder, so no page is without a way to it.

/** @typedef {{ text: string, link: string }} Link */
/** @typedef {{ text: string, collapsed?: boolean, items: (Link | Group)[] }} Group */

/** Titles of pages whose headings say less here. @type {Readonly<Record<string, string>>} */
const SHORT = {
  'bench/index.md': 'How the figures are measured',
  'bench/latest.md': 'Speed, beside others',
  'bench/durable-path.md': 'A durable write, in detail',
  'bench/hardening.md': 'What protections cost',
  'bench/ready.md': 'How fast /ready answers',
  'bench/redis.md': 'Several engines, measured',
  'security.md': 'Security: what is defended',
  'guides/alerts-and-dashboard.md': 'Alerts and dashboard',
};

/** @type {{ title: string, open?: boolean, pages: readonly string[], folder?: string }[]} */
const GROUPS = [
  { title: 'Start here', open: true, pages: ['index.md', 'install.md', 'glossary.md'] },
  {
    title: 'Tutorials',
    open: true,
    pages: ['tutorials/chat.md', 'tutorials/presence.md', 'tutorials/board.md', 'tutorials/many-engines.md'],
    folder: 'tutorials/',
  },
  { title: 'Coming from elsewhere', pages: ['coming-from/index.md'], folder: 'coming-from/' },
  {
    title: 'How-to guides',
    pages: [
      'guides/index.md',
      'guides/nginx.md',
      'guides/haproxy.md',
      'guides/tls.md',
      'guides/identity-provider.md',
      'guides/containers.md',
      'guides/kubernetes.md',
      'guides/systemd.md',
      'guides/backups.md',
      'guides/monitoring.md',
      'guides/alerts-and-dashboard.md',
      'guides/load-tests.md',
      'guides/testing-your-worker.md',
      'hardening.md',
      'presence.md',
      'upgrading.md',
    ],
    folder: 'guides/',
  },
  { title: 'Examples', pages: ['examples/index.md', 'examples/board.md', 'examples/chat.md'], folder: 'examples/' },
  {
    title: 'Reference: streams and workers',
    pages: [
      'reference.md',
      'functions.md',
      'streams.md',
      'state.md',
      'http.md',
      'http-reading.md',
      'channels.md',
      'access.md',
      'jwt.md',
      'adapters.md',
      'protocol.md',
    ],
  },
  {
    title: 'Reference: clients and SDK',
    pages: [
      'client.md',
      'react.md',
      'vue.md',
      'svelte.md',
      'optimistic-writes.md',
      'sdk.md',
      'testing.md',
      'create-rivulet.md',
      'compatibility.md',
      'clients.md',
    ],
  },
  { title: 'Reference: packages', pages: ['api/index.md'], folder: 'api/' },
  {
    title: 'Reference: operation',
    pages: [
      'configuration.md',
      'cli.md',
      'errors.md',
      'limits.md',
      'log-events.md',
      'metrics.md',
      'admin.md',
      'tracing.md',
      'deploying.md',
      'operations.md',
      'scaling.md',
      'backup.md',
      'store.md',
      'runtimes.md',
    ],
  },
  {
    title: 'Explanations',
    pages: [
      'explain/cursor.md',
      'explain/promises.md',
      'explain/sizing.md',
      'explain/security.md',
      'architecture.md',
      'reliability.md',
      'security.md',
      'bench/latest.md',
    ],
    folder: 'explain/',
  },
  { title: 'Figures and proof', pages: ['bench/index.md', 'reliability-harness.md', 'conformance.md'], folder: 'bench/' },
  { title: 'The project', pages: ['changelog.md', 'contributing.md', 'code-of-conduct.md'] },
];

/**
 * Returns the groups of the side bar. `apiPages`: the pages of the packages, which no document of the repository is the source of.
 *
 * @param {string} root
 * @param {readonly string[]} apiPages
 * @returns {Group[]}
 */
export function navigation(root, apiPages) {
  const sources = new Map([...pagesOf(root)].map(([source, page]) => [page, source]));
  const left = new Set([...sources.keys(), ...apiPages]);
  const titleOf = (/** @type {string} */ page) => {
    const source = sources.get(page);
    return SHORT[page] ?? titleIn(readFileSync(source === undefined ? join(root, 'site/.pages', page) : join(root, source), 'utf8'));
  };
  const named = GROUPS.map((group) => group.pages.filter((page) => left.delete(page)));
  return GROUPS.flatMap(({ title, open = false, folder }, at) => {
    const others = [...left].filter((page) => folder !== undefined && page.startsWith(folder)).toSorted();
    for (const page of others) left.delete(page);
    const items = [...(named[at] ?? []), ...others].map((page) => ({ text: titleOf(page), link: addressOf(page) }));
    if (at === GROUPS.length - 1) for (const page of left) items.push({ text: titleOf(page), link: addressOf(page) });
    return items.length === 0 ? [] : [{ text: title, collapsed: !open, items }];
  });
}
